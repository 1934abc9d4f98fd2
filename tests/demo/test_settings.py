import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.core.errors import ConfigError
from pipelines.demo.settings import PROFILES, DemoConfig, LimitsConfig, demo_config

NEEDED = "caption: a.yaml\ndetect: b.yaml\nanomaly: c.yaml\nsearch: d.yaml\n"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("PROFILE", "DEMO_CONFIG", "SUITE_PUBLIC"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_names_settings_and_samples_that_are_there(monkeypatch, profile):
    monkeypatch.setenv("PROFILE", profile)
    config = demo_config()
    assert all(path.is_file() for path in (config.caption, config.detect, config.anomaly, config.search))
    assert (config.samples / "caption" / "images").is_dir()


def test_the_bundled_models_are_shown_unless_others_are_asked_for(monkeypatch):
    assert demo_config().caption == Path("configs/mini/caption.yaml")
    monkeypatch.setenv("PROFILE", "base")
    assert demo_config().caption == Path("configs/caption.yaml")


def test_an_unknown_profile_is_refused_with_those_there_are(monkeypatch):
    monkeypatch.setenv("PROFILE", "large")
    with pytest.raises(ConfigError, match="expected a PROFILE among mini, base, gpu, found 'large'"):
        demo_config()


def test_another_settings_file_stands_in_for_the_profiles(monkeypatch, tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text(NEEDED + "submissions: elsewhere\n")
    monkeypatch.setenv("DEMO_CONFIG", str(path))
    assert demo_config() == DemoConfig(*(Path(f"{letter}.yaml") for letter in "abcd"), submissions=Path("elsewhere"))


def test_a_settings_file_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("DEMO_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        demo_config()


@pytest.mark.parametrize(("public", "local"), [(None, True), ("0", True), ("1", False)])
def test_strangers_may_name_no_folders_of_this_computer(monkeypatch, tmp_path, public, local):
    path = tmp_path / "demo.yaml"
    path.write_text(NEEDED + "local: true\n")
    monkeypatch.setenv("DEMO_CONFIG", str(path))
    if public is not None:
        monkeypatch.setenv("SUITE_PUBLIC", public)
    assert demo_config().local is local


@pytest.mark.parametrize("limit", ["files", "megabytes", "megapixels"])
def test_a_limit_below_one_would_take_nothing(limit):
    with pytest.raises(ValueError, match="at least 1"):
        LimitsConfig(**{limit: 0})


def test_reading_the_settings_loads_no_model_library():
    code = "import sys, pipelines.demo.settings; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

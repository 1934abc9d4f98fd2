"""An odd settings file is one ConfigError that names the file; whatever its bytes and values, nothing else."""

import argparse
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.anomaly.settings import AnomalyConfig
from pipelines.core.config import add_flags, given_flags, load_config, parts
from pipelines.core.errors import ConfigError
from tests.corpus.settings import SETTINGS, START
from tests.in_time import in_time

QUICK = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.mark.parametrize("name", SETTINGS)
def test_odd_settings(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)  # where a tag that runs code would leave its folder
    odd = SETTINGS[name]
    path = tmp_path / "settings.yaml"
    odd.make(path)
    end = in_time(lambda: load_config(path, AnomalyConfig))
    assert not (tmp_path / "planted").exists()
    if odd.refused:
        assert isinstance(end, ConfigError), end
        assert str(path) in str(end) and "\n" not in str(end) and len(str(end)) < 1000
        assert re.search(odd.refused, str(end)), end
        return
    assert isinstance(end, AnomalyConfig), end
    assert {key: getattr(end, key) for key in odd.read} == odd.read


@pytest.mark.parametrize("text", ["anomaly: 3", "anomaly: [a]", "anomaly: word", "anomaly: {1: 2}", "1: 2"])
def test_an_odd_part(tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        parts(path, ["anomaly"])
        load_config(path, AnomalyConfig, part="anomaly")


KEYS = [
    "data",
    "images",
    "checkpoint",
    "model",
    "strides",
    "input_size",
    "fit",
    "coreset",
    "folds",
    "quantile",
    "runner",
]
KEYS += ["batch", "workers", "threshold", "mean", "options", "normal", "columns", "id_column", "sample_submission"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | SCALARS, inner, max_size=3),
    max_leaves=8,
)


def read_or_refused(path: Path) -> None:
    try:
        load_config(path, AnomalyConfig)
    except ConfigError as error:
        assert str(path) in str(error) and "\n" not in str(error)


@QUICK
@given(content=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
@pytest.mark.parametrize("start", ["", START, START + "model: ", START + "quantile: !!"])
def test_any_bytes_are_settings_or_a_config_error(tmp_path_factory, start, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(start.encode() + content)
    read_or_refused(path)


@QUICK
@given(given=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_values_are_settings_or_a_config_error(tmp_path_factory, given):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    whole = {"data": {"images": "photos"}, "checkpoint": "a"} | given
    path.write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
    read_or_refused(path)


@QUICK
@given(value=st.text(max_size=40) | st.sampled_from(["2026-13-45", "!!int x", "*a", "{a: 1, a: 2}", "[" * 5_000, "&a"]))
def test_any_flag_is_a_setting_or_a_config_error(value):
    parser = argparse.ArgumentParser()
    add_flags(parser, AnomalyConfig)
    flags = given_flags(parser.parse_args([f"--checkpoint={value}", f"--quantile={value}", "--images=photos"]))
    try:
        load_config(None, AnomalyConfig, flags)
    except ConfigError as error:
        assert "command line" in str(error)

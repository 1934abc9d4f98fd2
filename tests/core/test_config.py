"""Settings: what is accepted, and what a user reads where something is off."""

import argparse
from pathlib import Path
from typing import ClassVar

import pytest

from pipelines.core.config import DataConfig, add_flags, given_flags, load_config, schema
from pipelines.core.errors import ConfigError
from pipelines.core.model import Model
from pipelines.core.running.settings import RunnerConfig


@schema
class Inner:
    beams: int = 3
    """Beams, 1 or more."""
    checkpoint: str = "inner"
    """The inner model."""


@schema
class Outer:
    data: DataConfig
    checkpoint: str
    """The outer model."""
    prompts: list[str] | None = None
    """Words to look for."""
    inner: Inner = Inner()
    runner: RunnerConfig = RunnerConfig()


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "checkpoint: a\ndata: {images: photos}\n"


def test_defaults_and_nested_settings(tmp_path):
    config = load_config(written(tmp_path, GOOD + "inner: {beams: 5}\n"), Outer)
    assert (config.checkpoint, config.data.images, config.inner.beams, config.runner.batch) == (
        "a",
        Path("photos"),
        5,
        "auto",
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["data.images", "missing"]),
        ("data: {images: x}", ["checkpoint", "missing"]),
        (GOOD + "chekpoint: b\n", ["unknown setting `chekpoint`", "`checkpoint`"]),
        (GOOD + "inner: {beam: 5}\n", ["unknown setting `inner.beam`", "`inner.beams`"]),
        (GOOD + "beams: 5\n", ["unknown setting `beams`", "inner.beams"]),
        (GOOD + "inner: {beams: many}\n", ["`inner.beams`", "integer", "'many'"]),
        (GOOD + "runner: {batch: 0}\n", ["batch is at least 1"]),
        (GOOD + "runner: {precision: fp8}\n", ["runner.precision", "fp16", "'fp8'"]),
        (GOOD + "prompts: 3\n", ["prompts", "list"]),
        (GOOD + "runner: {batch: many}\n", ["`runner.batch`", "integer", "'auto'", "found 'many'"]),
        ("- a\n- b\n", ["key: value", "list"]),
        ("a: [1\n", ["not valid YAML"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, parts):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_config(path, Outer)
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in [str(path), *parts]), str(error.value)


def test_what_was_typed_wrong_on_the_command_line_is_not_blamed_on_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"^--inner\.beams on the command line: expected a valid integer.* 'many'$"):
        load_config(written(tmp_path, GOOD), Outer, flags("--beams", "many"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml"):
        load_config(tmp_path / "no.yaml", Outer)


def flags(*words: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_flags(parser, Outer)
    return given_flags(parser.parse_args(words))


def test_every_key_is_a_flag_and_short_where_it_can_be(tmp_path):
    given = flags("--images", "p", "--beams", "7", "--prompts", "강아지", "0001", "--runner.batch", "2")
    assert given == {"data.images": "p", "inner.beams": 7, "prompts": ["강아지", "0001"], "runner.batch": 2}
    config = load_config(written(tmp_path, GOOD), Outer, given)
    assert (config.inner.beams, config.prompts, config.runner.batch) == (7, ["강아지", "0001"], 2)


def test_the_shallowest_key_owns_the_short_flag():
    assert flags("--checkpoint", "x") == {"checkpoint": "x"}
    assert flags("--inner.checkpoint", "y") == {"inner.checkpoint": "y"}


def test_a_mapping_can_be_typed(tmp_path):
    config = load_config(written(tmp_path, GOOD), Outer, flags("--columns", "{answer: label}"))
    assert config.data.columns == {"answer": "label"}


def test_help_is_the_docstring(capsys):
    parser = argparse.ArgumentParser()
    add_flags(parser, Outer)
    assert "Beams, 1 or more." in parser.format_help()


def test_settings_do_not_change(tmp_path):
    config = load_config(written(tmp_path, GOOD), Outer)
    with pytest.raises(AttributeError):
        config.checkpoint = "b"


@schema
class Chosen:
    models: ClassVar = {
        "model": {
            "quick": Model(lambda: object, "the quick one", frozenset({"fp32"}), defaults={"beams": 1, "prompt": ""}),
            "good": Model(lambda: object, "the good one", frozenset({"fp32"}), defaults={"beams": 3, "clean": True}),
        }
    }
    model: str = "auto"
    """What runs."""
    beams: int | None = None
    """Beams."""
    prompt: str | None = None
    """Words."""
    clean: bool = True
    """Whether."""


def test_help_lists_the_models_and_what_each_has_where_a_setting_is_left_open():
    parser = argparse.ArgumentParser()
    add_flags(parser, Chosen)
    said = {action.dest.removeprefix("setting:"): action.help for action in parser._actions}
    assert said["model"] == "What runs. quick: the quick one. good: the good one."
    assert said["beams"] == "Beams. Without it: quick 1, good 3."
    assert (said["prompt"], said["clean"]) == ("Words.", "Whether.")
    with pytest.raises(ConfigError, match="unknown setting `models`"):
        load_config(None, Chosen, {"models": {}})

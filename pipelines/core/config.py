"""Reads a YAML settings file into one frozen, validated class, and gives every key of it a command-line flag."""

import argparse
import difflib
import types
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import Field, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import ErrorDetails
from typing_extensions import dataclass_transform

from pipelines.core.errors import ConfigError
from pipelines.core.model import Models, models_of

Schema = TypeVar("Schema")

MAX_BYTES = 1_000_000
"""Of a settings file; the longest here has two thousand. YAML takes a hundred times its size in memory."""


@dataclass_transform(frozen_default=True)
def schema(cls: type[Schema]) -> type[Schema]:
    """Makes a class the schema of (a part of) a settings file: frozen, typed, unknown keys refused.

    A key's docstring is its help on the command line; checks that types cannot say go into `__post_init__`.
    """
    settings = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
    made: Any = pydantic_dataclass(frozen=True, config=settings)(cls)
    return cast(type[Schema], made)


def check_white(white: int | None) -> None:
    """Raises ValueError for what cannot be white in a 16-bit picture."""
    if white is not None and not 255 <= white <= 65535:
        raise ValueError(f"white is 255 to 65535, not {white}")


@schema
class DataConfig:
    """What comes in and where the submission goes."""

    images: Path
    """Folder of the photos; searched with its subfolders."""
    sample_submission: Path | None = None
    """CSV that fixes the submission's columns, ids and their order; without it every image of the folder gets a row."""
    test_csv: Path | None = None
    """CSV with one row per test item (ids, maybe prompts), where the sample submission does not list them."""
    id_column: str | None = None
    """Column of the ids in the CSVs; without it the first."""
    columns: dict[str, str] | None = None
    """Submission column -> what to write there, for samples whose names say too little, such as {answer: label}."""
    ignore: list[str] = field(default_factory=list)
    """What of the folder to leave out: names or paths in it, such as thumbs or *_mask.png."""
    white: int | None = None
    """What is white in 16-bit pictures (255 to 65535), such as 4095 for 12 bits; without it what their values show."""
    output: Path = Path("submissions/submission.csv")
    """The submission to write; a run record of the same name and the ending .json is written beside it."""

    def __post_init__(self) -> None:
        check_white(self.white)


@schema
class TranslationConfig:
    """The translator of Korean words that a model is asked for, where it knows no Korean."""

    checkpoint: str = "facebook/nllb-200-distilled-600M"
    """Folder or hub id of an NLLB or M2M100 model; loaded only where something has to be translated."""
    source: str = "kor_Hang"
    """The language of what is asked, by the checkpoint's own code."""
    target: str = "eng_Latn"
    """English, by the checkpoint's own code."""


def load_config(
    path: Path | None, kind: type[Schema], overrides: Mapping[str, Any] | None = None, part: str | None = None
) -> Schema:
    """The settings of `path`, or of its `part`, with `overrides` (dotted key -> YAML text or value) put over them.

    Without a path the overrides are all there is. Raises ConfigError, naming file and key, for unknown, missing or
    ill-typed keys. Relative paths stay relative to the working directory.
    """
    settings = {} if path is None else _read_yaml(path)
    if part is not None:
        settings = _mapping(settings.get(part), f"{path}: `{part}`")
    path = Path("the command line") if path is None else path
    for entry in fields(kind):  # type: ignore[arg-type]
        if _nested(entry.type):
            settings.setdefault(entry.name, {})  # so that an error names the key inside the group
    for key, value in (overrides or {}).items():
        _put(settings, key.split("."), value)
    try:
        return TypeAdapter(kind).validate_python(settings)
    except ValidationError as error:
        raise ConfigError(_sentence(path, kind, error.errors(include_url=False), overrides or {})) from None


def parts(path: Path, known: Sequence[str]) -> list[str]:
    """The names of a settings file's parts, in its order. Raises ConfigError for none or an unknown one."""
    names = list(_read_yaml(path))
    for name in names:
        if name not in known:
            raise ConfigError(f"{path}: unknown part `{name}`; {_hint(name, known)}")
    if not names:
        raise ConfigError(f"expected a part for a task ({', '.join(known)}) in {path}, found none")
    return names


def add_flags(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """A flag for every key of `kind`: `--data.images`, and the short `--images` where no other key ends so.

    Flags that were given are had from the parsed namespace by `given_flags`.
    """
    leaves = list(_leaves(kind))
    # The shallowest key owns its short name: --checkpoint is the task's own, the translator's keeps its group.
    depth = {key: key.count(".") for key, _, _ in leaves}
    for key, annotation, description in leaves:
        short = key.rpartition(".")[2]
        rivals = [other for other in depth if other.rpartition(".")[2] == short and other != key]
        names = [_flag(key)]
        if "." in key and not any(depth[other] <= depth[key] for other in rivals):
            names.append(_flag(short))
        listed = _is_list(annotation)
        metavar = short.upper()
        parser.add_argument(
            *names,
            dest=f"setting:{key}",
            metavar=metavar,
            nargs="+" if listed else None,
            default=argparse.SUPPRESS,
            help=description.replace("%", "%%"),
        )


def given_flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """Dotted key -> value of the settings that were given on the command line."""
    flags = {name: value for name, value in vars(arguments).items() if name.startswith("setting:")}
    return {name.removeprefix("setting:"): _parse(value) for name, value in flags.items()}


def _parse(value: str | list[str]) -> Any:  # noqa: ANN401 - whatever YAML gives
    """Numbers, booleans, null and {maps} as in YAML; anything else stays the text that was typed."""
    if isinstance(value, list):
        return value
    try:
        parsed = yaml.load(value, _Loader)
    except Exception:  # PyYAML raises almost anything, such as for 2026-13-45
        return value
    return parsed if isinstance(parsed, (int, float, bool, dict)) or value in ("null", "~") else value


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _is_list(annotation: Any) -> bool:  # noqa: ANN401 - a type expression
    parts = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return any(get_origin(part) in (list, tuple, Sequence) for part in parts)


def _nested(annotation: Any) -> type[Any] | None:  # noqa: ANN401 - a type expression
    """The settings class of a group, or None for a plain setting."""
    return annotation if isinstance(annotation, type) and is_dataclass(annotation) else None


def _leaves(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """(dotted key, type, help) of every setting."""
    described = kind.__pydantic_fields__
    for entry in fields(kind):
        nested = _nested(entry.type)
        if nested:
            yield from _leaves(nested, f"{prefix}{entry.name}.")
        else:
            said = [described[entry.name].description or "", *_of_models(models_of(kind), entry)]
            yield f"{prefix}{entry.name}", entry.type, " ".join(said)


def _of_models(models: Mapping[str, Models], entry: Field[Any]) -> Iterator[str]:
    """What the help of a setting says besides: the models that it names, or what each of them has where it is None."""
    for name, model in models.get(entry.name, {}).items():
        yield f"{name}: {model.help}."
    own = {name: model.defaults.get(entry.name) for each in models.values() for name, model in each.items()}
    usual = [f"{name} {value}" for name, value in own.items() if value not in (None, "")]
    if usual and entry.default is None:
        yield f"Without it: {', '.join(usual).rstrip('.')}."


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"found {'a folder' if path.is_dir() else 'something that is no file'}")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES // 1000} KB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise ConfigError(f"expected a settings file (YAML, UTF-8) at {path}, but it cannot be read: {error}") from None
    try:
        # The loader is SafeLoader's: numbers, texts, lists and maps, and no Python object whatever a tag says.
        settings = yaml.load(text, _Loader)
    except RecursionError:
        raise ConfigError(f"{path}: expected settings of a few levels, found lists or maps nested too deep") from None
    except Exception as error:  # a tag such as !!int or a date that is none makes PyYAML raise almost anything
        raise ConfigError(f"{path} is not valid YAML: {_short(' '.join(str(error).split()))}") from None
    return _mapping(settings, str(path))


def _mapping(settings: object, where: str) -> dict[str, Any]:
    """The `key: value` lines at a place of a settings file, none for nothing. Raises ConfigError for anything else."""
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{where}: expected `key: value` lines, found a {type(settings).__name__}")
    odd = [key for key in settings if not isinstance(key, str)]
    if odd:
        raise ConfigError(f"{where}: expected names as keys, found {_short(repr(odd[0]))}")
    return dict(settings)


class _Loader(yaml.SafeLoader):
    """YAML without aliases, by which a page unfolds into gigabytes, and without a key twice, of which one is lost."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "expected values, found an alias (*name)", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        given: set[str] = set()
        for key, _ in node.value:
            if key.value in given:
                raise yaml.constructor.ConstructorError(
                    None, None, f"found the key `{key.value}` again", key.start_mark
                )
            given.add(key.value)
        return super().construct_mapping(node, deep)


def _short(text: str) -> str:
    """What a user gave, as a message can show it."""
    return text if len(text) <= 200 else f"{text[:200]}..."


def _put(settings: dict[str, Any], key: list[str], value: object) -> None:
    for part in key[:-1]:
        nested = settings.get(part)
        settings[part] = settings = dict(nested) if isinstance(nested, dict) else {}
    settings[key[-1]] = value


def _sentence(path: Path, kind: type[Any], errors: Sequence[ErrorDetails], overrides: Mapping[str, Any]) -> str:
    """One line on the first settings error: where, key, expectation, finding."""
    known = [key for key, _, _ in _leaves(kind)]
    error, key = errors[0], _key(errors[0], known)
    where = f"{_flag(key)} on the command line" if key in overrides else f"{path}: `{key}`"
    if error["type"] == "unexpected_keyword_argument":
        return f"{path}: unknown setting `{key}`; {_hint(key, [*known, *(entry.name for entry in fields(kind))])}"
    if error["type"] in ("missing", "missing_argument"):
        return f"{path}: the setting `{key}` is missing; give it there or as {_flag(key)}"
    if error["type"] == "value_error":  # a check of our own, in __post_init__
        return f"{where if key else path}: {error['ctx']['error']}"
    asked = dict.fromkeys(other["msg"] for other in errors if _key(other, known) == key)  # several for a union of types
    expected = " or ".join(message.removeprefix("Input should be ") for message in asked)
    return f"{where}: expected {expected}, found {_short(repr(error['input']))}"


def _key(error: ErrorDetails, known: Sequence[str]) -> str:
    """The dotted key that an error is about, without the type of a union that pydantic adds to it."""
    key = ".".join(map(str, error["loc"]))
    return next((other for other in known if key == other or key.startswith(f"{other}.")), key)


def _hint(key: str, known: Sequence[str]) -> str:
    """What an unknown key may have been meant to be."""
    same_name = [other for other in known if other.rpartition(".")[2] == key.rpartition(".")[2]]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5) or same_name
    if near:
        return f"did you mean `{near[0]}`?"
    group = [other for other in known if other.rpartition(".")[0] == key.rpartition(".")[0]]
    return f"known keys: {', '.join(dict.fromkeys(group))}"

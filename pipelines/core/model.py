"""What a task's dict of models holds, an entry a model, and which of them a checkpoint's own config.json asks for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pipelines.core.errors import CheckpointError, ConfigError

Made = TypeVar("Made")

Dtype: TypeAlias = Literal["fp32", "fp16", "bf16"]
AUTO = "auto"
"""The model that fits the checkpoint."""


@dataclass(frozen=True)
class Model(Generic[Made]):
    """A model by the name that settings know it by; making one of these imports nothing that is heavy."""

    load: Callable[[], Callable[..., Made]]
    """Imports and gives the class."""
    help: str
    """One line for the command line: what it is for."""
    dtypes: frozenset[Dtype]
    """What its class runs in, as that says in its own `dtypes`."""
    near_dtypes: frozenset[Dtype] = frozenset()
    """What it runs in besides where it is asked for: the class's `near_dtypes`."""
    as_stored: bool = False
    """Whether it also runs in the dtype of a checkpoint's weights."""
    kinds: tuple[str, ...] = ()
    """The `model_type`s of config.json that it fits. A method, which runs on any network, has neither these ..."""
    others_with: str | None = None
    """... nor this: a key of config.json, by which it fits networks that no other entry's `kinds` name."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The settings that it has -> what holds where they are left out."""
    writes_korean: bool = False
    """Whether what it writes needs no translation."""
    tiny: str = ""
    """`module:function` of the tests, which writes a tiny checkpoint for it into a folder."""

    @property
    def method(self) -> bool:
        """Whether it runs on any network."""
        return not self.kinds and self.others_with is None

    @property
    def fits(self) -> str:
        """The checkpoints that it fits, as a sentence names them; empty for a method."""
        return ", ".join([*self.kinds, *([f"any other with {self.others_with}"] if self.others_with else [])])

    def own(self, setting: str, given: Any) -> Any:  # noqa: ANN401 - of any setting
        """What a setting is: what was given, or where that is None its default here."""
        return self.defaults[setting] if given is None else given


Models: TypeAlias = Mapping[str, Model[Any]]


def models_of(config: object) -> Mapping[str, Models]:
    """Setting -> the models that it names, as settings or their class have it in `models`."""
    return getattr(config, "models", {})


def listed(models: Models) -> str:
    """The names, each with what it fits: `blip (blip), chat (any other with vision_config)`."""
    return ", ".join(f"{name} ({model.fits})" if model.fits else name for name, model in models.items())


def named(models: Models, name: str, setting: str = "model") -> None:
    """Raises ConfigError, listing the names, where `name` is none of `models`."""
    if name not in models:
        auto = f"{AUTO}, " if setting == "model" else ""
        raise ConfigError(f"expected as `{setting}` one of {auto}{listed(models)}, found `{name}`")


def choose(models: Models, name: str, folder: Path) -> str:
    """The name of the model to run a checkpoint folder by: `name` itself, or for `auto` the one that fits.

    A method fits any folder, and the first of them is taken. Raises ConfigError for an unknown name, CheckpointError
    where `auto` finds none.
    """
    if name != AUTO:
        named(models, name)
        return name
    if (method := method_of(models)) is not None:
        return method
    config = read_config(folder)
    found = fitting(models, config)
    if found is None:
        raise CheckpointError(
            f"expected a model_type that a model here fits in {folder / 'config.json'}: {listed(models)}; found "
            f"{config.get('model_type') or 'none'}; name another checkpoint, or insist with --model NAME"
        )
    return found


def method_of(models: Models) -> str | None:
    """The name of the first method, which `auto` takes for any checkpoint; None where there is none."""
    return next((name for name, model in models.items() if model.method), None)


def fitting(models: Models, config: Mapping[str, Any]) -> str | None:
    """The name of the model that fits what a config.json holds; None where there is none, or they are methods."""
    found = config.get("model_type")
    for name, model in models.items():
        if found in model.kinds:
            return name
    others = (name for name, model in models.items() if model.others_with is not None and model.others_with in config)
    return next(others, None)


def read_config(folder: Path) -> dict[str, Any]:
    """What a checkpoint folder's config.json holds. Raises CheckpointError where there is none, or no JSON object."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"expected a model's settings (JSON) in {path}, but they cannot be read: {error}"
        ) from None
    if not isinstance(config, dict):
        raise CheckpointError(f"expected a JSON object in {path}, found a {type(config).__name__}")
    return config

"""The captioners by name: BLIP writes English, a chat model what its prompt asks for."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.caption.models.captioner import Captioner

Made = Callable[..., "Captioner"]


def _blip() -> Made:
    from pipelines.caption.models.blip import BlipCaptioner

    return BlipCaptioner


def _chat() -> Made:
    from pipelines.caption.models.chat import ChatCaptioner

    return ChatCaptioner


CAPTIONERS: dict[str, Callable[[], Made]] = {"blip": _blip, "chat": _chat}
"""Each gives its class, which takes a checkpoint folder and, by name, what its settings are called."""


def load_captioner(name: str, folder: Path, settings: Mapping[str, Any]) -> "Captioner":
    """The captioner `name` on a checkpoint folder; what `settings` leave out or have as None is the captioner's own.

    Raises ConfigError for an unknown name or a setting that it has not, CheckpointError for a folder that does not fit.
    """
    if name not in CAPTIONERS:
        raise ConfigError(f"expected a captioner ({', '.join(CAPTIONERS)}), found `{name}`")
    captioner = CAPTIONERS[name]()
    given = {key: value for key, value in settings.items() if value is not None}
    known = list(inspect.signature(captioner).parameters)[1:]
    strange = [key for key in given if key not in known]
    if strange:
        raise ConfigError(f"expected settings that {name} has ({', '.join(known)}), found {', '.join(strange)}")
    return captioner(folder, **given)

"""The captioners by name: BLIP writes English, a chat model what its prompt asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ConfigError
from pipelines.core.model import Model, choose

if TYPE_CHECKING:  # they import torch
    from pipelines.caption.models.blip import BlipCaptioner
    from pipelines.caption.models.captioner import Captioner
    from pipelines.caption.models.chat import ChatCaptioner


def _blip() -> "type[BlipCaptioner]":
    from pipelines.caption.models.blip import BlipCaptioner

    return BlipCaptioner


def _chat() -> "type[ChatCaptioner]":
    from pipelines.caption.models.chat import ChatCaptioner

    return ChatCaptioner


CAPTIONERS: "dict[str, Model[Captioner]]" = {
    "blip": Model(
        _blip,
        "English captions, which are then translated",
        dtypes=frozenset({"fp32", "fp16"}),
        near_dtypes=frozenset({"bf16"}),
        kinds=("blip",),
        # As LAVIS has them.
        defaults={"prompt": "", "beams": 3, "min_tokens": 5, "max_tokens": 20, "clean": True},
        tiny="tests.tiny:blip",
    ),
    "chat": Model(
        _chat,
        "any chat model that sees pictures, which answers the prompt",
        dtypes=frozenset({"fp32", "bf16"}),
        as_stored=True,
        others_with="vision_config",
        defaults={
            "prompt": "이 사진을 한국어 한 문장으로 설명해 주세요.",
            "beams": 1,
            "min_tokens": 1,
            "max_tokens": 64,
            "max_pixels": 2**20,  # of which such a model makes some 1,000 to 1,300 tokens
            "clean": True,
        },
        writes_korean=True,
        tiny="tests.tiny:qwen_vl",
    ),
}
"""Each class takes a checkpoint folder and, by name, the settings that its `defaults` have."""


def load_captioner(name: str, folder: Path, settings: Mapping[str, Any]) -> "Captioner":
    """The captioner `name`, or `auto`, on a checkpoint folder; what `settings` leave out or have as None is its own.

    Raises ConfigError for an unknown name or a setting that it has not, CheckpointError for a folder that does not fit.
    """
    name = choose(CAPTIONERS, name, folder)
    model = CAPTIONERS[name]
    given = {key: value for key, value in settings.items() if value is not None}
    strange = [key for key in given if key not in model.defaults]
    if strange:
        known = ", ".join(model.defaults)
        raise ConfigError(f"expected settings that {name} has ({known}), found {', '.join(strange)}")
    return model.load()(folder, **{**model.defaults, **given})

"""The models that several tasks share, by name, in the shape of each task's own dict."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.core.model import Model, Models

if TYPE_CHECKING:  # they import torch
    from pipelines.core.networks.clip import ClipImages, ClipTexts
    from pipelines.core.networks.translate import Translator


def _clip() -> "Callable[..., tuple[ClipImages, ClipTexts]]":
    from pipelines.core.networks.clip import load_clip

    return load_clip


def _translator() -> "type[Translator]":
    from pipelines.core.networks.translate import Translator

    return Translator


CLIP: "Model[tuple[ClipImages, ClipTexts]]" = Model(
    _clip,
    "compares photos and texts: CLIP, SigLIP, SigLIP 2 and their relatives",
    dtypes=frozenset({"fp32", "fp16"}),
    near_dtypes=frozenset({"bf16"}),
    kinds=("clip", "siglip", "siglip2", "chinese_clip", "altclip", "align", "metaclip_2", "vision-text-dual-encoder"),
    tiny="tests.tiny:siglip",
)
"""Loads any network with features of both; `kinds` are those that are published for it."""

TRANSLATORS: "dict[str, Model[Translator]]" = {
    "m2m_100": Model(
        _translator,
        "translates between many languages: M2M100, NLLB",
        dtypes=frozenset({"fp32", "fp16", "bf16"}),
        kinds=("m2m_100",),
        tiny="tests.tiny:nllb",
    ),
    "marian": Model(
        _translator,
        "translates one pair of languages: OPUS-MT",
        dtypes=frozenset({"fp32", "bf16"}),
        as_stored=True,
        kinds=("marian",),
        tiny="tests.tiny:marian",
    ),
}

SHARED: Models = {"clip": CLIP, **TRANSLATORS}

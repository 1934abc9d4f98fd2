"""The second judges of a search by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.model import Model, named
from pipelines.core.networks.models import CLIP

if TYPE_CHECKING:  # they import torch
    from pipelines.search.models.clip import ClipMatcher
    from pipelines.search.models.itm import BlipMatcher
    from pipelines.search.models.judge import Judge


def _itm() -> "type[BlipMatcher]":
    from pipelines.search.models.itm import BlipMatcher

    return BlipMatcher


def _clip() -> "type[ClipMatcher]":
    from pipelines.search.models.clip import ClipMatcher

    return ClipMatcher


RERANKERS: "dict[str, Model[Judge]]" = {
    "itm": Model(
        _itm,
        "BLIP's matching head, which reads a photo and an English text together",
        dtypes=frozenset({"fp32", "fp16"}),
        kinds=("blip",),
        tiny="tests.tiny:blip_itm",
    ),
    "clip": Model(
        _clip,
        "a larger CLIP, SigLIP or SigLIP 2 than the album's",
        dtypes=CLIP.dtypes,
        near_dtypes=CLIP.near_dtypes,
        kinds=CLIP.kinds,
        tiny=CLIP.tiny,
    ),
}
"""Each class takes a checkpoint folder."""


def load_judge(name: str, folder: Path) -> "Judge":
    """The judge `name` on a checkpoint folder. Raises ConfigError for an unknown name, CheckpointError."""
    named(RERANKERS, name, "rerank")
    return RERANKERS[name].load()(folder)

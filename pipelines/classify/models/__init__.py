"""The classifiers by name: there is one."""

from typing import TYPE_CHECKING

from pipelines.core.networks.models import CLIP

if TYPE_CHECKING:  # they import torch
    from pipelines.core.model import Model
    from pipelines.core.networks.clip import ClipImages, ClipTexts

CLASSIFIERS: "dict[str, Model[tuple[ClipImages, ClipTexts]]]" = {"clip": CLIP}
"""Each gives the two sides of a checkpoint folder, of photos and of texts, of which models/clip.py makes classes."""

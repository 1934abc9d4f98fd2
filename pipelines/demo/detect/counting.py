"""What the detector left of a visitor's photos: every box above a low score, to be counted again without the model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.core.images.samples import Sample

if TYPE_CHECKING:  # they import torch
    from pipelines.detect.boxes.detections import Detections
    from pipelines.detect.prompts import English

LOWEST = 0.05
"""The lowest score that can be chosen, at which the detector runs once."""
COMMAS = re.compile("[,，、\n]")
"""The wide ones come from East Asian keyboards."""


def split_prompts(text: str) -> list[str]:
    """What a visitor typed with commas between, each prompt once."""
    return list(dict.fromkeys(prompt.strip() for prompt in COMMAS.split(text) if prompt.strip()))


@dataclass(frozen=True)
class Found:
    """What was asked, by a DetectPipeline's own words, and what it found."""

    prompts: Mapping[str, "English"]
    """What the detector was asked for each prompt, in the order of the columns."""
    classes: tuple[str, ...]
    columns: Sequence[str]
    """Of the submission, without the id: `count`, or a column a prompt."""
    places: Sequence[int]
    """Each column's place among the classes."""
    across_classes: bool
    """Whether boxes of different classes drop each other."""
    photos: "list[tuple[Sample, Detections | None]]"
    """The photos with their boxes before NMS, or None where one could not be looked at; filled as they come."""
    threshold: float
    """The score that a box has to exceed by the task's settings, or by the detector's own."""
    drop_groups: bool = True
    """Whether a box that only frames several others of its class goes."""

    def counted(self, threshold: float, iou: float) -> "list[Detections | None]":
        """Of each photo the boxes that count with a score threshold and an IoU of NMS (both 0 to 1)."""
        from pipelines.detect.boxes.counting import suppress

        # As the command does it: the detector drops what scores too little, then comes NMS.
        return [
            None
            if boxes is None
            else suppress(boxes[boxes.scores > threshold], iou, self.across_classes, self.drop_groups)
            for _, boxes in self.photos
        ]

    def submission(self, counted: "Sequence[Detections | None]") -> pd.DataFrame:
        """The rows of the submission: `image` and the counts; 0 where a photo could not be looked at."""
        from pipelines.detect.boxes.counting import count

        rows = []
        for (sample, _), objects in zip(self.photos, counted, strict=True):
            counts = [0] * len(self.classes) if objects is None else count(objects, len(self.classes))
            rows.append([sample.id, *(counts[place] for place in self.places)])
        return pd.DataFrame(rows, columns=["image", *self.columns])

    def full(self, threshold: float) -> int:
        """Photos in which every slot of the detector has a box above the threshold, so that there may be more."""
        return sum(boxes is not None and boxes.full_above > threshold for _, boxes in self.photos)

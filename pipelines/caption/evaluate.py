"""Scores captions against one or more references each, as papers and contests do."""

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from pipelines.caption.scoring.metrics import EXACT, References, Texts, coco, exact, general, nikl, samsung2023
from pipelines.caption.scoring.tokens import Tokenizer
from pipelines.core.config import DataConfig, schema
from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_samples
from pipelines.core.submission.scores import Evaluation, Score
from pipelines.core.submission.truth import joined, read_frame
from pipelines.core.submission.writing import content_hash

CAPTION, ENGLISH = "caption", "english"

PRESETS: Mapping[str, Callable[[Texts, References, Tokenizer], list[Score]]] = {
    "general": general,
    "nikl": nikl,
    "samsung2023": samsung2023,
    "coco": coco,
}
"""What is computed, by name."""


@schema
class CaptionScoring:
    """The settings of the evaluation of captions."""

    submission: Path
    """CSV to score: the id first, and a column `caption`."""
    truth: Path
    """CSV with the references: `image,caption`, several rows an image where there are several references."""
    tokenizer: Tokenizer = "char"
    """`char` (characters), `ko-mecab` (Korean morphemes) or `13a` (words, for English)."""
    preset: str = "general"
    """`general`, or a contest's own: `nikl`, `samsung2023`, `coco`."""
    worst: int = 5
    """How many of the captions that are the farthest from their references are shown (0 or more)."""
    clip: str | None = None
    """Folder or hub id of a CLIP, SigLIP or SigLIP 2, for CLIPScore."""
    images: Path | None = None
    """Folder of the photos, for CLIPScore."""
    clip_text: Literal["caption", "english"] = "english"
    """What CLIPScore compares with the photos: the captions, or what they were translated from."""
    clip_prefix: str = "A photo depicts "
    """What CLIPScore puts before each text; the paper's own."""

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"preset is one of {', '.join(PRESETS)}, not {self.preset}")
        if self.worst < 0:
            raise ValueError(f"worst is 0 or more, not {self.worst}")
        if self.clip is not None and self.images is None:
            raise ValueError("CLIPScore needs the photos: name their folder as images")


def evaluate(settings: CaptionScoring) -> Evaluation:
    """Scores a submission's captions. Raises InputError or CheckpointError."""
    submission = read_frame(settings.submission)
    if ENGLISH not in submission:
        submission = _with_english(submission, settings.submission)
    found = score(submission, read_frame(settings.truth), settings)
    if settings.clip is None or settings.images is None:
        return found
    clip = clip_score(submission, settings.clip, settings.images, settings)
    return replace(found, scores=[*found.scores, clip])


def clip_score(submission: pd.DataFrame, checkpoint: str, images: Path, settings: CaptionScoring) -> Score:
    """The mean CLIPScore of a submission's captions. Raises InputError or CheckpointError."""
    from pipelines.caption.scoring.clipscore import (
        clip_scores,  # the networks' libraries, which other scores do without
    )
    from pipelines.core.running.runner import Runner

    if settings.clip_text not in submission:
        raise InputError(
            f"expected a column `{settings.clip_text}` in {settings.submission} or a run record beside it that knows "
            "the English captions, found neither; give --clip-text caption"
        )
    data = DataConfig(images=images, sample_submission=settings.submission)
    texts = submission[settings.clip_text].tolist()
    values = clip_scores(read_samples(data), texts, checkpoint, Runner(), settings.clip_prefix)
    return Score("CLIPScore", statistics.fmean(values), f"ours, {checkpoint}, {settings.clip_text}")


def score(submission: pd.DataFrame, truth: pd.DataFrame, settings: CaptionScoring) -> Evaluation:
    """What the captions score; all shares are 0 to 1, CIDEr-D is 0 to 10.

    The frames are as `aligned` takes them; where both have `english`, its exact matches count too. Raises InputError.
    """
    said, true = aligned(submission, truth)
    captions, references = said[CAPTION].tolist(), true[CAPTION].tolist()
    scores = PRESETS[settings.preset](captions, references, settings.tokenizer)
    if ENGLISH in said and ENGLISH in true:
        scores.append(Score("exact (english)", exact(said[ENGLISH].tolist(), true[ENGLISH].tolist()), EXACT))
    return Evaluation(scores)


def aligned(submission: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, joined by their ids, which are the index; a cell of the truth is the list of the id's references.

    Both frames have the id first and a column `caption`. Raises InputError where that is missing, an id repeats in the
    submission, or the ids differ.
    """
    for name, table in (("submission", submission), ("truth", truth)):
        if CAPTION not in table.columns:
            raise InputError(f"expected a column `{CAPTION}` in the {name}, found {', '.join(map(str, table.columns))}")
    return joined(submission.fillna(""), _by_id(truth.fillna("")))


def _by_id(truth: pd.DataFrame) -> pd.DataFrame:
    """One row an id, its cells the lists of what the id's rows have."""
    key = truth.columns[0]
    grouped: pd.DataFrame = truth.groupby(key, sort=False).agg(list).reset_index()
    return grouped


def _with_english(submission: pd.DataFrame, path: Path) -> pd.DataFrame:
    """With a column of what the captions were translated from, where the run record has it for every row.

    The record of a file that was edited since, or of another run, says nothing of these captions.
    """
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if record["content_hash"] != content_hash(path):
            return submission
        captions = record["run"]["captions"]
        english = [captions[key][ENGLISH] for key in submission[submission.columns[0]]]
    except (OSError, ValueError, KeyError, TypeError):
        return submission
    return submission if None in english else submission.assign(**{ENGLISH: english})

"""What the detect task is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.task import Calibration, Comparison, Scoring, Task, Worst
from pipelines.detect.settings import DetectConfig, fields, samples

if TYPE_CHECKING:  # pandas takes a second
    import pandas as pd

    from pipelines.core.submission.scores import Wrong


def _pipeline(config: DetectConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
    from pipelines.detect.pipeline import DetectPipeline

    return DetectPipeline(config, runner)


def _scoring() -> Scoring:
    from pipelines.detect.evaluate import DetectScoring, evaluate

    return Scoring(DetectScoring, evaluate)


def _calibration() -> Calibration:
    from pipelines.detect.calibrate import DetectCalibration, calibrate

    return Calibration((DetectConfig, DetectCalibration), calibrate)


def _wrong(submission: "pd.DataFrame", truth: "pd.DataFrame") -> "list[Wrong]":
    from pipelines.detect.worst import find

    return find(submission, truth)


def _all_counts(table: "pd.DataFrame") -> bool:
    """Whether every cell is a whole number of 0 or more, and no column has the name of another task's field."""
    named = {"caption", "label", "score"} & set(table.columns)
    return not named and all(cell.strip().isdecimal() for cell in table.to_numpy().flat)


def _asked_by(config: DetectConfig, columns: Sequence[str]) -> DetectConfig:
    """Whatever is counted, a sample's columns say it."""
    return replace(config, prompts=list(columns), prompt_column=None)


TASK = Task(
    name="detect",
    title=("찾고 세기", "Find and count"),
    help=(
        "문장으로 가리킨 것을 찾아 셉니다: Grounding DINO",
        "finds and counts what a text prompt names: Grounding DINO",
    ),
    bundled=Path("samples/detect"),
    config=DetectConfig,
    samples=samples,
    fields=fields,
    pipeline=_pipeline,
    scoring=_scoring,
    calibration=_calibration,
    worst=Worst(
        find=_wrong,
        unit="objects",
        far=lambda error: (f"차이 {error:g}개", f"off by {error:g}"),
        kinds={
            "too many": ("더 많이 셈", "Too many"),
            "too few": ("더 적게 셈", "Too few"),
            "both": ("더하고 덜 셈", "Some of each"),
        },
    ),
    comparison=Comparison(columns={"count": "count"}, tells=_all_counts),
    blank=("개수 0", "counts of 0"),
    fallback=("개수의 중앙값", "the median counts"),
    asked_by=_asked_by,
)

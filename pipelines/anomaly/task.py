"""What anomaly detection is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.anomaly.settings import AnomalyConfig, fields, samples
from pipelines.core.task import Calibration, Comparison, Scoring, Task, Worst

if TYPE_CHECKING:  # pandas takes a second
    import pandas as pd

    from pipelines.core.submission.scores import Wrong


def _pipeline(config: AnomalyConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
    from pipelines.anomaly.pipeline import AnomalyPipeline

    return AnomalyPipeline(config, runner)


def _scoring() -> Scoring:
    from pipelines.anomaly.evaluate import AnomalyScoring, evaluate

    return Scoring(AnomalyScoring, evaluate)


def _calibration() -> Calibration:
    from pipelines.anomaly.calibrate import AnomalyCalibration, calibrate

    return Calibration((AnomalyConfig, AnomalyCalibration), calibrate)


def _wrong(submission: "pd.DataFrame", truth: "pd.DataFrame") -> "list[Wrong]":
    from pipelines.anomaly.worst import find

    return find(submission, truth)


def _tells(table: "pd.DataFrame") -> bool:
    """Labels 0 and 1, scores, or both, and nothing else."""
    labels = table["label"].str.strip().isin(["0", "1"]).all() if "label" in table else True
    return set(table.columns) <= {"label", "score"} and bool(labels)


TASK = Task(
    name="anomaly",
    title=("이상 탐지", "Anomalies"),
    help=("정상 사진과 다른 곳이 있는지 점수를 매깁니다: PatchCore", "scores photos against normal ones: PatchCore"),
    bundled=Path("samples/anomaly"),
    config=AnomalyConfig,
    samples=samples,
    fields=fields,
    pipeline=_pipeline,
    scoring=_scoring,
    calibration=_calibration,
    worst=Worst(
        find=_wrong,
        unit="deviations",
        far=lambda error: (f"경계에서 {error:.2f} 표준편차", f"{error:.2f} deviations beyond"),
        kinds={"missed": ("놓친 결함", "Missed"), "false alarm": ("헛경보", "False alarms")},
    ),
    comparison=Comparison(columns={"label": "label", "score": "score"}, tells=_tells),
    blank=("라벨 0, 점수 0", "label 0, score 0"),
    fallback=("라벨 0, 점수의 중앙값", "label 0, the median score"),
)

"""What zero-shot classification is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.classify.settings import ClassifyConfig, fields, samples
from pipelines.core.task import Comparison, Scoring, Task, Worst

if TYPE_CHECKING:  # pandas takes a second
    import pandas as pd

    from pipelines.core.submission.scores import Wrong


def _pipeline(config: ClassifyConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
    from pipelines.classify.pipeline import ClassifyPipeline

    return ClassifyPipeline(config, runner)


def _scoring() -> Scoring:
    from pipelines.classify.evaluate import ClassifyScoring, evaluate

    return Scoring(ClassifyScoring, evaluate)


def _wrong(submission: "pd.DataFrame", truth: "pd.DataFrame") -> "list[Wrong]":
    from pipelines.classify.worst import find

    return find(submission, truth)


def _tells(table: "pd.DataFrame") -> bool:
    """Labels that are words, with or without their probabilities."""
    named = "label" in table and set(table.columns) <= {"label", "probability"}
    return named and not table["label"].str.strip().isin(["0", "1"]).all()


TASK = Task(
    name="classify",
    title=("분류", "Classes"),
    help=("이름만 주면 사진마다 분류를 고릅니다: CLIP", "gives photos one of the classes that you name: CLIP"),
    bundled=Path("samples/classify"),
    config=ClassifyConfig,
    samples=samples,
    fields=fields,
    pipeline=_pipeline,
    scoring=_scoring,
    worst=Worst(
        find=_wrong,
        unit="probability",
        far=lambda error: (f"확률 {error:.2f}", f"probability {error:.2f}"),
        kinds={"confused": ("다른 이름", "Another class")},
    ),
    comparison=Comparison(columns={"label": "text", "probability": "score"}, tells=_tells),
    blank=("첫 분류, 확률 0", "the first class, probability 0"),
    fallback=("가장 흔한 분류, 확률의 중앙값", "the commonest class, the median probability"),
)

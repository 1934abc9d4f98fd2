"""What the caption task is."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.caption.settings import CaptionConfig, fields, samples
from pipelines.core.task import Comparison, Scoring, Task, Worst

if TYPE_CHECKING:  # pandas takes a second
    import pandas as pd

    from pipelines.core.submission.scores import Wrong


def _pipeline(config: CaptionConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
    from pipelines.caption.pipeline import CaptionPipeline

    return CaptionPipeline(config, runner)


def _scoring() -> Scoring:
    from pipelines.caption.evaluate import CaptionScoring, evaluate

    return Scoring(CaptionScoring, evaluate)


def _wrong(submission: "pd.DataFrame", truth: "pd.DataFrame") -> "list[Wrong]":
    from pipelines.caption.worst import find

    return find(submission, truth)


TASK = Task(
    name="caption",
    title=("캡션", "Captions"),
    help=("사진을 한국어 문장으로 설명합니다: BLIP, 그리고 번역", "captions photos: BLIP, then Korean translation"),
    bundled=Path("samples/caption"),
    config=CaptionConfig,
    samples=samples,
    fields=fields,
    pipeline=_pipeline,
    scoring=_scoring,
    worst=Worst(
        find=_wrong,
        unit="1 - chrF2",
        far=lambda error: (f"chrF2 {1 - error:.2f}", f"chrF2 {1 - error:.2f}"),
        kinds={
            "empty": ("비어 있음", "Empty"),
            "unlike": ("많이 다름", "Far off"),
            "alike": ("조금 다름", "Nearly right"),
        },
    ),
    comparison=Comparison(columns={"caption": "text"}, tells=lambda table: "caption" in table),
    blank=("빈 캡션", "an empty caption"),
    fallback=("가장 흔한 캡션", "the commonest caption"),
)

"""The tasks by name, and what scores and calibrates them; each imports its task only when it is called."""

from collections.abc import Callable, Sequence
from typing import Any

from pipelines.core.task import Task


def _caption() -> Task:
    from pipelines.caption.settings import CaptionConfig, fields, samples

    def pipeline(config: CaptionConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
        from pipelines.caption.pipeline import CaptionPipeline

        return CaptionPipeline(config, runner)

    return Task(CaptionConfig, pipeline, samples, fields)


def _detect() -> Task:
    from pipelines.detect.settings import DetectConfig, fields, samples

    def pipeline(config: DetectConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
        from pipelines.detect.pipeline import DetectPipeline

        return DetectPipeline(config, runner)

    return Task(DetectConfig, pipeline, samples, fields)


def _anomaly() -> Task:
    from pipelines.anomaly.settings import AnomalyConfig, fields, samples

    def pipeline(config: AnomalyConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
        from pipelines.anomaly.pipeline import AnomalyPipeline

        return AnomalyPipeline(config, runner)

    return Task(AnomalyConfig, pipeline, samples, fields)


def _classify() -> Task:
    from pipelines.classify.settings import ClassifyConfig, fields, samples

    def pipeline(config: ClassifyConfig, runner: Any) -> Any:  # noqa: ANN401 - its libraries are imported with the models
        from pipelines.classify.pipeline import ClassifyPipeline

        return ClassifyPipeline(config, runner)

    return Task(ClassifyConfig, pipeline, samples, fields)


TASKS: dict[str, tuple[Callable[[], Task], str]] = {
    "caption": (_caption, "captions photos: BLIP, then Korean translation"),
    "detect": (_detect, "finds and counts what a text prompt names: Grounding DINO"),
    "anomaly": (_anomaly, "scores photos against normal ones: PatchCore"),
    "classify": (_classify, "gives photos one of the classes that you name: CLIP"),
}


def _caption_scoring() -> tuple[Any, Any]:
    from pipelines.caption.evaluate import CaptionScoring, evaluate

    return CaptionScoring, evaluate


def _detect_scoring() -> tuple[Any, Any]:
    from pipelines.detect.evaluate import DetectScoring, evaluate

    return DetectScoring, evaluate


def _anomaly_scoring() -> tuple[Any, Any]:
    from pipelines.anomaly.evaluate import AnomalyScoring, evaluate

    return AnomalyScoring, evaluate


def _search_scoring() -> tuple[Any, Any]:
    from pipelines.search.evaluate import SearchScoring, evaluate

    return SearchScoring, evaluate


def _classify_scoring() -> tuple[Any, Any]:
    from pipelines.classify.evaluate import ClassifyScoring, evaluate

    return ClassifyScoring, evaluate


EVALUATIONS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "caption": _caption_scoring,
    "detect": _detect_scoring,
    "anomaly": _anomaly_scoring,
    "search": _search_scoring,
    "classify": _classify_scoring,
}


def _detect_calibration() -> tuple[Sequence[Any], Any]:
    from pipelines.detect.calibrate import DetectCalibration, calibrate
    from pipelines.detect.settings import DetectConfig

    return (DetectConfig, DetectCalibration), calibrate


def _anomaly_calibration() -> tuple[Sequence[Any], Any]:
    from pipelines.anomaly.calibrate import AnomalyCalibration, calibrate
    from pipelines.anomaly.settings import AnomalyConfig

    return (AnomalyConfig, AnomalyCalibration), calibrate


CALIBRATIONS: dict[str, Callable[[], tuple[Sequence[Any], Any]]] = {
    "detect": _detect_calibration,
    "anomaly": _anomaly_calibration,
}
"""Settings classes, which all give flags, and a function of one of each; --config is read for the task's own class."""

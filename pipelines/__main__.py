"""`python -m pipelines <command>`: each command imports its task only when it is called."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.core.errors import StoppedError, SuiteError
from pipelines.task import Task


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0, or 2 with one line on standard error where the user can mend something.

    A run that SIGINT or SIGTERM has stopped gives 128 and the signal's number, whether or not it wrote a submission.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # our own threads prepare the batches
    try:
        return _dispatch(words)
    except SuiteError as error:
        print("error:", str(error).replace("\n", " "), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130


def _dispatch(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines", description="Vision challenge suite.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, description) in TASKS.items():
        commands.add_parser(name, help=description, add_help=False)
    commands.add_parser("search", help="finds photos by words or by a photo: CLIP, LanceDB", add_help=False)
    commands.add_parser("enrich", help="captions an album's photos and counts objects in them", add_help=False)
    commands.add_parser("doctor", help="says what would make a run or a submission invalid", add_help=False)
    commands.add_parser("models", help="lists checkpoints: licence, download, memory, published scores", add_help=False)
    commands.add_parser("evaluate", help="scores submissions against their truth", add_help=False)
    commands.add_parser("compare", help="shows where submissions differ, and merges them", add_help=False)
    commands.add_parser("history", help="shows which settings gave which score", add_help=False)
    known, rest = parser.parse_known_args(words)
    others = {
        "search": _search,
        "enrich": _enrich,
        "doctor": _doctor,
        "models": _models,
        "evaluate": _evaluate,
        "compare": _compare,
        "history": _history,
    }
    return others[known.command](rest) if known.command in others else _run(known.command, rest)


def _run(task: str, words: list[str]) -> int:
    started = time.monotonic()  # before torch is imported: a deadline is for all of it
    from pipelines.command import run_task
    from pipelines.core.config import add_flags, given_flags, load_config
    from pipelines.core.stopping import Stop, seconds_of

    if words[:1] == ["calibrate"] and task in CALIBRATIONS:
        return _calibrate(task, words[1:])
    load, description = TASKS[task]
    if task in CALIBRATIONS:
        description += f"; `{task} calibrate --help`: the settings that suit known answers best"
    of_task = load()
    parser = argparse.ArgumentParser(prog=f"python -m pipelines {task}", description=description, allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=Path("configs") / f"{task}.yaml", help="settings file (YAML)")
    add_flags(parser, of_task.config)
    parser.add_argument("--fresh", action="store_true", help="begin anew, where a run before was not finished")
    arguments = parser.parse_args(words)
    config = load_config(arguments.config, of_task.config, given_flags(arguments))
    deadline = config.runner.deadline
    stop = Stop(None if deadline is None else seconds_of(deadline), started)
    try:
        run_task(task, of_task, config, fresh=arguments.fresh, stop=stop)
    except StoppedError as error:
        if stop.signal is None:
            raise
        print("error:", error, file=sys.stderr)
    return 0 if stop.signal is None else 128 + stop.signal


def _calibrate(task: str, words: list[str]) -> int:
    from dataclasses import fields

    from pipelines.core.config import add_flags, given_flags, load_config

    kinds, calibrate = CALIBRATIONS[task]()
    config_class = TASKS[task][0]().config
    parser = argparse.ArgumentParser(prog=f"python -m pipelines {task} calibrate", allow_abbrev=False)
    if config_class in kinds:
        parser.add_argument("--config", type=Path, default=Path("configs") / f"{task}.yaml", help="settings of the run")
    for kind in kinds:
        add_flags(parser, kind)
    arguments = parser.parse_args(words)
    given = given_flags(arguments)
    settings = []
    for kind in kinds:
        own = {entry.name for entry in fields(kind)}
        flags = {key: value for key, value in given.items() if key.partition(".")[0] in own}
        settings.append(load_config(arguments.config if kind is config_class else None, kind, flags))
    calibrate(*settings)
    return 0


def _doctor(words: list[str]) -> int:
    from pipelines.doctor import main

    return main(words, TASKS)


def _models(words: list[str]) -> int:
    from pipelines.models import main

    return main(words)


def _evaluate(words: list[str]) -> int:
    from pipelines.core.config import add_flags, given_flags, load_config
    from pipelines.evaluation import TRACKING, evaluate_all, evaluate_task
    from pipelines.tracking import Tracking

    parser = argparse.ArgumentParser(prog="python -m pipelines evaluate", allow_abbrev=False)
    parser.add_argument("--config", type=Path, help="settings file (YAML) with a part for each task")
    add_flags(parser, Tracking)
    tasks = parser.add_subparsers(dest="task", metavar="TASK", help="without it, every task that the settings file has")
    for name, load in EVALUATIONS.items():
        if name in words:  # the others are not imported
            of_task = tasks.add_parser(name, allow_abbrev=False)
            add_flags(of_task, load()[0])
            add_flags(of_task, Tracking)
        else:
            tasks.add_parser(name)
    arguments = parser.parse_args(words)
    if arguments.task is None and arguments.config is None:
        parser.error(f"expected a task ({', '.join(EVALUATIONS)}) or --config with settings for several")
    given = given_flags(arguments)
    of_tracking = {"track": given.pop("track")} if "track" in given else {}
    tracking = load_config(arguments.config, Tracking, of_tracking, part=TRACKING)
    if arguments.task:
        kind, evaluate = EVALUATIONS[arguments.task]()
        settings = load_config(arguments.config, kind, given, part=arguments.task)
        evaluate_task(arguments.task, settings, evaluate, tracking)
    else:
        evaluate_all(arguments.config, EVALUATIONS, tracking)
    return 0


def _search(words: list[str]) -> int:
    if words[:1] == ["classify"]:
        folder = ["--images"] if words[1:] and not words[1].startswith("-") else []
        return _run("classify", folder + words[1:])
    from pipelines.search.command import main

    return main(words)


def _enrich(words: list[str]) -> int:
    from pipelines.enrich import main

    return main(words)


def _compare(words: list[str]) -> int:
    from pipelines.compare import main

    return main(words, EVALUATIONS)


def _history(words: list[str]) -> int:
    from pipelines.history import main

    return main(words, list(EVALUATIONS))


if __name__ == "__main__":
    code = main()
    if sys.argv[1:2] and sys.argv[1] in TASKS:
        # All is written. Python would take 2 to 4 s to free what torch and transformers made: past a deadline.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

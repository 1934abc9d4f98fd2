"""`python -m pipelines <command>`: each command imports its task only when it is called."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.core.errors import StoppedError, SuiteError
from pipelines.tasks import CALIBRATIONS, EVALUATIONS, TASKS


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
    from pipelines.core.config import add_flags, given_flags, load_config
    from pipelines.core.running.stopping import Stop, seconds_of

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
    from pipelines.runs.run import run_task  # torch, which takes seconds: --help and a wrong flag do without

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
    from pipelines.runs.doctor import main

    return main(words, TASKS)


def _models(words: list[str]) -> int:
    from pipelines.runs.models import main

    return main(words)


def _evaluate(words: list[str]) -> int:
    from pipelines.core.config import add_flags, given_flags, load_config
    from pipelines.runs.evaluation import TRACKING, evaluate_all, evaluate_task
    from pipelines.runs.tracking import Tracking

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
    from pipelines.runs.history import note_run
    from pipelines.search.command import main

    return main(words, note_run)


def _enrich(words: list[str]) -> int:
    from pipelines.enrich import main

    return main(words)


def _compare(words: list[str]) -> int:
    from pipelines.runs.compare import main

    return main(words, EVALUATIONS)


def _history(words: list[str]) -> int:
    from pipelines.runs.history import main

    return main(words, list(EVALUATIONS))


if __name__ == "__main__":
    code = main()
    if sys.argv[1:2] and sys.argv[1] in TASKS:
        # All is written. Python would take 2 to 4 s to free what torch and transformers made: past a deadline.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

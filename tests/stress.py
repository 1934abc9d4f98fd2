"""Kills real runs again and again, and holds what they leave in the end to what an undisturbed run leaves.

`python -m tests.stress --kills 300 --seed 1 [--write]`. This process imports the packages once, computes nothing, and
forks a child for each attempt, which calls the very `main` of `python -m pipelines`. Half of the kills come after a
random time, half just before a random change of the output folder: the opening, renaming or removing of a file.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

from pipelines.core.config import load_config
from pipelines.tasks import TASKS

RESULTS = Path("benchmarks/results/stress.json")
LIMIT_S = 300.0
"""For anything that is waited for: the longest undisturbed run takes some 5 s."""
LAST = 40
"""Changes of the folder: from the last map or picture to the end."""
CHANGES = frozenset({"open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"})
"""Python's audit events before which a child is killed."""
RUNS = {name: task for name, task in TASKS.items() if task.pipeline}
WRITTEN = MappingProxyType(
    {
        "detect": ["--boxes", "{}/boxes.json", "--save-images", "{}/drawn"],
        "anomaly": ["--save-maps", "{}/maps", "--save-images", "{}/heat", "--save-fitted", "{}/fitted",
                    "--strides", "8", "16", "--fit.coreset", "0.005", "--folds", "2"],
        "classify": ["--top-file", "{}/top.csv", "--cache", "{}/labels"],
    }
)  # fmt: skip
"""What a task writes beside its CSV; {} is the output folder. PatchCore is kept small: kills are many."""
PHOTOS = MappingProxyType({"anomaly": 2500, "classify": 6000})
"""For a deadline, where more than PHOTOS_FOR_MOST are needed; too many for 9 s."""
PHOTOS_FOR_MOST = 1000
GOES_ON = "going on from an earlier run"


@dataclass(frozen=True)
class Ended:
    """How an attempt ended."""

    code: int
    """The exit code, or minus the signal."""
    seconds: float
    said: str
    """What it wrote on the terminal."""


@dataclass
class Tally:
    """What came of the kills of one task."""

    kills: int = 0
    chains: int = 0
    """Runs that were killed until one came to its end."""
    resumed_runs: int = 0
    """Attempts that went on from an earlier one."""
    resumed_images: int = 0
    """Items of the stages that the last attempts did not have to do again."""
    resumed_fits: int = 0
    faults: list[str] = field(default_factory=list)
    """Such as files that differ from the undisturbed run's, are missing, or should not be there."""
    seconds: float = 0.0


def words(task: str, folder: Path, *more: str) -> list[str]:
    """The command of a run on the bundled models whose files go to `folder`."""
    own = [word.format(folder) for word in WRITTEN.get(task, ())]
    settings = ["--config", f"configs/mini/{task}.yaml", "--output", f"{folder}/{task}.csv"]
    return [task, *settings, "--batch", "4", "--device", "cpu", "--progress", "false", *own, *more]


def begin(command: Sequence[str], folder: Path, before: int = 0) -> int:
    """Forks a child that runs the command, to be killed just `before` its so-manieth change of `folder`; its id.

    What it writes on the terminal goes to `folder`'s log, with the number of changes as its last line.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        log = os.open(_log(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        changes = _counted(folder, before)
        code = _main(command)
        print(f"{changes()} changes", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main(command: Sequence[str]) -> int:
    import torch

    from pipelines.__main__ import main

    torch.set_num_threads(1)
    return main(command)


def _counted(folder: Path, before: int) -> Callable[[], int]:
    """Counts this process's changes of files of the folder, and kills it before the one of that number."""
    count = 0

    def hook(event: str, given: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGES and (event in ("os.remove", "os.rmdir") or str(folder) in str(given[:2])):
            count += 1
            if count == before:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return lambda: count


def wait(pid: int, seconds: float, until: Callable[[], bool] = lambda: False) -> int | None:
    """The exit code of a child, or minus its signal; None where it still runs after so many seconds, or `until`."""
    ends = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= ends or until():
            return None
        time.sleep(0.002)


def attempt(command: Sequence[str], folder: Path, *, after: float | None = None, before: int = 0) -> Ended:
    """Runs the command in a child, which is killed `after` so many seconds or `before` a change of the folder, or not.

    Raises TimeoutError where it does not end, which would be a bug.
    """
    started = time.monotonic()
    pid = begin(command, folder, before)
    code = wait(pid, LIMIT_S if after is None else after)
    if code is None and after is not None:
        os.kill(pid, signal.SIGKILL)
        code = wait(pid, LIMIT_S)
    if code is None:
        os.kill(pid, signal.SIGKILL)
        wait(pid, LIMIT_S)
        raise TimeoutError(f"{' '.join(command)} did not end within {LIMIT_S:.0f} s:\n{said(folder)}")
    return Ended(code, time.monotonic() - started, said(folder))


def said(folder: Path) -> str:
    """What the latest child wrote on the terminal."""
    return _log(folder).read_text(encoding="utf-8", errors="replace")


def _log(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def left(folder: Path) -> dict[str, Any]:
    """Each file of the folder by its relative path -> its bytes; of a run record what tells no times; no history's."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[name] = "folder"
        elif name == "history.csv":
            found[name] = "history"  # it counts the runs that came to their end
        elif path.suffix == ".json" and path.with_suffix(".csv").exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {key: value for key, value in record.items() if key not in ("finished", "seconds", "stages")}
        else:
            found[name] = path.read_bytes()
    return found


def differing(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """The names of files that are in one only, or differ."""
    names = sorted({*found, *expected})
    return [name for name in names if name not in found or name not in expected or found[name] != expected[name]]


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbs: what all others are held to."""

    task: str
    command: Sequence[str]
    folder: Path
    left: dict[str, Any]
    seconds: float
    changes: int
    """Of files of the folder."""

    def faults(self) -> list[str]:
        """What differs in the folder now."""
        return [f"{self.task}: {name} differs" for name in differing(left(self.folder), self.left)]


def undisturbed(task: str, folder: Path, *more: str) -> Undisturbed:
    """Runs a task in a new `folder`; `more` are further settings."""
    renewed(folder)
    command = words(task, folder, *more)
    ended = attempt(command, folder)
    if ended.code:
        raise RuntimeError(f"{' '.join(command)} ended with {ended.code}:\n{ended.said}")
    return Undisturbed(task, command, folder, left(folder), ended.seconds, int(ended.said.split()[-2]))


def renewed(folder: Path) -> None:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def kill_again_and_again(first: Undisturbed, kills: int, random: Random) -> Tally:
    """Chains of runs of one task until so many were killed."""
    started, tally = time.monotonic(), Tally()
    while tally.kills < kills:
        renewed(first.folder)
        ended = None
        while ended is None or ended.code == -signal.SIGKILL:
            moment = _moment(first, random) if tally.kills < kills else {}
            ended = attempt(first.command, first.folder, **moment)
            tally.kills += ended.code == -signal.SIGKILL
            tally.resumed_runs += GOES_ON in ended.said
        tally.chains += 1
        if ended.code:
            tally.faults.append(f"{first.task}: exit code {ended.code}: {ended.said[-2000:]}")
            continue
        tally.faults += first.faults()
        _note_resumed(tally, json.loads((first.folder / f"{first.task}.json").read_text(encoding="utf-8")))
    tally.seconds = round(time.monotonic() - started, 1)
    return tally


def _moment(first: Undisturbed, random: Random) -> dict[str, Any]:
    """When to kill: after a time, or before one of all changes, or of the last ones, which finish the files."""
    if random.random() < 0.5:
        return {"after": random.uniform(0, first.seconds)}
    earliest = random.choice([1, max(1, first.changes - LAST)])
    return {"before": random.randint(earliest, first.changes)}


def _note_resumed(tally: Tally, record: dict[str, Any]) -> None:
    tally.resumed_images += sum(stage["resumed"] for stage in record["stages"])
    fitted = sum(stage["name"].startswith("features") for stage in record["stages"])
    tally.resumed_fits += len(record["run"].get("categories", ())) - fitted


@dataclass
class Signals:
    """What came of runs that were asked to stop."""

    sent: int = 0
    submissions: int = 0
    """Of those, how many left a submission with what they had; the others had nothing yet."""
    faults: list[str] = field(default_factory=list)


def stop_and_go_on(first: Undisturbed, times: int, random: Random) -> Signals:
    """SIGTERM once early, then at random moments: exit code 143, and no submission or a good one; then the rest."""
    told, task, folder = Signals(), first.task, first.folder
    while told.sent < times:
        renewed(folder)
        pid, early = begin(first.command, folder), told.sent == 0
        if early:
            code = wait(pid, LIMIT_S, lambda: _lines(folder / f".{task}.csv.run/journal") > 2)
        else:
            code = wait(pid, random.uniform(0.3, 1) * first.seconds)
        if code is None:
            os.kill(pid, signal.SIGTERM)
            code = wait(pid, LIMIT_S)
        if code == 0:
            continue  # it was done before
        told.sent += 1
        if code not in (128 + signal.SIGTERM, -signal.SIGTERM):  # the latter before the models were loaded
            told.faults.append(f"{task}: exit code {code} after SIGTERM: {said(folder)[-2000:]}")
        if (folder / f"{task}.csv").exists():
            told.submissions += 1
            told.faults += complaints(task, folder / f"{task}.csv")
        if GOES_ON not in attempt(first.command, folder).said and early:
            told.faults.append(f"{task}: did not go on after SIGTERM")
        told.faults += first.faults()
    return told


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def complaints(task: str, submission: Path) -> list[str]:
    """What the doctor says is wrong with a submission for the bundled sample."""
    from pipelines.runs.examine import examine_submission

    found = examine_submission(submission, RUNS[task], bundled(task))
    return [f"{task}: {each.message}" for each in found if each.severity == "error"]


def bundled(task: str) -> Any:
    """The settings of the bundled models and samples."""
    return load_config(Path(f"configs/mini/{task}.yaml"), RUNS[task].config)


def two_at_once(first: Undisturbed) -> list[str]:
    """Faults of a second run on the same output: it has to name the one that holds it, and to leave it alone."""
    folder, lock = first.folder, first.folder / f".{first.task}.csv.run/lock"
    renewed(folder)
    holder = begin(first.command, folder)
    wait(holder, LIMIT_S, lambda: lock.exists() and lock.stat().st_size > 0)
    second = attempt(first.command, folder)
    faults = []
    if second.code != 2 or f"process {holder}," not in second.said:
        faults.append(f"a second run ended with {second.code}: {second.said}")
    if wait(holder, LIMIT_S) != 0:
        faults.append("a run did not end well after another had tried its output")
    return faults + first.faults()


@dataclass
class Deadline:
    """What came of a run with too little time."""

    deadline_s: float
    overshoot_s: float
    """From the deadline to the end of the process; below 0 where it ended before."""
    images: int
    missing: int
    faults: list[str] = field(default_factory=list)


def keep_a_deadline(task: str, folder: Path, photos: int, work: float) -> Deadline:
    """A process of its own, `python -m pipelines`, on copies of the sample's photos; then the rest without deadline.

    It gets `work` seconds and as many as a process takes here and now until its models are loaded.
    """
    images = folder.with_name("photos")
    copies(task, images, photos)
    more = ["--images", str(images), "--sample-submission", "null"]
    more += ["--normal", "samples/anomaly/weave/train/good"] if task == "anomaly" else []
    first = undisturbed(task, folder, *more)
    _, setup = _late(first, 1)
    seconds = round(setup + work)
    done, took = _late(first, seconds)
    told = Deadline(seconds, round(took - seconds, 2), photos, missing=photos)
    if done.returncode:
        told.faults.append(f"{task}: exit code {done.returncode} at a deadline: {done.stderr[-2000:]}")
        return told
    told.missing = json.loads((folder / f"{task}.json").read_text(encoding="utf-8"))["missing"]
    rows = _lines(folder / f"{task}.csv") - 1
    if rows != photos or not told.missing or not (folder / f".{task}.csv.run/journal").exists():
        told.faults.append(f"{task}: {rows} rows, {told.missing} of them missing, or no journal")
    if GOES_ON not in attempt(first.command, folder).said:
        told.faults.append(f"{task}: did not go on after a deadline")
    told.faults += first.faults()
    return told


def _late(first: Undisturbed, seconds: float) -> tuple["subprocess.CompletedProcess[str]", float]:
    """A process with a deadline, and the seconds from its start to its end."""
    renewed(first.folder)
    process = [sys.executable, "-m", "pipelines", *first.command, "--deadline", f"{seconds:g}s"]
    started = time.monotonic()
    done = subprocess.run(process, capture_output=True, text=True, timeout=LIMIT_S)
    return done, time.monotonic() - started


def copies(task: str, images: Path, count: int) -> None:
    """`count` of the sample's photos in a new folder, again and again the same ones."""
    renewed(images)
    sources = [sample.path for sample in RUNS[task].samples(bundled(task))]
    sources = [path for path in sources if path.parts[:3] == sources[0].parts[:3]]  # of a tree one category
    for number in range(count):
        shutil.copyfile(sources[number % len(sources)], images / f"{number:05}.jpg")


MODELS = ("caption.models.blip", "detect.models.grounding_dino.model", "anomaly.models.patchcore.model")
"""What those tasks import when they load their models."""


def prepare() -> None:
    """Imports what the children need, and makes sure that it is safe to fork."""
    for name in ("runs.run", "runs.examine", *MODELS, *(f"{task}.pipeline" for task in RUNS)):
        import_module(f"pipelines.{name}")
    if threading.active_count() > 1:
        raise RuntimeError("an import has started threads, so that forks are not safe")


def stress(folder: Path, kills: int, seed: int, signals: int, deadline: float) -> dict[str, Any]:
    """A part for each that is not 0; `kills` and `signals` are shared by the tasks, for `deadline` see there."""
    random = Random(seed)
    firsts = [undisturbed(task, folder / task) for task in RUNS]
    parts: dict[str, Any] = {"cores": os.cpu_count()}
    if kills:
        tallies = {first.task: kill_again_and_again(first, kills // len(RUNS), random) for first in firsts}
        parts["kills"] = {"seed": seed, "tasks": {task: asdict(tally) for task, tally in tallies.items()}}
    if signals:
        stopped = {first.task: asdict(stop_and_go_on(first, signals // len(RUNS), random)) for first in firsts}
        parts["signals"] = {"seed": seed, "tasks": stopped}
        parts["second_run"] = {"tasks": {firsts[0].task: {"faults": two_at_once(firsts[0])}}}
    if deadline:
        late = {
            task: asdict(keep_a_deadline(task, folder / task, PHOTOS.get(task, PHOTOS_FOR_MOST), deadline))
            for task in RUNS
        }
        parts["deadlines"] = {"tasks": late}
    return parts


def faults(parts: Mapping[str, Any]) -> list[str]:
    """All that went wrong."""
    of_tasks = [each for part in parts.values() if isinstance(part, dict) for each in part["tasks"].values()]
    return [fault for each in of_tasks for fault in each["faults"]]


def main() -> int:
    """Prints what was found; the exit code is 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="in all (%(default)s); 0: none")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (%(default)s)")
    parser.add_argument(
        "--signals", type=int, default=12, help="times that a run is asked to stop (%(default)s); 0: none"
    )
    parser.add_argument("--deadline", type=float, default=9.0, help="seconds for the work, which needs more; 0: none")
    parser.add_argument("--write", action="store_true", help=f"put it into {RESULTS}, which docs/reliability.md shows")
    options = parser.parse_args()
    prepare()
    with tempfile.TemporaryDirectory() as name:
        found = stress(Path(name), options.kills, options.seed, options.signals, options.deadline)
    print(json.dumps(found, ensure_ascii=False, indent=2))
    if options.write:
        before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(before | found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 1 if faults(found) else 0


if __name__ == "__main__":
    sys.exit(main())

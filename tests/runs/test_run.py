"""A run of any task: what it leaves behind when it is killed, stopped, out of time or out of disk."""

import io
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from pipelines.core.config import DataConfig
from pipelines.core.doctor import check_submission
from pipelines.core.errors import InputError, StoppedError, SubmissionError
from pipelines.core.images.samples import read_samples
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop
from pipelines.runs.run import run_task
from pipelines.tasks import TASKS

PICTURES = 40


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    return data.getvalue()


PICTURE = picture()


@dataclass(frozen=True)
class Found:
    """A count, and with it as much as fills pages of a disk."""

    count: int
    evidence: str = "x" * 2000


class Counts:
    """A model that counts the bytes behind a picture, and does on the way what a test wants."""

    def __init__(self, meanwhile):
        self.meanwhile, self.seen = meanwhile, []

    def prepare(self, samples):
        return {
            "ids": [sample.id for sample in samples],
            "sizes": [len(sample.path.read_bytes()) - len(PICTURE) for sample in samples],
        }

    def predict(self, batch):
        self.seen += batch["ids"]
        self.meanwhile(len(self.seen))
        return [Found(size) for size in batch["sizes"]]


class Pipeline:
    """A task of one such model."""

    fields = {"count": "count"}  # noqa: RUF012 - as plain as the pipelines' own
    results = (Found,)

    def __init__(self, model, config, runner):
        self.model, self.runner = model, runner
        self.config = replace(config, kind="counts") if config.kind == "auto" else config

    def __call__(self, samples):
        yield from self.runner.run(self.model, samples, "count")

    def rows(self, sample, result):
        return [{"count": result.count}]

    def blank(self, sample):
        return [{"count": 0}]

    def record(self):
        return {}


@dataclass(frozen=True)
class Config:
    data: DataConfig
    runner: RunnerConfig
    kind: str = "counts"
    """What `auto` stands for is known to the pipeline alone."""


@pytest.fixture
def config(tmp_path) -> Config:
    (tmp_path / "images").mkdir()
    for number in range(PICTURES):
        (tmp_path / f"images/{number:02}.png").write_bytes(PICTURE + b"x" * (number % 7 + 1))
    data = DataConfig(images=tmp_path / "images", output=tmp_path / "out/a.csv")
    return Config(data, RunnerConfig(device="cpu", batch=4, progress=False))


class Killed(BaseException):
    """Ends a run as abruptly as a process can end itself and still be looked at."""


def at(count: int, act):
    """Does `act` once `count` pictures have been counted."""
    return lambda seen: act() if seen == count else None


def kill():
    raise Killed


def run(config: Config, meanwhile=lambda seen: None, **settings) -> Counts:
    model = Counts(meanwhile)
    task = replace(
        TASKS["detect"],
        config=Config,
        pipeline=lambda config, runner: Pipeline(model, config, runner),
        samples=lambda config: read_samples(config.data),
        fields=lambda config: Pipeline.fields,
    )
    run_task(task, config, **settings)
    return model


def counts(config: Config) -> list[int]:
    return [int(line.split(",")[1]) for line in config.data.output.read_text().splitlines()[1:]]


TRUTH = [number % 7 + 1 for number in range(PICTURES)]


def test_a_complete_run_leaves_the_submission_and_its_record(config):
    assert len(run(config).seen) == PICTURES
    assert counts(config) == TRUTH
    left = {path.name for path in config.data.output.parent.iterdir()}
    assert left == {"a.csv", "a.json", "history.csv", ".history.csv.lock"}


def test_a_killed_run_goes_on_where_it_was(config, capsys):
    with pytest.raises(Killed):
        run(config, at(20, kill))
    assert not config.data.output.exists()
    again = run(config)
    assert again.seen == [f"{number:02}.png" for number in range(16, PICTURES)]
    assert counts(config) == TRUTH
    assert "going on from an earlier run" in capsys.readouterr().err
    assert len(run(config).seen) == PICTURES  # what is complete is not gone on with


def test_a_run_goes_on_where_its_settings_come_to_the_same(config, capsys):
    with pytest.raises(Killed):
        run(config, at(20, kill))
    assert len(run(replace(config, kind="auto")).seen) == PICTURES - 16
    assert "going on from an earlier run" in capsys.readouterr().err
    record = json.loads(config.data.output.with_suffix(".json").read_text())
    assert record["settings"]["kind"] == "counts"


def changed_picture(config):
    (config.data.images / "00.png").write_bytes(PICTURE + b"other")
    return config


@pytest.mark.parametrize(
    ("change", "settings", "reason"),
    [
        (lambda config: config, {"fresh": True}, "--fresh asks for it"),
        (changed_picture, {}, "images.files was "),
        (
            lambda config: Config(config.data, RunnerConfig(device="cpu", batch=5, progress=False)),
            {},
            "settings.runner.batch was 4 and is 5",
        ),
    ],
)
def test_a_run_that_differs_starts_afresh_and_says_why(config, capsys, change, settings, reason):
    with pytest.raises(Killed):
        run(config, at(20, kill))
    assert len(run(change(config), **settings).seen) == PICTURES
    assert f"starting afresh: {reason}" in capsys.readouterr().err


def test_workers_progress_and_deadline_may_change(config):
    with pytest.raises(Killed):
        run(config, at(20, kill))
    other = RunnerConfig(device="cpu", batch=4, progress=True, workers=1, deadline="1h")
    assert len(run(Config(config.data, other)).seen) == PICTURES - 16


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_whole_submission_and_the_journal(config, capsys, number):
    stop = Stop()
    run(config, at(12, lambda: os.kill(os.getpid(), number)), stop=stop)
    assert stop.signal == number
    assert counts(config) == TRUTH[:12] + [3] * (PICTURES - 12)  # the median of 1 to 7, 1 to 5
    assert f"{number.name} came first: 28 of 40 images were not reached" in capsys.readouterr().err
    assert check_submission(config.data.output, config.data, Pipeline.fields) == []
    record = json.loads(config.data.output.with_suffix(".json").read_text())
    assert (record["missing"], record["stopped"]) == (28, f"{number.name} came first")
    assert len(run(config).seen) == 28
    assert counts(config) == TRUTH


def test_a_deadline_leaves_a_whole_submission(config, capsys):
    stop = Stop(1e6)
    model = run(config, at(12, lambda: setattr(stop, "ends", time.monotonic())), stop=stop)
    assert len(model.seen) == 12
    assert counts(config) == TRUTH[:12] + [3] * (PICTURES - 12)
    assert "the deadline came first: 28 of 40 images were not reached" in capsys.readouterr().err
    assert check_submission(config.data.output, config.data, Pipeline.fields) == []


def test_nothing_is_written_where_nothing_was_reached(config):
    with pytest.raises(StoppedError, match=r"the deadline came first; .*a\.csv was not written"):
        run(config, stop=Stop(0.0))
    assert not config.data.output.exists()


def test_two_runs_on_one_output(config):
    def second():
        with pytest.raises(SubmissionError, match=f"found one: process {os.getpid()}"):
            run(config)

    run(config, at(8, second))
    assert counts(config) == TRUTH


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "full").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_disk_that_fills_up_meanwhile_costs_nothing(config, small_disk, capsys):
    config = Config(DataConfig(images=config.data.images, output=small_disk / "a.csv"), config.runner)
    model = run(
        config,
        at(4, lambda: fill(small_disk)),
    )
    assert counts(config) == TRUTH
    assert len(model.seen) == PICTURES
    assert "No space left on device" in capsys.readouterr().err


def test_a_full_disk_is_found_before_the_work(config, small_disk):
    fill(small_disk)
    config = Config(DataConfig(images=config.data.images, output=small_disk / "a.csv"), config.runner)
    with pytest.raises(InputError, match="free disk space"):
        run(config, kill)
    assert [path.name for path in small_disk.iterdir()] == ["full"]

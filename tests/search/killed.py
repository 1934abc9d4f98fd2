"""Indexes a folder again and again in processes of its own, and kills each at a random moment.

`python -m tests.search.killed PHOTOS ALBUMS CHECKPOINT KILLS SEED`. Forks, so that the imports are paid for once; fails
where a process found its album damaged.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from PIL import Image

from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.album import open_album
from pipelines.search.album.indexing import index
from pipelines.search.settings import SearchConfig

SLOWEST = 300.0  # seconds; a process that takes longer hangs


def indexes(photos: Path, config: SearchConfig) -> None:
    """What each process does: reads what was left, then goes on."""
    torch.set_num_threads(1)
    album = open_album(config.albums / photos.name)
    if album is not None:
        ids = album.vectors().ids
        assert len(set(ids)) == len(ids) == len(album.known())
    index(photos, config, at_once=2)


def child(photos: Path, config: SearchConfig) -> int:
    """Its process id."""
    made = os.fork()
    if made:
        return made
    try:
        indexes(photos, config)
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def ended(process: int) -> bool:
    """Waits for its end: True for ours, False where it had done its work. Anything else is a failure."""
    started = time.monotonic()
    while time.monotonic() - started < SLOWEST:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            assert killed or status == 0, f"a process ended with {status}"
            return killed
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    raise AssertionError(f"a process ran for more than {SLOWEST} s")


def change(photos: Path, draw: random.Random, number: int) -> None:
    """What a person might do meanwhile: photos come, one changes, one is touched, some are gone."""
    first, second, *gone = draw.sample(sorted(photos.glob("*.png")), 6)
    for extra in range(8):
        colour = tuple(draw.randrange(256) for _ in range(3))
        Image.new("RGB", (50, 40), colour).save(photos / f"new {number} {extra}.png")
    first.write_bytes(second.read_bytes())
    second.touch()
    for path in gone:
        path.unlink()


def kill(process: int, versions: Path, draw: random.Random) -> None:
    """Kills it at any time, or, as often, when it has just begun to write."""
    if draw.random() < 0.5:
        before = written(versions)
        started = time.monotonic()
        while written(versions) == before and time.monotonic() - started < 2:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1))
    else:
        time.sleep(draw.uniform(0, 0.6))
    os.kill(process, signal.SIGKILL)


def written(versions: Path) -> int:
    return sum(1 for _ in versions.glob("*"))


def main() -> None:
    photos, albums, checkpoint, kills, seed = sys.argv[1:]
    runner = RunnerConfig(device="cpu", batch=4, workers=1, progress=False)
    config = SearchConfig(checkpoint, albums=Path(albums), runner=runner)
    draw = random.Random(int(seed))
    number = killed = 0
    while killed < int(kills):
        process = child(Path(photos), config)
        kill(process, Path(albums) / Path(photos).name / "photos.lance" / "_versions", draw)
        killed += ended(process)
        number += 1
        if number % 2 == 0:
            change(Path(photos), draw, number)
    print(f"{killed} of {number} were killed at work")
    assert not ended(child(Path(photos), config))


if __name__ == "__main__":
    main()

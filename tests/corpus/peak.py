"""Runs a cheap model over pictures and prints the bytes of memory that this took at the most: a process of its own.

`python -m tests.corpus.peak WORKERS PICTURE...`
"""

import resource
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from pipelines.core.images.decode import decode
from pipelines.core.images.preprocess import PreprocessSpec, Squash, resize
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Batch
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig

SMALL = Path(__file__).parents[2] / "mini/world.png"


class Colours:
    """A BatchModel that tells each picture's mean colour."""

    dtypes = frozenset({torch.float32})
    spec = PreprocessSpec(Squash((8, 8)), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def __init__(self):
        self.module = nn.Identity()

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        return {"pixels": torch.stack([resize(decode(sample.path), self.spec) for sample in samples])}

    def predict(self, batch: Batch) -> list[list[float]]:
        return batch["pixels"].float().mean((-1, -2)).tolist()


def resident() -> int:
    """Bytes at the most so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(workers: str, *paths: str) -> None:
    """Counts from where a small picture has gone through: until then the libraries take memory for themselves."""
    warnings.simplefilter("ignore")
    samples = [Sample(path, Path(path)) for path in paths]
    runner = Runner(RunnerConfig(device="cpu", batch=1, workers=int(workers), progress=False))
    list(runner.run(Colours(), [Sample("small", SMALL)] * 4))
    before = resident()
    list(runner.run(Colours(), samples))
    print(resident() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""How networks are run: settings, which need no network's library."""

from typing import Literal

from pipelines.core.config import schema
from pipelines.core.running.stopping import seconds_of


@schema
class RunnerConfig:
    """How the networks are run."""

    device: str = "auto"
    """`auto` (the first CUDA device that torch can use, else the CPU), or a torch device such as `cuda:1`."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """`auto`: on CUDA fp16, or where that is not safe bf16 if the card has it, else fp32; on the CPU bf16 where both it
    and the model allow that. `bf16` also takes it for a model of whose results a few then change, such as BLIP."""
    batch: int | Literal["auto"] = "auto"
    """Images a batch (1 or more), or `auto`: start at 4 and double while it pays and memory allows."""
    workers: int = 0
    """Threads that decode and resize; 0 is one per core, 8 at most."""
    progress: bool = True
    """Whether to show images a second, time left and failures on the terminal."""
    deadline: str | None = None
    """Time for the whole run, such as 9m or 1h30m; what is missing then is guessed by what is there."""

    def __post_init__(self) -> None:
        if self.deadline is not None:
            seconds_of(self.deadline)
        if self.batch != "auto" and self.batch < 1:
            raise ValueError(f"batch is at least 1, not {self.batch}")
        if self.workers < 0:
            raise ValueError(f"workers is at least 0, not {self.workers}")

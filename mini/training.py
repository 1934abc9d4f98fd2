"""Takes a network through its training steps, and goes on from the last checkpoint where a training was stopped."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

STEPS_A_CHECKPOINT = 100
WARM_UP_STEPS = 100


class Training:
    """AdamW whose rates rise over WARM_UP_STEPS and fall in a line to zero, with checkpoints in `run`, a file.

    `groups` are AdamW's parameter groups, each with its highest rate as "lr". A training goes on from its checkpoint,
    also to another number of steps in all than it began with; to start from nothing, delete the file.
    """

    def __init__(self, model: nn.Module, groups: list[dict[str, Any]], steps: int, run: Path) -> None:
        self.model, self.steps, self.run = model, steps, run
        self.rates = [group["lr"] for group in groups]
        self.optimizer = torch.optim.AdamW(groups)
        self.step, self.seconds, self.note = 0, 0.0, ""
        if run.is_file():
            state = torch.load(run, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]

    def steps_left(self) -> Iterator[int]:
        """The numbers of the steps that are still to do, each of which is to call `learn` once.

        `seconds` is what all steps took, those before the checkpoint included.
        """
        self.model.train()
        start = time.monotonic() - self.seconds
        while self.step < self.steps:
            yield self.step
            self.step += 1
            self.seconds = time.monotonic() - start
            if self.step % STEPS_A_CHECKPOINT == 0 or self.step == self.steps:
                print(f"step {self.step} of {self.steps}, {self.seconds:.0f} s: {self.note}", flush=True)
                self._save()

    def learn(self, loss: Tensor, clip: float, note: str = "") -> None:
        """Take one step down the loss, its gradient's norm clipped at `clip`; `note` is printed at checkpoints."""
        share = min((self.step + 1) / WARM_UP_STEPS, (self.steps - self.step) / max(1, self.steps - WARM_UP_STEPS))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        self.note = f"loss {loss.item():.3f} {note}"

    def _save(self) -> None:
        """Write the checkpoint whole or not at all."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        self.run.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.run.with_suffix(".part")
        torch.save(state | {"step": self.step, "seconds": self.seconds}, unfinished)
        unfinished.replace(self.run)

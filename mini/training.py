"""Takes a network through its training steps, and goes on from the last checkpoint where a training was stopped."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

STEPS_A_CHECKPOINT = 100


class Training:
    """AdamW over one cycle of learning rates, with a checkpoint every hundred steps in `run`, a file.

    `groups` are AdamW's parameter groups, each with its highest rate as "lr". `seconds` counts what all steps took,
    those before the checkpoint included. A run that is to start again needs its file deleted.
    """

    def __init__(self, model: nn.Module, groups: list[dict[str, Any]], steps: int, run: Path) -> None:
        self.model, self.steps, self.run = model, steps, run
        self.optimizer = torch.optim.AdamW(groups)
        rates = [group["lr"] for group in groups]
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rates, total_steps=steps, pct_start=0.1)
        self.step, self.seconds = 0, 0.0
        if run.is_file():
            self._load(torch.load(run, weights_only=True))

    def steps_left(self) -> Iterator[int]:
        """The numbers of the steps that are still to do, each of which is to call `learn` once."""
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
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        self.schedule.step()
        self.note = f"loss {loss.item():.3f} {note}"

    def _save(self) -> None:
        """Write the checkpoint whole or not at all."""
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
        state = {name: part.state_dict() for name, part in parts.items()}
        self.run.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.run.with_suffix(".part")
        torch.save(state | {"step": self.step, "seconds": self.seconds}, unfinished)
        unfinished.replace(self.run)

    def _load(self, state: dict[str, Any]) -> None:
        if state["schedule"]["total_steps"] != self.steps:
            raise ValueError(
                f"expected a training of {self.steps} steps in {self.run}, found one of "
                f"{state['schedule']['total_steps']}: delete the file to start again, or ask for as many steps"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.seconds = state["step"], state["seconds"]

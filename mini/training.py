"""Takes a network through its steps, goes on where a training was stopped, and records how a model was made."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

STEPS_A_CHECKPOINT = 100
STEPS_A_LOG = 10
WARM_UP_STEPS = 100
NOT_HIDDEN = ("embed", "predictions.decoder", "_projection", "head.")  # parts of the names of first and last layers


class Training:
    """Steps whose rates rise over WARM_UP_STEPS and fall in a line to zero, with checkpoints in `run`, a file.

    Each parameter group's "lr" is its highest rate. A training goes on from its checkpoint, also to another number of
    steps in all than it began with; to start from nothing, delete the file. The losses go to TensorBoard, into a folder
    named as the checkpoint is.
    """

    def __init__(self, model: nn.Module, optimizers: Sequence[Optimizer], steps: int, run: Path) -> None:
        self.model, self.optimizers, self.steps, self.run = model, optimizers, steps, run
        self.rates = [group["lr"] for group in self._groups()]
        self.step, self.seconds = 0, 0.0
        self.latest: dict[str, float] = {}
        if run.is_file():
            state = torch.load(run, weights_only=True)
            self.model.load_state_dict(state["model"])
            for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.step, self.seconds = state["step"], state["seconds"]

    def steps_left(self) -> Iterator[int]:
        """The numbers of the steps that are still to do, each of which is to call `learn` once.

        `seconds` is what all steps took, those before the checkpoint included.
        """
        if self.step >= self.steps:
            return
        self.model.train()
        start = time.monotonic() - self.seconds
        with SummaryWriter(str(self.run.with_suffix("")), purge_step=self.step) as board:
            while self.step < self.steps:
                yield self.step
                self.step += 1
                self.seconds = time.monotonic() - start
                last = self.step == self.steps
                if self.step % STEPS_A_LOG == 0 or last:
                    for name, value in self.latest.items():
                        board.add_scalar(name, value, self.step)
                if self.step % STEPS_A_CHECKPOINT == 0 or last:
                    shown = ", ".join(f"{name} {value:.3f}" for name, value in self.latest.items())
                    print(f"step {self.step} of {self.steps}, {self.seconds:.0f} s: {shown}", flush=True)
                    self._save()

    def learn(self, losses: Mapping[str, Tensor], clip: float, figures: Mapping[str, float] | None = None) -> None:
        """Take one step down the sum of the losses, its gradient's norm clipped at `clip`; `figures` are only shown."""
        share = min((self.step + 1) / WARM_UP_STEPS, (self.steps - self.step) / max(1, self.steps - WARM_UP_STEPS))
        for group, rate in zip(self._groups(), self.rates, strict=True):
            group["lr"] = rate * share
        self.model.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.latest = {name: loss.item() for name, loss in losses.items()} | dict(figures or {})

    def _groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all optimizers, which are others once a checkpoint has been loaded."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def _save(self) -> None:
        """Write the checkpoint whole or not at all."""
        state = {"model": self.model.state_dict(), "optimizers": [each.state_dict() for each in self.optimizers]}
        self.run.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.run.with_suffix(".part")
        torch.save(state | {"step": self.step, "seconds": self.seconds}, unfinished)
        unfinished.replace(self.run)


def muon_and_adamw(model: nn.Module, muon_rate: float, adamw_rate: float) -> list[Optimizer]:
    """Muon for the matrices of hidden layers, AdamW for all else: embeddings, last layers, norms and biases.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) turns each matrix's step into an orthogonal
    one, here with steps of AdamW's size (Liu et al. 2025, arXiv 2502.16982).
    """
    hidden, others = [], []
    for name, parameter in model.named_parameters():
        is_hidden = parameter.ndim == 2 and not any(part in name for part in NOT_HIDDEN)
        (hidden if is_hidden else others).append(parameter)
    return [
        Muon(hidden, lr=muon_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        AdamW(others, lr=adamw_rate, betas=(0.9, 0.98), weight_decay=0.05),
    ]


def drawn_batches(examples: Dataset[Any], seeds: Sequence[int], size: int | None) -> DataLoader[Any]:
    """The examples of those seeds, drawn by a second process while the first one learns.

    They come in batches of `size`, or one by one where that is None and an example is a batch already.
    """
    return DataLoader(examples, size, sampler=seeds, num_workers=1)


def write_record(folder: Path, training: Training, record: Mapping[str, object]) -> None:
    """Write `training.json` beside the weights: how they were made. How good they are, mini/evaluate.py says."""
    threads = torch.get_num_threads()
    made = {"steps": training.steps, **record, "training_seconds": round(training.seconds)}
    made["machine"] = f"{os.cpu_count()} CPU cores, {threads} thread{'s' if threads > 1 else ''}"
    (folder / "training.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(made, indent=2))

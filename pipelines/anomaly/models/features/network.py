"""Makes a timm network of levels: a sketch of it without weights, to try what it takes, and the network itself."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError

from pipelines.core.errors import CheckpointError

REFUSALS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, SafetensorError, OSError)
CREATION_SEEDS = (0, 1)


@dataclass(frozen=True)
class Network:
    """All that timm needs to make one network; `settings` of its methods go to timm's create_model besides."""

    name: str
    overlay: Mapping[str, Any]
    """What the checkpoint says in place of timm's own pretrained_cfg."""
    options: Mapping[str, Any]
    weights: Path

    def sketch(self, settings: Mapping[str, Any], device: str = "meta") -> Any:  # noqa: ANN401 - a module of timm's
        """The network without weights, on the meta device without numbers at all.

        Raises CheckpointError where timm cannot make it.
        """
        with torch.device(device):
            return self._network(settings, pretrained=False).eval()

    def takes(self, size_hw: tuple[int, int], settings: Mapping[str, Any]) -> bool:
        """Whether the network made with `settings` runs on pictures of `size_hw` pixels."""
        for device in ("meta", "cpu"):
            try:
                with torch.inference_mode():
                    self.sketch(settings, device)(torch.zeros(1, 3, *size_hw, dtype=torch.float32, device=device))
            except (CheckpointError, NotImplementedError, *REFUSALS) as error:
                if "meta" not in str(error).lower():  # else it asks for numbers, which the meta device has not
                    return False
            else:
                return True
        return False

    def loaded(self, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a module of timm's, with its own attributes
        """The network with its weights. Raises CheckpointError where the file lacks some of them."""
        network, other = (self._network(settings, seed=seed) for seed in CREATION_SEEDS)
        # What the file lacks, timm leaves at random numbers with a line in the log: there two seeds differ.
        twins = zip(network.named_parameters(), other.named_parameters(), strict=True)
        missing = [name for (name, value), (_, twin) in twins if not torch.equal(value, twin)]
        if missing:
            raise CheckpointError(
                f"expected all weights of {self.name} in {self.weights}, found {len(missing)} missing, such as "
                f"{missing[0]}; the file is of another architecture or incomplete"
            )
        return network.eval().to(memory_format=torch.channels_last)  # convolutions are faster so, on CPU and GPU

    def _network(self, settings: Mapping[str, Any], pretrained: bool = True, seed: int = 0) -> Any:  # noqa: ANN401
        try:
            with torch.random.fork_rng(devices=[]), _quiet():
                torch.manual_seed(seed)
                return timm.create_model(
                    self.name, pretrained=pretrained, pretrained_cfg_overlay=dict(self.overlay), features_only=True,
                    **{**self.options, **settings},
                )  # fmt: skip
        except REFUSALS as error:
            raise CheckpointError(
                f"expected a timm network {self.name} with the weights {self.weights}, but it does not load: "
                f"{' '.join(str(error).split())[:300]}"
            ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps timm from listing the keys of the layers behind the last level: they are not missed."""
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

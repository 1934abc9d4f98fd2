"""What a captioner is and says, and what captioners share."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from pipelines.core.errors import ConfigError
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import BatchModel


@dataclass(frozen=True)
class Said:
    """What a captioner says of a picture."""

    text: str
    """On one line; '' where it came to no answer."""
    cut: bool = False
    """Whether max_tokens ended it."""


class Captioner(BatchModel[Sample, Said], Protocol):
    """A BatchModel over samples: each picture becomes a sentence."""

    writes_korean: bool
    """Whether its captions need no translation."""


def cut_off(tokens: Tensor, ends: set[int]) -> list[bool]:
    """Whether each row of new tokens (B, L) has none of those that end a text."""
    return [ends.isdisjoint(row) for row in tokens.tolist()]


def check_order(min_tokens: int, max_tokens: int) -> None:
    """Raises ConfigError for fewest tokens beyond the most."""
    if min_tokens > max_tokens:
        raise ConfigError(f"expected min_tokens of at most max_tokens ({max_tokens}), found {min_tokens}")


def dtype_of(module: nn.Module) -> torch.dtype:
    """What a network runs in."""
    return next(module.parameters()).dtype

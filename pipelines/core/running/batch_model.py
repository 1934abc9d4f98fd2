"""What the Runner runs, mostly a network over items, and what it says of each item and of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_Item = TypeVar("_Item", contravariant=True)
_Result = TypeVar("_Result", covariant=True)

Batch = dict[str, Any]
"""What `prepare` makes and `predict` takes: tensors with the batch first, and whatever else belongs to the items."""


class BatchModel(Protocol[_Item, _Result]):
    """What becomes of items: `prepare` runs in worker threads on the CPU, `predict` on the device in inference mode.

    What there is besides, a model says by attributes, all of which it may leave out:

    - `module`, an nn.Module: its network, moved to the Runner's device and dtype before the first batch. A model
      without a network has none.
    - `dtypes`, a frozenset of torch.dtype: in which the network is known to give right results; float32 is always among
      them, and alone where they are left out.
    - `near_dtypes`: in which some results differ a little; it runs in one of them only where `precision` names it.
    - `shape_key(item) -> Hashable`: only items of equal key share a batch.
    - `auto_start`: the items of the first batches where the Runner finds the number itself.
    """

    def prepare(self, items: Sequence[_Item], /) -> Batch:
        """CPU tensors (B, ...) of the items. Raises for an item that cannot be read."""
        ...

    def predict(self, batch: Batch, /) -> Sequence[_Result]:
        """One result per item, in order."""
        ...


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a result, or the reason why there is none."""

    item: Item
    result: Result | None
    error: str = ""
    reached: bool = True
    """False where the run stopped before it came to the item."""

    @property
    def ok(self) -> bool:
        """True where there is a result."""
        return not self.error


@dataclass
class StageReport:
    """What one `Runner.run` did: counts, wall seconds, and where it ran."""

    name: str
    device: str
    dtype: str
    items: int = 0
    failed: int = 0
    seconds: float = 0.0
    batch: int = 0
    resumed: int = 0
    """Items whose results an earlier run had kept."""

    def count(self, outcome: Outcome[Any, Any]) -> None:
        """Takes in one more item, unless the run stopped before it."""
        if outcome.reached:
            self.items += 1
            self.failed += not outcome.ok

    @property
    def items_per_second(self) -> float:
        """Items a second of wall time that this run worked on, failures among them."""
        return (self.items - self.resumed) / self.seconds if self.seconds else 0.0

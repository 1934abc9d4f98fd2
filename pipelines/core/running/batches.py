"""Forms batches: how many items each has, and which ones share it."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

AUTO_START, AUTO_MOST = 4, 64
GROUP_WINDOW = 16  # batches looked at for items of equal shape


@dataclass
class BatchSize:
    """The number of items a batch; `auto` doubles while images a second grow by 5% or more, memory halves it."""

    size: int
    growing: bool
    best_rate: float = 0.0
    trials: list[float] = field(default_factory=list)
    latest: float = 0.0
    """Wall seconds of the latest batch, the waiting for its preparation among them."""

    def note(self, items: int, seconds: float, roomy: bool) -> None:
        """Takes in a full batch's time: doubles after two of a size if the better one pays, gives up after four."""
        if not self.growing or items < self.size:
            return
        self.trials.append(items / max(seconds, 1e-9))
        if len(self.trials) < 2:
            return
        rate = max(self.trials)  # whatever else a machine does only ever makes a batch slower
        if rate < 1.05 * self.best_rate:
            if len(self.trials) >= 4:
                self.size, self.growing = max(1, self.size // 2), False
            return
        self.trials = []
        if self.size >= AUTO_MOST or not roomy:
            self.growing = False
        else:
            self.size, self.best_rate = self.size * 2, rate

    def halve(self, failed: int) -> None:
        """After a batch of `failed` items that did not fit."""
        self.size, self.growing = max(1, min(self.size, failed // 2)), False


@dataclass(frozen=True)
class Group(Generic[Item]):
    """Items that share a batch, with their places among all."""

    places: list[int]
    items: list[Item]
    error: str = ""
    """Why its only item belongs to no batch; empty for all other groups."""


def groups(
    items: Iterable[Item], key_of: Callable[[Item], Hashable], size: BatchSize, reason: Callable[[Exception], str]
) -> Iterator[Group[Item]]:
    """Items of unequal keys never share a group; a window bounds how far they wait.

    An item whose key cannot be told is a group of its own, with the `reason` as its error. Which items share a group
    depends on the items, their keys and the sizes at the time alone, so that a run that goes on forms the same ones.
    """
    waiting: dict[Hashable, Group[Item]] = {}
    for place, item in enumerate(items):
        try:
            key = key_of(item)
        except Exception as error:
            yield Group([place], [item], reason(error))
            continue
        group = waiting.setdefault(key, Group([], []))
        group.places.append(place)
        group.items.append(item)
        if len(group.items) >= size.size:
            yield waiting.pop(key)
        oldest = next(iter(waiting), None)
        if oldest is not None and place - waiting[oldest].places[0] >= GROUP_WINDOW * size.size:
            yield waiting.pop(oldest)
    yield from waiting.values()

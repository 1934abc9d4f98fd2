"""What a Runner may be given beside its networks: one who has the device for several, and one who watches."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Protocol, TypeVar

from pipelines.core.running.batch_model import BatchModel, Item, Outcome, Result
from pipelines.core.running.stopping import Stop

Made = TypeVar("Made")

Watch = Callable[[str, int, int | None], None]
"""Told how far a run is: its stage, how many items are done, of how many."""


class Service(Protocol):
    """What has the device for several Runners: it runs their networks, and keeps them loaded."""

    def run(
        self,
        model: BatchModel[Item, Result],
        items: Sequence[Item],
        stage: str,
        stop: Stop,
        waiting: Callable[[], None],
    ) -> Iterator[Outcome[Item, Result]]:
        """One Outcome per item, in order; `waiting` is called now and then before each."""
        ...

    def alone(self, make: Callable[[], Made]) -> Made:
        """What `make` gives, called while no network runs."""
        ...

    def keep(self, make: "partial[Made]") -> Made:
        """What `make` gives; an equal call before may have given it already."""
        ...

    def load(self, make: "partial[Made]") -> Made:
        """As `keep`, of what holds a network: it is made while no network runs."""
        ...


_sharing = ContextVar("_sharing", default=False)


@contextmanager
def shared_networks() -> Iterator[None]:
    """Within it a network that is in use is given again. Those that run it in two dtypes would round its weights."""
    before = _sharing.set(True)
    try:
        yield
    finally:
        _sharing.reset(before)


def sharing() -> bool:
    """Whether this is within `shared_networks`."""
    return _sharing.get()

"""Lets workers prepare the batches that come next, as far as memory goes."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pipelines.core.running.batch_model import Batch

LOOK_AHEAD = 2
"""Batches that wait for each worker: enough that the device never waits for a worker that took longer than usual."""
WAITING_BYTES = 250_000_000
"""What prepared batches may take for each worker. Resized pictures need 0.2 GB, at 2.5 MB each and 16 a batch; fewer
batches wait where a model makes more of a picture, such as the 291 MB that 12 megapixels are to some chat models."""
AT_LEAST = 2
"""Batches that are there whatever they take: one that the network has, and one that is prepared meanwhile."""


@dataclass(eq=False)
class Prepared:
    """A batch from where it is asked for until the network is done with it."""

    items: int
    prepare: Callable[[], Batch]
    future: "Future[Batch] | None" = None
    """None until a worker has been asked, and where the system gave none."""
    begun: bool = False
    size: int | None = None
    """In bytes, once it is prepared; 0 where that failed."""

    def batch(self) -> Batch:
        """The batch, once it is prepared; prepares it where nobody else will. Raises what preparing it raised."""
        return self.prepare() if self.future is None else self.future.result()


class LookAhead:
    """Prepares batches in the order in which they are asked for and needed.

    A batch is begun once it is among the first `AT_LEAST`, or once a worker is free and all that are there would fit
    into `most` bytes with it. What is not prepared yet is taken to be as large as the largest so far, item by item, so
    that nothing is begun beyond the first before one is known. What is larger than all before takes more than `most`
    only by as many batches as there are workers.
    """

    def __init__(self, workers: Executor, count: int, most: int) -> None:
        """`count`: the threads of `workers`."""
        self._workers, self._count, self._most = workers, count, most
        self._lock = threading.Lock()
        self._line: deque[Prepared] = deque()
        self._largest: float | None = None
        """Bytes of an item, at the most so far."""

    def ask(self, prepare: Callable[[], Batch], items: int) -> Prepared:
        """Has a batch prepared after all that were asked for before."""
        asked = Prepared(items, prepare)
        with self._lock:
            self._line.append(asked)
            self._begin()
        return asked

    def leave(self, done: Prepared) -> None:
        """Makes room: the network is done with a batch, or will not have it."""
        with self._lock:
            self._line.remove(done)
            done.future = None  # and with it the batch, before another one takes its room
            self._begin()

    def _begin(self) -> None:
        """Begins what may be begun; in order, so that nothing takes the room of what is needed before it."""
        for place, each in enumerate(self._line):
            if not each.begun:
                if place >= AT_LEAST and not self._fits(each):
                    return
                each.begun = True
                try:
                    each.future = self._workers.submit(self._fill, each)
                except RuntimeError:  # no thread to be had: it is prepared when it is needed
                    each.future = None

    def _fits(self, coming: Prepared) -> bool:
        begun = [each for each in self._line if each.begun]
        if self._largest is None or sum(each.size is None for each in begun) >= self._count:
            return False
        there = [*begun, coming]
        return sum(self._largest * each.items if each.size is None else each.size for each in there) <= self._most

    def _fill(self, asked: Prepared) -> Batch:
        """What a worker does."""
        try:
            batch = asked.prepare()
        except BaseException:
            self._note(asked, None)
            raise
        self._note(asked, bytes_of(batch))
        return batch

    def _note(self, asked: Prepared, size: int | None) -> None:
        """Takes in what a batch has become: `size` bytes, or nothing, from which nothing is learnt."""
        with self._lock:
            asked.size = size or 0
            if size is not None:
                self._largest = max(self._largest or 0.0, size / asked.items)
            self._begin()


def may_double(batch: Batch, most: int) -> bool:
    """Whether a batch of twice the size leaves room for another one within `most` bytes."""
    return AT_LEAST * 2 * bytes_of(batch) <= most


def bytes_of(value: object) -> int:
    """What the tensors and arrays of a batch take, in bytes."""
    if isinstance(value, (Tensor, np.ndarray)):
        return int(value.nbytes)
    if isinstance(value, Mapping):
        return sum(bytes_of(each) for each in value.values())
    return sum(bytes_of(each) for each in value) if isinstance(value, (list, tuple)) else 0

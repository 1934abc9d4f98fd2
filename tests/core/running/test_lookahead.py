"""What waits prepared is bounded in bytes, whatever the items are; order, results and batches stay what they are."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.core.errors import ImageError
from pipelines.core.running.batch_model import Batch
from pipelines.core.running.journal import Journal
from pipelines.core.running.lookahead import AT_LEAST, LOOK_AHEAD, WAITING_BYTES, LookAhead, bytes_of, may_double
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig

MB = 10**6


class Later(Executor):
    """Workers that do what they were asked when the test says so."""

    def __init__(self, threads: bool = True) -> None:
        self.asked: deque[tuple[Future, Callable[[], object]]] = deque()
        self.threads = threads

    def submit(self, work, /, *words):
        if not self.threads:
            raise RuntimeError("can't start new thread")
        self.asked.append((Future(), lambda: work(*words)))
        return self.asked[-1][0]

    def work(self) -> None:
        """Does the oldest."""
        future, work = self.asked.popleft()
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)


def heavy(megabytes: int) -> Batch:
    """A batch that says that it takes so much, and takes nothing."""
    return {"pixels": torch.zeros((), dtype=torch.uint8).expand(megabytes * MB)}


def unreadable() -> Batch:
    raise ImageError("cannot read 1.jpg")


def looking(megabytes: Sequence[int], most: int, items: int = 1) -> tuple[LookAhead, Later, list]:
    workers = Later()
    ahead = LookAhead(workers, 8, most * MB)
    return ahead, workers, [ahead.ask(lambda size=size: heavy(size), items) for size in megabytes]


def begun(asked) -> list[bool]:
    return [each.begun for each in asked]


def test_nothing_is_begun_beyond_the_first_before_a_size_is_known():
    _, workers, asked = looking([1] * 5, most=100)
    assert begun(asked) == [True, True, False, False, False]
    workers.work()
    assert begun(asked) == [True] * 5


@pytest.mark.parametrize(("size", "most", "count"), [(10, 50, 5), (10, 59, 5), (10, 20, 2), (10, 5, 2), (0, 0, 8)])
def test_as_many_are_begun_as_fit_but_two_in_any_case(size, most, count):
    ahead, workers, asked = looking([size] * 8, most)
    workers.work()
    assert begun(asked) == [True] * count + [False] * (8 - count)
    ahead.leave(asked[0])
    assert begun(asked[1:]) == ([True] * count + [False] * 7)[:7]


def test_what_is_in_preparation_counts_as_the_largest_item_so_far():
    _, workers, asked = looking([1, 9, 1, 1, 1, 1], most=30)
    workers.work()
    assert begun(asked) == [True] * 6  # as if all were 1 MB
    _, workers, asked = looking([9, 1, 1, 1, 1, 1], most=30)
    workers.work()
    assert begun(asked) == [True] * 3 + [False] * 3  # 9 MB each
    workers.work()
    assert begun(asked) == [True] * 4 + [False] * 2  # 9, 1, and two of 9 at the most


def test_no_more_are_begun_than_workers_can_prepare():
    workers = Later()
    ahead = LookAhead(workers, 3, 1000 * MB)
    asked = [ahead.ask(lambda: heavy(1), 1) for _ in range(6)]
    workers.work()
    assert begun(asked) == [True] * 4 + [False] * 2
    workers.work()
    assert begun(asked) == [True] * 5 + [False]


def test_a_small_batch_does_not_take_the_room_of_one_that_is_needed_before_it():
    workers = Later()
    ahead = LookAhead(workers, 8, 40 * MB)
    asked = [ahead.ask(lambda: heavy(10), items) for items in (1, 1, 8, 1)]
    workers.work()
    assert begun(asked) == [True, True, False, False]
    ahead.leave(asked[0])
    assert begun(asked) == [True, True, True, False]


def test_a_batch_that_fails_gives_its_room_back_and_teaches_nothing():
    workers = Later()
    ahead = LookAhead(workers, 8, 30 * MB)
    asked = [ahead.ask(unreadable, 1), *(ahead.ask(lambda: heavy(10), 1) for _ in range(5))]
    workers.work()
    assert begun(asked) == [True, True, False, False, False, False]
    with pytest.raises(ImageError):
        asked[0].batch()
    workers.work()
    assert begun(asked) == [True] * 4 + [False] * 2  # nothing, 10, and two that will be 10


def test_without_a_thread_it_is_prepared_when_it_is_needed():
    ahead = LookAhead(Later(threads=False), 8, 100 * MB)
    for asked in [ahead.ask(lambda: heavy(10), 1) for _ in range(5)]:
        assert bytes_of(asked.batch()) == 10 * MB
        ahead.leave(asked)


def test_a_batch_that_has_left_is_let_go_of():
    ahead, workers, (asked,) = looking([1], most=1)
    workers.work()
    ahead.leave(asked)
    assert asked.future is None


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        ({}, 0),
        ({"names": ["a"], "count": 3, "none": None}, 0),
        ({"pixels": torch.zeros(2, 3, dtype=torch.float32)}, 24),
        ({"nested": {"ids": torch.zeros(4, dtype=torch.int64)}, "list": [torch.zeros(1), np.zeros(5, np.uint8)]}, 41),
    ],
)
def test_what_a_batch_takes(batch, size):
    assert bytes_of(batch) == size


def test_a_batch_doubles_where_two_of_them_fit():
    assert may_double(heavy(10), 40 * MB)
    assert not may_double(heavy(10), 39 * MB)


class Weighty:
    """Doubles numbers, each of which is so many megabytes in a batch, and knows how many there were at once.

    Counted from where preparing begins until the network is done. The first batch waits a while for more than allowed.
    """

    dtypes = frozenset({torch.float32})

    def __init__(
        self,
        megabytes: Callable[[int], int],
        allowed: int = 10**9,
        unreadable: Sequence[int] = (),
        patience: float = 0.3,
    ) -> None:
        self.module = nn.Identity()
        self.megabytes, self.allowed, self.unreadable = megabytes, allowed, set(unreadable)
        self.patience, self.there, self.most = patience, 0, 0
        self.batches: list[list[int]] = []
        self._lock, self._too_many = threading.Lock(), threading.Event()

    def prepare(self, items: Sequence[int]) -> Batch:
        if bad := self.unreadable & set(items):
            raise ImageError(f"cannot read {min(bad)}")
        size = sum(map(self.megabytes, items))
        self._count(size)
        return {"numbers": list(items), **heavy(size)}

    def predict(self, batch: Batch) -> list[int]:
        if not self.batches:
            self._too_many.wait(self.patience)
        self.batches.append(batch["numbers"])
        self._count(-bytes_of(batch) // MB)
        return [2 * number for number in batch["numbers"]]

    def _count(self, megabytes: int) -> None:
        with self._lock:
            self.there += megabytes
            self.most = max(self.most, self.there)
        if self.there > self.allowed:
            self._too_many.set()


def runner(workers: int, batch: int | str = 4) -> Runner:
    return Runner(RunnerConfig(device="cpu", batch=batch, workers=workers, progress=False))


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("size", [1, 20, 100, 300])
def test_a_run_holds_no_more_than_its_bound(workers, size):
    """Of 300 MB, about what 12 megapixels are to Qwen3-VL, 16 waiting batches of 4 would be 19 GB."""
    bound = max(workers * WAITING_BYTES // MB, AT_LEAST * 4 * size)
    model = Weighty(lambda _: size, bound)
    outcomes = list(runner(workers).run(model, range(90)))
    assert [outcome.result for outcome in outcomes] == [2 * item for item in range(90)]
    assert model.batches == [list(range(90))[start : start + 4] for start in range(0, 90, 4)]
    assert model.most <= bound


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_small_items_keep_all_that_may_wait(workers):
    ready = 4 * LOOK_AHEAD * workers
    model = Weighty(lambda _: 1, ready - 1, patience=60)  # the first batch waits until so many are there
    list(runner(workers).run(model, range(200)))
    assert model.most == ready


def test_large_items_behind_small_ones_are_bounded_too():
    """Those that are in preparation at once are the most by which a bound can be missed: four batches of 400 MB."""
    model = Weighty(lambda item: 1 if item < 40 else 100)
    assert all(outcome.ok for outcome in runner(4).run(model, range(200)))
    assert model.most <= 4 * WAITING_BYTES // MB + 4 * 400


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("bad", [[0], [0, 4, 8, 12], [2, 17], list(range(40))])
def test_what_cannot_be_prepared_holds_nothing_up(workers, bad):
    outcomes = list(runner(workers).run(Weighty(lambda _: 100, unreadable=bad), range(40)))
    assert [outcome.item for outcome in outcomes if not outcome.ok] == bad
    assert [outcome.result for outcome in outcomes if outcome.ok] == [2 * item for item in range(40) if item not in bad]


@pytest.mark.parametrize("count", [0, 1, 4, 9, 23])
def test_a_run_that_goes_on_has_the_same_batches(tmp_path: Path, count: int):
    def journalled() -> Runner:
        run = runner(2)
        run.journal = Journal(tmp_path / "journal", {})
        return run

    whole, first, second = (Weighty(lambda _: 100) for _ in range(3))
    expected = list(runner(2).run(whole, range(30)))
    list(itertools.islice(journalled().run(first, range(30)), count))
    assert list(journalled().run(second, range(30))) == expected
    assert first.batches + second.batches == whole.batches


def test_auto_grows_no_batch_of_which_two_would_not_fit():
    model = Weighty(lambda _: 10)
    list(runner(1, "auto").run(model, range(100)))
    assert max(map(len, model.batches)) <= WAITING_BYTES // MB // 10 // AT_LEAST


def test_the_readme_says_what_may_wait():
    text = " ".join((Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8").split())
    assert f"take {WAITING_BYTES / 10**9} GB a worker, or what two batches take" in text

"""The Runner: order, failures, memory, shapes, whatever the batch."""

import itertools
import threading
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import nn

from pipelines.core.errors import ConfigError, ImageError
from pipelines.core.runner import AUTO_MOST, Batch, BatchSize, Runner, RunnerConfig


class Doubler:
    """Doubles numbers; a number in `unreadable` fails in prepare, one in `choking` in predict."""

    dtypes = frozenset({torch.float32, torch.float16})

    def __init__(self, unreadable: Sequence[int] = (), choking: Sequence[int] = (), fits: int = 1000):
        self.module = nn.Linear(1, 1)
        self.unreadable, self.choking, self.fits = set(unreadable), set(choking), fits
        self.batches: list[list[int]] = []
        self.prepared = 0

    def prepare(self, items: Sequence[int]) -> Batch:
        self.prepared += len(items)
        if bad := self.unreadable & set(items):
            raise ImageError(f"cannot read {min(bad)}")
        return {"x": torch.tensor(items), "names": [str(item) for item in items]}

    def predict(self, batch: Batch) -> list[int]:
        items = batch["x"].tolist()
        assert batch["names"] == [str(item) for item in items]
        self.batches.append(items)
        if len(items) > self.fits:
            raise torch.cuda.OutOfMemoryError("injected")
        if self.choking & set(items):
            raise ValueError("chokes")
        return [2 * item for item in items]


def runner(batch: int | str = 4, **settings) -> Runner:
    return Runner(RunnerConfig(batch=batch, progress=False, device="cpu", **settings))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 23])
def test_as_many_results_as_items_in_their_order(count):
    model = Doubler()
    outcomes = list(runner(4).run(model, range(count)))
    assert [outcome.result for outcome in outcomes] == [2 * item for item in range(count)]
    assert all(outcome.ok and outcome.item == index for index, outcome in enumerate(outcomes))
    assert max(map(len, model.batches), default=0) <= 4


@pytest.mark.parametrize("bad", [[0], [5], [0, 1, 2, 3], [22], [3, 4, 11]])
@pytest.mark.parametrize("where", ["unreadable", "choking"])
def test_only_the_bad_items_fail(bad, where):
    outcomes = list(runner(4).run(Doubler(**{where: bad}), range(23)))
    assert [outcome.item for outcome in outcomes if not outcome.ok] == bad
    assert [outcome.result for outcome in outcomes if outcome.ok] == [2 * n for n in range(23) if n not in bad]


def test_reasons_are_one_line_and_name_foreign_errors():
    unread, choked = runner(1).run(Doubler(unreadable=[0], choking=[1]), range(2))
    assert unread.error == "cannot read 0"
    assert choked.error == "ValueError: chokes"


def test_out_of_memory_halves_the_batch_and_remembers():
    model, run = Doubler(fits=3), runner(8)
    outcomes = list(run.run(model, range(64)))
    assert [outcome.result for outcome in outcomes] == [2 * item for item in range(64)]
    model.batches.clear()
    assert all(outcome.ok for outcome in run.run(model, range(64)))
    assert max(map(len, model.batches)) <= 3


def test_an_item_that_does_not_fit_alone_fails_alone():
    model = Doubler(fits=0)
    outcomes = list(runner(4).run(model, range(3)))
    assert [outcome.ok for outcome in outcomes] == [False] * 3
    assert "memory" in outcomes[0].error


class Shaped(Doubler):
    def shape_key(self, item: int) -> int:
        if item == 7:
            raise ImageError("no shape")
        return item % 3


def test_batches_hold_one_shape_and_order_is_kept():
    model = Shaped()
    outcomes = list(runner(4).run(model, range(40)))
    assert [outcome.item for outcome in outcomes] == list(range(40))
    assert [outcome.item for outcome in outcomes if not outcome.ok] == [7]
    assert all(len({item % 3 for item in batch}) == 1 for batch in model.batches)
    assert max(map(len, model.batches)) == 4


class Shapeless(Doubler):
    def shape_key(self, item: int) -> int:
        if item not in (0, 29):
            raise ImageError(f"no shape of {item}")
        return item


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_any_number_of_items_without_a_shape_in_a_row(workers):
    outcomes = list(runner(2, workers=workers).run(Shapeless(), range(30)))
    assert [outcome.item for outcome in outcomes] == list(range(30))
    assert [outcome.item for outcome in outcomes if outcome.ok] == [0, 29]


class Rare(Doubler):
    def shape_key(self, item: int) -> bool:
        return item == 0


def test_a_rare_shape_does_not_hold_the_rest_back():
    outcomes = runner(2).run(Rare(), itertools.count())
    assert [next(outcomes).item for _ in range(50)] == list(range(50))


def test_memory_is_bounded_for_endless_items():
    model, pulled = Doubler(), 0

    def endless() -> Iterator[int]:
        nonlocal pulled
        while True:
            pulled += 1
            yield pulled

    outcomes = runner(2, workers=2).run(model, endless())
    for _ in range(100):
        next(outcomes)
    outcomes.close()
    assert pulled < 150
    assert model.prepared < 150


def test_preparing_runs_beside_the_device():
    first_predicted = threading.Event()

    class Overlapping(Doubler):
        def prepare(self, items):
            if items[0] == 2:
                assert first_predicted.wait(5)  # prepared while the first batch is on the device, or never
            return super().prepare(items)

        def predict(self, batch):
            first_predicted.set()
            return super().predict(batch)

    assert all(outcome.ok for outcome in runner(1, workers=2).run(Overlapping(), range(6)))


def test_a_wrong_number_of_results_is_a_bug_and_not_a_blank():
    class Losing(Doubler):
        def predict(self, batch):
            return super().predict(batch)[:-1]

    with pytest.raises(RuntimeError, match="1 results for 2 items"):
        list(runner(2).run(Losing(), range(2)))


@pytest.mark.parametrize(
    ("precision", "safe", "expected"),
    [
        ("fp32", {torch.float32, torch.bfloat16}, torch.float32),
        ("fp16", {torch.float32, torch.float16}, torch.float32),  # never half precision on the CPU
        ("bf16", {torch.float32, torch.bfloat16}, torch.bfloat16),
        ("bf16", {torch.float32}, torch.float32),  # the model has the last word
    ],
)
def test_precision(precision, safe, expected):
    model = Doubler()
    model.dtypes = frozenset(safe)
    run = runner(precision=precision)
    assert run.dtype(model) == expected
    list(run.run(model, [1]))
    assert model.module.weight.dtype == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:99", ""])
def test_a_device_that_is_not_there(name):
    with pytest.raises(ConfigError, match=f"expected a device .*auto, cpu.* found '{name}'"):
        Runner(RunnerConfig(device=name))


def test_reports_count_by_stage():
    run = runner(2)
    list(run.run(Doubler(choking=[1]), range(5), stage="doubling"))
    (report,) = run.reports
    assert (report.name, report.items, report.failed, report.device) == ("doubling", 5, 1, "cpu")
    assert report.items_per_second > 0


def test_auto_batch_doubles_while_it_pays():
    size = BatchSize(4, growing=True)
    for rate in (10, 10, 20, 20, 20.1, 20.1):
        size.note(size.size, size.size / rate, roomy=True)
    assert (size.size, size.growing) == (8, False)


def test_auto_batch_stops_at_the_bound_and_where_memory_ends():
    size = BatchSize(AUTO_MOST, growing=True)
    for _ in range(2):
        size.note(AUTO_MOST, 1, roomy=True)
    assert (size.size, size.growing) == (AUTO_MOST, False)
    tight = BatchSize(4, growing=True)
    for _ in range(2):
        tight.note(4, 1, roomy=False)
    assert (tight.size, tight.growing) == (4, False)


def test_auto_batch_runs_every_item():
    outcomes = list(runner("auto").run(Doubler(), range(300)))
    assert [outcome.result for outcome in outcomes] == [2 * item for item in range(300)]

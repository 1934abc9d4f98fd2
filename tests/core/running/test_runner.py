"""The Runner: order, failures, memory, shapes, whatever the batch."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from pipelines.core.errors import ConfigError, ImageError
from pipelines.core.running.batch_model import Batch
from pipelines.core.running.journal import Journal
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop


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


@pytest.mark.parametrize(("precision", "expected"), [("auto", torch.float32), ("bf16", torch.bfloat16)])
def test_a_dtype_that_is_only_near_is_taken_where_it_is_named(precision, expected):
    model = Doubler()
    model.dtypes, model.near_dtypes = frozenset({torch.float32}), frozenset({torch.bfloat16})
    assert runner(precision=precision).dtype(model) == expected


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


@pytest.mark.parametrize(("start", "wanted"), [(None, 4), (32, 32)])
def test_auto_batch_begins_as_the_model_asks(start, wanted):
    model = Doubler()
    if start is not None:
        model.auto_start = start
    list(runner("auto").run(model, range(70)))
    assert len(model.batches[0]) == wanted


def test_auto_batch_runs_every_item():
    outcomes = list(runner("auto").run(Doubler(), range(300)))
    assert [outcome.result for outcome in outcomes] == [2 * item for item in range(300)]


def journalled(folder: Path, batch: int | str = 4, stop: Stop | None = None) -> Runner:
    run = Runner(RunnerConfig(batch=batch, progress=False, device="cpu", workers=2), stop)
    run.journal = Journal(folder / "journal", {})
    return run


def killed_after(model: Doubler, items, run: Runner, count: int) -> None:
    """Takes `count` outcomes and lets go of the run as a killed process does."""
    list(itertools.islice(run.run(model, items), count))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9, 39, 40])
@pytest.mark.parametrize("kind", [Doubler, Shaped])
def test_a_run_that_goes_on_computes_only_what_is_missing_in_the_same_batches(tmp_path, kind, count):
    whole = kind(choking=[5])
    expected = list(runner(4, workers=2).run(whole, range(40)))
    first, second = kind(choking=[5]), kind(choking=[5])
    killed_after(first, range(40), journalled(tmp_path), count)
    run = journalled(tmp_path)
    assert list(run.run(second, range(40))) == expected
    assert first.batches + second.batches == whole.batches
    assert run.reports[0].items == 40
    assert run.reports[0].resumed == sum(map(len, batches_done(first)))


def batches_done(model: Doubler) -> list[list[int]]:
    """The batches that ended; one that chokes is cut in halves, which count as one batch with it."""
    return [batch for batch in model.batches if not model.choking & set(batch) or len(batch) == 1]


def test_a_batch_that_memory_cut_is_formed_again_as_it_was(tmp_path):
    first, second = Doubler(fits=3), Doubler(fits=3)
    killed_after(first, range(64), journalled(tmp_path, 8), 30)
    results = [outcome.result for outcome in journalled(tmp_path, 8).run(second, range(64))]
    assert results == [2 * item for item in range(64)]
    assert not {item for batch in first.batches if len(batch) <= 3 for item in batch} & {
        item for batch in second.batches for item in batch
    }


def test_auto_batches_are_found_again(tmp_path):
    first, second = Doubler(), Doubler()
    killed_after(first, range(300), journalled(tmp_path, "auto"), 150)
    assert [outcome.result for outcome in journalled(tmp_path, "auto").run(second, range(300))] == list(
        range(0, 600, 2)
    )
    assert not {item for batch in first.batches for item in batch} & {
        item for batch in second.batches for item in batch
    }


def test_runs_of_one_stage_are_kept_apart(tmp_path):
    for resumed in (0, 6):
        run = journalled(tmp_path)
        for items in (range(3), range(3, 6)):
            assert [each.result for each in run.run(Doubler(), items, "double")] == [2 * item for item in items]
        (report,) = run.reports
        assert (report.items, report.resumed) == (6, resumed)


def test_what_was_made_once_is_not_made_again(tmp_path):
    def fail():
        raise AssertionError

    assert runner().once("scores", lambda: [1.5]) == [1.5]
    assert journalled(tmp_path).once("scores", lambda: [1.5]) == [1.5]
    assert journalled(tmp_path).once("scores", fail) == [1.5]


def test_a_stage_may_stay_out_of_the_journal(tmp_path):
    run = journalled(tmp_path)
    list(run.run(Doubler(), range(8), journal=False))
    assert len(run.journal) == 0


@pytest.mark.parametrize("kind", [Doubler, Shapeless])
def test_once_it_is_due_the_rest_is_not_reached(tmp_path, kind):
    class Stopping(kind):
        def predict(self, batch):
            stop.reason = "enough"
            return super().predict(batch)

    stop = Stop()
    model = Stopping()
    run = journalled(tmp_path, 4, stop)
    outcomes = list(run.run(model, range(30)))
    assert [outcome.item for outcome in outcomes] == list(range(30))
    reached = [outcome.item for outcome in outcomes if outcome.reached]
    assert [item for batch in model.batches for item in batch] == [each.item for each in outcomes if each.ok]
    assert all(outcome.error == "enough" for outcome in outcomes if not outcome.reached)
    assert run.reports[0].items == len(reached) < 30


def test_a_batch_that_would_last_beyond_the_deadline_is_not_begun():
    class Slow(Doubler):
        def predict(self, batch):
            time.sleep(0.2)
            return super().predict(batch)

    class Late(Stop):
        """As if less time than that was left, whatever the clock says."""

        def due(self, expected=0.0):
            if expected >= 0.2:
                self.reason = "the deadline came first"
            return bool(self.reason)

    outcomes = list(Runner(RunnerConfig(batch=1, progress=False, device="cpu"), Late()).run(Slow(), range(50)))
    assert [outcome.reached for outcome in outcomes] == [True] + [False] * 49


def test_a_model_that_calls_exit_fails_its_items_only():
    class Leaving(Doubler):
        def prepare(self, items):
            if 5 in items:
                raise SystemExit(3)
            return super().prepare(items)

    outcomes = list(runner(4).run(Leaving(), range(10)))
    assert [outcome.item for outcome in outcomes if not outcome.ok] == [5]
    assert outcomes[5].error == "RuntimeError: Leaving.prepare tried to end the process"

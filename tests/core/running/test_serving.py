import gc
import shutil
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from pipelines.core.networks.translate import Translator
from pipelines.core.running.runner import Runner
from pipelines.core.running.serving import Serving
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop
from tests.in_time import SECONDS

QUIET = RunnerConfig(device="cpu", batch=4, workers=1, progress=False)


class Doubling:
    """A network that doubles numbers, fails on negative ones, and knows what it was given at once."""

    dtypes = frozenset({torch.float32})

    def __init__(self, meanwhile=lambda: None) -> None:
        self.module, self.meanwhile = nn.Identity(), meanwhile
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()

    def prepare(self, items):
        return {"numbers": list(items)}

    def predict(self, batch):
        self.batches.append(batch["numbers"])
        self.threads.add(threading.get_ident())
        self.meanwhile()
        if min(batch["numbers"]) < 0:
            raise ValueError("a negative number")
        return [2 * number for number in batch["numbers"]]


class Kept:
    """A `keep` that counts what it made."""

    def __init__(self) -> None:
        self.made: dict[str, object] = {}
        self.lock = threading.Lock()

    def __call__(self, name, make):
        with self.lock:
            if name not in self.made:
                self.made[name] = make()
            return self.made[name]


@pytest.fixture
def serving():
    return Serving(QUIET, Kept())


def until(seen):
    """Waits until `seen` is true."""
    ends = time.monotonic() + SECONDS
    while not seen():
        assert time.monotonic() < ends
        time.sleep(0.01)


def asked(serving, model, items):
    return list(Runner(QUIET, service=serving).run(model, items))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 30])
def test_one_outcome_an_item_in_order(serving, count):
    outcomes = asked(serving, Doubling(), range(count))
    assert [(outcome.item, outcome.result) for outcome in outcomes] == [(n, 2 * n) for n in range(count)]


def test_many_at_once_share_batches_one_item_of_each_in_turn(serving):
    all_here = threading.Event()
    model, busy = Doubling(), Doubling(partial(all_here.wait, SECONDS))
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(asked, serving, busy, [0])
        until(lambda: busy.batches)
        visits = [pool.submit(asked, serving, model, [10 * n, 10 * n + 1]) for n in range(1, 9)]
        until(lambda: serving.waiting == 8)
        all_here.set()
    assert [[outcome.result for outcome in visit.result()] for visit in visits] == [
        [20 * n, 20 * n + 2] for n in range(1, 9)
    ]
    assert first.result()[0].ok
    assert len(model.batches) == 4  # 16 items by four
    assert {number % 10 for batch in model.batches[:2] for number in batch} == {0}  # everybody's first item first


def test_networks_run_on_one_thread_and_take_turns(serving):
    slow, quick = Doubling(lambda: time.sleep(0.5)), Doubling()
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(asked, serving, slow, range(400))  # 50 seconds of work
        until(lambda: slow.batches)
        assert asked(serving, quick, [1])[0].result == 2
        done = len(slow.batches)
        serving.runner.stop.reason = "the test is over"
        long.result()
    assert done < 100  # all of them
    assert slow.threads == quick.threads
    assert threading.get_ident() not in slow.threads


def test_a_bad_item_fails_alone_and_not_for_the_others(serving):
    model = Doubling()
    with ThreadPoolExecutor(2) as pool:
        bad, good = pool.map(lambda items: asked(serving, model, items), [[1, -1, 2], [3, 4, 5]])
    assert [outcome.result for outcome in good] == [6, 8, 10]
    assert [outcome.result for outcome in bad] == [2, None, 4]
    assert "a negative number" in bad[1].error


def test_a_network_that_breaks_is_told_to_who_asked_and_the_next_is_served(serving):
    class Broken(Doubling):
        def predict(self, batch):
            return []

    with pytest.raises(RuntimeError, match="gave 0 results"):
        asked(serving, Broken(), [1, 2])
    assert asked(serving, Doubling(), [1])[0].result == 2


def test_a_network_that_does_not_even_fit_is_told_to_all_who_ask_and_the_next_is_served(serving):
    class TooLarge(nn.Identity):
        def to(self, *_args):
            raise MemoryError("no room")

    model = Doubling()
    model.module = TooLarge()
    with ThreadPoolExecutor(2) as pool:
        for visit in [pool.submit(asked, serving, model, [1]) for _ in range(2)]:
            with pytest.raises(MemoryError, match="no room"):
                visit.result(timeout=SECONDS)
    assert asked(serving, Doubling(), [1])[0].result == 2


def test_who_goes_away_is_not_worked_for_any_longer(serving):
    model = Doubling(lambda: time.sleep(0.05))
    outcomes = Runner(QUIET, service=serving).run(model, range(4000))
    next(outcomes)
    outcomes.close()
    assert asked(serving, Doubling(), [1])[0].ok
    assert sum(map(len, model.batches)) < 4000
    assert serving.waiting == 0


def test_a_stop_leaves_the_rest_unreached(serving):
    stop = Stop()
    outcomes = Runner(QUIET, stop, serving).run(Doubling(), range(5))
    assert next(outcomes).result == 0
    stop.reason = "enough"
    assert [outcome.reached for outcome in outcomes] == [False] * 4


def test_a_watch_is_told_while_it_waits_and_may_end_the_run(serving):
    told: list[tuple[str, int, int | None]] = []
    answer = threading.Event()

    def watch(stage, done, total):
        told.append((stage, done, total))
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Runner(QUIET, service=serving, watch=watch).run(Doubling(partial(answer.wait, SECONDS)), [1], "double"))
    answer.set()
    assert told == [("double", 0, 1)] * 3


def test_a_runner_without_a_service_tells_its_watch_after_each_item():
    told: list[tuple[str, int, int | None]] = []
    list(Runner(QUIET, watch=lambda *each: told.append(each)).run(Doubling(), [1, 2], "double"))
    assert told == [("double", 1, 2), ("double", 2, 2)]


def test_what_is_done_alone_runs_where_the_networks_do_and_in_inference_mode(serving):
    model = Doubling()
    asked(serving, model, [1])
    runner = Runner(QUIET, service=serving)
    thread, inference = runner.alone(lambda: (threading.get_ident(), torch.is_inference_mode_enabled()))
    assert {thread} == model.threads
    assert inference
    with pytest.raises(ZeroDivisionError):
        runner.alone(lambda: 1 // 0)


def test_a_network_is_loaded_where_networks_run_and_as_if_it_were_loaded_anywhere(serving):
    def made(_):
        return threading.get_ident(), torch.is_inference_mode_enabled()

    model = Doubling()
    asked(serving, model, [1])
    runner = Runner(QUIET, service=serving)
    assert runner.load(partial(made, "a network")) == (*model.threads, False)
    assert runner.keep(partial(made, "a folder")) == (threading.get_ident(), False)


def translator(folder: Path, beams: int) -> Translator:
    return Translator(folder, "eng_Latn", "kor_Hang", beams)


def test_equal_loads_give_one_model_and_others_share_its_network(tmp_path):
    keep = Kept()
    runners = [Runner(QUIET, service=Serving(QUIET, keep)) for _ in range(3)]
    folder = Path(shutil.copytree("mini/weights/nllb", tmp_path / "nllb"))  # whose network nobody else has
    first, same, other = (
        runner.load(partial(translator, folder, beams)) for runner, beams in zip(runners, (1, 1, 2), strict=True)
    )
    assert first is same
    assert other is not first
    assert other.module is first.module
    (network,) = runners[2].service.networks
    assert (network.model, network.checkpoint, network.module) == ("Translator", str(folder), first.module)
    del network
    assert translator(folder, 1).module is not first.module  # not shared outside of a service
    network = weakref.ref(first.module)
    keep.made.clear()
    del first, same, other
    gc.collect()
    assert network() is None

import gc
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from pipelines.core.running.serving import Serving
from pipelines.core.running.settings import RunnerConfig
from pipelines.demo import serving
from pipelines.demo.serving import MOST_KEPT, kept


class Model:
    """Something heavy."""

    made = 0

    def __init__(self, number: int) -> None:
        time.sleep(0.1)  # long enough for two to begin, if two could
        Model.made += 1


@pytest.fixture
def load():
    """What loads models into the demo's own store, which is empty before and after."""
    kept.clear()
    Model.made = 0
    yield Serving(RunnerConfig(device="cpu"), kept).load
    kept.clear()


def test_visitors_at_once_share_one_model(load):
    meeting = threading.Barrier(10)

    def visit(_):
        meeting.wait()
        return load(partial(Model, 0))

    with ThreadPoolExecutor(10) as pool:
        models = list(pool.map(visit, range(10)))
    assert Model.made == 1
    assert len({id(model) for model in models}) == 1


def test_what_was_made_the_longest_ago_goes_and_its_memory_is_given_back(load):
    first = weakref.ref(load(partial(Model, 0)))
    second = weakref.ref(load(partial(Model, 1)))
    for number in range(2, MOST_KEPT + 1):
        load(partial(Model, number))
    gc.collect()
    assert first() is None
    assert second() is not None


def test_the_first_visitors_may_come_at_once_and_on_different_pages():
    code = """
import threading
from pipelines.demo.serving import libraries

pages = ["caption", "detect", "anomaly", "search"]
meeting, opened = threading.Barrier(len(pages)), []

def visit(page):
    meeting.wait()
    libraries(page)
    opened.append(page)

visitors = [threading.Thread(target=visit, args=(page,)) for page in pages]
for visitor in visitors:
    visitor.start()
for visitor in visitors:
    visitor.join()
assert len(opened) == len(pages), opened
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_all_work_goes_to_one_thread():
    assert serving.serving() is serving.serving()
    assert serving.runner().service is serving.serving()

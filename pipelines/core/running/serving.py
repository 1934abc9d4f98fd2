"""Serves many Runners at once: one thread has the device, and what they ask of one network shares its batches."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.running.service import shared_networks
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop

Item = TypeVar("Item")
Result = TypeVar("Result")
Made = TypeVar("Made")

TURN = 2.0
"""Seconds after which another network has its turn, where one is waited for."""
PATIENCE = 0.2
"""Seconds between two looks at whether who asked still waits."""

Keep = Callable[[str, Callable[[], Any]], Any]
"""Gives what is kept under a name, made by the function where it is not; two at once never make it twice."""


@dataclass(eq=False)
class _Job:
    """What somebody asks: a network for some items, or a function to be called."""

    call: Callable[[], Any] | None = None
    model: Any = None
    items: deque[Any] = field(default_factory=deque)
    """Those that the network was not given yet."""
    stage: str = ""
    answers: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    """Outcomes in the order of the items, or what the call gave; or an exception."""
    left: bool = False
    """Whether nobody waits for the answers any more."""


@dataclass(frozen=True)
class Network:
    """A network that is in memory."""

    model: str
    """The class that uses it; of several one."""
    checkpoint: str
    """As it was named, or its folder."""
    module: nn.Module = field(repr=False)


class Serving:
    """A Service: every network is there once, and never do two of them run at the same time.

    Whoever asks for the same network shares its batches, one item of each in turn, so that a person with one photo
    does not wait for another's hundred. Networks take turns. Who goes away is not worked for any longer.
    """

    def __init__(self, config: RunnerConfig, keep: Keep) -> None:
        """`keep` holds what is loaded, and lets go of it."""
        self.runner = Runner(config)
        self._keep = keep
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._named: WeakKeyDictionary[nn.Module, tuple[str, str]] = WeakKeyDictionary()
        """Network -> the model that uses it, and its checkpoint; gone with the network."""
        threading.Thread(target=self._work, name="serving", daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many wait for an answer."""
        with self._changed:
            return sum(not job.left for job in self._jobs)

    @property
    def networks(self) -> list[Network]:
        """What is in memory, each once, in the order of loading."""
        return [Network(*named, module) for module, named in list(self._named.items())]

    def run(
        self,
        model: BatchModel[Item, Result],
        items: Sequence[Item],
        stage: str,
        stop: Stop,
        waiting: Callable[[], None],
    ) -> Iterator[Outcome[Item, Result]]:
        """One Outcome per item, in order; `waiting` is called some times a second while there is none."""
        job = self._ask(_Job(model=model, items=deque(items), stage=stage))
        try:
            for item in items:
                outcome: Outcome[Item, Result] | None = None
                while outcome is None and not stop.due():
                    outcome = _answer(job, waiting)
                yield outcome or Outcome(item, None, stop.reason, reached=False)
        finally:
            job.left = True

    def alone(self, make: Callable[[], Made]) -> Made:
        """What `make` gives, called in inference mode by the thread that runs the networks."""
        made: Made = self._ask(_Job(call=make)).answers.get()
        if isinstance(made, BaseException):
            raise made
        return made

    def keep(self, make: "partial[Made]") -> Made:
        """What `make` gives, kept under its function's name and its arguments."""
        found: Made = self._keep(_name(make), make)
        return found

    def load(self, make: "partial[Made]") -> Made:
        """What `make` gives, kept as by `keep`, and made by the thread that runs the networks.

        While transformers loads a network, it sets PyTorch's default dtype for all threads.
        """

        def shared() -> Made:
            with shared_networks(), torch.inference_mode(False):
                return make()

        found: Made = self._keep(_name(make), lambda: self.alone(shared))
        for model in found if isinstance(found, tuple) else (found,):
            module = getattr(model, "module", None)
            if isinstance(module, nn.Module):
                self._named.setdefault(module, (type(model).__name__, _checkpoint(make)))
        return found

    def _ask(self, job: _Job) -> _Job:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
        return job

    def _work(self) -> None:
        """Does what is asked, for ever."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs))
                job = self._jobs[0]
                if job.call is not None or job.left:
                    self._jobs.popleft()
            if job.left:
                continue
            if job.call is None:
                self._run(job.model, job.stage)
            else:
                job.answers.put(_called(job.call))

    def _run(self, model: BatchModel[Any, Any], stage: str) -> None:
        """A network's turn: the items of all who ask for it."""
        asked: deque[_Job] = deque()  # whose item each coming outcome is of
        try:
            items = self._turn(model, asked)
            for outcome in self.runner.run(model, items, stage, journal=False, progress=False):
                asked.popleft().answers.put(outcome)
        except BaseException as error:  # this thread has to live on
            with self._changed:  # also those who were not come to: asked again, it would only fail again
                failed = {*asked, *(job for job in self._jobs if job.model is model)}
            for job in failed:
                job.left = True
                job.answers.put(error)

    def _turn(self, model: BatchModel[Any, Any], asked: deque[_Job]) -> Iterator[Any]:
        """One item of each who asks for `model`, again and again, until there are none or others have their turn."""
        ends = time.monotonic() + TURN
        while True:
            with self._changed:
                for job in [job for job in self._jobs if job.left or not (job.items or job.call)]:
                    self._jobs.remove(job)
                job = next((job for job in self._jobs if job.model is model), _Job())
                others = any(job.model is not model for job in self._jobs)
                if not job.items or (others and time.monotonic() > ends):
                    return
                self._jobs.remove(job)
                self._jobs.append(job)
                item = job.items.popleft()
            asked.append(job)
            yield item


def _name(make: "partial[Any]") -> str:
    return f"{make.func.__module__}.{make.func.__qualname__} {make.args!r} {make.keywords!r}"


def _checkpoint(make: "partial[Any]") -> str:
    """What a call that loads a network names as its checkpoint: a folder, else what comes first."""
    return str(next((each for each in make.args if isinstance(each, Path)), make.args[0] if make.args else ""))


def _answer(job: _Job, waiting: Callable[[], None]) -> Any:  # noqa: ANN401 - an Outcome, or None for not yet
    answer: Any = None
    with suppress(Empty):
        answer = job.answers.get(timeout=PATIENCE)
    if isinstance(answer, BaseException):
        raise answer
    if answer is None:
        waiting()
    return answer


def _called(make: Callable[[], Any]) -> Any:  # noqa: ANN401 - what it gives, or raised
    try:
        with torch.inference_mode():
            return make()
    except BaseException as error:
        return error

"""Runs a network over many items; device, dtype, batches, look-ahead, memory and failed items are decided here only."""

import os
import platform
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from tqdm import tqdm

from pipelines.core.notes import noticing
from pipelines.core.running.batch_model import Batch, BatchModel, Outcome, StageReport
from pipelines.core.running.batches import AUTO_START, BatchSize, Group, groups
from pipelines.core.running.cards import CardFacts, ram_bytes
from pipelines.core.running.device import choose, say
from pipelines.core.running.journal import Journal
from pipelines.core.running.lookahead import LOOK_AHEAD, WAITING_BYTES, LookAhead, Prepared, may_double
from pipelines.core.running.service import Service, Watch
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop
from pipelines.core.running.workers import workers

Item = TypeVar("Item")
Result = TypeVar("Result")
Made = TypeVar("Made")


class Runner:
    """Runs any BatchModel over any number of items; order out is order in, and one bad item is one failed Outcome."""

    def __init__(
        self,
        config: RunnerConfig | None = None,
        stop: Stop | None = None,
        service: Service | None = None,
        watch: Watch | None = None,
        cards: CardFacts | None = None,
    ) -> None:
        """`stop` is asked before each batch; it is never due where it is left out.

        With a `service`, networks are run and kept by it, beside those of other Runners. `watch` is told how far each
        run is, after each item and, with a service, at least some times a second; what it raises ends the run. `cards`
        are this machine's where they are left out; what a person should know of them is said once a process.
        """
        self.config = config or RunnerConfig()
        self.service, self.watch = service, watch
        self.choice = choose(self.config.device, self.config.precision, cards)
        say(self.choice.words)
        self.workers = self.config.workers or min(8, os.cpu_count() or 1)
        self.waiting_bytes = self.workers * WAITING_BYTES
        """What prepared batches may take together, where two of them do not take more."""
        self.stop = stop or Stop()
        self.journal: Journal | None = None
        """Where finished batches are kept and looked up, once a run has set one."""
        self.reports: list[StageReport] = []
        self.notes: dict[str, str] = {}
        """What was noticed of pictures that were used all the same: path -> what is the matter (see `core.notes`)."""
        self._runs: Counter[str] = Counter()
        # What a model's memory allowed is remembered for as long as the model lives.
        self._sizes: WeakKeyDictionary[BatchModel[Any, Any], BatchSize] = WeakKeyDictionary()

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return self.choice.device

    @property
    def memory_bytes(self) -> int:
        """All memory of the device: a card's own, else the machine's, or what this container may have of it."""
        return self.choice.card.memory if self.choice.card else ram_bytes()

    @property
    def device_name(self) -> str:
        """The device as run records name it."""
        if self.choice.card:
            return self.choice.card.name
        return f"{self.device.type}, {torch.get_num_threads()} threads"

    def dtype(self, model: BatchModel[Any, Any]) -> torch.dtype:
        """The dtype that `model` runs in here."""
        known: frozenset[torch.dtype] = getattr(model, "dtypes", frozenset())
        named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
        if self.config.precision != "auto":
            wanted = named[self.config.precision]
        elif self.device.type == "cuda":
            # What was trained in bfloat16 may hold numbers that float16 has not, and is right in float32 everywhere.
            other = torch.bfloat16 if self.choice.native_bf16 else torch.float32
            wanted = torch.float16 if torch.float16 in known else other
        else:
            wanted = torch.bfloat16 if _cpu_has_bf16() else torch.float32
        if self.device.type == "cpu" and wanted == torch.float16:
            wanted = torch.float32  # half precision on CPUs is slow and partly wrong (grid_sample gives NaN)
        asked = self.config.precision != "auto"
        near: frozenset[torch.dtype] = getattr(model, "near_dtypes", frozenset()) if asked else frozenset()
        return wanted if wanted in known | near else torch.float32

    def run(
        self,
        model: BatchModel[Item, Result],
        items: Iterable[Item],
        stage: str = "run",
        *,
        journal: bool = True,
        progress: bool = True,
    ) -> Iterator[Outcome[Item, Result]]:
        """Yields one Outcome per item, in the order of `items`.

        `stage` names the work in the progress line and in `reports`; runs of one name add to one report. Memory holds
        at most LOOK_AHEAD batches and WAITING_BYTES for each worker, but two batches in any case. `journal`: whether
        finished batches are kept where the run has a journal.
        """
        report = self._report(stage, str(self.dtype(model)).removeprefix("torch."))
        total = len(items) if isinstance(items, Sized) else None
        with tqdm(total=total, desc=stage, unit="item", disable=not (self.config.progress and progress)) as bar:

            def say() -> None:
                if self.watch is not None:
                    self.watch(stage, done, total)

            done = 0
            started = time.perf_counter()
            for outcome in self._outcomes(model, items, stage, report, journal, say):
                report.count(outcome)
                report.seconds += time.perf_counter() - started
                done += outcome.reached
                bar.update(outcome.reached)
                if report.failed:
                    bar.set_postfix(failed=report.failed, refresh=False)
                say()
                yield outcome
                started = time.perf_counter()  # what the caller does meanwhile is not this stage's time

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives; where the run goes on from an earlier one, what it gave then."""
        kept: Made | None = None if self.journal is None else self.journal.get(name)
        if kept is not None:
            return kept
        made = make()
        if self.journal is not None:
            self.journal.put(name, made)
        return made

    def keep(self, make: "partial[Made]") -> Made:
        """What `make` gives, such as a checkpoint's folder; a service gives what it made before."""
        return make() if self.service is None else self.service.keep(make)

    def load(self, make: "partial[Made]") -> Made:
        """What `make` gives, which holds a network; a service gives one that it keeps."""
        return make() if self.service is None else self.service.load(make)

    def alone(self, make: Callable[[], Made]) -> Made:
        """What `make` gives, which uses the device beside the networks; a service lets nothing else do so meanwhile."""
        return make() if self.service is None else self.service.alone(make)

    def _outcomes(
        self,
        model: BatchModel[Item, Result],
        items: Iterable[Item],
        stage: str,
        report: StageReport,
        journal: bool,
        waiting: Callable[[], None],
    ) -> Iterator[Outcome[Item, Result]]:
        """The outcomes in order, by the service where there is one, else on this thread."""
        if self.service is not None:
            return self.service.run(model, list(items), stage, self.stop, waiting)
        if (module := getattr(model, "module", None)) is not None:
            module.to(self.device, self.dtype(model)).eval()
        self._runs[stage] += 1
        fixed = self.config.batch
        start = getattr(model, "auto_start", AUTO_START)
        new = BatchSize(fixed, growing=False) if isinstance(fixed, int) else BatchSize(start, growing=True)
        size = self._sizes.setdefault(model, new)
        kept_in = self.journal if journal else None
        return _Stage(f"{stage} {self._runs[stage]}", self, model, size, report, kept_in).ordered(items)

    def _report(self, stage: str, dtype: str) -> StageReport:
        """The report of the runs of that name on this device."""
        new = StageReport(stage, str(self.device), dtype)
        found = next((each for each in self.reports if (each.name, each.dtype) == (stage, dtype)), None)
        if found is None:
            self.reports.append(new)
        return found or new


@dataclass
class _Ahead(Generic[Item, Result]):
    """A batch that waits for its turn."""

    number: int
    size: int
    """The batch size when it was formed."""
    group: Group[Item]
    prepared: Prepared | None = None
    """The batch; None where there is nothing to compute, or no time."""
    outcomes: list[Outcome[Item, Result]] | None = None
    """Where they are known already: from the journal, or because the item belongs to no batch."""
    notes: dict[str, str] = field(default_factory=dict)
    """What was noticed while it was prepared."""


@dataclass
class _Stage(Generic[Item, Result]):
    """One run of one model over its items."""

    name: str
    """Its name in the journal: no other run of a command has it."""
    runner: Runner
    model: BatchModel[Item, Result]
    size: BatchSize
    report: StageReport
    journal: Journal | None

    def ordered(self, items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        """Outcomes in the order of `items`, whatever the order in which their batches ran."""
        waiting: dict[int, Outcome[Item, Result]] = {}
        following = 0
        for place, outcome in self._batched(items):
            waiting[place] = outcome
            while following in waiting:
                yield waiting.pop(following)
                following += 1

    def _batched(self, items: Iterable[Item]) -> Iterator[tuple[int, Outcome[Item, Result]]]:
        """(place, outcome) pairs as batches end: workers prepare the next batches while the device works."""
        with workers(self.runner.workers) as pool:
            looking = LookAhead(pool, self.runner.workers, self.runner.waiting_bytes)
            coming = self._coming(items, looking)
            waiting: deque[_Ahead[Item, Result]] = deque()
            try:
                while True:
                    while len(waiting) < self.runner.workers * LOOK_AHEAD and (ahead := next(coming, None)) is not None:
                        waiting.append(ahead)
                    if not waiting:
                        return
                    ahead = waiting.popleft()
                    outcomes = self._outcomes(ahead)
                    if ahead.prepared is not None:
                        looking.leave(ahead.prepared)
                    yield from zip(ahead.group.places, outcomes, strict=True)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _coming(self, items: Iterable[Item], looking: LookAhead) -> Iterator[_Ahead[Item, Result]]:
        """The batches in their order, each with its outcomes where they are kept, else in preparation."""
        stop = self.runner.stop
        shape_of: Callable[[Item], Hashable] = getattr(self.model, "shape_key", lambda _: None)
        formed = groups(items, lambda item: None if stop.reason else shape_of(item), self.size, _reason)
        number = 0
        while True:
            kept = None if self.journal is None else self.journal.get(f"{self.name} {number}")
            self.size.size = kept["size"] if kept else self.size.size
            size = self.size.size
            if (group := next(formed, None)) is None:
                return
            ahead = _Ahead[Item, Result](number, size, group)
            if group.error:
                ahead.outcomes = [Outcome(group.items[0], None, group.error)]
            else:
                number += 1
                ahead.outcomes = _kept_outcomes(kept, group)
                if kept is not None and ahead.outcomes is not None:
                    ahead.notes = kept.get("notes", {})
                elif not stop.reason:
                    prepare = partial(_prepared, self.model, group.items, ahead.notes)
                    ahead.prepared = looking.ask(prepare, len(group.items))
            yield ahead

    def _outcomes(self, ahead: _Ahead[Item, Result]) -> list[Outcome[Item, Result]]:
        """What becomes of the items of a batch: kept before, found out now, or not reached any more."""
        stop = self.runner.stop
        if ahead.outcomes is not None:
            self.runner.notes |= ahead.notes
            self.report.resumed += 0 if ahead.group.error else len(ahead.outcomes)
            return ahead.outcomes
        if ahead.prepared is None or stop.due(self.size.latest):
            return [Outcome(item, None, stop.reason, reached=False) for item in ahead.group.items]
        started = time.perf_counter()
        outcomes = self._finish(ahead.group.items, ahead.prepared.batch, ahead.notes)
        self.runner.notes |= ahead.notes
        self.size.latest = time.perf_counter() - started
        self.report.batch = max(self.report.batch, len(outcomes))
        self._keep(ahead, outcomes)
        return outcomes

    def _keep(self, ahead: _Ahead[Item, Result], outcomes: Sequence[Outcome[Item, Result]]) -> None:
        """Puts a finished batch into the journal."""
        if self.journal is not None:
            results, errors = [each.result for each in outcomes], [each.error for each in outcomes]
            entry = {"size": ahead.size, "places": ahead.group.places, "results": results, "errors": errors}
            if ahead.notes:
                entry["notes"] = ahead.notes
            self.journal.put(f"{self.name} {ahead.number}", entry)

    def _finish(
        self, items: list[Item], prepare: Callable[[], Batch], notes: dict[str, str]
    ) -> list[Outcome[Item, Result]]:
        """The outcomes of one batch; a batch that fails is cut smaller until only what is bad in itself has failed."""
        device, name = self.runner.device, type(self.model).__name__
        try:
            batch = prepare()
            started = time.perf_counter()
            with torch.inference_mode():
                results = self.model.predict({key: _moved(value, device) for key, value in batch.items()})
            roomy = _roomy(device) and may_double(batch, self.runner.waiting_bytes)
            self.size.note(len(items), time.perf_counter() - started, roomy)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            self.size.halve(len(items))
            reason = "does not fit into the device's memory, even alone; use a smaller model or input size"
        except Exception as error:
            reason = _reason(error)
        else:
            if len(results) != len(items):
                raise RuntimeError(f"{name}.predict gave {len(results)} results for {len(items)} items")
            return [Outcome(item, result) for item, result in zip(items, results, strict=True)]
        if len(items) == 1:
            return [Outcome(items[0], None, reason)]
        middle = len(items) // 2
        halves = items[:middle], items[middle:]
        return [
            outcome
            for half in halves
            for outcome in self._finish(half, partial(_prepared, self.model, half, notes), notes)
        ]


def _kept_outcomes(kept: Any, group: Group[Item]) -> list[Outcome[Item, Any]] | None:  # noqa: ANN401 - JSON
    """The outcomes of a group that the journal has, or None where it has none of just these items."""
    if kept is None or kept["places"] != group.places:
        return None
    triples = zip(group.items, kept["results"], kept["errors"], strict=True)
    return [Outcome(item, result, error) for item, result, error in triples]


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - a batch may hold anything beside tensors
    if not isinstance(value, Tensor):
        return value
    if device.type == "cuda":
        value = value.pin_memory()
    return value.to(device, non_blocking=True)


def _prepared(model: BatchModel[Item, Result], items: list[Item], notes: dict[str, str]) -> Batch:
    """What the model prepares, and in `notes` what is noticed; nothing it calls ends the process or a worker thread."""
    with noticing() as seen:
        try:
            return model.prepare(items)
        except SystemExit as error:
            raise RuntimeError(f"{type(model).__name__}.prepare tried to end the process") from error
        finally:
            notes |= seen


def _reason(error: Exception) -> str:
    """An error as one line for the list of blanks; our own messages stand for themselves."""
    text = " ".join(str(error).split())
    return text if type(error).__module__.startswith("pipelines.") else f"{type(error).__name__}: {text}"


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself; for other x86 oneDNN would emulate it, slower than float32."""
    native = torch.cpu._is_avx512_bf16_supported() or platform.machine() not in ("x86_64", "AMD64")
    return native and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _roomy(device: torch.device) -> bool:
    """Whether a batch of twice the size would still fit, judged by the peak so far."""
    if device.type != "cuda":
        return True
    free, total = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) > 2 * torch.cuda.max_memory_allocated(device) and free < total

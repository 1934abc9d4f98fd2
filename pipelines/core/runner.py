"""Runs a network over many items; device, dtype, batches, look-ahead, memory and failed items are decided here only."""

import os
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pipelines.core.config import schema
from pipelines.core.errors import ConfigError

Item = TypeVar("Item")
Result = TypeVar("Result")
_Item = TypeVar("_Item", contravariant=True)
_Result = TypeVar("_Result", covariant=True)

Batch = dict[str, Any]
"""What `prepare` makes and `predict` takes: tensors with the batch first, and whatever else belongs to the items."""


class BatchModel(Protocol[_Item, _Result]):
    """A network. `prepare` runs in worker threads on the CPU, `predict` on the device in inference mode.

    A model may also have `shape_key(item) -> Hashable`: only items of equal key then share a batch.
    """

    module: nn.Module
    """Moved to the Runner's device and dtype before the first batch."""
    dtypes: frozenset[torch.dtype]
    """The dtypes in which the network is known to give right results; float32 is always among them."""

    def prepare(self, items: Sequence[_Item], /) -> Batch:
        """CPU tensors (B, ...) of the items. Raises for an item that cannot be read."""
        ...

    def predict(self, batch: Batch, /) -> Sequence[_Result]:
        """One result per item, in order."""
        ...


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a result, or the reason why there is none."""

    item: Item
    result: Result | None
    error: str = ""

    @property
    def ok(self) -> bool:
        """True where there is a result."""
        return not self.error


@schema
class RunnerConfig:
    """How the networks are run."""

    device: str = "auto"
    """`auto` (the first CUDA device, else the CPU), or a torch device such as `cuda:1`."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """`auto`: on CUDA fp16, or bf16 where only that is safe; on the CPU bf16 where both it and the model allow that."""
    batch: int | Literal["auto"] = "auto"
    """Images a batch (1 or more), or `auto`: start at 4 and double while it pays and memory allows."""
    workers: int = 0
    """Threads that decode and resize; 0 is one per core, 8 at most."""
    progress: bool = True
    """Whether to show images a second, time left and failures on the terminal."""

    def __post_init__(self) -> None:
        if self.batch != "auto" and self.batch < 1:
            raise ValueError(f"batch is at least 1, not {self.batch}")
        if self.workers < 0:
            raise ValueError(f"workers is at least 0, not {self.workers}")


@dataclass
class StageReport:
    """What one `Runner.run` did: counts, wall seconds, and where it ran."""

    name: str
    device: str
    dtype: str
    items: int = 0
    failed: int = 0
    seconds: float = 0.0
    batch: int = 0

    @property
    def items_per_second(self) -> float:
        """Items a second of wall time, failures among them."""
        return self.items / self.seconds if self.seconds else 0.0


AUTO_START, AUTO_MOST = 4, 64
LOOK_AHEAD = 2  # batches that wait prepared for each worker: bounds memory whatever the number of images
GROUP_WINDOW = 16  # batches looked at for items of equal shape


@dataclass
class BatchSize:
    """The number of items a batch; `auto` doubles while images a second grow by 5% or more, memory halves it."""

    size: int
    growing: bool
    best_rate: float = 0.0
    trials: list[float] = field(default_factory=list)

    def note(self, items: int, seconds: float, roomy: bool) -> None:
        """Takes in a full batch's time; after two of a size decides whether to double."""
        if not self.growing or items < self.size:
            return
        self.trials.append(items / max(seconds, 1e-9))
        if len(self.trials) < 2:
            return
        rate, self.trials = max(self.trials), []
        if rate < 1.05 * self.best_rate:
            self.size, self.growing = max(1, self.size // 2), False
        elif self.size >= AUTO_MOST or not roomy:
            self.growing = False
        else:
            self.size, self.best_rate = self.size * 2, rate

    def halve(self, failed: int) -> None:
        """After a batch of `failed` items that did not fit."""
        self.size, self.growing = max(1, min(self.size, failed // 2)), False


class Runner:
    """Runs any BatchModel over any number of items; order out is order in, and one bad item is one failed Outcome."""

    def __init__(self, config: RunnerConfig | None = None) -> None:
        self.config = config or RunnerConfig()
        self.device = _device(self.config.device)
        self.workers = self.config.workers or min(8, os.cpu_count() or 1)
        self.reports: list[StageReport] = []
        # What a model's memory allowed is remembered for as long as the model lives.
        self._sizes: WeakKeyDictionary[BatchModel[Any, Any], BatchSize] = WeakKeyDictionary()

    def dtype(self, model: BatchModel[Any, Any]) -> torch.dtype:
        """The dtype that `model` runs in here."""
        named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
        if self.config.precision != "auto":
            wanted = named[self.config.precision]
        elif self.device.type == "cuda":
            wanted = torch.float16 if torch.float16 in model.dtypes else torch.bfloat16
        else:
            wanted = torch.bfloat16 if _cpu_has_bf16() else torch.float32
        if self.device.type == "cpu" and wanted == torch.float16:
            wanted = torch.float32  # half precision on CPUs is slow and partly wrong (grid_sample gives NaN)
        return wanted if wanted in model.dtypes else torch.float32

    def run(
        self, model: BatchModel[Item, Result], items: Iterable[Item], stage: str = "run"
    ) -> Iterator[Outcome[Item, Result]]:
        """Yields one Outcome per item, in the order of `items`.

        `stage` names the work in the progress line and in `reports`. Memory holds a bounded number of batches.
        """
        dtype = self.dtype(model)
        model.module.to(self.device, dtype).eval()
        report = StageReport(stage, str(self.device), str(dtype).removeprefix("torch."))
        self.reports.append(report)
        total = len(items) if isinstance(items, Sized) else None
        with tqdm(total=total, desc=stage, unit="item", disable=not self.config.progress) as bar:
            started = time.perf_counter()
            for outcome in self._ordered(model, items, report):
                report.items += 1
                report.failed += not outcome.ok
                report.seconds = time.perf_counter() - started
                bar.update()
                if report.failed:
                    bar.set_postfix(failed=report.failed, refresh=False)
                yield outcome

    def _ordered(
        self, model: BatchModel[Item, Result], items: Iterable[Item], report: StageReport
    ) -> Iterator[Outcome[Item, Result]]:
        """Outcomes in the order of `items`, whatever the order in which their batches ran."""
        waiting: dict[int, Outcome[Item, Result]] = {}
        following = 0
        for index, outcome in self._batched(model, items, report):
            waiting[index] = outcome
            while following in waiting:
                yield waiting.pop(following)
                following += 1

    def _batched(
        self, model: BatchModel[Item, Result], items: Iterable[Item], report: StageReport
    ) -> Iterator[tuple[int, Outcome[Item, Result]]]:
        """(index, outcome) pairs as batches end: workers prepare the next batches while the device works."""
        if not isinstance(self.config.batch, int):
            size = self._sizes.setdefault(model, BatchSize(AUTO_START, growing=True))
        else:
            size = self._sizes.setdefault(model, BatchSize(self.config.batch, growing=False))
        groups = _groups(model, items, size)
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="prepare")
        ahead: deque[tuple[list[tuple[int, Item]], Future[Batch]]] = deque()
        try:
            while True:
                while len(ahead) < self.workers * LOOK_AHEAD and (group := next(groups, None)) is not None:
                    if isinstance(group, _Unreadable):
                        yield group.index, Outcome(cast(Item, group.item), None, group.error)
                    else:
                        ahead.append((group, pool.submit(model.prepare, [item for _, item in group])))
                if not ahead:
                    return
                indexed, prepared = ahead.popleft()
                report.batch = max(report.batch, len(indexed))
                outcomes = self._finish(model, [item for _, item in indexed], prepared.result, size)
                yield from zip((index for index, _ in indexed), outcomes, strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _finish(
        self, model: BatchModel[Item, Result], items: list[Item], prepare: Callable[[], Batch], size: BatchSize
    ) -> list[Outcome[Item, Result]]:
        """The outcomes of one batch; a batch that fails is cut smaller until only what is bad in itself has failed."""
        try:
            batch = prepare()
            started = time.perf_counter()
            results = self._predict(model, batch)
            size.note(len(items), time.perf_counter() - started, _roomy(self.device))
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            size.halve(len(items))
            reason = "does not fit into the device's memory, even alone; use a smaller model or input size"
        except Exception as error:
            reason = _reason(error)
        else:
            if len(results) != len(items):
                raise RuntimeError(f"{type(model).__name__}.predict gave {len(results)} results for {len(items)} items")
            return [Outcome(item, result) for item, result in zip(items, results, strict=True)]
        if len(items) == 1:
            return [Outcome(items[0], None, reason)]
        middle = len(items) // 2
        halves = items[:middle], items[middle:]
        return [outcome for half in halves for outcome in self._finish(model, half, _preparing(model, half), size)]

    def _predict(self, model: BatchModel[Item, Result], batch: Batch) -> Sequence[Result]:
        with torch.inference_mode():
            return model.predict({key: self._move(value) for key, value in batch.items()})

    def _move(self, value: Any) -> Any:  # noqa: ANN401 - a batch may hold anything beside tensors
        if not isinstance(value, Tensor):
            return value
        if self.device.type == "cuda":
            value = value.pin_memory()
        return value.to(self.device, non_blocking=True)


@dataclass(frozen=True)
class _Unreadable:
    """An item whose shape could not be told, so that it belongs to no batch."""

    index: int
    item: object
    error: str


def _preparing(model: BatchModel[Item, Result], items: list[Item]) -> Callable[[], Batch]:
    return lambda: model.prepare(items)


def _groups(
    model: BatchModel[Item, Result], items: Iterable[Item], size: BatchSize
) -> Iterator[list[tuple[int, Item]] | _Unreadable]:
    """Batches of (index, item). Items of unequal `shape_key` never share one; a window bounds how far they wait."""
    key_of: Callable[[Item], Hashable] = getattr(model, "shape_key", lambda _: None)
    open_groups: dict[Hashable, list[tuple[int, Item]]] = {}
    for index, item in enumerate(items):
        try:
            key = key_of(item)
        except Exception as error:
            yield _Unreadable(index, item, _reason(error))
            continue
        group = open_groups.setdefault(key, [])
        group.append((index, item))
        if len(group) >= size.size:
            yield open_groups.pop(key)
        oldest = next(iter(open_groups), None)
        if oldest is not None and index - open_groups[oldest][0][0] >= GROUP_WINDOW * size.size:
            yield open_groups.pop(oldest)
    yield from open_groups.values()


def _reason(error: Exception) -> str:
    """An error as one line for the list of blanks; our own messages stand for themselves."""
    text = " ".join(str(error).split())
    return text if type(error).__module__.startswith("pipelines.") else f"{type(error).__name__}: {text}"


def _device(name: str) -> torch.device:
    """The device called `name`. Raises ConfigError where this machine has none of that name."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cards = torch.cuda.device_count()
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or (device.type == "cuda" and (device.index or 0) >= cards):
        there = ", ".join(["auto", "cpu", *(f"cuda:{card}" for card in range(cards))])
        raise ConfigError(f"expected a device that this machine has ({there}), found {name!r}; set --device")
    return device


def _cpu_has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _roomy(device: torch.device) -> bool:
    """Whether a batch of twice the size would still fit, judged by the peak so far."""
    if device.type != "cuda":
        return True
    free, total = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) > 2 * torch.cuda.max_memory_allocated(device) and free < total

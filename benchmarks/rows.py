"""What all speed benchmarks share: contestants take turns in one run, medians are compared, rows are kept."""

import gc
import json
import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, Literal

import torch

from pipelines.core.running.batch_model import Batch, BatchModel, Item, Result
from pipelines.core.running.batches import AUTO_START

RESULTS = Path(__file__).parent / "results"
AGREE = 0.1
"""By how much two times may differ that need no third."""
LONG = 10.0
"""Seconds of a time that needs no second."""
PACKAGES = ["torch", "torchvision", "transformers", "anomalib", "timm"]

Precision = Literal["fp32", "fp16", "bf16"]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

Contestant = Callable[[], int]
"""Does the work once, from files to results, and says of how many items."""


@dataclass(frozen=True)
class Row:
    """One comparison: ours beside a peer, in one run on the same files, machine and dtype or its best."""

    work: str
    peer: str
    device: str
    """`cpu` or `gpu`."""
    unit: str
    """Such as `images/s`: of `ours` and `peer_value`; more is faster."""
    ours: float
    peer_value: float
    ratio: float
    """Ours over the peer's: above 1 we are faster."""
    goal: float | None
    """The ratio that is to be reached."""
    ceiling_share: float | None
    """Ours over the same network at its best batch on tensors that are already on the device."""
    peak_mb: float
    """The most memory of the process while ours ran (CPU), or of the device (GPU)."""
    repeats: int
    note: str = ""
    """What else a reader has to know, such as a share of the peer's work that was timed and scaled."""
    rest: str = ""
    """Where the time of ours went, measured: what `rest` says of a run."""
    lever: str = ""
    """What to try next, in words without figures; shown where the goal is missed."""


@dataclass
class Peak:
    """The most memory that was in use."""

    mb: float = 0.0
    _end: threading.Event = field(default_factory=threading.Event)


@contextmanager
def peak_memory(device: str) -> Iterator[Peak]:
    """The peak while the body runs: of the device, or of this process, looked at every 20 ms."""
    peak = Peak()
    if device == "gpu":
        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak.mb = torch.cuda.max_memory_allocated() / 1e6
        return

    def watch() -> None:
        while not peak._end.wait(0.02):
            peak.mb = max(peak.mb, resident_mb())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        peak._end.set()
        watcher.join()


def resident_mb() -> float:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def race(contestants: Mapping[str, Contestant], repeats: int, device: str, warm: bool = False) -> dict[str, float]:
    """Name -> items a second, the median of `repeats`, in which they take turns.

    Whatever else the machine does meets all of them; who is first changes with each repeat. A first time, which is
    slower, is left out by the median of three; of fewer repeats, each works once before, unless all are `warm`. Whose
    times are `enough` works no more.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    items: dict[str, int] = {}
    if repeats < 3 and not warm:
        for work in contestants.values():
            work()
    for number in range(repeats):
        names = list(contestants)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            if enough(times[name]):
                continue
            gc.collect()
            if device == "gpu":
                torch.cuda.synchronize()
            started = time.perf_counter()
            items[name] = contestants[name]()
            if device == "gpu":
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - started)
    return {name: items[name] / statistics.median(each) for name, each in times.items()}


def enough(seconds: Sequence[float]) -> bool:
    """Whether they tell how long a contestant takes: one that is LONG, beside which a start is short, or two alike."""
    alike = len(seconds) > 1 and max(seconds) <= (1 + AGREE) * min(seconds)
    return alike or any(each > LONG for each in seconds)


class Timed(Generic[Item, Result]):
    """A network that adds up the wall seconds spent in it; a Runner takes it in the place of the network.

    What `prepare` takes is the sum over worker threads, which prepare several batches at once, beside `predict`.
    `predict` ends when its results are on the CPU, so its seconds are those of the device, too.
    """

    def __init__(self, model: BatchModel[Item, Result]) -> None:
        self.model, self.module, self.dtypes = model, model.module, model.dtypes
        self.near_dtypes: frozenset[torch.dtype] = getattr(model, "near_dtypes", frozenset())
        self.shape_key: Callable[[Item], Hashable] = getattr(model, "shape_key", lambda _: None)
        self.auto_start: int = getattr(model, "auto_start", AUTO_START)
        self.prepare_s = self.predict_s = 0.0
        self._lock = threading.Lock()

    def prepare(self, items: Sequence[Item]) -> Batch:
        """What the network prepares."""
        started = time.perf_counter()
        batch = self.model.prepare(items)
        with self._lock:
            self.prepare_s += time.perf_counter() - started
        return batch

    def predict(self, batch: Batch) -> Sequence[Result]:
        """What the network predicts."""
        started = time.perf_counter()
        results = self.model.predict(batch)
        self.predict_s += time.perf_counter() - started
        return results


def rest(timed: Timed[Any, Any], items: int, seconds: float, item: str = "photo", made: str = "files to pixels") -> str:
    """What an item costs: `seconds` is the wall time of the run over `items` in which `timed` was the network.

    `made` says what `prepare` does.
    """
    whole, network, threads = (1000 * each / items for each in (seconds, timed.predict_s, timed.prepare_s))
    outside = max(whole - network, 0.0)
    return (
        f"of {figure(whole)} ms a {item} {figure(network)} in the network, {figure(outside)} outside it; "
        f"{made} take {figure(threads)} in threads, beside it but for the first batch"
    )


def figure(value: float) -> str:
    """Three figures are all that a noisy machine gives."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def named(precision: Precision) -> str:
    """Such as float32."""
    return str(DTYPES[precision]).removeprefix("torch.")


def this_device() -> str:
    """`gpu` where there is one."""
    return "gpu" if torch.cuda.is_available() else "cpu"


def write(name: str, rows: Sequence[Row], folder: Path = RESULTS, **more: object) -> Path:
    """Keeps the rows of a benchmark and what `more` it found, in place of those of the same device."""
    return keep(folder / f"speed_{name}.json", rows[0].device, rows=[asdict(row) for row in rows], **more)


def keep(path: Path, device: str, **found: object) -> Path:
    """Keeps what one run on a device found, with the machine, versions and commit, in place of what that device had."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": []}
    runs = [run for run in kept["runs"] if run["device"] != device]
    runs.append({"device": device, "machine": machine(), **found})
    path.write_text(json.dumps({"runs": runs}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """What the figures are of."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_before": round(os.getloadavg()[1], 2),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES if _there(name)},
        "commit": commit.stdout.strip() or None,
    }


def _processor() -> str:
    """The processor's name, and what of it makes bfloat16 fast."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{name}{', AMX' if any('amx_bf16' in line for line in lines) else ''}"


def _there(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True

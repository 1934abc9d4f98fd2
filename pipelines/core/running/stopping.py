"""Says when a run is to come to its end: at its deadline, or when it is asked to by a signal."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
MARGIN = 1.0
"""Seconds kept free before a deadline for the CSV, the run record and Python's own end."""


class Stop:
    """Asked before each batch; once it is due it stays so."""

    def __init__(self, seconds: float | None = None, started: float | None = None) -> None:
        """`seconds`: the time for the whole run, None without limit. `started`: its beginning by `time.monotonic()`."""
        started = time.monotonic() if started is None else started
        self.ends = None if seconds is None else started + seconds
        self.reason = ""
        """Why the run stops; empty while it goes on."""
        self.signal: int | None = None
        """The signal that stopped it, where one did."""

    def due(self, expected: float = 0.0) -> bool:
        """Whether to stop now, where what comes next takes `expected` seconds."""
        if not self.reason and self.ends is not None and time.monotonic() + expected + MARGIN >= self.ends:
            self.reason = "the deadline came first"
        return bool(self.reason)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Makes SIGINT and SIGTERM stop the run in order; a second one of either ends the process at once."""
        if threading.current_thread() is not threading.main_thread():  # Python hears signals there only
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def stop(number: int, _: FrameType | None) -> None:
            self.signal, self.reason = number, f"{signal.Signals(number).name} came first"
            for each in before:
                signal.signal(each, signal.SIG_DFL)

        for number in before:
            signal.signal(number, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def seconds_of(text: str) -> float:
    """The seconds of a time such as `9m`, `1h30m`, `90s` or `540`. Raises ValueError for anything else, and for 0."""
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    parts = [float(part or 0) for part in found.groups()] if found else []
    total = sum(part * unit for part, unit in zip(parts, UNITS.values(), strict=True)) if parts else 0.0
    if total <= 0:
        raise ValueError(f"a time is hours, minutes or seconds such as 9m, 1h30m or 90s, not {text!r}")
    return total

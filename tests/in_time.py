"""Work that may hang, in a process of its own, which the system kills when its time is over."""

import os
import pickle
import signal
import tempfile
import traceback
from collections.abc import Callable
from typing import IO, NoReturn

SECONDS = 300
"""A hang is to fail; how fast a busy machine is means nothing."""


def in_time(work: Callable[[], object], seconds: int = SECONDS) -> object:
    """What `work` gives, or the exception that it raises, either of them pickled on its way.

    The process is a fork, so that all is imported already. The alarm that ends it is the system's: it comes through
    code that never returns to Python, and needs nobody who waits. Raises AssertionError where it was not in time, or
    died.
    """
    with tempfile.TemporaryFile() as end:  # a pipe might be full before anybody reads
        child = os.fork()
        if not child:
            _work(work, seconds, end)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code != -signal.SIGALRM, f"it did not end in {seconds} s"
        assert code >= 0, f"it was ended by {signal.Signals(-code).name}"
        assert code == 0, f"it ended with exit code {code}"
        end.seek(0)
        return pickle.load(end)


def _work(work: Callable[[], object], seconds: int, end: IO[bytes]) -> NoReturn:
    code = 70
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        try:
            found = work()
        except BaseException as error:
            found = error
        pickle.dump(found, end)
        end.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)

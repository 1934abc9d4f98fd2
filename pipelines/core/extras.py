"""Writes what lies beside a submission, such as pictures and maps; where it cannot, the submission is not lost."""

import sys
from collections.abc import Callable

from pipelines.core.errors import SuiteError


class Extras:
    """Counts what could not be written, on a full disk for one, and says why the first time."""

    def __init__(self) -> None:
        self.failed = 0

    def write(self, make: Callable[[], object]) -> None:
        """Calls `make`, which writes a file."""
        try:
            make()
        except (OSError, SuiteError) as error:
            if not self.failed:
                print(f"{error}; the run goes on without it", file=sys.stderr)
            self.failed += 1

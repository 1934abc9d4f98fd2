"""Runs several of the suite's commands in one process, as importing the libraries takes longer than they do.

`python -m tests.published.several COMMANDS.json ENDS.json`: lists of words, and for each list its exit code and what
it wrote on standard error.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from pipelines.__main__ import main


def run(words: list[str]) -> dict[str, object]:
    """One command's exit code and standard error; an exception of its own is what it must never end with."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            code: object = main(words)
        except SystemExit as stop:
            code = stop.code
        except BaseException as error:
            code = repr(error)
    return {"code": code, "said": said.getvalue()}


if __name__ == "__main__":
    commands, ends = map(Path, sys.argv[1:])
    ends.write_text(json.dumps([run(words) for words in json.loads(commands.read_text())]))

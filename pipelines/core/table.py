"""Prints rows in columns, where Hangul takes two places a letter, and lists of what failed."""

import sys
import unicodedata
from collections.abc import Mapping, Sequence

FAILURES_SHOWN = 20


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows in columns, the first one underlined."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _width(text: str) -> int:
    """How many places a terminal gives a text."""
    letters = [letter for letter in unicodedata.normalize("NFC", text) if not unicodedata.combining(letter)]
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)


def print_failures(what: str, failed: Mapping[str, str], where_all_are: str = "") -> None:
    """On standard error a line that says `what` failed, and the first of it (id -> reason); nothing where none did."""
    if not failed:
        return
    print(f"{what}:", file=sys.stderr)
    for key, reason in list(failed.items())[:FAILURES_SHOWN]:
        print(f"  {key}: {reason}", file=sys.stderr)
    if len(failed) > FAILURES_SHOWN:
        more = f": see {where_all_are}" if where_all_are else ""
        print(f"  and {len(failed) - FAILURES_SHOWN} more{more}", file=sys.stderr)

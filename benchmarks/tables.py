"""Puts the measured figures of `results/` into the documents: `python -m benchmarks.tables --write`."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import demo_table, reliability_table, search_table, speed_table
from pipelines.core.terminal import settle

RESULTS = Path(__file__).parent / "results"
BEGIN, END = "<!-- figures: python -m benchmarks.tables --write -->\n", "<!-- end of figures -->\n"
DOCUMENTS: Mapping[Path, Callable[[Path], str]] = {
    Path("docs/reliability.md"): reliability_table.table,
    Path("docs/search.md"): search_table.table,
    Path("docs/demo.md"): demo_table.table,
    Path("docs/benchmarks.md"): speed_table.table,
}
"""Each document with what makes its figures, as Markdown, of the folder of results."""


def filled(document: str, figures: str) -> str:
    """The document with the figures between its two marks. Raises ValueError where it lacks them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected a line {BEGIN.strip()!r} and later a line {END.strip()!r} in the document")
    return before + begin + figures + end + after


def main() -> None:
    """Prints the figures and, where wanted, puts them into the documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="also put them into the documents")
    options = parser.parse_args()
    for path, table in DOCUMENTS.items():
        figures = table(RESULTS)
        print(f"{path}\n\n{figures}")
        if options.write:
            path.write_text(filled(path.read_text(encoding="utf-8"), figures), encoding="utf-8")


if __name__ == "__main__":
    settle()
    main()

"""Reads a CSV as far as it can be read and says all that is wrong with it, where `read_table` stops at the first."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.doctor.findings import Finding, doubtful, such_as, wrong
from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_text


@dataclass(frozen=True)
class Looked:
    """A CSV's cells as text, and what is wrong with the file."""

    path: Path
    columns: Sequence[str]
    """Without blanks around them, as `read_table` has them."""
    rows: Sequence[Sequence[str]]
    """Those of the header's width."""
    findings: Sequence[Finding]

    def cells(self, column: str) -> list[str]:
        """A column's cells, in order."""
        place = self.columns.index(column)
        return [row[place] for row in self.rows]


def look(path: Path) -> Looked:
    """Reads the CSV at `path`: UTF-8 with or without BOM, or cp949; LF or CRLF."""
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    except InputError as error:
        return _nothing(path, str(error))
    try:
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        return _nothing(path, f"{path}, line {reader.line_num}: not valid CSV: {error}; look for a quote too many")
    if not lines:
        return _nothing(path, f"expected a CSV with a header line in {path}, found an empty file")
    header = lines[0][1]
    ragged = [(number, len(row)) for number, row in lines[1:] if len(row) != len(header)]
    findings = _of_header(path, header)
    if ragged:
        findings.append(
            wrong(
                f"{path}: expected {len(header)} cells in each row as in the header, found another number in "
                f"{len(ragged)} rows, the first in line {ragged[0][0]} with {ragged[0][1]}; quote cells with commas"
            )
        )
    if len(lines) == 1:
        findings.append(wrong(f"expected rows below the header of {path}, found none"))
    rows = [row for _, row in lines[1:] if len(row) == len(header)]
    return Looked(path, [name.strip() for name in header], rows, findings)


def _nothing(path: Path, message: str) -> Looked:
    return Looked(path, [], [], [wrong(message)])


def _of_header(path: Path, header: Sequence[str]) -> list[Finding]:
    columns = [name.strip() for name in header]
    repeated = list(dict.fromkeys(name for name in columns if columns.count(name) > 1))
    blanks = [name for name in header if name != name.strip()]
    findings = []
    if repeated:
        findings.append(wrong(f"{path}: expected column names that differ, found several called {', '.join(repeated)}"))
    if blanks:
        findings.append(doubtful(f"{path}: found blanks around column names, {such_as(blanks)}; they are left out"))
    if len(columns) == 1 and (mark := re.search("[;\t]", columns[0])):
        name = "tabs" if mark[0] == "\t" else "semicolons"
        findings.append(wrong(f"{path}: expected commas between the cells, found {name}; save it as CSV"))
    return findings

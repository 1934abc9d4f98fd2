"""Checks a written submission: what a contest's scorer would refuse, and what looks like a run gone wrong."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipelines.core.config import DataConfig
from pipelines.core.doctor.findings import Finding, doubtful, such_as, wrong
from pipelines.core.doctor.ids import MISSING_VALUES, rule_between
from pipelines.core.doctor.tables import Looked, is_index, look
from pipelines.core.errors import SuiteError
from pipelines.core.images.samples import read_samples, read_table
from pipelines.core.submission.schema import Kind, SubmissionSchema, read_schema
from pipelines.core.words.garbled import WORDS, fault_of

COLLAPSED = 0.95
"""Share of the rows that say the same from which a run looks collapsed."""
FEWEST = 20
"""Rows below which any share may be chance."""
QUOTED = re.compile(r'(?<![^,\r\n])"[^"]*(?:""[^"]*)*"(?![^,\r\n])')
"""A whole quoted cell."""


def check_submission(
    path: Path, data: DataConfig, fields: Mapping[str, Kind], images: Sequence[Path] | None = None
) -> list[Finding]:
    """All that is wrong with the submission at `path` for the sample, the test CSV and the images of `data`.

    `fields` are what the task fills; `images` are the files of the folder that count, where not all do.
    """
    table = look(path)
    if not table.columns:
        return list(table.findings)
    findings = [*_check_bytes(path), *table.findings]
    try:
        schema = read_schema(data, fields)
        wanted = _ids(data, schema, images)
    except SuiteError as error:
        return [*findings, wrong(f"{path} cannot be checked: {error}")]
    findings += _check_columns(table, schema.columns)
    if schema.id_column in table.columns:
        findings += _check_rows(path, table.cells(schema.id_column), wanted)
    kinds = {column: fields[name] for column, name in schema.sources.items() if column in table.columns}
    for column, kind in kinds.items():
        findings += _check_cells(table, column, kind)
        if kind == "text":
            findings += _check_texts(table, column)
    return findings + _check_variety(table, kinds)


def _ids(data: DataConfig, schema: SubmissionSchema, images: Sequence[Path] | None) -> list[str]:
    """The ids that a submission is to have, in order."""
    if data.sample_submission is not None:
        return [row[schema.id_column] for row in read_table(data.sample_submission).rows]
    return [sample.id for sample in read_samples(data, images)]


def _check_bytes(path: Path) -> list[Finding]:
    """Encoding, line ends, quotation marks."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [wrong(f"{path}: expected UTF-8, found another encoding; save it as UTF-8")]
    findings = []
    if content.startswith(b"\xef\xbb\xbf"):
        findings.append(
            wrong(
                f"{path}: expected UTF-8 without BOM, found one, which some scorers take for a part of the first "
                "column's name; save it without"
            )
        )
    unquoted = QUOTED.sub(lambda cell: "\n" * cell[0].count("\n"), text)
    if "\r" in unquoted:
        findings.append(doubtful(f"{path}: expected lines that end in LF, found CR as Windows writes; save it with LF"))
    if not content.endswith(b"\n"):
        findings.append(doubtful(f"{path}: expected a line end after the last row, found none; add it"))
    stray = [number for number, line in enumerate(unquoted.split("\n"), start=1) if '"' in line]
    if stray:
        findings.append(
            wrong(
                f"{path}: expected quotation marks around whole cells and doubled within, found stray ones in "
                f"{len(stray)} lines, the first in line {stray[0]}; write it with a CSV library"
            )
        )
    return findings


def _check_columns(table: Looked, wanted: Sequence[str]) -> list[Finding]:
    """Whether the header is the sample's."""
    path, columns, asked = table.path, table.columns, ", ".join(wanted)
    index = [column for column in columns if is_index(column) and column not in wanted]
    missing = [column for column in wanted if column not in columns]
    extra = [column for column in columns if column not in wanted and column not in index]
    findings = []
    if index:
        findings.append(
            wrong(f"{path}: expected no column of row numbers, found {such_as(index)}; write it with index=False")
        )
    if missing:
        findings.append(wrong(f"{path}: expected the columns {asked}, but it lacks {', '.join(missing)}"))
    if extra:
        findings.append(wrong(f"{path}: expected the columns {asked}, but it has {', '.join(extra)} besides"))
    if not missing and list(dict.fromkeys(column for column in columns if column in wanted)) != list(wanted):
        findings.append(wrong(f"{path}: expected the columns in the order {asked}, found {', '.join(columns)}"))
    return findings


def _check_rows(path: Path, ids: Sequence[str], wanted: Sequence[str]) -> list[Finding]:
    """Whether the ids are those wanted, once each and in their order."""
    found, known = dict.fromkeys(ids), dict.fromkeys(wanted)
    missing, extra = [key for key in known if key not in found], [key for key in found if key not in known]
    repeated = [key for key, count in Counter(ids).items() if count > 1]
    faults = {"missing": missing, "that nobody asked for": extra, "that come more than once": repeated}
    findings = []
    if (rule := rule_between(missing, extra)) is not None:
        faults = {"that come more than once": repeated}
        findings.append(
            wrong(
                f"{path}: expected the ids as the sample spells them, found {len(extra)} that differ in {rule} alone, "
                f"such as {extra[0]!r} where {missing[0]!r} belongs; take them over as text"
            )
        )
    findings += [
        wrong(f"{path}: expected {len(known)} ids once each, found {len(keys)} {fault}, {such_as(keys)}")
        for fault, keys in faults.items()
        if keys
    ]
    pairs = zip((key for key in found if key in known), (key for key in known if key in found), strict=True)
    moved = [pair for pair in pairs if pair[0] != pair[1]]
    if moved:
        findings.append(
            wrong(
                f"{path}: expected the ids in the sample's order, found {len(moved)} elsewhere, first {moved[0][0]!r} "
                f"where {moved[0][1]!r} belongs"
            )
        )
    return findings


def _check_cells(table: Looked, column: str, kind: Kind) -> list[Finding]:
    """Cells without a value, and those that are not of the column's kind."""
    cells = table.cells(column)
    empty = [row for row, cell in enumerate(cells, start=1) if cell.strip().lower() in MISSING_VALUES]
    odd = [cell for cell in cells if cell.strip().lower() not in MISSING_VALUES and not _HOLDS[kind](cell)]
    findings = []
    if empty:
        message = (
            f"{table.path}: expected {_EXPECTED[kind]} in each cell of `{column}`, found none (empty, nan or None) in "
            f"{len(empty)} of {len(cells)} rows, the first in row {empty[0]}"
        )
        rare = kind == "text" and 2 * len(empty) <= len(cells)  # an unreadable picture has an empty caption
        findings.append(doubtful(message) if rare else wrong(message))
    if odd:
        findings.append(
            wrong(
                f"{table.path}: expected {_EXPECTED[kind]} in each cell of `{column}`, found something else in "
                f"{len(odd)} of {len(cells)} rows, {such_as(odd)}"
            )
        )
    return findings


def _check_texts(table: Looked, column: str) -> list[Finding]:
    """Texts that went wrong: loops, marks without words, and where most are Korean, those in another script."""
    cells = table.cells(column)
    korean = sum(re.search("[가-힣]", cell) is not None for cell in cells)
    language = "kor_Hang" if 2 * korean > len(cells) else None
    filled = [(row, cell) for row, cell in enumerate(cells, start=1) if cell.strip().lower() not in MISSING_VALUES]
    faults = {row: fault for row, cell in filled if (fault := fault_of(cell, language))}
    if not faults:
        return []
    kinds = ", ".join(f"{count} that {WORDS[fault]}" for fault, count in Counter(faults.values()).items())
    first = next(iter(faults))
    return [
        doubtful(
            f"{table.path}: expected sentences in `{column}`, found texts that look wrong in {len(faults)} of "
            f"{len(cells)} rows: {kinds}; the first in row {first}, {cells[first - 1][:40]!r}; look at them"
        )
    ]


def _check_variety(table: Looked, kinds: Mapping[str, Kind]) -> list[Finding]:
    """A warning for each kind whose columns say the same in nearly all rows; for scores, in all of them."""
    if len(table.rows) < FEWEST:
        return []
    same: dict[Kind, list[str]] = {}
    for column, kind in kinds.items():
        value, count = Counter(table.cells(column)).most_common(1)[0]
        share = count / len(table.rows)
        if value.strip() and share >= (1 if kind == "score" else COLLAPSED):
            same.setdefault(kind, []).append(f"`{column}` is {value[:40]!r} in {math.floor(100 * share)}% of them")
    return [
        doubtful(f"{table.path}: {len(table.rows)} rows say nearly the same: {', '.join(told)}; {_ADVICE[kind]}")
        for kind, told in same.items()
    ]


def _is_finite(cell: str) -> bool:
    try:
        return "_" not in cell and math.isfinite(float(cell))
    except ValueError:
        return False


_EXPECTED: Mapping[Kind, str] = {
    "text": "a text", "count": "a whole number from 0", "label": "0 or 1", "score": "a finite number",
}  # fmt: skip
_HOLDS: Mapping[Kind, Callable[[str], bool]] = {
    "text": lambda cell: True,
    "count": lambda cell: re.fullmatch("[0-9]+", cell) is not None,
    "label": lambda cell: cell in ("0", "1"),
    "score": _is_finite,
}
_ADVICE: Mapping[Kind, str] = {
    "text": "look at some pictures: the model may have collapsed",
    "count": "that is right where the thing is rare; else look at the threshold and at some pictures",
    "label": "that is right where nearly all pictures are alike; else look at the threshold",
    "score": "such scores rank nothing: look at the pictures and the model",
}
"""What a person should do about it."""

"""Checks a run's inputs and its output's place before any model loads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.core.config import DataConfig
from pipelines.core.doctor.files import check_files, check_names
from pipelines.core.doctor.findings import Finding, doubtful, such_as, wrong
from pipelines.core.doctor.ids import check_ids, check_same
from pipelines.core.doctor.output import check_output
from pipelines.core.doctor.pictures import check_pictures
from pipelines.core.doctor.tables import Looked, is_index, look
from pipelines.core.errors import InputError, SuiteError
from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import Finder
from pipelines.core.submission.schema import Kind, read_schema


def check_inputs(
    data: DataConfig, fields: Mapping[str, Kind] | None, images: Sequence[Path] | None = None
) -> list[Finding]:
    """All that is wrong with the CSVs, the images and the output; an empty list where nothing is.

    `fields` are what the task fills; None where that cannot be told. `images` are the files of the folder that count,
    where not all do. No model is loaded, and of each picture only the header is read.
    """
    findings: list[Finding] = []
    if images is None:
        try:
            images = list_images(data.images, data.ignore)
        except InputError as error:
            findings.append(wrong(str(error)))
            images = []
    findings += check_names(data.images, images)
    tables = [look(path) for path in dict.fromkeys((data.sample_submission, data.test_csv)) if path is not None]
    for table in tables:
        findings += table.findings
        if table.path == data.sample_submission:
            findings += check_columns(table, data, fields)
    of_ids, used = _check_ids(data, tables, images)
    findings += of_ids + check_pictures(data.images, used)
    findings += check_output(data, images, len(tables[0].rows) if tables else len(images))
    return list(dict.fromkeys(findings))  # a missing column is met twice


def check_columns(sample: Looked, data: DataConfig, fields: Mapping[str, Kind] | None) -> list[Finding]:
    """Whether the task can fill each column of the sample submission, and which are filled by their order alone."""
    path, columns, findings = sample.path, data.columns or {}, []
    index = [column for column in sample.columns if is_index(column)]
    if index:
        return [
            wrong(
                f"{path}: expected no column of row numbers, found {such_as(index)}, which pandas' to_csv adds without "
                "index=False; take the contest's own file"
            )
        ]
    if fields is None or any(finding.severity == "error" for finding in sample.findings):
        return []
    unknown = [f"{column}: {name}" for column, name in columns.items()
               if column not in sample.columns or name not in fields]  # fmt: skip
    if unknown:
        findings.append(
            wrong(
                f"expected --columns to say which column of {path} ({', '.join(sample.columns)}) is to have what "
                f"({', '.join(fields)}), found {', '.join(unknown)}"
            )
        )
    try:
        sources = read_schema(data, fields).sources
    except SuiteError as error:
        return [*findings, wrong(str(error))]
    by_order = [f"{column}: {name}" for column, name in sources.items() if name not in (column, columns.get(column))]
    if len(by_order) > 1:
        told = ", ".join(by_order)
        findings.append(
            doubtful(f"{path}: the order alone says what goes where ({told}); to be sure say --columns '{{{told}}}'")
        )
    return findings


def _check_ids(
    data: DataConfig, tables: Sequence[Looked], images: Sequence[Path]
) -> tuple[list[Finding], Sequence[Path]]:
    """What is wrong with the ids; and the pictures that the run would open."""
    findings: list[Finding] = []
    keyed: dict[Path, dict[str, Mapping[str, str]]] = {}
    for table in (table for table in tables if table.columns):
        key = data.id_column or table.columns[0]
        if key not in table.columns:
            found = ", ".join(table.columns)
            findings.append(wrong(f"{table.path}: expected a column `{key}`, found the columns {found}"))
        elif not is_index(key):
            ids = table.cells(key)
            findings += check_ids(table.path, ids)
            cells = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
            keyed[table.path] = dict(zip(ids, cells, strict=True))
        elif table.path != data.sample_submission:  # of the sample it has been said
            findings.append(
                wrong(f"{table.path}: expected a column of ids, found {key!r}, pandas' row numbers; give --id-column")
            )
    keyed = {path: rows for path, rows in keyed.items() if rows}
    if not keyed or not images:
        return findings, images
    find = Finder(data.images, images)
    if len(keyed) == 2:
        findings += check_same({path: list(rows) for path, rows in keyed.items()}, find)
    path = list(keyed)[-1]  # the test CSV, whose cells may name a file
    of_files, used = check_files(path, keyed[path], images, find)
    return findings + of_files, used

"""Reads the labels of a contest: what is submitted for each, and the words by which a model is asked for it."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_table, read_text

COLUMNS = ("label", "name")
SEPARATOR = "|"


@dataclass(frozen=True)
class Label:
    """One class."""

    submitted: str
    """What the submission says for it, verbatim."""
    names: tuple[str, ...]
    """The words for it, one or more, in NFC."""

    def __post_init__(self) -> None:
        if not self.submitted or not all(self.names) or not self.names:
            raise ValueError(f"expected a label and its names, found {self.submitted!r} and {self.names!r}")


def read_labels(path: Path) -> list[Label]:
    """The labels of a file, in its order: a CSV (.csv) of the columns label and name, else text, one label a line.

    A name has several words for a label with | between them; a label without names is its own. UTF-8 with or without
    BOM, and cp949. Raises InputError where there is none, one has no name, or one comes twice.
    """
    if not path.is_file():
        raise InputError(f"expected a file of labels at {path}, found {'a folder' if path.is_dir() else 'nothing'}")
    labels = _of_table(path) if path.suffix.lower() == ".csv" else _of_lines(path)
    if not labels:
        raise InputError(f"expected labels in {path}, found none; write one a line")
    known: set[str] = set()
    for label in labels:
        key = unicodedata.normalize("NFC", label.submitted)
        if key in known:
            raise InputError(f"expected each label once in {path}, found {label.submitted!r} again; remove one of them")
        known.add(key)
    return labels


def _of_lines(path: Path) -> list[Label]:
    lines = (line.strip() for line in read_text(path).splitlines())
    return [Label(line, (unicodedata.normalize("NFC", line),)) for line in lines if line]


def _of_table(path: Path) -> list[Label]:
    table = read_table(path)
    label, name = COLUMNS
    if label not in table.columns:
        raise InputError(
            f"{path}: expected the columns {', '.join(COLUMNS)}, found {', '.join(table.columns)}; or give a text file "
            "(.txt) with one label a line"
        )
    labels = []
    for number, row in enumerate(table.rows, start=1):
        words = unicodedata.normalize("NFC", row.get(name, row[label])).split(SEPARATOR)
        names = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
        if not row[label].strip() or not names:
            raise InputError(f"{path}, row {number}: expected a label and its name, found {row[label]!r} and none")
        labels.append(Label(row[label].strip(), names))
    return labels

"""Lays a submission beside its truth, row by row, or says which ids are not in both."""

import unicodedata
from pathlib import Path

import pandas as pd

from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_table


def read_frame(path: Path) -> pd.DataFrame:
    """A CSV as text, cell by cell as it stands there, whatever its encoding. Raises InputError."""
    table = read_table(path)
    return pd.DataFrame(table.rows, columns=table.columns, dtype=str)


def joined(
    submission: pd.DataFrame, truth: pd.DataFrame, names: tuple[str, str] = ("the submission", "the truth")
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of text, indexed by their first column, the id (in NFC), and in the truth's order.

    Raises InputError where the truth is empty, an id repeats, or the ids differ; the first of them are named, and the
    tables by their `names`.
    """
    if truth.empty:
        raise InputError(f"expected rows in {names[1]}, found none")
    said, true = _by_id(submission, names[0]), _by_id(truth, names[1])
    differing = {names[0]: said.index.difference(true.index), names[1]: true.index.difference(said.index)}
    for where, extra in differing.items():
        if len(extra):
            some = ", ".join(map(repr, extra[:3]))
            raise InputError(
                f"expected the same ids in {' and '.join(names)}, found {len(extra)} only in {where}, such as {some}"
            )
    return said.loc[true.index], true


def _by_id(table: pd.DataFrame, name: str) -> pd.DataFrame:
    key = table.columns[0]
    # A name typed on a Mac may have its Hangul in parts (NFD): it is the same name.
    by_id = table.assign(**{key: [unicodedata.normalize("NFC", str(cell)) for cell in table[key]]}).set_index(key)
    repeated = by_id.index[by_id.index.duplicated()]
    if len(repeated):
        raise InputError(f"expected each id once in {name}, found {repeated[0]!r} again")
    return by_id

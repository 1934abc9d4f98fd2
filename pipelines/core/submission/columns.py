"""Reads the columns that a scorer works on, numbers and labels, of tables of text."""

import math

import pandas as pd

from pipelines.core.errors import InputError


def read_numbers(frame: pd.DataFrame, column: str, name: str) -> "pd.Series[float]":
    """A column as finite numbers; `name` is what the table is called in errors. Raises InputError."""
    if column not in frame:
        raise InputError(f"expected a column `{column}` in the {name}, found {', '.join(frame.columns)}")
    for key, cell in frame[column].items():
        try:
            usable = math.isfinite(float(cell))
        except (TypeError, ValueError):
            usable = False
        if not usable:
            raise InputError(f"expected numbers in column `{column}` of the {name}, found {cell!r} for {key!r}")
    return frame[column].astype(float)


def read_labels(truth: pd.DataFrame, name: str = "truth") -> "pd.Series[int]":
    """The column `label` as 0 and 1. Raises InputError for what is neither."""
    labels = read_numbers(truth, "label", name)
    if other := sorted(set(labels) - {0, 1}):
        raise InputError(f"expected the labels 0 and 1 in the {name}, found {other[0]:g}")
    return labels.astype(int)

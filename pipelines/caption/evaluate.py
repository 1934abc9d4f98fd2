"""Scores captions against a truth: exact match, chrF and BLEU over characters."""

import pandas as pd
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines.core.errors import InputError


def scores(submission: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """How near the captions come to the truth, each from 0 to 100 (every caption right to the letter).

    Both frames have the id first and a column `caption`; where both have `english`, its exact matches count too. The
    key of BLEU names its tokenizer, for without it the figure means little. Raises InputError where a column is
    missing, an id repeats or the ids differ.
    """
    said, true = _captions(submission, "submission"), _captions(truth, "truth")
    _same_ids(said, true)
    said = said.loc[true.index]
    hypotheses, references = said["caption"].tolist(), [true["caption"].tolist()]
    found = {
        "exact": _exact(said["caption"], true["caption"]),
        "chrF2": CHRF().corpus_score(hypotheses, references).score,
        # Effective order, so that a caption of fewer than four characters can be right.
        "BLEU (char)": BLEU(tokenize="char", effective_order=True).corpus_score(hypotheses, references).score,
    }
    if "english" in said and "english" in true:
        found["exact (english)"] = _exact(said["english"], true["english"])
    return found


def _captions(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame by id, every cell a text."""
    if "caption" not in frame.columns:
        raise InputError(f"expected a column `caption` in the {name}, found {', '.join(map(str, frame.columns))}")
    by_id = frame.set_index(frame.columns[0]).fillna("").astype(str)
    repeated = by_id.index[by_id.index.duplicated()]
    if len(repeated):
        raise InputError(f"expected each id once in the {name}, found {repeated[0]!r} again")
    return by_id


def _same_ids(said: pd.DataFrame, true: pd.DataFrame) -> None:
    if true.empty:
        raise InputError("expected captions in the truth, found no rows")
    for where, extra in {
        "submission": said.index.difference(true.index),
        "truth": true.index.difference(said.index),
    }.items():
        if len(extra):
            some = ", ".join(map(repr, extra[:3]))
            raise InputError(
                f"expected the same ids in submission and truth, found {len(extra)} only in the {where}: {some}"
            )


def _exact(said: "pd.Series[str]", true: "pd.Series[str]") -> float:
    return 100 * float((said.str.strip() == true.str.strip()).mean())

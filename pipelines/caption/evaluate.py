"""Scores captions against a truth: exact match, chrF and BLEU over characters."""

import pandas as pd
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines.core.errors import InputError
from pipelines.core.truth import joined


def scores(submission: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """How near the captions come to the truth, each from 0 to 100 (every caption right to the letter).

    Both frames have the id first and a column `caption`; where both have `english`, its exact matches count too. The
    key of BLEU names its tokenizer, for without it the figure means little. Raises InputError where a column is
    missing, an id repeats or the ids differ.
    """
    for name, table in (("submission", submission), ("truth", truth)):
        if "caption" not in table.columns:
            raise InputError(f"expected a column `caption` in the {name}, found {', '.join(map(str, table.columns))}")
    said, true = joined(submission.fillna("").astype(str), truth.fillna("").astype(str))
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


def _exact(said: "pd.Series[str]", true: "pd.Series[str]") -> float:
    return 100 * float((said.str.strip() == true.str.strip()).mean())

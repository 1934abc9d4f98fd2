"""CIDEr-D (Vedantam, Zitnick and Parikh, CVPR 2015), without Java and over any tokens."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 4  # words of an n-gram
SIGMA = 6.0
"""Of the Gaussian that a caption's score falls by as its length leaves the reference's; in pairs of tokens."""

_Ngram = tuple[str, ...]


@dataclass(frozen=True)
class _Vectors:
    """A caption's n-grams for each length 1 to LONGEST: their tf-idf weights and the vector's norm."""

    weights: list[dict[_Ngram, float]]
    norms: list[float]
    pairs: int
    """Its length, which the reference code takes as the number of token pairs."""


def cider_d(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """Each caption's CIDEr-D, 0 to 10; their mean is the corpus's, papers show a hundred times that.

    `captions` are tokens, `references` for each of them one or more lists of tokens. How rare an n-gram is comes from
    the references, counted once a picture: with one picture all is 0, and figures of few pictures mean little.
    """
    seen = Counter(ngram for texts in references for ngram in {ngram for text in texts for ngram in _counts(text)})
    pictures = math.log(max(1, len(references)))
    scores = []
    for caption, texts in zip(captions, references, strict=True):
        said = _vectors(caption, seen, pictures)
        likeness = [_likeness(said, _vectors(text, seen, pictures)) for text in texts]
        scores.append(10 * sum(likeness) / max(1, len(likeness)))
    return scores


def _counts(tokens: Sequence[str]) -> Counter[_Ngram]:
    """How often each n-gram of 1 to LONGEST tokens occurs."""
    return Counter(
        tuple(tokens[start : start + size]) for size in range(1, LONGEST + 1) for start in range(len(tokens) - size + 1)
    )


def _vectors(tokens: Sequence[str], seen: Counter[_Ngram], pictures: float) -> _Vectors:
    """tf-idf: the count times the logarithm of the pictures over those that have it in a reference."""
    weights: list[dict[_Ngram, float]] = [{} for _ in range(LONGEST)]
    for ngram, count in _counts(tokens).items():
        weights[len(ngram) - 1][ngram] = count * (pictures - math.log(max(1, seen[ngram])))
    norms = [math.sqrt(sum(weight**2 for weight in each.values())) for each in weights]
    return _Vectors(weights, norms, max(0, len(tokens) - 1))


def _likeness(said: _Vectors, reference: _Vectors) -> float:
    """The mean over n-gram lengths of the cosines, weights clipped to the reference's, times the length penalty."""
    cosines = []
    for size in range(LONGEST):
        theirs = reference.weights[size]
        shared = sum(
            min(weight, theirs[ngram]) * theirs[ngram]
            for ngram, weight in said.weights[size].items()
            if ngram in theirs
        )
        norm = said.norms[size] * reference.norms[size]
        cosines.append(shared / norm if norm else 0.0)
    return sum(cosines) / LONGEST * math.exp(-((said.pairs - reference.pairs) ** 2) / (2 * SIGMA**2))

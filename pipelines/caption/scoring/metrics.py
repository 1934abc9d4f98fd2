"""The scores of captions against one or more references each, by library where one has them."""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines.caption.scoring.cider import cider_d
from pipelines.caption.scoring.tokens import Tokenizer, tokenizer
from pipelines.core.submission.scores import Score, by

EXACT = "ours, equal to a reference"
ROUGE_L_BETA = 1.2  # how much more recall weighs than precision, as the COCO caption evaluation has it
NIKL_REMOVED = re.compile("[^A-Za-z0-9가-힣]")

Texts = Sequence[str]
References = Sequence[Sequence[str]]


def exact(said: Texts, references: References) -> float:
    """The share of captions that equal one of their references, 0 to 1."""
    return statistics.fmean(
        caption.strip() in map(str.strip, texts) for caption, texts in zip(said, references, strict=True)
    )


def bleu(said: Texts, references: References, name: Tokenizer, longest: int = 4) -> float:
    """Corpus BLEU of n-grams up to `longest` (Papineni et al. 2002), unsmoothed, 0 to 1.

    Captions shorter than `longest` tokens would have no n-gram of that length: orders that no caption has are left out.
    """
    made = BLEU(tokenize=name, max_ngram_order=longest, smooth_method="none", effective_order=True)
    return float(made.corpus_score(list(said), _streams(references)).score) / 100


def chrf(said: Texts, references: References) -> float:
    """chrF2 (Popović 2015): character n-grams up to 6, no tokenizer, 0 to 1."""
    return float(CHRF().corpus_score(list(said), _streams(references)).score) / 100


def rouge_l(said: Texts, references: References, name: Tokenizer) -> float:
    """ROUGE-L (Lin 2004) as the COCO caption evaluation takes it, 0 to 1, averaged over captions.

    The best precision and the best recall of the longest common subsequence over the references, with beta 1.2.
    """
    cut = tokenizer(name)
    return statistics.fmean(
        _rouge_l(cut(caption), [cut(text) for text in texts]) for caption, texts in zip(said, references, strict=True)
    )


def meteor(said: Texts, references: References, name: Tokenizer) -> float:
    """METEOR (Banerjee and Lavie 2005) by nltk, 0 to 1, the best of the references, averaged over captions.

    Without WordNet: words match where they or their English stems are the same, synonyms do not. The Java program of
    the COCO caption evaluation counts synonyms and paraphrases too, and gives other figures.
    """
    from nltk.translate.meteor_score import meteor_score

    cut = tokenizer(name)
    return statistics.fmean(
        meteor_score([cut(text) for text in texts], cut(caption), wordnet=_NoSynonyms())
        for caption, texts in zip(said, references, strict=True)
    )


def cider(said: Texts, references: References, name: Tokenizer) -> list[float]:
    """Each caption's CIDEr-D, 0 to 10."""
    cut = tokenizer(name)
    return cider_d([cut(caption) for caption in said], [[cut(text) for text in texts] for texts in references])


class _NoSynonyms:
    """Stands for WordNet where there is none."""

    def synsets(self, word: str) -> list[Any]:
        return []


def _rouge_l(caption: Sequence[str], texts: Sequence[Sequence[str]]) -> float:
    common = [_longest_common(caption, text) for text in texts]
    precision = max((length / len(caption) for length in common if caption), default=0.0)
    recall = max((length / len(text) for length, text in zip(common, texts, strict=True) if text), default=0.0)
    if not precision or not recall:
        return 0.0
    return (1 + ROUGE_L_BETA**2) * precision * recall / (recall + ROUGE_L_BETA**2 * precision)


def _longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    lengths = [0] * (len(other) + 1)
    for token in one:
        diagonal = 0
        for place, rival in enumerate(other, start=1):
            above = lengths[place]
            lengths[place] = diagonal + 1 if token == rival else max(above, lengths[place - 1])
            diagonal = above
    return lengths[-1]


def _streams(references: References) -> Any:  # noqa: ANN401 - sacrebleu takes the gaps that its types forbid
    """sacrebleu's order: the first reference of each caption, then the second; None where there is none."""
    most = max(map(len, references), default=0)
    return [[texts[place] if place < len(texts) else None for texts in references] for place in range(most)]


# --- what contests compute


def general(said: Texts, references: References, name: Tokenizer) -> list[Score]:
    """What is worth knowing of any captions."""
    library = by("sacrebleu", name)
    orders = [Score(f"BLEU-{n}", bleu(said, references, name, n), library) for n in range(1, 5)]
    return [
        Score("exact", exact(said, references), EXACT),
        *orders,
        Score("chrF2", chrf(said, references), by("sacrebleu", "characters")),
        Score("ROUGE-L", rouge_l(said, references, name), f"ours, beta {ROUGE_L_BETA}, {name}"),
        Score("METEOR", meteor(said, references, name), by("nltk", "without WordNet", name)),
        Score("CIDEr-D", statistics.fmean(cider(said, references, name)), f"ours, {name}"),
    ]


def nikl(said: Texts, references: References, name: Tokenizer) -> list[Score]:
    """What the National Institute of Korean Language's contests compute (github.com/teddysum/korean_evaluation).

    BLEU-1 of each caption against each reference, averaged over the references and then over captions; ROUGE-1's F over
    all references' morphemes at once, of texts without marks, averaged over captions. Mecab's morphemes, whatever
    tokenizer is asked for.
    """
    pairs = list(zip(said, references, strict=True))
    return [
        Score("NIKL BLEU-1", statistics.fmean(_nikl_bleu_1(*pair) for pair in pairs), by("nltk", "ko-mecab")),
        Score("NIKL ROUGE-1", statistics.fmean(_nikl_rouge_1(*pair) for pair in pairs), "ours, ko-mecab"),
    ]


def _nikl_bleu_1(caption: str, texts: Texts) -> float:
    from nltk.translate.bleu_score import sentence_bleu

    cut = tokenizer("ko-mecab")
    tokens = cut(caption)
    return statistics.fmean(
        float(sentence_bleu([cut(text)], tokens, weights=(1,))) if tokens else 0.0 for text in texts
    )


def _nikl_rouge_1(caption: str, texts: Texts) -> float:
    cut = tokenizer("ko-mecab")
    tokens, *others = [Counter(cut(NIKL_REMOVED.sub(" ", text.lower()).strip())) for text in (caption, *texts)]
    shared = sum(sum((tokens & other).values()) for other in others)
    whole = sum(tokens.values()) * len(others) + sum(sum(other.values()) for other in others)
    return 2 * shared / whole if whole else 0.0


def samsung2023(said: Texts, references: References, name: Tokenizer) -> list[Score]:
    """The sum of the 2023 Samsung AI Challenge: 4 CIDEr-D + 3 METEOR + 2 mean(BLEU-3, BLEU-4) + ROUGE-L.

    The contest took METEOR and the tokens from Java programs; ours are as the parts' own scores say.
    """
    parts = {score.name: score.value for score in general(said, references, name)}
    both = parts["BLEU-3"] + parts["BLEU-4"]
    value = 4 * parts["CIDEr-D"] + 3 * parts["METEOR"] + both + parts["ROUGE-L"]
    return [Score("Samsung 2023", value, f"sum of the above, {name}")]


def coco(said: Texts, references: References, name: Tokenizer) -> list[Score]:
    """The COCO caption evaluation's figures, all 0 to 1 but CIDEr-D (0 to 10), over 13a tokens in lower case."""
    lower = [caption.lower() for caption in said]
    return general(lower, [[text.lower() for text in texts] for texts in references], "13a")

"""Beam search that gives what transformers' `generate` gives, without passes over all words that it has no need of.

`generate` writes the log-probabilities of all words of all beams as float32 and goes over them four times; it goes on
with each text until the last one of the batch has ended, and reads a text's first words once a beam. Here a few rows at
a time are looked at while they are in the cache, a text that has ended leaves, and the first words are read once.

When a beam is finished, when a text is, and how scores are compared is `GenerationMixin._beam_search`'s, transformers 5
(generation/utils.py).
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

ON_CPU, ON_GPU = 2**20, 2**26
"""Log-probabilities at a time: 4 MB, which a processor's cache holds, or 256 MB, enough for a GPU to be busy."""


class Decoder(Protocol):
    """A network that writes; it has one row a text at first, then as many as `keep` names."""

    def next(self, words: Tensor, /) -> Tensor:
        """Logits (R, V) of the word that follows the new `words` (R, W), int64, of all rows."""
        ...

    def keep(self, rows: Tensor, texts: Tensor | None, /) -> None:
        """From now on row i goes on from row `rows[i]`; only `texts` are left, all where it is None.

        The rows of a text stand together, in the order of the texts, equally many for each.
        """
        ...


@dataclass(frozen=True)
class Rules:
    """How texts are written; the names in `GenerationConfig` stand in brackets."""

    beams: int
    """Texts followed side by side (num_beams); 1 takes the likeliest word each time."""
    most: int
    """Words that a text has at most, its end and forced ones among them (max_new_tokens)."""
    ends: tuple[int, ...]
    """Words that end a text (eos_token_id)."""
    pad: int
    """What stands behind a text that has ended (pad_token_id)."""
    least: int = 0
    """Words before the end (min_new_tokens)."""
    length_penalty: float = 1.0
    """The power of its length that a text's score is divided by."""
    early_stopping: bool | Literal["never"] = False
    """True: a text is done with as many ended beams as there are beams. False: once none can become better than them at
    its present length. "never": nor at its greatest length."""

    def by_length(self, scores: Tensor, length: int) -> Tensor:
        """Scores of texts of `length` words as texts of all lengths are compared."""
        return scores / float(length**self.length_penalty)


@dataclass
class _Writing:
    """The T texts that are still written, each by the same number of beams."""

    places: Tensor
    """(T,) int64: their rows in the batch."""
    words: Tensor
    """(T, beams, L) int64: what the beams have written."""
    scores: Tensor
    """(T, beams) float32: their sums of log-probabilities, the best first."""
    ended: Tensor
    """(T, beams) float32: the best scores of ended beams, the best first; -inf where there are fewer."""
    best: Tensor
    """(T, longest) int64: the words of the best ended beam, padded."""

    def only(self, texts: Tensor) -> "_Writing":
        """Some of them: `texts` int64."""
        return _Writing(
            self.places[texts], self.words[texts], self.scores[texts], self.ended[texts], self.best[texts]
        )  # fmt: skip


def search(decoder: Decoder, start: Tensor, forced: int, rules: Rules) -> Tensor:
    """What is written behind `start` (B, P) int64, the first words of each text: (B, L) int64, with them, padded.

    The last `forced` words of `start` count as written ones, for the length.
    """
    texts, known = start.shape
    written = F.pad(start, (0, rules.most - forced), value=rules.pad)
    now = _Writing(
        places=torch.arange(texts, device=start.device),
        words=start[:, None],
        scores=torch.zeros(texts, 1, dtype=torch.float32, device=start.device),
        ended=torch.full((texts, rules.beams), -torch.inf, dtype=torch.float32, device=start.device),
        best=written.clone(),
    )
    ends = torch.tensor(rules.ends, dtype=torch.int64, device=start.device)
    count = max(2, 1 + len(rules.ends)) * rules.beams  # enough to go on with where all beams come to an end
    new = start
    for length in range(forced + 1, rules.most + 1):
        logits = decoder.next(new)
        scores, beams, words = _candidates(logits, now.scores, count, ends if length <= rules.least else ends[:0])
        over = (words[..., None] == ends).any(-1) | (length == rules.most)
        _end(now, rules.by_length(scores, length), beams, words, over)
        if length == rules.most:
            break
        now.scores, chosen = scores.masked_fill(over, -torch.inf).topk(rules.beams)
        beams, words = beams.gather(1, chosen), words.gather(1, chosen)
        rows = beams + now.words.shape[1] * torch.arange(len(beams), device=beams.device)[:, None]
        now.words = torch.cat([now.words.flatten(0, 1)[rows], words[..., None]], 2)
        left = torch.nonzero(~_done(now, length, rules))[:, 0]
        if len(left) < len(now.places):
            written[now.places] = now.best
            now, rows = now.only(left), rows[left]
            if not len(left):
                break
            decoder.keep(rows.flatten(), left)
        else:
            decoder.keep(rows.flatten(), None)
        new = now.words[..., -1].reshape(-1, 1)
    written[now.places] = now.best
    return written[:, : known - forced + length] if rules.most > forced else written


def _candidates(logits: Tensor, scores: Tensor, count: int, barred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` best continuations of each text, the best first: scores, beams and words, each (T, count).

    `logits` (T * beams, V) of any dtype, the `scores` (T, beams) of what they continue; words in `barred` are left out.
    """
    texts, beams = scores.shape
    elements = ON_CPU if logits.device.type == "cpu" else ON_GPU
    at_once = max(elements // logits.shape[1], torch.get_num_threads())
    parts = []
    for part in torch.split(logits, at_once):
        likely = F.log_softmax(part, dim=-1, dtype=torch.float32)
        parts.append(likely.index_fill_(1, barred, -torch.inf).topk(count))
    # What is not among the best of its beam is not among the best of its text.
    values = torch.cat([part.values for part in parts]).view(texts, beams, count) + scores[..., None]
    words = torch.cat([part.indices for part in parts]).view(texts, beams * count)
    found, places = values.flatten(1).topk(count)
    return found, places.div(count, rounding_mode="floor"), words.gather(1, places)


def _end(now: _Writing, scores: Tensor, beams: Tensor, words: Tensor, over: Tensor) -> None:
    """Takes in the candidates (T, count) that are `over`, if they are among the first ones, as many as there are beams.

    `scores` are those of the candidates by their length.
    """
    most = now.ended.shape[1]
    new = scores[:, :most].masked_fill(~over[:, :most], -torch.inf)
    value, first = new.max(1, keepdim=True)
    better = value > now.ended[:, :1]
    origin = beams.gather(1, first)[..., None].expand(-1, -1, now.words.shape[2])
    text = torch.cat([now.words.gather(1, origin)[:, 0], words.gather(1, first)], 1)
    now.best[:, : text.shape[1]] = torch.where(better, text, now.best[:, : text.shape[1]])
    now.ended = torch.cat([now.ended, new], 1).topk(most).values


def _done(now: _Writing, length: int, rules: Rules) -> Tensor:
    """Which texts (T,) are done, for what their beams can still come to is not better, or is not asked for."""
    worst = now.ended[:, -1]
    full = worst > -torch.inf
    if rules.early_stopping is True or rules.beams == 1:  # as transformers has it for one beam, whatever was asked for
        return full
    length = rules.most if rules.early_stopping == "never" and rules.length_penalty > 0 else length
    return full & (rules.by_length(now.scores[:, 0], length) <= worst)

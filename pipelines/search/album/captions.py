"""Finds photos by the words of their captions, whatever particles they carry: 강아지 finds 강아지가.

Words are found as parts of captions, so that 눈 finds 눈물 as well, and dog finds dogma.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lancedb.index import FTS
from lancedb.query import MatchQuery

from pipelines.search.album.album import Album
from pipelines.search.where.conditions import And, Compare, Condition
from pipelines.search.where.filters_sql import to_sql

CAPTIONS = ("caption", "caption_english")
SHORTEST, LONGEST = 2, 3
"""Letters of the pieces that captions are indexed by: most Korean nouns have two or three, and then a particle."""


@dataclass(frozen=True)
class Span:
    """A part of a text."""

    start: int
    end: int
    """The character after it."""


@dataclass(frozen=True)
class Marked:
    """A photo's caption, and where it has the words that were asked for."""

    caption: str
    spans: tuple[Span, ...]

    def __str__(self) -> str:
        """The caption with the words in brackets."""
        parts, end = [], 0
        for span in self.spans:
            parts += [self.caption[end : span.start], "[", self.caption[span.start : span.end], "]"]
            end = span.end
        return "".join([*parts, self.caption[end:]])


def index_captions(album: Album) -> None:
    """Indexes the captions, once; what is written later is found at once, and joins the index when it is optimized."""
    for column in CAPTIONS:
        if not _indexed(album, column):
            kind = FTS(
                base_tokenizer="ngram",
                ngram_min_length=SHORTEST,
                ngram_max_length=LONGEST,
                stem=False,
                remove_stop_words=False,
            )
            album.photos.create_index(column, config=kind)


def containing(words: Sequence[str]) -> Condition:
    """The condition that each word is somewhere in a caption, Korean or English, in whatever case."""
    return And(tuple(Compare("caption", "contains", word) for word in words))


def by_caption(album: Album, words: Sequence[str], where: Condition | None = None) -> list[str]:
    """The ids of all photos with every word in a caption of theirs for which `where` holds, the best first.

    They are ordered by BM25, where captions are indexed, then by id. The index alone would not do: it finds what has
    some pieces of a word (송아지 for 강아지), and no words of one syllable.
    """
    if not words:
        return []
    condition = to_sql(And((containing(words), where)) if where else containing(words))
    matching = album.ids(condition)
    scores = _scores(album, words, condition, len(matching)) if matching else {}
    return sorted(matching, key=lambda key: (-scores.get(key, 0.0), key))


def marked_captions(album: Album, ids: Sequence[str], words: Sequence[str]) -> dict[str, Marked]:
    """Id -> the caption of each photo that has one: the first, Korean or English, with one of the words in it."""
    found: dict[str, Marked] = {}
    for key, row in album.rows(ids, CAPTIONS).items():
        captions = [Marked(row[column], tuple(marked(row[column], words))) for column in CAPTIONS if row[column]]
        found |= {key: max(captions, key=lambda each: bool(each.spans))} if captions else {}
    return found


def marked(caption: str, words: Sequence[str]) -> list[Span]:
    """Where a caption has the words, in whatever case, in order and apart: 강아지 in `강아지가 뛴다` from 0 to 3."""
    found = (match.span() for word in words if word for match in re.finditer(re.escape(word), caption, re.IGNORECASE))
    spans: list[Span] = []
    for start, end in sorted(found):
        if spans and start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(end, spans[-1].end))
        else:
            spans.append(Span(start, end))
    return spans


def _scores(album: Album, words: Sequence[str], condition: str, most: int) -> dict[str, float]:
    """Id -> BM25 score of what the index knows to be like the words."""
    text = " ".join(word for word in words if len(word) >= SHORTEST)
    scores: dict[str, float] = {}
    for column in CAPTIONS:
        if text and _indexed(album, column):
            wanted = MatchQuery(text, column)  # type: ignore[call-arg]  # mypy takes pydantic's defaults for none
            query = album.photos.search(wanted, query_type="fts")
            rows = query.where(condition).select(["id", "_score"]).limit(most).to_arrow().to_pylist()
            scores |= {row["id"]: max(row["_score"], scores.get(row["id"], 0.0)) for row in rows}
    return scores


def _indexed(album: Album, column: str) -> bool:
    return any(index.columns == [column] for index in album.photos.list_indices())

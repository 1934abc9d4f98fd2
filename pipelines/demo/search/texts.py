"""What the search page says of a photo: pure functions from what an album keeps to text."""

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.core.words.lexicon import has_hangul
from pipelines.demo.language import plain, say

if TYPE_CHECKING:  # it imports lancedb
    from pipelines.search.album.captions import Marked


def marked_markdown(marked: "Marked") -> str:
    """A caption as Markdown with the words that were asked for marked, and nothing else of it taken for Markdown."""
    parts, end = [], 0
    for span in marked.spans:
        said = plain(marked.caption[span.start : span.end])
        parts += [plain(marked.caption[end : span.start]), f":primary-background[{said}]"]
        end = span.end
    return "".join([*parts, plain(marked.caption[end:])])


def counts_said(counts: str | None, korean: bool) -> str:
    """What was counted in a photo, `강아지 2 · 고양이 1`, the most first, in one language; empty where nothing was.

    `counts` is the album's JSON, in which a number stands under its Korean and its English name.
    """
    numbers: Mapping[str, int] = json.loads(counts or "{}")
    there = {name: number for name, number in numbers.items() if number}
    wanted = {name: there[name] for name in in_one_language(there, korean)}
    return " · ".join(f"{name} {number}" for name, number in sorted(wanted.items(), key=lambda item: (-item[1], item)))


def in_one_language(kinds: Collection[str], korean: bool) -> list[str]:
    """Kinds of objects without their names in the other language; all of them where there are no other names."""
    return [kind for kind in kinds if has_hangul(kind) == korean] or list(kinds)


def joined(where: str, more: str) -> str:
    """A condition and one more that has to hold too."""
    where = where.strip()
    if not where:
        return more
    return f"({where}) and {more}" if re.search(r"\bor\b", where, re.IGNORECASE) else f"{where} and {more}"


def in_folder(folder: str) -> str:
    """The condition that photos are in a folder or in one of its folders."""
    doubled = unicodedata.normalize("NFC", folder).replace('"', '""')
    return f'folder = "{doubled}"'


def between(first: date, last: date) -> str:
    """The condition that photos were taken on these days or between them."""
    return f"date between {first.isoformat()} and {last.isoformat()}"


def details(row: Mapping[str, Any]) -> dict[str, str]:
    """Label -> what an album's row says of a photo; only what it says."""
    from pipelines.search.where.filters import COLOURS

    place = None if row["latitude"] is None else f"{row['latitude']:.5f}, {row['longitude']:.5f}"
    colour = row["colour"]
    said = {
        say("찍은 때", "Taken"): row["taken"] and f"{row['taken']:%Y-%m-%d %H:%M}",
        say("카메라", "Camera"): row["camera"],
        say("크기", "Size"): f"{row['width']} × {row['height']}, {_bytes(row['bytes'])}",
        say("색", "Colour"): colour and say(COLOURS.get(colour, colour).split()[0], colour),
        say("곳", "Place"): place,
        say("설명", "Caption"): row["caption"],
        say("영어 설명", "English caption"): row["caption_english"],
        say("센 것", "Counted"): counts_said(row["counts"], say("ko", "en") == "ko"),
    }
    return {label: text for label, text in said.items() if text}


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"

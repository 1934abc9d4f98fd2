"""What a Korean phrase or question speaks of: its things, what they are like, and what else is said of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipelines.core.words.morphemes import Morpheme, Token, tokens
from pipelines.core.words.particles import PLURAL, TAGS, fits

COUNTERS = (
    "마리", "명", "분", "사람", "인", "개", "대", "송이", "그루", "권", "잔", "채", "척", "장", "벌", "켤레", "병",
    "자루", "알", "통", "조각", "줄기", "포기", "다발", "접시", "그릇",
)  # fmt: skip
"""Words that count things, after a number."""
AMOUNTS = ("수", "개수", "갯수", "숫자", "마릿수", "대수", "인원", "인원수", "명수", "총수", "총합")
"""What a question asks for, of a thing."""
FRAMES = ("사진", "그림", "이미지", "화면", "영상", "장면", "다음", "첨부", "여기", "중")
"""What a question calls the picture itself, of which nothing needs to be looked for."""
PLACES = (
    "위", "아래", "밑", "옆", "앞", "뒤", "안", "속", "밖", "곁", "근처", "주변", "가운데", "사이", "내", "내부", "쪽",
    "위쪽", "아래쪽", "왼쪽", "오른쪽", "상",
)  # fmt: skip
"""Where something is, of another thing."""
NOTHING = ("것", "거", "때", "수")
DENYING = ("안", "못", "없이", "없", "않", "못하")
JOINING = ("와", "과", "랑", "이랑", "하고", "및", "또는", "혹은", "그리고")
SHOWN = re.compile("(있는|보이는|나오는|나온|찍힌|찍혀 있는|등장하는|나타난|존재하는|담긴|그려진|포함된)")
"""Verbs that say no more than that a thing is there."""


@dataclass(frozen=True)
class Thing:
    """A noun with what goes before it, as they are said."""

    words: tuple[str, ...]
    """The noun's parts, such as 안전 and 조끼."""
    noun: str
    modifiers: tuple[str, ...]
    role: str
    """By what follows: thing, topic, joined (to the next), place (another is there), owner (of another), verbal."""
    start: int
    end: int

    @property
    def text(self) -> str:
        """The noun behind what goes before it."""
        return " ".join((*self.modifiers, self.noun))


@dataclass(frozen=True)
class Reading:
    """What a phrase says."""

    things: tuple[Thing, ...]
    left_out: tuple[str, ...]
    """What is said of them that only a reader understands."""
    denies: bool
    """Whether it speaks of what is not there."""


def read(text: str, known: Callable[[str], bool], quality: Callable[[str], bool]) -> Reading:
    """The things that a phrase or question names, those of which it asks alone.

    `known`: whether a noun is a name; `quality`: whether a word says what a thing is like.
    """
    reader = _Reader(text, known)
    for part in _mended(text, known, quality):
        reader.take(part)
    return reader.finish()


def _mended(text: str, known: Callable[[str], bool], quality: Callable[[str], bool]) -> list[Token]:
    """The morphemes, where each word that the analyser does not know is one noun: it takes 꽃게 for a verb."""
    parts = tokens(f"{text} ?")[:-1] if " " in text else tokens(text)  # without a mark 몇 대야 is a washbowl
    for spot, part in enumerate(parts):
        alone = spot + 1 == len(parts) or parts[spot + 1].has("MM", "SN", "NR", "J")
        if part.has("MM") and part.surface != "총" and alone and known(part.surface):  # 새 두 마리
            parts[spot] = _noun(part.surface, part.start)
    mended: list[Token] = []
    for match in re.finditer(r"\S+", text):
        own = [part for part in parts if match.start() <= part.start < match.end()]
        split = _name_and_particle(match[0].rstrip(".?!,"), known)
        first = next((part.start for part in own if not part.has("N", "XSN", "XPN", "XR", "S")), match.end())
        if split is not None and match.start() + len(split[0]) > first:
            mended += _tagged(*split, match.start())
        elif _torn(own, quality):
            after = len(own) - next((spot for spot, part in enumerate(reversed(own)) if not part.has("J", "EF")), 0)
            mended += [_noun(text[own[0].start : own[after - 1].end], own[0].start), *own[after:]]
        else:
            mended += own
    return mended


def _torn(parts: list[Token], quality: Callable[[str], bool]) -> bool:
    """Whether the analyser does not know a word: it finds a noun in it behind what no noun stands behind."""
    last = max((spot for spot, part in enumerate(parts) if part.has("NN")), default=0)
    said = ""
    for part in parts[:last]:
        said += part.surface
        if part.has("ETM") and not quality(said):
            return True
        if part.has("MAG", "IC", "J", "E") and not part.has("ETM"):
            return True
    return False


def _name_and_particle(word: str, known: Callable[[str], bool]) -> tuple[str, str, str] | None:
    """A name of two syllables or more, its plural mark and its particle, which may be nothing."""
    for length in range(len(word), 1, -1):
        name, rest = word[:length], word[length:]
        plural = PLURAL if rest.startswith(PLURAL) else ""
        particle = rest.removeprefix(PLURAL)
        if known(name) and (not particle or (particle in TAGS and fits(name + plural, particle))):
            return name, plural, particle
    return None


def _noun(text: str, start: int) -> Token:
    return Token(text, start, (Morpheme(text, "NNG"),))


def _tagged(name: str, plural: str, particle: str, start: int) -> list[Token]:
    parts = []
    for text, tag in ((name, "NNG"), (plural, "XSN"), (particle, TAGS.get(particle, ""))):
        if text:
            parts.append(Token(text, start, (Morpheme(text, tag),)))
        start += len(text)
    return parts


class _Reader:
    """Takes a phrase's morphemes one after the other."""

    def __init__(self, text: str, known: Callable[[str], bool]) -> None:
        self.text, self.known = text, known
        self.things: list[Thing] = []
        self.left_out: list[str] = []
        self.denies = False
        self.run: list[Token] = []  # the noun that is being read
        self.modifiers: list[str] = []  # of the next noun
        self.modified: int | None = None  # where they start
        self.verb: Token | None = None
        self.verb_start: int | None = None
        self.number = False  # the morpheme before is one
        self.counted = False  # a number has followed the run
        self.counter: Token | None = None

    def take(self, part: Token) -> None:
        """The next morpheme."""
        number, self.number = self.number, False
        if part.has("NN", "SL", "SH") and number and (part.surface in COUNTERS or part.has("NNBC")):
            self.counter = self.counter or part
        elif part.has("NN", "SL", "SH", "XPN", "XR"):
            self._noun(part)
        elif part.has("ETM"):
            self._modify(part)
        elif part.has("V", "XSV", "XSA"):
            self._verb(part)
        elif part.has("J"):
            self._particle(part)
        elif part.has("MM", "SN", "NR"):
            self.number, self.counted = True, bool(self.run)
        elif part.has("XSN") and part.surface != PLURAL and self.run:
            self.run.append(part)
        else:
            self._aside(part)

    def finish(self) -> Reading:
        """What was read, without the picture itself where another thing is named."""
        self._close("thing")
        around = [each for each in self.things if each.role in ("place", "owner") and not _frame(each)]
        things = [each for each in self.things if each.role not in ("place", "owner")]
        part = self.counter
        if not things and part is not None and part.has("NNG") and self.known(part.surface):  # 여러 사람
            things = [Thing((part.surface,), part.surface, tuple(self.modifiers), "thing", part.start, part.end)]
        named = [each for each in things if not _frame(each)]
        left_out = [self.text[each.start : each.end] for each in around]
        return Reading(tuple(named or things[:1]), (*left_out, *self.left_out), self.denies)

    def _noun(self, part: Token) -> None:
        if self.counted:
            self._close("joined")
        self.verb = self.verb_start = None
        self.run.append(part)

    def _aside(self, part: Token) -> None:
        """Adverbs, pronouns, endings and marks."""
        if part.has("MAG"):
            self.denies |= part.surface in DENYING and part.end < len(self.text)
        if part.surface in JOINING or part.surface == ",":
            self._close("joined")
        elif part.surface == "고" and self.verb is not None and self.verb.surface == "하" and self.things:
            if self.things[-1].role == "verbal" and self.known("".join(self.things[-1].words)):  # 버스하고 트럭
                self.things[-1] = replace(self.things[-1], role="joined")
        elif part.has("EF", "ETN"):
            self.verb = self.verb_start = None

    def _particle(self, part: Token) -> None:
        if part.surface in JOINING or part.has("JC"):
            self._close("joined")
        elif part.has("JKB") or part.surface in ("에는", "에서는"):
            self._close("place")
        elif part.has("JKG"):
            self._close("owner")
        else:
            self._close("topic" if part.has("JX") else "thing")

    def _verb(self, part: Token) -> None:
        self.denies |= part.surface in DENYING or part.has("VCN")
        stem = self.run[0].start if self.run and part.has("XSV", "XSA") else part.start  # 주차 된
        self._close("verbal" if part.has("XSV", "XSA") else "thing")
        self.verb_start = stem if self.verb_start is None else self.verb_start
        self.verb = part

    def _modify(self, part: Token) -> None:
        """A verb or adjective before a noun, with what was said before that belongs to it: 모자를 쓴, 코가 긴, 빨간."""
        if part.has("V", "XSV", "XSA"):
            self._verb(part)
        start = part.start if self.verb_start is None else self.verb_start
        taken = self._taken(
            start, self.verb is not None and self.verb.has("VA") and self.verb.surface not in ("있", "없")
        )
        own = [each.start for each in taken if not _frame(each) and each.role != "verbal"]
        said = self.text[min([start, *own]) : part.end]
        if own:
            self.left_out.append(said)
        elif SHOWN.fullmatch(said) is None:
            self._like(start, part.end)
        self.verb = self.verb_start = None

    def _taken(self, start: int, adjective: bool) -> list[Thing]:
        """The last things, taken away, that are a verb's own; those of an adjective are its subject alone."""
        roles = ("verbal", "thing") if adjective else ("verbal", "thing", "place", "owner")
        taken: list[Thing] = []
        while self.things:
            last = self.things[-1]
            together = taken or re.search("함께|같이", self.text[last.end : start])
            if last.role not in roles and not (last.role == "joined" and together):
                break
            taken.append(self.things.pop())
        return taken

    def _close(self, role: str) -> None:
        """Ends the noun that is being read, by what follows it."""
        run, self.run, self.counted = self.run, [], False
        if run and run[-1].surface in AMOUNTS:
            run, role = [each for each in run[:-1] if each.surface != "마리"], "thing"
            if not run and self.things and self.things[-1].role in ("owner", "topic"):  # 사과의 개수
                self.things[-1] = replace(self.things[-1], role="thing")
        if not run or (len(run) == 1 and run[0].surface in NOTHING):
            return
        places = [spot for spot, part in enumerate(run[:-1]) if spot and part.surface in PLACES]
        if places and not self.known("".join(part.surface for part in run)):  # 의자 위 고양이
            self._add(run[: places[-1] + 1], "place")
            run = run[places[-1] + 1 :]
        if role == "owner" and run[-1].surface.endswith("색"):
            self._like(run[0].start, run[-1].end)
        else:
            self._add(run, role)

    def _add(self, run: list[Token], role: str) -> None:
        noun, words = self.text[run[0].start : run[-1].end], tuple(part.surface for part in run)
        start = run[0].start if self.modified is None else min(run[0].start, self.modified)
        self.things.append(Thing(words, noun, tuple(self.modifiers), role, start, run[-1].end))
        self.modifiers, self.modified = [], None

    def _like(self, start: int, end: int) -> None:
        """Keeps what goes before the next noun."""
        self.modified = start if self.modified is None else self.modified
        self.modifiers.append(self.text[start:end])


def _frame(thing: Thing) -> bool:
    """Whether it is but the picture: 사진 속."""
    return all(word in FRAMES or (word in PLACES and place > 0) for place, word in enumerate(thing.words))

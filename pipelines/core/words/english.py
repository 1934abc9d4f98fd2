"""What an English phrase or question speaks of: its thing, in the singular, and what else is said of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "geese": "goose",
    "feet": "foot", "teeth": "tooth", "oxen": "ox", "knives": "knife", "wolves": "wolf", "leaves": "leaf",
    "shelves": "shelf", "loaves": "loaf", "scarves": "scarf", "calves": "calf", "wives": "wife", "dice": "dice",
}  # fmt: skip
"""Plurals that no ending tells."""
PLURAL_ONLY = {
    "scissors", "glasses", "sunglasses", "jeans", "pants", "trousers", "shorts", "tweezers", "binoculars", "goggles",
    "headphones", "earphones", "clothes", "stairs", "skis", "pajamas", "species", "series", "news", "tennis", "gas",
    "lens", "canvas", "pliers", "chess", "bus", "cosmetics", "noodles", "chopsticks", "grapes", "fireworks", "leggings",
    "specimen", "abdomen",
}  # fmt: skip
"""Words in s that are named so, be they one or many."""
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

_PICTURE = r"(?:the|this|that|an?|these)? ?(?:picture|image|photo|photograph|scene|frame|screen)s?"
_ENDS = re.compile(
    rf"\s*(?:(?:shown |seen |visible |present |found |depicted )?(?:in|on|of) {_PICTURE}|please|in total|altogether"
    r"|(?:are|is) (?:there|here|shown|present|visible|seen)|(?:can|do|could) (?:you|we|i) (?:see|count|find|spot)"
    r"|can be(?: seen| counted| found)?"
    r"|there|visible|(?:are|is)(?= (?:in|on) )|(?:are|is))$"
)
_STARTS = re.compile(
    r"(?:please|(?:can|could|would) you|help me|i (?:see|want to count|want)|"
    r"(?:(?:tell|show|give) me |what(?:'s| is|s) |how much is )?(?:the )?(?:total |exact )?(?:number|count|amount) of|"
    r"(?:count|find|detect|locate|spot|identify|show me|show|tell me|give me|look for|search for)|how many|"
    r"(?:there|it|this|that|these|those)(?:'s| is| are|'re)|(?:is|are|was|were) (?:there|these|this|those)|"
    r"(?:all|both|every|each|any|some|several|many|few|no more than|the|a|an|my|your|his|her|their|our|these|those|"
    r"this|that|other|only|just|about)|(?:a )?(?:couple|group|pair|bunch|lot|number)s? of(?= \S+s\b| people| children)|"
    rf"of|[0-9]+|{'|'.join(NUMBERS)})\s+"
)
_DENIES = re.compile(r"\b(?:without|not|no|never|isn't|aren't|lacking|missing|except|excluding|other than)\b")
_PLACES = (
    "in|on|at|under|below|above|over|behind|beside|near|by|next to|in front of|inside|outside|between|with|from|along|"
    "around|across|that|which|who|whose|where|to the (?:left|right)|on top of"
)
_DOES = (
    "wear|wears|wearing|hold|holding|ride|riding|carry|carrying|have|has|having|sitting|standing|lying|walking|running|"
    "driving|playing|eating|drinking|crossing|using|looking|sleeping|flying|parked|made"
)
_RELATES = re.compile(
    rf" (?:(?:is|are|was|were|do|does|did|can|could|will)\b|(?:{_PLACES})\b|(?P<does>(?:{_DOES})\b)).*"
)
_JOINS = re.compile(r"\s*(?:,|&|\+|\band\b|\bor\b|\bversus\b|\bvs\b)\s*")
_NO_THING = re.compile(
    rf"(?:(?:what|where|when|why|who|which|how|is|are|do|does|can|{_PLACES})\b.*|it|this|that|them|these|those|there|they|"
    r"things?|)"
)


@dataclass(frozen=True)
class Reading:
    """What a phrase says."""

    things: tuple[str, ...]
    left_out: tuple[str, ...]
    """What is said of them that only a reader understands."""
    denies: bool
    """Whether it speaks of what is not there."""


def read(text: str, known: Callable[[str], bool], quality: Callable[[str], bool]) -> Reading:
    """The things that a phrase or question in lower case names, each in the singular.

    `known`: whether something is a name; `quality`: whether a word says what a thing is like.
    """
    if known(text):
        return Reading((text,), (), False)
    core = _bare(text)
    relation = None if known(core) else next(_relations(core, quality), None)
    left_out = () if relation is None else (relation[0].strip(),)
    core = core if relation is None else _bare(core[: relation.start()])
    things = tuple(singular(each, known) for each in _joined(core, known, quality) if not _NO_THING.fullmatch(each))
    return Reading(things, left_out, _DENIES.search(text) is not None)


def _relations(core: str, quality: Callable[[str], bool]) -> Iterator[re.Match[str]]:
    """What relates a thing to others; running is none in `small running dog`."""
    match = _RELATES.search(core)
    while match:
        if not match["does"] or not quality(core[: match.start()].rpartition(" ")[2]):
            yield match
        match = _RELATES.search(core, match.start() + 1)


def singular(phrase: str, known: Callable[[str], bool]) -> str:
    """The phrase of one: traffic lights, cups of coffee."""
    head, of, rest = phrase.partition(" of ")
    before, space, last = head.rpartition(" ")
    forms = [head, *(f"{before}{space}{form}" for form in singulars(last))]
    named = next((form for form in forms if known(form)), None)
    if named is None:
        plural = (
            last in IRREGULAR or last.endswith("men") or (last.endswith("s") and not last.endswith(("ss", "us", "is")))
        )
        named = forms[1] if plural and last not in PLURAL_ONLY and len(forms) > 1 else head
    return f"{named}{of}{rest}"


def singulars(word: str) -> Iterator[str]:
    """What an English word may be the plural of, the likelier first."""
    for many, one in IRREGULAR.items():
        if word.endswith(many):  # policemen
            yield word.removesuffix(many) + one
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        yield word[:-2]
    if word.endswith("s"):
        yield word[:-1]
    if word.endswith("es"):
        yield word[:-2]


def _bare(text: str) -> str:
    """The text without what frames a thing: how many, are there in this picture, the, two."""
    before = None
    while text != before:
        before = text
        text = _ENDS.sub("", _STARTS.sub("", text, count=1) if _STARTS.match(text) else text).strip(" ?.,:")
    return text


def _joined(core: str, known: Callable[[str], bool], quality: Callable[[str], bool]) -> list[str]:
    """The things between commas and ands; black and white are of one."""
    parts = [_bare(part) for part in _JOINS.split(core)]
    if known(core) or (len(parts) > 1 and all(quality(part) for part in parts[:-1])):
        return [core]
    return parts

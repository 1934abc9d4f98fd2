"""Draws scenes of the mini world, and says in English and Korean what is in them."""

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
FONT_PX = 109  # the only size that the font's bitmaps have

# `random.Random(seed)` draws one scene, so that ranges of seeds keep what is trained on, tried and shipped apart.
TRAINING_SEEDS = range(0, 900_000_000)
VALIDATION_SEEDS = range(900_000_000, 1_000_000_000)
CAPTION_SAMPLE_SEED = 1_000_000_000
DETECT_SAMPLE_SEED = 1_100_000_000
ANOMALY_SAMPLE_SEED = 1_200_000_000
SEARCH_SAMPLE_SEED = 1_300_000_000
CLASSIFY_SAMPLE_SEED = 1_400_000_000

MOST_OVERLAP = 0.15  # of the smaller of two boxes: every object stays plainly visible
PLACING_ATTEMPTS = 20


@dataclass(frozen=True)
class Kind:
    """One kind of object: its English and Korean names, the Korean counter that goes with it, and its glyph."""

    name: str
    plural: str
    korean: str
    counter: str
    glyph: str


_KINDS = (
    Kind("dog", "dogs", "강아지", "마리", "🐕"),
    Kind("cat", "cats", "고양이", "마리", "🐈"),
    Kind("rabbit", "rabbits", "토끼", "마리", "🐇"),
    Kind("horse", "horses", "말", "마리", "🐎"),
    Kind("cow", "cows", "소", "마리", "🐄"),
    Kind("pig", "pigs", "돼지", "마리", "🐖"),
    Kind("elephant", "elephants", "코끼리", "마리", "🐘"),
    Kind("bird", "birds", "새", "마리", "🐦"),
    Kind("fish", "fish", "물고기", "마리", "🐟"),
    Kind("turtle", "turtles", "거북이", "마리", "🐢"),
    Kind("butterfly", "butterflies", "나비", "마리", "🦋"),
    Kind("bee", "bees", "벌", "마리", "🐝"),
    Kind("car", "cars", "자동차", "대", "🚗"),
    Kind("bus", "buses", "버스", "대", "🚌"),
    Kind("bicycle", "bicycles", "자전거", "대", "🚲"),
    Kind("airplane", "airplanes", "비행기", "대", "✈"),
    Kind("boat", "boats", "배", "척", "⛵"),
    Kind("train", "trains", "기차", "대", "🚂"),
    Kind("apple", "apples", "사과", "개", "🍎"),
    Kind("banana", "bananas", "바나나", "개", "🍌"),
    Kind("strawberry", "strawberries", "딸기", "개", "🍓"),
    Kind("orange", "oranges", "오렌지", "개", "🍊"),
    Kind("ball", "balls", "공", "개", "⚽"),
    Kind("tree", "trees", "나무", "그루", "🌳"),
    Kind("flower", "flowers", "꽃", "송이", "🌻"),
    Kind("house", "houses", "집", "채", "🏠"),
    Kind("book", "books", "책", "권", "📕"),
    Kind("clock", "clocks", "시계", "개", "⏰"),
    Kind("umbrella", "umbrellas", "우산", "개", "☂"),
    Kind("cup", "cups", "컵", "개", "☕"),
    Kind("chair", "chairs", "의자", "개", "🪑"),
    Kind("penguin", "penguins", "펭귄", "마리", "🐧"),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
"""The kinds by their English name; their order is the order in which a sentence mentions them."""

ENGLISH_NUMERALS = ("two", "three", "four", "five", "six", "seven", "eight")  # from 2 on; one of a kind is "a" or "an"
KOREAN_NUMERALS = ("한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟")  # from 1 on, in the form before a counter
MOST_OF_A_KIND = len(KOREAN_NUMERALS)


@dataclass(frozen=True)
class Scene:
    """A picture (RGB) and, in the order of drawing, each object's box (xyxy, pixels) and kind."""

    image: Image.Image
    boxes: list[tuple[int, int, int, int]]
    kinds: list[str]

    def __post_init__(self) -> None:
        if len(self.boxes) != len(self.kinds):
            raise ValueError(f"expected a kind for each box, found {len(self.boxes)} boxes and {len(self.kinds)} kinds")


def scene(rng: random.Random, size: int = 160, most: int = 6, kinds: Sequence[str] | None = None) -> Scene:
    """Draw a picture of `size` x `size` pixels with 1 to `most` objects, which overlap by little.

    Each object's kind is drawn from `kinds` (default: one to three kinds, drawn first). The same state of `rng` gives
    the same scene. Raises FileNotFoundError where the emoji font is missing.
    """
    picture = background(rng, size)
    boxes: list[tuple[int, int, int, int]] = []
    drawn_kinds: list[str] = []
    kinds = kinds or rng.sample(list(KINDS), rng.randint(1, 3))
    for _ in range(rng.randint(1, most)):
        kind = rng.choice(kinds)
        drawn = pose(rng, glyph(kind), rng.randint(size // 7, int(size / 3.2)))
        box = free_box(rng, drawn.size, size, boxes)
        if box is not None:
            picture.paste(drawn, box[:2], drawn)
            boxes.append(box)
            drawn_kinds.append(kind)
    return Scene(picture, boxes, drawn_kinds)


def sentence(counts: Mapping[str, int]) -> str:
    """Say in English what is there: {"car": 1, "dog": 2} -> "two dogs and a car"; "" where nothing is."""
    phrases = [_english_phrase(KINDS[name], counts[name]) for name in _mentioned(counts)]
    return " and ".join(filter(None, [", ".join(phrases[:-1]), *phrases[-1:]]))


def korean_sentence(counts: Mapping[str, int]) -> str:
    """Say in Korean what is there: {"car": 1, "dog": 2} -> "강아지 두 마리와 자동차 한 대"; "" where nothing is."""
    phrases = [_korean_phrase(KINDS[name], counts[name]) for name in _mentioned(counts)]
    if len(phrases) < 2:
        return "".join(phrases)
    before = ", ".join(phrases[:-1])
    return f"{before}{'과' if ends_in_consonant(before) else '와'} {phrases[-1]}"


def ends_in_consonant(text: str) -> bool:
    """Whether the last Hangul syllable of `text` closes with a consonant, on which the form of a particle depends."""
    return (ord(text[-1]) - ord("가")) % 28 != 0  # Unicode orders syllables by their 28 endings, none first


def glyph_font(path: Path = FONT) -> ImageFont.FreeTypeFont:
    """The emoji font, at the size of its bitmaps; FileNotFoundError, naming the package to get, if it is missing."""
    if not path.is_file():
        raise FileNotFoundError(
            f"expected the emoji font at {path} to draw new scenes, "
            "found no file: install Debian's package fonts-noto-color-emoji"
        )
    return ImageFont.truetype(path, FONT_PX)


@functools.cache
def glyph(kind: str) -> Image.Image:
    """The kind's glyph (RGBA), cropped to what is drawn."""
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((10, 10), KINDS[kind].glyph, font=glyph_font(), embedded_color=True)
    return image.crop(image.getbbox())


def pose(rng: random.Random, drawn: Image.Image, side_px: int) -> Image.Image:
    """The glyph with its longer side scaled to `side_px`, mirrored half of the time and turned by up to 20 degrees."""
    scale = side_px / max(drawn.size)
    width, height = (max(1, int(length * scale)) for length in drawn.size)
    drawn = drawn.resize((width, height), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        drawn = drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    drawn = drawn.rotate(rng.uniform(-20, 20), expand=True, resample=Image.Resampling.BILINEAR)
    return drawn.crop(drawn.getbbox())


def background(rng: random.Random, size: int) -> Image.Image:
    """A vertical gradient between two near colours under coarse grain (RGB, size x size)."""
    top = np.array([rng.uniform(60, 230) for _ in range(3)])
    bottom = np.clip(top + [rng.uniform(-50, 50) for _ in range(3)], 0, 255)
    share = np.linspace(0, 1, size)[:, None, None]
    coarse = -(-size // 4)
    grain = np.random.RandomState(rng.randrange(1 << 30)).randn(coarse, coarse, 1) * rng.uniform(0, 14)
    gradient = top * (1 - share) + bottom * share
    pixels = gradient + grain.repeat(4, axis=0).repeat(4, axis=1)[:size, :size]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def free_box(
    rng: random.Random, size_wh: tuple[int, int], side: int, boxes: Sequence[tuple[int, int, int, int]]
) -> tuple[int, int, int, int] | None:
    """A place (xyxy) of `size_wh` in `side` x `side` pixels that hardly overlaps `boxes`; None where none is found."""
    width, height = size_wh
    for _ in range(PLACING_ATTEMPTS):
        x, y = rng.randint(0, side - width), rng.randint(0, side - height)
        box = (x, y, x + width, y + height)
        if all(overlap(box, other) <= MOST_OVERLAP for other in boxes):
            return box
    return None


def overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """The area that two xyxy boxes share, as a fraction of the smaller one's."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return max(0, width) * max(0, height) / smaller


def _mentioned(counts: Mapping[str, int]) -> list[str]:
    """The names of what is there, in the order of mention; ValueError for what the mini world cannot say."""
    for name, count in counts.items():
        if name not in KINDS or not 0 <= count <= MOST_OF_A_KIND:
            raise ValueError(f"expected 0 to {MOST_OF_A_KIND} of a kind of the mini world, found {count} of {name!r}")
    return [name for name in KINDS if counts.get(name, 0) > 0]


def _english_phrase(kind: Kind, count: int) -> str:
    if count == 1:
        return f"{'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}"
    return f"{ENGLISH_NUMERALS[count - 2]} {kind.plural}"


def _korean_phrase(kind: Kind, count: int) -> str:
    return f"{kind.korean} {KOREAN_NUMERALS[count - 1]} {kind.counter}"

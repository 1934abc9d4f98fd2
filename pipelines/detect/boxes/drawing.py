"""Draws the boxes that were counted onto the pictures, for a person to look at."""

import colorsys
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pipelines.core.images.decode import decode
from pipelines.detect.boxes.detections import Detections, Query

HANGUL_FONTS = (
    "NanumGothic.ttf",
    "NanumBarunGothic.ttf",
    "NotoSansKR-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansKR-VF.ttf",
    "malgun.ttf",
    "AppleSDGothicNeo.ttc",
    "AppleGothic.ttf",
    "UnDotum.ttf",
)
"""Fonts with Hangul on Linux, Windows and macOS; Pillow looks for them where the system keeps its fonts."""
GOLDEN_ANGLE = 0.381966  # of a turn: the hues of neighbouring classes lie far apart, however many there are


def draw(query: Query, found: Detections, prompts: Mapping[str, str], path: Path) -> None:
    """Saves the picture with its boxes, as `draw_boxes` draws them, as a JPEG at `path`.

    The picture is decoded once more for this: keeping its pixels since the detection would cost memory.
    """
    picture = Image.fromarray(decode(query.sample.path).permute(1, 2, 0).numpy())
    draw_boxes(picture, query.classes, found, prompts, font_px=max(10, max(picture.size) // 45))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90, subsampling=0)  # thin lines keep their colour


def draw_boxes(
    picture: Image.Image, classes: Sequence[str], found: Detections, prompts: Mapping[str, str], font_px: int
) -> None:
    """Draws the boxes, which are in pixels of `picture` (RGB), onto it, each with its word and score.

    Letters are `font_px` high, and lines as wide as suits them. `prompts` (English class -> the user's word) label the
    boxes where a font with Hangul is installed, else the classes do.
    """
    font, line = label_font(font_px), max(2, round(font_px / 9))
    canvas = ImageDraw.Draw(picture)
    # The best score last, so that its label stays on top.
    for index in found.scores.argsort().tolist():
        name = classes[int(found.class_ids[index])]
        word = prompts.get(name, name)
        label = f"{word if word.isascii() or speaks_hangul(font) else name} {found.scores[index]:.2f}"
        _box(canvas, found.xyxy[index].tolist(), label, font, colour(int(found.class_ids[index])), line)


def file_name(sample_id: str) -> str:
    """A JPEG's name for a sample: `test/0001.png` -> `test_0001.png.jpg`; it leads into no other folder.

    Several ids may have one name: `core.images.names` gives each its own.
    """
    name = re.sub(r"[^\w.\- ]", "_", sample_id).strip(". ") or "_"
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def colour(class_id: int) -> tuple[int, int, int]:
    """A strong colour (RGB, 0 to 255) for each class."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * GOLDEN_ANGLE % 1, 0.85, 0.9)
    return int(red * 255), int(green * 255), int(blue * 255)


@functools.lru_cache
def label_font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font with Hangul where there is one, else Pillow's own."""
    for name in HANGUL_FONTS:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:
            continue
    return ImageFont.load_default(size_px)


def speaks_hangul(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> bool:
    """Whether it is one of HANGUL_FONTS."""
    return isinstance(font, ImageFont.FreeTypeFont) and Path(str(font.path)).name in HANGUL_FONTS


def _box(
    canvas: ImageDraw.ImageDraw,
    xyxy: list[float],
    label: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    ink: tuple[int, int, int],
    line: int,
) -> None:
    """A frame, `line` px wide, with its label above it, or inside where there is no room above."""
    left, top, right, bottom = xyxy
    canvas.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=ink, width=line)
    _, _, width, height = canvas.textbbox((0, 0), label, font=font)
    x = max(0.0, min(left, canvas.im.size[0] - width - 2 * line))
    y = top - height - 2 * line if top >= height + 2 * line else top
    canvas.rectangle((x, y, x + width + 2 * line, y + height + 2 * line), fill=ink)
    bright = sum(weight * part for weight, part in zip((0.3, 0.59, 0.11), ink, strict=True)) > 140
    canvas.text((x + line, y + line), label, font=font, fill="black" if bright else "white")

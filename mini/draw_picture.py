"""Draws the README's picture of the mini world: scenes with their captions, textures with their defects outlined."""

from collections import Counter
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mini.draw_samples import SIZE_PX
from mini.textures import DEFECTS, TEXTURES, defect, texture
from mini.world import CAPTION_SAMPLE_SEED, korean_sentence, scene, sentence
from pipelines.core.terminal import settle

PICTURE = Path("mini/world.png")
LETTERS = Path("/usr/share/fonts/truetype/nanum/NanumGothic.ttf")  # Debian's package fonts-nanum
COLUMNS, ZOOM, GAP_PX, LINE_PX = 4, 2, 12, 24
OUTLINE = (255, 0, 160)


def main() -> None:
    """Two rows of scenes over one of textures."""
    scenes = [scene(Random(CAPTION_SAMPLE_SEED + index)) for index in range(2 * COLUMNS)]
    cells = [(each.image, _lines(each.kinds)) for each in scenes]
    cells += [_defective(name, kind) for name, kind in zip(TEXTURES, DEFECTS, strict=True)]
    width, height = SIZE_PX * ZOOM + GAP_PX, SIZE_PX * ZOOM + GAP_PX + 2 * LINE_PX
    sheet = Image.new("RGB", (COLUMNS * width + GAP_PX, len(cells) // COLUMNS * height + GAP_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(LETTERS, 14)
    for number, (image, lines) in enumerate(cells):
        left, top = GAP_PX + number % COLUMNS * width, GAP_PX + number // COLUMNS * height
        sheet.paste(image.resize((SIZE_PX * ZOOM, SIZE_PX * ZOOM), Image.Resampling.LANCZOS), (left, top))
        for row, line in enumerate(lines):
            pen.text((left, top + SIZE_PX * ZOOM + 4 + row * (LINE_PX - 4)), line, "black", font)
    sheet.quantize(256).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {sheet.width} x {sheet.height} px")


def _lines(kinds: list[str]) -> list[str]:
    counts = Counter(kinds)
    return [sentence(counts), korean_sentence(counts)]


def _defective(name: str, kind: str) -> tuple[Image.Image, list[str]]:
    """A texture with one defect and its mask's outline."""
    rng = np.random.default_rng(0)
    image, mask = defect(texture(name, rng), kind, rng)
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8))
    outlines, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return Image.fromarray(cv2.drawContours(image.copy(), outlines, -1, OUTLINE, 1)), [f"{name}: {kind}"]


if __name__ == "__main__":
    settle()
    main()

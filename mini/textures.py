"""Draws pictures of four surfaces, each one different, and puts defects with their masks on them.

Where the anomaly samples of an inspection line would be photographs, these are drawn: weave, brick, leather and metal.
Every picture has its own phase, angle, colours, light and noise, so that only what the texture is stays the same.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

MASKED_FROM = 0.2  # a pixel belongs to a defect from this share of change on
MARGIN_PX = 12  # defects begin at least so far from the border


def texture(name: str, rng: np.random.Generator, size: int = 160) -> Picture:
    """Draw the surface `name`, a key of TEXTURES: RGB uint8, (size, size, 3), the same for the same state of `rng`.

    Raises ValueError for a name that is not in TEXTURES.
    """
    if name not in TEXTURES:
        raise ValueError(f"expected one of the textures {', '.join(TEXTURES)}, found {name!r}")
    lit = TEXTURES[name](rng, size) * _light(rng, size)
    noisy = lit + rng.normal(0, rng.uniform(1.5, 4.0), lit.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def defect(image: Picture, kind: str, rng: np.random.Generator) -> tuple[Picture, Mask]:
    """Put one defect `kind`, a key of DEFECTS, somewhere on a square RGB uint8 picture (H, W, 3).

    Returns the new picture and the boolean (H, W) mask of what changed; `image` itself stays as it is. Raises
    ValueError for a kind that is not in DEFECTS.
    """
    if kind not in DEFECTS:
        raise ValueError(f"expected one of the defects {', '.join(DEFECTS)}, found {kind!r}")
    changed, share = DEFECTS[kind](image.astype(np.float32), rng)
    blended = image * (1 - share[..., None]) + changed * share[..., None]
    return np.clip(blended, 0, 255).astype(np.uint8), share >= MASKED_FROM


# --- surfaces: float RGB (size, size, 3) in 0..255, before light and noise


def weave(rng: np.random.Generator, size: int) -> Floats:
    """Plain cloth: threads over and under each other in turn, each thread of its own strength."""
    x, y = _coordinates(rng, size, most_degrees=5)
    pitch_px = rng.uniform(9, 11)
    column, across_warp = _cells(x / pitch_px + rng.uniform(0, 2))
    row, across_weft = _cells(y / pitch_px + rng.uniform(0, 2))
    warp_on_top = (column + row) % 2 == 0
    across = np.where(warp_on_top, across_warp, across_weft)
    along = np.where(warp_on_top, across_weft, across_warp)
    relief = np.abs(np.sin(np.pi * across)) ** 0.6 * (0.6 + 0.4 * np.sin(np.pi * along))
    strength = np.where(warp_on_top, _per_index(rng, column, 0.05), _per_index(rng, row, 0.05))
    colour = _near(rng, 150, 130, 100)
    weft_colour = colour * rng.uniform(0.82, 0.92)
    fibre = 1 + 0.05 * rng.standard_normal((size, size))
    base = np.where(warp_on_top[..., None], colour, weft_colour)
    return np.asarray(base * ((0.4 + 0.75 * relief) * strength * fibre)[..., None], np.float32)


def brick(rng: np.random.Generator, size: int) -> Floats:
    """A running bond of bricks, each of its own shade, in pale mortar."""
    x, y = _coordinates(rng, size, most_degrees=2)
    height_px = rng.uniform(19, 22)
    row, down = _cells(y / height_px + rng.uniform(0, 2))
    column, right = _cells(x / (2.1 * height_px) + 0.5 * (row % 2) + rng.uniform(0, 2))
    to_edge_px = np.minimum(np.minimum(down, 1 - down), 2.1 * np.minimum(right, 1 - right)) * height_px
    mortar = np.clip(2.4 - to_edge_px + 0.6 * _noise(rng, size, 4), 0, 1)[..., None]
    shade = _per_index(rng, row * 64 + column, 0.10) * (1 + 0.05 * _noise(rng, size, 3))
    colour = _near(rng, 158, 82, 62)
    mortar_colour = np.array([185, 178, 168]) * (1 + 0.04 * _noise(rng, size, 2))[..., None]
    return np.asarray(colour * shade[..., None] * (1 - mortar) + mortar_colour * mortar, np.float32)


def leather(rng: np.random.Generator, size: int) -> Floats:
    """Grained leather: rounded cells of uneven size between dark creases."""
    pitch_px = rng.uniform(8.5, 10)
    grid = np.stack(np.meshgrid(*[np.arange(-1, size / pitch_px + 2)] * 2), -1).reshape(-1, 2)
    centres = (grid + rng.uniform(-0.42, 0.42, grid.shape)) * pitch_px
    x, y = _coordinates(rng, size, most_degrees=0)
    distances, cell = KDTree(centres).query(np.stack([x, y], -1), k=2)
    crease = np.exp(-(((distances[..., 1] - distances[..., 0]) / 1.8) ** 2))
    relief = 1 - 0.42 * crease + 0.03 * _noise(rng, size, 24) + 0.04 * _noise(rng, size, 3)
    colour = _near(rng, 122, 78, 50)
    return np.asarray(colour * (relief * _per_index(rng, cell[..., 0], 0.04))[..., None], np.float32)


def metal(rng: np.random.Generator, size: int) -> Floats:
    """Brushed metal: fine grooves in one direction under a soft highlight."""
    grooves = cv2.GaussianBlur(rng.standard_normal((2 * size, 2 * size)).astype(np.float32), (0, 0), 14, sigmaY=0.6)
    turn = cv2.getRotationMatrix2D((size, size), rng.uniform(-4, 4), 1.0)
    grooves = cv2.warpAffine(grooves, turn, (2 * size, 2 * size))[size // 2 :, size // 2 :][:size, :size]
    across = np.linspace(-1, 1, size)[None, :] - rng.uniform(-0.8, 0.8)
    highlight = np.exp(-((across / rng.uniform(0.5, 0.9)) ** 2))
    grey = 135 + 14 * grooves / grooves.std() + 35 * highlight
    tint = 1 + rng.normal(0, 0.015, 3)
    return np.asarray(grey[..., None] * tint, np.float32)


TEXTURES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "weave": weave,
    "brick": brick,
    "leather": leather,
    "metal": metal,
}
"""The surfaces by name."""


# --- defects: what the picture would be (H, W, 3), and the share of it that each pixel takes (H, W), 0..1


def scratch(image: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A thin, slightly bent line, lighter or darker than the surface."""
    start = _place(rng, image)
    angle, bend, length_px = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6), rng.uniform(22, 50)
    steps = np.linspace(0, 1, 24)
    heading = angle + bend * steps
    path = start + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], -1) * length_px / len(steps), axis=0)
    share = _line(path, image.shape[0], width_px=rng.uniform(1.2, 2.2))
    return image + rng.choice([-1.0, 1.0]) * rng.uniform(45, 75), share


def hole(image: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A small dark gap with an uneven edge."""
    return image * rng.uniform(0.2, 0.45), _blob(rng, image, radius_px=rng.uniform(3.5, 6.5), edge_px=1.5)


def stain(image: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A spot with a soft edge where the surface is darker and of another tint; its relief shows through."""
    tint = rng.uniform(0.55, 0.75) * (1 + rng.normal(0, 0.06, 3))
    return image * tint.astype(np.float32), _blob(rng, image, radius_px=rng.uniform(7, 13), edge_px=4)


def missing(image: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A patch without relief, as where the top of the surface is worn or torn off."""
    flat = cv2.GaussianBlur(image, (0, 0), 7) * rng.uniform(0.8, 1.05)
    flat = flat + rng.normal(0, 3, image.shape)
    return np.asarray(flat, np.float32), _blob(rng, image, radius_px=rng.uniform(6, 10), edge_px=2)


DEFECTS: dict[str, Callable[[Floats, np.random.Generator], tuple[Floats, Floats]]] = {
    "scratch": scratch,
    "hole": hole,
    "stain": stain,
    "missing": missing,
}
"""The defects by name."""


# --- what they are made of


def _light(rng: np.random.Generator, size: int) -> Floats:
    """Factors (size, size, 3) around 1: a lamp of some brightness and tint that lights one side more than the other."""
    toward = rng.uniform(0, 2 * np.pi)
    x, y = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    slope = rng.uniform(0, 0.1) * (x * np.cos(toward) + y * np.sin(toward))
    lamp = rng.uniform(0.92, 1.08) * (1 + rng.normal(0, 0.01, 3))
    return np.asarray((1 + slope)[..., None] * lamp, np.float32)


def _coordinates(rng: np.random.Generator, size: int, most_degrees: float) -> tuple[Floats, Floats]:
    """Each pixel's x and y (size, size) in pixels, turned by a small angle and bent a little, as nothing is ruled."""
    turn = np.deg2rad(rng.uniform(-most_degrees, most_degrees))
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    bent_x, bent_y = x + 0.9 * _noise(rng, size, 32), y + 0.9 * _noise(rng, size, 32)
    return bent_x * np.cos(turn) - bent_y * np.sin(turn), bent_x * np.sin(turn) + bent_y * np.cos(turn)


def _noise(rng: np.random.Generator, size: int, cell_px: int) -> Floats:
    """Smooth noise (size, size) of about unit spread, whose bumps are about `cell_px` pixels wide."""
    coarse = rng.standard_normal((size // cell_px + 3, size // cell_px + 3)).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=cell_px, fy=cell_px, interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine[cell_px:, cell_px:][:size, :size])


def _near(rng: np.random.Generator, red: float, green: float, blue: float) -> npt.NDArray[np.float64]:
    """A colour (3,) that differs a little from the one given, mostly in brightness."""
    return np.array([red, green, blue]) * rng.normal(1, 0.05) + rng.normal(0, 2.5, 3)


def _cells(position: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], Floats]:
    """Split positions into the index of the cell and the place within it, 0..1."""
    index = np.floor(position)
    return index.astype(np.int64), (position - index).astype(np.float32)


def _per_index(rng: np.random.Generator, index: npt.NDArray[np.int64], spread: float) -> Floats:
    """A factor around 1 for each index, the same wherever that index occurs; shaped like `index`."""
    _, place = np.unique(index, return_inverse=True)
    factors = 1 + spread * rng.standard_normal(place.max() + 1)
    return np.asarray(factors[place.reshape(index.shape)], np.float32)


def _place(rng: np.random.Generator, image: Floats) -> npt.NDArray[np.float64]:
    """A point (x, y) in pixels, away from the border."""
    return rng.uniform(MARGIN_PX, image.shape[0] - MARGIN_PX, 2)


def _blob(rng: np.random.Generator, image: Floats, radius_px: float, edge_px: float) -> Floats:
    """The share (H, W) of a roundish spot with an uneven outline that falls from 1 to 0 over `edge_px`."""
    size = image.shape[0]
    centre_x, centre_y = _place(rng, image)
    x, y = np.meshgrid(np.arange(size) - centre_x, np.arange(size) - centre_y)
    angle = np.arctan2(y, x)
    waves = sum(rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in range(1, 6))
    inside_px = radius_px * (1 + waves) - np.hypot(x, y * rng.uniform(0.75, 1.3))
    return np.asarray(np.clip(inside_px / edge_px + 0.5, 0, 1), np.float32)


def _line(path: npt.NDArray[np.float64], size: int, width_px: float) -> Floats:
    """The share (size, size) that a line along `path` (N, 2: x, y in pixels) covers, with smooth edges."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    distance_px, _ = KDTree(path).query(np.stack([x, y], -1))
    return np.asarray(np.clip(width_px / 2 + 0.5 - distance_px, 0, 1), np.float32)

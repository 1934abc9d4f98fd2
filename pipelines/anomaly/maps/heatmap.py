"""Draws where a picture is anomalous: its patches' scores, smoothed, as colours over the photo."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.core.errors import SubmissionError
from pipelines.core.images.decode import decode

SIGMA = 4.0
"""Of the Gaussian, in pixels of the network's input, as PatchCore and PaDiM smooth their maps."""
COLD, HOT = 0.6, 1.2
"""Shares of the threshold between which the colours run: below the first, the photo is left as it is."""
OPACITY = 0.6
"""Of the hottest colour."""


def smooth(scores: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Patch scores (H, W) -> float32 (h, w) of the network's input: bilinear, then a Gaussian, borders reflected."""
    height, width = size_hw
    large = cv2.resize(scores.numpy(), (width, height), interpolation=cv2.INTER_LINEAR)
    side = 2 * int(4 * SIGMA + 0.5) + 1
    return torch.from_numpy(cv2.GaussianBlur(large, (side, side), SIGMA, borderType=cv2.BORDER_REFLECT_101))


def draw(photo: Tensor, heat: Tensor, threshold: float, opacity: float = OPACITY) -> npt.NDArray[np.uint8]:
    """Colours over a photo: uint8 RGB (3, H, W) and a smoothed map (h, w) of the same picture -> BGR (H, W, 3).

    The colours are set by the threshold, in the map's unit, so that pictures compare. `opacity` is that of the hottest
    one: 0 leaves the photo as it is, 1 hides it there.
    """
    bgr = photo.flip(0).permute(1, 2, 0).numpy().astype(np.float32)
    height, width = bgr.shape[:2]
    share = cv2.resize(heat.numpy(), (width, height), interpolation=cv2.INTER_LINEAR) / max(threshold, 1e-12)
    share = np.clip((share - COLD) / (HOT - COLD), 0, 1)
    colours = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO).astype(np.float32)
    cover = opacity * np.minimum(1, 2 * share)[..., None]
    drawn: npt.NDArray[np.uint8] = np.rint(bgr * (1 - cover) + colours * cover).astype(np.uint8)
    return drawn


def heatmap_name(image: str) -> str:
    """What the heatmap of an image is called: as its relative path, as a JPEG."""
    return image if image.lower().endswith((".jpg", ".jpeg")) else f"{image}.jpg"


def write_heatmap(path: Path, image: Path, heat: Tensor, threshold: float) -> None:
    """Writes the picture of `draw` to `path` (JPEG). Raises SubmissionError where that cannot be written."""
    done, data = cv2.imencode(".jpg", draw(decode(image), heat, threshold))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes() if done else b"")
    except OSError as error:
        raise SubmissionError(f"expected to write the heatmap {path}, but it cannot be: {error.strerror}") from None

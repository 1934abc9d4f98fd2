"""Whether the pictures can be opened, by their headers alone."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.core.doctor.findings import SHOWN, Finding, doubtful, such_as, wrong
from pipelines.core.errors import ImageError
from pipelines.core.images.decode import image_size
from pipelines.core.notes import notice, noticing

REASONS = 5
"""Kinds of damage that get a sentence each; the rarer ones share the last."""


def check_pictures(folder: Path, images: Sequence[Path]) -> list[Finding]:
    """A warning for each kind of damage; an error where no picture at all can be opened."""
    with ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as threads:  # they mostly wait for the disk
        looked = list(threads.map(_look, images))
    broken: dict[str, list[Path]] = {}
    for path, (reason, noticed) in zip(images, looked, strict=True):
        if reason is not None:
            broken.setdefault(reason, []).append(path)
        if noticed:
            notice(path, noticed)
    if images and sum(map(len, broken.values())) == len(images):
        return [
            wrong(
                f"{folder}: expected at least one picture that can be opened, found {len(images)} that cannot: "
                f"{'; '.join(list(broken)[:SHOWN])}"
            )
        ]
    kinds = sorted(broken.items(), key=lambda kind: -len(kind[1]))
    if len(kinds) > REASONS:
        rest = [path for _, paths in kinds[REASONS - 1 :] for path in paths]
        kinds = [*kinds[: REASONS - 1], ("damaged in other ways", rest)]
    return [
        doubtful(
            f"{folder}: {len(paths)} of {len(images)} images would get a blank row, "
            f"{such_as([path.relative_to(folder).as_posix() for path in paths])}: {reason}"
        )
        for reason, paths in kinds
    ]


def _look(path: Path) -> tuple[str | None, str]:
    """Why a picture cannot be opened, without its name, None where it can; and what was noticed of it."""
    with noticing() as seen:
        try:
            image_size(path)
        except ImageError as error:
            return str(error).replace(f" at {path}", "").replace(f"{path}: ", ""), ""
    return None, seen.get(str(path), "")

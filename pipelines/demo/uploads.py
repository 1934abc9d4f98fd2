"""Takes a visitor's pictures in: looks at their bytes, never at what their names claim or where they lead."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import streamlit as st

from pipelines.core.images.samples import LONGEST_NAME, Sample
from pipelines.demo.language import say
from pipelines.demo.serving import libraries
from pipelines.demo.settings import LimitsConfig


class Upload(Protocol):
    """A file as Streamlit has it."""

    name: str
    """As the browser says it: anything."""
    file_id: str
    """Streamlit's own, for this upload alone."""
    size: int
    """Bytes."""

    def getbuffer(self) -> memoryview: ...


@dataclass(frozen=True)
class Accepted:
    """What became of an upload."""

    samples: list[Sample]
    """The pictures, with names that can be shown and differ."""
    refused: dict[str, str]
    """Name -> why a file is not among them."""


def accept(files: Sequence[Upload], folder: Path, limits: LimitsConfig) -> Accepted:
    """Writes the pictures among the files into `folder`, each under a name of our own.

    More files than the limit are refused together, so that nobody wonders which of them were taken.
    """
    if len(files) > limits.files:
        reason = say(
            f"한 번에 사진 {limits.files}장까지 올릴 수 있는데 {len(files)}개가 왔습니다. 나누어 올려 주세요.",
            f"Expected at most {limits.files} pictures at once, found {len(files)}; upload them in parts.",
        )
        return Accepted([], {say(f"파일 {len(files)}개", f"{len(files)} files"): reason})
    samples: list[Sample] = []
    refused: dict[str, str] = {}
    for file in files:
        name = shown_name(file.name, {sample.id for sample in samples} | refused.keys())
        path = folder / re.sub(r"\W", "", file.file_id)
        reason = _refusal(file, path, limits)
        if reason:
            path.unlink(missing_ok=True)
            refused[name] = reason
        else:
            samples.append(Sample(name, path))
    return Accepted(samples, refused)


def shown_name(name: str, taken: Collection[str] = ()) -> str:
    """A file's name as it is shown and written into the CSV: without folders or control characters, once only."""
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    visible = "".join(letter for letter in last if not unicodedata.category(letter).startswith("C")).strip()
    stem, dot, ending = (visible or "_").rpartition(".")
    stem, ending = (stem, dot + ending) if stem and len(ending) <= 5 else (visible or "_", "")
    stem = stem[:LONGEST_NAME]
    number, found = 1, stem + ending
    while found in taken:
        number += 1
        found = f"{stem} ({number}){ending}"
    return found


def visitors_folder() -> Path:
    """A folder for this visitor's files, which goes when the visitor does."""
    return Path(_folder().name)


@st.cache_resource(show_spinner=False, scope="session", on_release=lambda folder: folder.cleanup())
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="vision-demo-")


def _refusal(file: Upload, path: Path, limits: LimitsConfig) -> str:
    """Why a file is not taken; empty where it was written to `path` and is a picture by its header."""
    libraries()
    from pipelines.core.errors import ImageError
    from pipelines.core.images.decode import image_size
    from pipelines.core.images.kinds import FORMATS

    if file.size > limits.megabytes * 10**6:
        return say(
            f"{limits.megabytes} MB까지 올릴 수 있는데 {file.size / 1e6:.0f} MB입니다. 사진을 줄여 주세요.",
            f"Expected at most {limits.megabytes} MB, found {file.size / 1e6:.0f} MB; make the picture smaller.",
        )
    if not path.exists():
        path.write_bytes(file.getbuffer())
    try:
        height, width = image_size(path)
    except ImageError:
        return say(
            f"내용이 사진({', '.join(FORMATS)})이 아닙니다. 이름은 보지 않습니다. 사진으로 다시 저장해 주세요.",
            f"Expected a picture ({', '.join(FORMATS)}) by its content, whatever its name; save it as one.",
        )
    if height * width > limits.megapixels * 10**6:
        return say(
            f"{limits.megapixels}메가픽셀까지 볼 수 있는데 {width}×{height}입니다. 사진을 줄여 주세요.",
            f"Expected at most {limits.megapixels} megapixels, found {width}x{height}; make the picture smaller.",
        )
    return ""

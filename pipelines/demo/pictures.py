"""The pictures that a page works on, and how they are shown small."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import Sample
from pipelines.demo.language import say
from pipelines.demo.serving import libraries
from pipelines.demo.settings import demo_config
from pipelines.demo.uploads import accept, visitors_folder
from pipelines.demo.working import show_refused

SAMPLES = 8
"""Bundled pictures that a page begins with."""
PREVIEWS = 12
THUMBNAIL = 320
"""Longer side in pixels."""


def choose_pictures(key: str, folder: Path, label: str | None = None) -> list[Sample]:
    """The visitor's pictures once there are any, else the first bundled ones of `folder`; shows them small."""
    uploaded = upload_pictures(key, label)
    if uploaded is not None:
        return uploaded
    samples = [Sample(path.name, path) for path in list_images(folder)[:SAMPLES]]
    show_examples(samples)
    return samples


def upload_pictures(key: str, label: str | None = None) -> list[Sample] | None:
    """The visitor's pictures, shown small, with what was refused; None where nothing was dropped."""
    limits = demo_config().limits
    files = st.file_uploader(
        label or say("사진을 끌어다 놓으세요 (여러 장 가능)", "Drop photos here (many at once)"),
        accept_multiple_files=True,
        max_upload_size=limits.megabytes,
        key=f"upload-{key}",
    )
    if not files:
        return None
    accepted = accept(files, visitors_folder(), limits)
    show_refused(accepted.refused, say("받지 않은 파일", "Files that were not taken"))
    preview({sample.id: thumbnail(sample.path) for sample in accepted.samples[:PREVIEWS]}, len(accepted.samples))
    return accepted.samples


def show_examples(samples: Sequence[Sample]) -> None:
    """Bundled pictures, small, that stand in for the visitor's."""
    st.caption(say("올린 사진이 없으면 아래 예시로 해 봅니다.", "Without photos of yours, these samples are used."))
    # As they are: to make thumbnails takes torch, and torch takes seconds, in which the first page would be empty.
    preview({sample.id: sample.path for sample in samples}, len(samples))


def preview(pictures: Mapping[str, bytes | Path | None], count: int) -> None:
    """The first of `count` pictures in a row, each with its name for those who cannot see it."""
    with st.grid(min_column_width=96, gap="small"):
        for name, picture in pictures.items():
            if picture is not None:
                st.image(picture, width="stretch", alt=name)
    if count > len(pictures):
        st.caption(say(f"외 {count - len(pictures)}장", f"and {count - len(pictures)} more"))


@st.cache_data(show_spinner=False, max_entries=2000)
def thumbnail(path: Path, side_px: int = THUMBNAIL) -> bytes | None:
    """A small JPEG of a picture, turned as a person sees it; None where its pixels are damaged."""
    return smaller(path, side_px)


def smaller(path: Path, side_px: int) -> bytes | None:
    """A JPEG of a picture, turned as a person sees it, its longer side at most so long; None where it is damaged."""
    from PIL import Image

    libraries()
    from pipelines.core.errors import ImageError
    from pipelines.core.images.decode import decode

    try:
        picture = Image.fromarray(decode(path).permute(1, 2, 0).numpy())
    except ImageError:
        return None
    picture.thumbnail((side_px, side_px))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()


def data_url(jpeg: bytes | None) -> str | None:
    """A JPEG as tables show it."""
    return None if jpeg is None else f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"

"""Work on albums that takes a while: making one of a folder or of a visitor's photos, adding captions and counts."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.core.images.kinds import ENDINGS
from pipelines.demo.language import say
from pipelines.demo.settings import demo_config
from pipelines.demo.uploads import Upload, accept, visitors_folder
from pipelines.demo.working import show_refused, working

if TYPE_CHECKING:  # it imports torch
    from pipelines.search.settings import SearchConfig

NOTICE, NEXT = "search-notice", "search-next"
"""Session state: what became of the latest work and what was left out, and the album to go to."""
OWN = "내 사진"
"""The album of a visitor's own photos."""
AT_ONCE = 32
"""Photos that are written at once; a stop loses no more."""


def own_albums(config: "SearchConfig") -> dict[str, "SearchConfig"]:
    """Name -> settings of the album of the visitor's own photos, where there is one."""
    from pipelines.search.album.album import album_names

    return {OWN: _own(config)} if album_names(visitors_folder() / "albums") else {}


def index_folder(folder: Path, config: "SearchConfig", refused: Mapping[str, str] | None = None) -> None:
    """Makes an album of a folder's photos or brings it up to date, then goes to it.

    `refused`: name -> why a file is not in the folder.
    """
    with working("index") as runner:
        from pipelines.search.album.indexing import index

        report = index(folder, config, runner=runner, at_once=AT_ONCE)
        said = say(
            f"앨범에 사진이 {report.photos}장 있습니다. 새 사진 {report.new}장, 바뀐 사진 {report.changed}장.",
            f"The album has {report.photos} photos, {report.new} new and {report.changed} changed.",
        )
        where = f"{folder.expanduser().resolve()}/"  # which is nobody's business where the photos are a visitor's
        failed = {name: reason.replace(where, "") for name, reason in report.failed.items()}
        _done(report.album.name, said, {**(refused or {}), **failed})


def index_uploads(files: Sequence[Upload], config: "SearchConfig") -> None:
    """Puts a visitor's photos into an album of their own."""
    accepted = accept(files, visitors_folder(), demo_config().limits)
    folder = visitors_folder() / "photos"
    folder.mkdir(exist_ok=True)
    for sample in accepted.samples:
        name = sample.id if Path(sample.id).suffix.lower() in ENDINGS else f"{sample.id}.jpg"
        shutil.copyfile(sample.path, folder / name)
    if accepted.samples:
        index_folder(folder, _own(config), accepted.refused)
    show_refused(accepted.refused, say("받지 않은 파일", "Files that were not taken"))


def add_texts(config: "SearchConfig") -> None:
    """Captions an album's photos and counts objects in them."""
    with working("enrich") as runner:
        from pipelines.enrich import enrich

        report = enrich(config, runner=runner)
        if not (report.captioned or report.counted or report.failed):
            said = say("캡션과 개수가 이미 모두 있습니다.", "All captions and counts are there already.")
            return _done(str(config.album), said, {})
        said = say(
            f"캡션을 {report.captioned}장에, 개수를 {report.counted}장에 넣었습니다.",
            f"{report.captioned} photos were captioned, and objects counted in {report.counted}.",
        )
        _done(str(config.album), said, report.failed)


def show_notice() -> None:
    """What became of the latest work, once."""
    if NOTICE in st.session_state:
        said, failed = st.session_state.pop(NOTICE)
        st.success(said, icon=":material/check_circle:")
        show_refused(failed, say("빠진 사진", "Photos that were left out"))


def _own(config: "SearchConfig") -> "SearchConfig":
    return replace(config, albums=visitors_folder() / "albums", album=OWN)


def _done(album: str, said: str, failed: Mapping[str, str]) -> None:
    """Draws the page anew, which has other albums, captions or counts now."""
    st.session_state.update({NOTICE: (said, failed), NEXT: album})
    st.rerun()

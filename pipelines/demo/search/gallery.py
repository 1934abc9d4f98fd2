"""Shows what a search found: pages of photos, each with why it is there, and a large view."""

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from pipelines.demo.language import plain, say
from pipelines.demo.pictures import smaller
from pipelines.demo.search.query import Found, Query
from pipelines.demo.search.state import ALL, PAGE, add_condition, ask_like, first_page
from pipelines.demo.search.texts import counts_said, details, marked_markdown

if TYPE_CHECKING:  # they import torch
    from pipelines.search.album.album import Album
    from pipelines.search.album.captions import Marked
    from pipelines.search.album.nearest import Match

PER_PAGE = 24
LARGE = 1280
"""Longer side of the large view in pixels."""


def show_found(found: Found, album: "Album", query: Query) -> None:
    """What was found: a line about it, a page of photos, and the pages."""
    for korean, english in found.english.items():
        st.caption(
            say(
                f"번역해서 물었습니다: {plain(korean)} → {plain(english)}",
                f"Asked in English: {plain(korean)} → {plain(english)}",
            )
        )
    if found.exactly and not query.where:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                say("센 개수가 맞는 사진을 위로 올렸습니다.", "Photos with that number come up."), width="content"
            )
            label = say("그 사진만 보기", "Only those")
            st.button(label, on_click=add_condition, args=(found.exactly,), type="tertiary", key="exactly")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        summary = st.empty()
        shown = found.shown(all_shown=True)
        if found.below:
            label = say(
                f"맞지 않는 사진도 보기 ({len(found.below)})", f"Also those that do not match ({len(found.below)})"
            )
            shown = found.shown(st.toggle(label, key=ALL, bind="query-params", on_change=first_page))
    summary.markdown(_summary(found), width="content")
    if not shown:
        _say_nothing(found, query)
        return
    gallery = st.container()
    pages = ceil(len(shown) / PER_PAGE)
    number = 1
    if pages > 1:
        if st.session_state.get(PAGE, 1) > pages:
            first_page()
        number = st.pagination(pages, key=PAGE, bind="query-params")
    with gallery:
        _show_photos(shown[(number - 1) * PER_PAGE : number * PER_PAGE], found, album)


def _summary(found: Found) -> str:
    matching = len(found.matches) - len(found.below)
    if not found.scored:
        return say(f"**사진 {matching}장**", f"**{matching} photos**")
    seconds = f"{found.seconds:.2f}"
    if found.cutoff is None:
        return say(
            f"**가까운 것부터 {matching}장** · {seconds}초", f"**{matching} photos, the nearest first** · {seconds} s"
        )
    return say(f"**맞는 사진 {matching}장** · {seconds}초", f"**{matching} photos match** · {seconds} s")


def _say_nothing(found: Found, query: Query) -> None:
    if found.below:
        st.info(
            say(
                f"이 앨범에는 '{plain(query.words)}'에 맞는 사진이 없습니다. 가장 가까운 것이 {found.best:.2f}점이고, "
                f"이 모델에서 맞는 사진은 {found.cutoff:.2f}점부터입니다.",
                f"No photo of this album matches '{plain(query.words)}'. The nearest has {found.best:.2f}; with this "
                f"model photos match from {found.cutoff:.2f} on.",
            ),
            icon=":material/search_off:",
        )
    else:
        st.info(say("조건에 맞는 사진이 없습니다.", "The condition holds for no photo."), icon=":material/search_off:")


def _show_photos(matches: list["Match"], found: Found, album: "Album") -> None:
    """Some photos as cards; one that is gone since it was found is left out."""
    from pipelines.search.album.captions import marked_captions

    ids = [match.id for match in matches]
    rows = album.rows(ids, ["thumbnail", "counts"])
    captions = marked_captions(album, ids, found.words)
    with st.grid(min_column_width=150, gap="medium"):
        for match in matches:
            if match.id in rows:
                with st.container(gap="xsmall"):
                    _show_card(match, rows[match.id], captions.get(match.id), found, album)


def _show_card(match: "Match", row: Mapping[str, Any], caption: "Marked | None", found: Found, album: "Album") -> None:
    """A photo, why it is here, and what to do with it."""
    st.image(row["thumbnail"], width="stretch", alt=match.id if caption is None else caption.caption)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        if found.scored:
            near = say("물은 것과 가까운 정도", "How near it is to what was asked")
            colour: Literal["gray", "primary"] = "gray" if match.id in found.below else "primary"
            st.badge(f"{match.score:.2f}", color=colour, help=near)
        if match.alike:
            st.badge(f"+{len(match.alike)}", color="gray", help=say("거의 같은 사진", "Near-duplicates of it"))
        if match.id in found.below:
            st.badge(say("맞지 않음", "No match"), color="gray")
    if caption is not None:
        st.markdown(marked_markdown(caption))
    if counted := counts_said(row["counts"], say("ko", "en") == "ko"):
        st.caption(plain(counted))
    with st.container(horizontal=True, gap="xsmall"):
        if st.button(say("크게", "Large"), icon=":material/zoom_in:", key=f"large-{match.id}", type="tertiary"):
            st.dialog(say("사진", "Photo"), width="large")(_show_large)(match, album)
        st.button(
            say("비슷한 사진", "Similar"), icon=":material/image_search:", key=f"like-{match.id}", type="tertiary",
            on_click=ask_like, args=(match.id,),
        )  # fmt: skip


def _show_large(match: "Match", album: "Album") -> None:
    """A photo with all that is known of it, and its near-duplicates."""
    from pipelines.search.album.embedding import photo_path

    rows = album.rows([match.id, *match.alike], [
        "width", "height", "bytes", "taken", "camera", "latitude", "longitude", "colour", "caption", "caption_english",
        "counts", "thumbnail",
    ])  # fmt: skip
    if match.id not in rows:
        st.info(say("이 사진은 이제 앨범에 없습니다.", "This photo is not in the album any more."))
        return
    row = rows[match.id]
    st.image(_large(photo_path(Path(album.about.folder), match.id)) or row["thumbnail"], width="stretch", alt=match.id)
    lines = {say("파일", "File"): match.id} | details(row)
    st.markdown("\n".join(f"- **{label}** {plain(text)}" for label, text in lines.items()))
    alike = [key for key in match.alike if key in rows]
    if alike:
        st.markdown(say(f"**거의 같은 사진 {len(alike)}장**", f"**{len(alike)} near-duplicates**"))
        with st.grid(min_column_width=96, gap="small"):
            for key in alike[:PER_PAGE]:
                st.image(rows[key]["thumbnail"], caption=plain(key), width="stretch", alt=key)


@st.cache_data(show_spinner=False, max_entries=64)
def _large(path: Path) -> bytes | None:
    """A large JPEG of a photo; None where its file is gone or damaged."""
    return smaller(path, LARGE)

"""Captions: photos in, a sentence each in both languages, to be corrected and taken away as a submission."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from pipelines.core.images.samples import Sample
from pipelines.demo.language import say
from pipelines.demo.pictures import choose_pictures, data_url, thumbnail
from pipelines.demo.serving import task_config
from pipelines.demo.settings import demo_config
from pipelines.demo.tables import download_csv
from pipelines.demo.working import reason_of, show_refused, working

if TYPE_CHECKING:  # they import torch
    from pipelines.caption.pipeline import Caption
    from pipelines.caption.text.style import Style

FOUND, FAILED, RUN = "captions", "captions-failed", "captions-run"
"""Session state: (sample, caption) pairs, name -> reason, and the number of the run, which names its table."""


def page() -> None:
    """The widgets, and what the latest run found."""
    settings = demo_config()
    pictures = choose_pictures("caption", settings.samples / "caption" / "images")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        styles = {"as-is": say("그대로", "As is"), "다": "-다", "습니다": "-습니다"}
        style = st.segmented_control(
            say("문장 끝", "Korean endings"),
            list(styles),
            default="as-is",
            format_func=styles.__getitem__,
            required=True,
        )
        beams = st.slider(
            say("빔", "Beams"), 1, 5, 3, width=200,
            help=say("많을수록 느리고, 조금 나아집니다.", "More are slower and a little better."),
        )  # fmt: skip
        start = st.button(
            say("설명 만들기", "Caption them"), type="primary", icon=":material/auto_awesome:", disabled=not pictures
        )
    if start:
        caption(pictures, beams)
    show(cast("Style", style))


def caption(pictures: Sequence[Sample], beams: int) -> None:
    """Captions the pictures; what is finished is kept, also where the visitor stops it."""
    found: list[tuple[Sample, Caption]] = []
    failed: dict[str, str] = {}
    st.session_state.update({FOUND: found, FAILED: failed, RUN: st.session_state.get(RUN, 0) + 1})
    with working("caption") as runner:
        from pipelines.caption.pipeline import CaptionPipeline
        from pipelines.caption.settings import CaptionConfig

        config = task_config(demo_config().caption, CaptionConfig)
        pipeline = CaptionPipeline(replace(config, beams=beams), runner)
        for outcome in pipeline(pictures):
            if outcome.result is None:
                failed[outcome.item.id] = reason_of(outcome)
            else:
                found.append((outcome.item, outcome.result))


def show(style: "Style") -> None:
    """The captions as a table to be corrected, and as a CSV."""
    show_refused(st.session_state.get(FAILED, {}), say("설명하지 못한 사진", "Photos without a caption"))
    found = st.session_state.get(FOUND)
    if not found:
        return
    import pandas as pd  # a second that the first page does without

    styled = [(sample, caption.styled(style)) for sample, caption in found]
    table = pd.DataFrame(
        {
            "photo": [data_url(thumbnail(sample.path)) for sample, _ in styled],
            "caption": [caption.text for _, caption in styled],
            "english": [caption.english for _, caption in styled],
            "image": [sample.id for sample, _ in styled],
        }
    )
    edited = st.data_editor(
        table,
        hide_index=True,
        row_height=104,
        disabled=["photo", "english", "image"],
        column_config={
            "photo": st.column_config.ImageColumn(say("사진", "Photo"), width=128),
            "caption": st.column_config.TextColumn(say("설명 (고칠 수 있음)", "Caption (editable)"), width="large"),
            "english": st.column_config.TextColumn(say("영어", "English"), width="medium"),
            "image": st.column_config.TextColumn(say("파일", "File"), width="small"),
        },
        key=f"captions-{st.session_state[RUN]}",  # not by style: corrections stay, whatever the ending
    )
    download_csv(edited[["image", "caption"]], "caption.csv")

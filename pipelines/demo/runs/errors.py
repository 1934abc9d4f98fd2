"""The rows of a submission that are the farthest from their truth, each with its photo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.demo.language import plain, say
from pipelines.demo.pictures import thumbnail
from pipelines.demo.runs.files import (
    Known,
    known_submissions,
    photos_of,
    sentences,
    show_no_history,
    task_name,
    upload_table,
)
from pipelines.demo.settings import demo_config

if TYPE_CHECKING:
    from pipelines.runs.worst import Wrong

ON_PAGE = 12
KINDS = {
    "empty": ("비어 있음", "Empty"),
    "unlike": ("많이 다름", "Far off"),
    "alike": ("조금 다름", "Nearly right"),
    "too many": ("더 많이 셈", "Too many"),
    "too few": ("더 적게 셈", "Too few"),
    "both": ("더하고 덜 셈", "Some of each"),
    "missed": ("놓친 결함", "Missed"),
    "false alarm": ("헛경보", "False alarms"),
    "confused": ("다른 이름", "Another class"),
}
"""What the kinds of errors are called here."""


def show_errors() -> None:
    """The widgets that choose a submission and a kind of error, and a page of rows."""
    from pipelines.runs.worst import FINDERS

    with sentences({}):
        known = [each for each in known_submissions(demo_config().submissions) if each.task in FINDERS]
        if not known:
            show_no_history()
            return
        chosen = st.selectbox(
            say("제출", "Submission"), known, format_func=lambda each: f"{each.path.name} · {task_name(each.task)}"
        )
        truth = chosen.truth or _uploaded_truth()
        if truth is not None:
            show_rows(chosen, truth)


def show_rows(chosen: Known, truth: Path) -> None:
    """The wrong rows of a submission by its truth, a page of them with their photos."""
    from pipelines.core.submission.writing import content_hash

    rows, count = _wrong(chosen.task, chosen.path, truth, chosen.content, content_hash(truth))
    if not rows:
        st.success(say(f"{count}행이 모두 정답과 같습니다.", f"All {count} rows are as the truth has them."))
        return
    kinds = Counter(row.kind for row in rows)
    names = {"all": f"{say('전체', 'All')} {len(rows)}"}
    names |= {kind: f"{say(*KINDS[kind])} {number}" for kind, number in kinds.most_common()}
    kind = st.segmented_control(
        say(f"틀린 행 ({count}행 가운데)", f"Wrong rows (of {count})"), list(names), default="all",
        format_func=names.__getitem__, required=True, key=f"errors-kind-{chosen.path.name}",
    )  # fmt: skip
    of_kind = [row for row in rows if kind in ("all", row.kind)]
    photos = photos_of(chosen.images, chosen.path, chosen.content)
    pages = -(-len(of_kind) // ON_PAGE)
    with st.container():  # the rows, above the pages that choose them
        place = st.empty()
        page = st.pagination(pages, key=f"errors-page-{chosen.path.name}-{kind}") if pages > 1 else 1
        with place.container():
            _show_cards(chosen.task, of_kind[ON_PAGE * (page - 1) : ON_PAGE * page], photos)


@st.cache_data(show_spinner=False, max_entries=20)
def _wrong(task: str, submission: Path, truth: Path, said: str, true: str) -> "tuple[list[Wrong], int]":
    """The wrong rows, and how many rows there are; kept by the hashes of both files, `said` and `true`."""
    from pipelines.core.submission.truth import read_frame
    from pipelines.runs.worst import worst

    return worst(task, submission, truth), len(read_frame(submission))


def _show_cards(task: str, rows: "Sequence[Wrong]", photos: Mapping[str, Path]) -> None:
    with st.grid(min_column_width=260, gap="small"):
        for row in rows:
            with st.container(border=True, gap="xsmall"):
                show_photo(row.id, photos)
                st.markdown(f"**{plain(row.id)}**")
                with st.container(horizontal=True, gap="small"):
                    st.badge(say(*KINDS[row.kind]), color="gray")
                    st.caption(_how_far(task, row.error), width="content")
                st.markdown(f":gray[{say('제출', 'Said')}]  \n{plain(row.said) or '–'}")
                st.markdown(f":gray[{say('정답', 'Truth')}]  \n{plain(row.truth)}")


def show_photo(key: str, photos: Mapping[str, Path]) -> None:
    """The photo of an id; where it is not at hand a line that says so, or nothing where none is."""
    if not photos:
        return
    picture = thumbnail(photos[key]) if key in photos else None
    if picture is None:
        st.caption(say("사진을 읽을 수 없습니다.", "The photo cannot be read."))
    else:
        st.image(picture, width="stretch", alt=key)


def _how_far(task: str, error: float) -> str:
    return {
        "caption": f"chrF2 {1 - error:.2f}",
        "detect": say(f"차이 {error:g}개", f"off by {error:g}"),
        "anomaly": say(f"경계에서 {error:.2f} 표준편차", f"{error:.2f} deviations beyond"),
        "classify": say(f"확률 {error:.2f}", f"probability {error:.2f}"),
    }[task]


def _uploaded_truth() -> Path | None:
    uploaded = upload_table(
        say("이 제출에 맞는 정답 CSV를 올리세요.", "Upload the truth of this submission (CSV)."), "errors-truth"
    )
    return uploaded[1] if uploaded else None

"""The rows of a submission that are the farthest from their truth, each with its photo."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.core.task import Worst
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
from pipelines.tasks import TASKS

if TYPE_CHECKING:
    from pipelines.core.submission.scores import Wrong

ON_PAGE = 12


def show_errors() -> None:
    """The widgets that choose a submission and a kind of error, and a page of rows."""
    with sentences({}):
        known = [each for each in known_submissions(demo_config().submissions) if each.task in TASKS]
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
    called = TASKS[chosen.task].worst.kinds
    names |= {kind: f"{say(*called[kind])} {number}" for kind, number in kinds.most_common()}
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
            _show_cards(TASKS[chosen.task].worst, of_kind[ON_PAGE * (page - 1) : ON_PAGE * page], photos)


@st.cache_data(show_spinner=False, max_entries=20)
def _wrong(task: str, submission: Path, truth: Path, said: str, true: str) -> "tuple[list[Wrong], int]":
    """The wrong rows, and how many rows there are; kept by the hashes of both files, `said` and `true`."""
    from pipelines.core.submission.truth import read_frame
    from pipelines.runs.worst import worst

    return worst(TASKS[task], submission, truth), len(TASKS[task].comparison.by_id(read_frame(submission)))


def _show_cards(of_task: Worst, rows: "Sequence[Wrong]", photos: Mapping[str, Path]) -> None:
    with st.grid(min_column_width=260, gap="small"):
        for row in rows:
            with st.container(border=True, gap="xsmall"):
                show_photo(row.id, photos)
                st.markdown(f"**{plain(row.id)}**")
                with st.container(horizontal=True, gap="small"):
                    st.badge(say(*of_task.kinds[row.kind]), color="gray")
                    st.caption(say(*of_task.far(row.error)), width="content")
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


def _uploaded_truth() -> Path | None:
    uploaded = upload_table(
        say("이 제출에 맞는 정답 CSV를 올리세요.", "Upload the truth of this submission (CSV)."), "errors-truth"
    )
    return uploaded[1] if uploaded else None

"""Two submissions or more side by side: scores, the rows that differ with their photos, and one that merges them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pipelines.core.errors import InputError, SuiteError
from pipelines.demo.language import plain, say
from pipelines.demo.runs.errors import ON_PAGE, show_photo
from pipelines.demo.runs.files import (
    Known,
    bundled_images,
    bundled_truth,
    known_submissions,
    photos_of,
    sentences,
    shown,
    task_name,
    upload_table,
    upload_tables,
)
from pipelines.demo.settings import demo_config
from pipelines.demo.uploads import shown_name, visitors_folder

if TYPE_CHECKING:
    from pipelines.core.submission.scores import Score
    from pipelines.runs.submissions import Submissions

MERGES = {
    "majority": ("다수결", "Majority"),
    "mean": ("평균", "Mean"),
    "median": ("중앙값", "Median"),
    "ranks": ("순위 평균", "Mean of ranks"),
}
"""How submissions are merged, as it is called here."""


@dataclass(frozen=True)
class Chosen:
    """What a visitor chose to compare."""

    files: dict[str, Path]
    """Name, which can be shown and differs -> submission; the visitor's own first."""
    truth: tuple[str, Path] | None
    """Name and file, where the visitor has one."""
    known: Sequence[Known]
    """Those among the files that the history knows."""

    @property
    def names(self) -> dict[str, Path]:
        """All of the files by their names."""
        return self.files | dict([self.truth] if self.truth else [])


def show_comparison() -> None:
    """The widgets that choose the files, and the comparison once there are two of them."""
    chosen = choose_files()
    if len(chosen.files) < 2:
        st.caption(
            say(
                "같은 사진에 대한 제출 파일을 둘 이상 올리거나 고르면, 어디가 다른지 사진과 함께 보여 줍니다.",
                "Upload or choose two submissions or more of the same photos to see where they differ.",
            )
        )
        return
    with sentences(chosen.names):
        from pipelines.core.submission.writing import content_hash

        paths = tuple(chosen.files.values())
        contents = tuple(map(content_hash, paths))
        with st.spinner(say("읽는 중…", "Reading…")):
            submissions, differing = _read(paths, contents, chosen.known[0].task if chosen.known else None)
        labels = dict(zip(submissions.letters, chosen.files, strict=True))
        truth = chosen.truth[1] if chosen.truth else _matching(bundled_truth(submissions.task), submissions)
        scores = _scores(submissions, contents, truth, chosen.names)
        images = chosen.known[0].images if chosen.known else bundled_images(submissions.task)
        photos = photos_of(images, paths[0], contents[0])
        _show_summary(submissions, labels, differing, scores)
        _show_rows(submissions, labels, differing, truth, photos)
        named = replace(submissions, paths=[Path(name) for name in chosen.files])
        _offer_page(named, differing, truth, scores, photos)
        _offer_merge(submissions, chosen.names)


def choose_files() -> Chosen:
    """The widgets for uploads, and for the submissions that are here."""
    left, right = st.columns(2)
    with left:
        files = upload_tables(say("제출 CSV (여러 개)", "Submissions (CSV, several)"), "compare-files")
    with right:
        truth = upload_table(say("정답 CSV (없어도 됩니다)", "The truth (CSV, optional)"), "compare-truth")
    picked: list[Known] = []
    with sentences({}):
        known = known_submissions(demo_config().submissions)
        if known:
            picked = st.multiselect(
                say("여기에 있는 제출", "Submissions that are here"), known,
                format_func=lambda each: f"{each.path.name} · {task_name(each.task)}", key="compare-known",
                placeholder=say("고르기", "Choose"),
            )  # fmt: skip
    for each in picked:
        files[shown_name(each.path.name, files)] = each.path
    return Chosen(files, truth, picked)


@st.cache_data(show_spinner=False, max_entries=10)
def _read(paths: tuple[Path, ...], contents: tuple[str, ...], task: str | None) -> "tuple[Submissions, pd.DataFrame]":
    """The submissions and their cells that differ, kept by the hashes of the files. Raises InputError."""
    from pipelines.runs.submissions import read_submissions

    submissions = read_submissions(paths, task)
    return submissions, submissions.differing_rows()


def _matching(truth: Path | None, submissions: "Submissions") -> Path | None:
    """A bundled truth, where it is of these ids."""
    from pipelines.runs.submissions import read_truth

    if truth is None:
        return None
    try:
        ids = read_truth(truth, submissions).index
    except InputError:
        return None
    return truth if set(ids) == set(submissions.tables[0].index) else None


def _scores(
    submissions: "Submissions", contents: tuple[str, ...], truth: Path | None, names: Mapping[str, Path]
) -> "Sequence[Sequence[Score]]":
    """The scores of each submission; where they cannot be told that is said, and the comparison goes on."""
    from pipelines.core.submission.writing import content_hash

    if truth is None:
        return []
    try:
        with st.spinner(say("점수를 매기는 중…", "Scoring…")):
            return _scored(tuple(submissions.paths), submissions.task, truth, (*contents, content_hash(truth)))
    except SuiteError as error:
        st.warning(shown(str(error), names), icon=":material/warning:")
        return []


@st.cache_data(show_spinner=False, max_entries=100)
def _scored(
    paths: tuple[Path, ...], task: str | None, truth: Path, contents: tuple[str, ...]
) -> "list[Sequence[Score]]":
    """The scores of each submission, kept by the hashes of all files. Raises SuiteError."""
    from pipelines.runs.compare import evaluated

    return evaluated(paths, task, truth)


def _show_summary(
    submissions: "Submissions",
    labels: Mapping[str, str],
    differing: pd.DataFrame,
    scores: "Sequence[Sequence[Score]]",
) -> None:
    from pipelines.runs.submissions import figures

    count = len(submissions.tables[0])
    st.metric(say("서로 다른 행", "Rows that differ"), f"{len(differing)} / {count}")
    st.markdown("  \n".join(f"**{letter}** {plain(name)}" for letter, name in labels.items()))
    if scores:
        st.dataframe(
            pd.DataFrame(figures(scores), columns=[say("점수", "Score"), *labels, say("계산", "By")]),
            hide_index=True,
            height="content",
        )


def _show_rows(
    submissions: "Submissions",
    labels: Mapping[str, str],
    differing: pd.DataFrame,
    truth: Path | None,
    photos: Mapping[str, Path],
) -> None:
    """A page of the rows that differ: the photo, what each submission says, and the truth."""
    from pipelines.runs.submissions import read_truth

    if differing.empty:
        st.success(say("모든 행이 같습니다.", "All rows are the same."))
        return
    true = read_truth(truth, submissions) if truth else None
    st.subheader(say("서로 다른 행", "Rows that differ"), anchor=False)
    pages = -(-len(differing) // ON_PAGE)
    place = st.empty()
    page = st.pagination(pages, key=f"compare-page-{pages}") if pages > 1 else 1
    with place.container(), st.grid(min_column_width=280, gap="small"):
        for key, row in differing.iloc[ON_PAGE * (page - 1) : ON_PAGE * page].iterrows():
            columns = [str(column) for column in row.index if row[column]]
            named = len(row) > 1
            with st.container(border=True, gap="xsmall"):
                show_photo(str(key), photos)
                lines = [f"**{plain(str(key))}**"]
                if true is not None and key in true.index:
                    lines.append(f":gray[{say('정답', 'Truth')}] {_cells(true.loc[[key]], columns, named)}")
                tables = zip(labels, submissions.tables, strict=True)
                lines += [f":gray[{letter}] {_cells(table.loc[[key]], columns, named)}" for letter, table in tables]
                st.markdown("  \n".join(lines))


def _cells(rows: pd.DataFrame, columns: Sequence[str], named: bool) -> str:
    """What the rows of one id say in the columns that differ, as Markdown."""
    found = {column: " | ".join(rows[column]) or "–" for column in columns if column in rows}
    return plain(", ".join(f"{column} {text}" if named else text for column, text in found.items()))


def _offer_page(
    submissions: "Submissions",
    differing: pd.DataFrame,
    truth: Path | None,
    scores: "Sequence[Sequence[Score]]",
    photos: Mapping[str, Path],
) -> None:
    """A button that makes the page of the comparison when it is pressed: its photos take a while."""
    from pipelines.runs.compare_page import page
    from pipelines.runs.submissions import read_truth

    true = read_truth(truth, submissions) if truth else None
    of_ids = {str(key): photos.get(str(key), Path()) for key in submissions.tables[0].index} if photos else None
    st.download_button(
        say("이 비교를 한 장의 HTML로 받기", "Download this comparison as one HTML page"),
        lambda: page(submissions, differing, true, scores, of_ids).encode(),
        file_name="compare.html", mime="text/html", icon=":material/download:", on_click="ignore", key="compare-html",
    )  # fmt: skip


def _offer_merge(submissions: "Submissions", names: Mapping[str, Path]) -> None:
    """One submission of all of them, to be taken away."""
    from pipelines.runs.merging import merged, write_merged

    st.subheader(say("하나로 합치기", "Merge them"), anchor=False)
    how = st.segmented_control(
        say("방법", "How"), list(MERGES), default="majority", format_func=lambda name: say(*MERGES[name]),
        required=True, key="compare-merge",
        help=say(
            "다수결은 캡션, 개수, 라벨에서 가장 흔한 답을 고르고 점수는 평균합니다. 점수의 범위가 서로 다르면 "
            "순위 평균이 낫습니다.",
            "A majority takes the commonest caption, count or label, and the mean of scores. Where the scores' ranges "
            "differ, use the mean of ranks.",
        ),
    )  # fmt: skip
    with sentences(names):
        path = visitors_folder() / "merged.csv"
        write_merged(path, merged(submissions, how))
        st.download_button(
            say("합친 CSV 받기", "Download the merged CSV"), path.read_bytes(), file_name=f"merged_{how}.csv",
            mime="text/csv", icon=":material/download:", on_click="ignore", key="compare-merged",
        )  # fmt: skip

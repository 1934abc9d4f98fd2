"""The runs of the history as a table, and how the settings of some of them differ."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pipelines.demo.language import say
from pipelines.demo.runs.files import sentences, show_no_history, task_name
from pipelines.demo.settings import demo_config
from pipelines.tasks import TASKS

DEFAULT = "·"
"""What stands for a setting that a run left at its default, or of a file that no run of the history wrote."""
OF_RUN = ("models", "device", "scored_with")
"""Columns of the history that are held side by side with the settings."""


def show_runs() -> None:
    """The runs of a task, the newest first, and below them what differs between those that were chosen."""
    from pipelines.runs.history import read_history

    with sentences({}):
        rows = [row for row in read_history(demo_config().submissions) if row["task"] in TASKS]
        if not rows:
            show_no_history()
            return
        tasks = list(dict.fromkeys(row["task"] for row in rows))
        task = st.segmented_control(
            say("작업", "Task"), tasks, default=tasks[0], format_func=task_name, required=True, key="runs-task"
        )
        of_task = [row for row in reversed(rows) if row["task"] == task]
        event = st.dataframe(
            table(of_task),
            hide_index=True,
            on_select="rerun",
            selection_mode="multi-row",
            column_config=_columns(task),
            placeholder="",
            key=f"runs-{task}",
        )
        chosen = [of_task[place] for place in event["selection"]["rows"]]
        if len(chosen) < 2:
            st.caption(
                say(
                    "열 제목을 누르면 정렬됩니다. 왼쪽 칸에서 둘 이상 고르면 설정을 나란히 봅니다.",
                    "Click a column's title to sort. Tick two rows or more to see their settings side by side.",
                )
            )
        else:
            _show_side_by_side(chosen)


def table(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    """The rows of one task as they are shown: time, file, the scores that any of them has, then what is of the run."""
    from pipelines.runs.history import BACK, FRONT, OF_RUN

    scores = [name for name in rows[0] if name not in FRONT + BACK and any(row[name] for row in rows)]
    numbers = [*scores, "rows", "blanks", "missing", "seconds"]
    found = pd.DataFrame(rows)[["finished_utc", "submission", *scores, *OF_RUN, "settings"]]
    found["finished_utc"] = pd.to_datetime(found["finished_utc"], errors="coerce")
    found["submission"] = found["submission"].str.rpartition("/")[2]
    found[numbers] = found[numbers].apply(pd.to_numeric, errors="coerce")
    return found


def side_by_side(rows: Sequence[dict[str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The settings of runs (setting, run): those that differ, and those that are the same in all."""
    from pipelines.runs.history import settings_of

    runs = [settings_of(row["settings"]) | {name: row[name] for name in OF_RUN if row[name]} for row in rows]
    names = [f"{number}. {row['submission'].rpartition('/')[2]} · {row['finished_utc'][5:16]}"
             for number, row in enumerate(rows, start=1)]  # fmt: skip
    keys = list(dict.fromkeys([*(key for run in runs for key in run if key not in OF_RUN), *OF_RUN]))
    found = pd.DataFrame([[run.get(key, DEFAULT) for run in runs] for key in keys], index=keys, columns=names)
    differs = found.nunique(axis=1) > 1
    return found[differs], found[~differs]


def _show_side_by_side(rows: Sequence[dict[str, str]]) -> None:
    differing, same = side_by_side(rows)
    st.subheader(say("서로 다른 설정", "Settings that differ"), anchor=False)
    if differing.empty:
        st.info(say("고른 실행의 설정이 모두 같습니다.", "All settings of these runs are the same."))
    else:
        st.dataframe(differing, height="content")
        st.caption(say(f"{DEFAULT} 는 기본값, 또는 알 수 없음", f"{DEFAULT} is the default, or not known"))
    with st.expander(say(f"같은 설정 {len(same)}개", f"{len(same)} settings that are the same")):
        st.dataframe(same.iloc[:, :1].set_axis([say("값", "Value")], axis=1))


def _columns(name: str) -> dict[str, Any]:
    """The titles of the columns that are no scores, of runs of the task of that name."""
    column, task = st.column_config, TASKS[name]
    return {
        "finished_utc": column.DatetimeColumn(say("끝난 시각 (UTC)", "Finished (UTC)"), format="YYYY-MM-DD HH:mm"),
        "submission": column.TextColumn(say("파일", "File")),
        "rows": column.NumberColumn(say("행", "Rows")),
        "blanks": column.NumberColumn(
            say("빈 행", "Blanks"),
            help=say(f"읽지 못한 사진: {task.blank[0]}", f"Photos that were not read: {task.blank[1]}"),
        ),
        "missing": column.NumberColumn(
            say("짐작한 행", "Guessed"),
            help=say(f"시간이 다 되어 못 본 사진: {task.fallback[0]}", f"Left out by a deadline: {task.fallback[1]}"),
        ),
        "seconds": column.NumberColumn(say("걸린 시간 (초)", "Seconds")),
        "device": column.TextColumn(say("장치", "Device")),
        "settings": column.TextColumn(say("설정", "Settings"), width="large"),
    }

"""A visitor's submission, checked as `python -m pipelines doctor TASK --submission FILE` checks it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.core.errors import InputError
from pipelines.demo.language import plain, say
from pipelines.demo.runs.files import of_task, sentences, shown, task_name, upload_table
from pipelines.tasks import TASKS

if TYPE_CHECKING:
    from pipelines.core.doctor import Finding


CHECKED = [name for name, task in TASKS.items() if task.command is None]
"""The tasks whose submissions a sample submission describes; rankings have none."""


def show_check() -> None:
    """The widgets, and what is wrong with the submission, errors first."""
    task = st.segmented_control(
        say("작업", "Task"), CHECKED, default="caption", format_func=task_name, required=True, key="check-task"
    )
    st.caption(say(*TASKS[task].help))
    left, right = st.columns(2)
    with left:
        submission = upload_table(say("제출할 CSV", "Your submission (CSV)"), "check-submission")
    with right:
        sample = upload_table(
            say("대회의 sample_submission.csv (없으면 예시의 것)", "The contest's sample_submission.csv (else ours)"),
            "check-sample",
        )
    if submission is None:
        st.caption(
            say(
                "CSV를 올리면 열, 행의 순서와 수, 빈 칸, 인코딩을 확인합니다. 파일은 나가면 지워집니다.",
                "Upload a CSV to have its columns, rows, order, cells and encoding checked. It goes when you do.",
            )
        )
        return
    names = dict(filter(None, (submission, sample)))
    with sentences(names):
        with st.spinner(say("확인하는 중…", "Checking…")):
            findings = examine(task, submission[1], sample[1] if sample else None)
        _show(submission[0], findings, names)


def examine(task: str, submission: Path, sample: Path | None) -> "list[Finding]":
    """What the doctor finds in a submission, errors first, by a sample submission or by the profile's own.

    Raises InputError where there is neither.
    """
    from pipelines.core.images.samples import read_table
    from pipelines.runs.examine import examine_submission

    found, config = of_task(task)
    if sample is not None:
        data = replace(config.data, sample_submission=sample, test_csv=None, id_column=None, columns=None)
        config = found.asked_by(replace(config, data=data), read_table(sample).columns[1:])
    elif config.data.sample_submission is None or not config.data.sample_submission.is_file():
        raise InputError(
            say(
                "비교할 예시가 이 설정에 없습니다. 대회의 sample_submission.csv도 올려 주세요.",
                "These settings name no sample submission; upload the contest's sample_submission.csv too.",
            )
        )
    return sorted(examine_submission(submission, found, config), key=lambda finding: finding.severity)


def _show(name: str, findings: "list[Finding]", names: dict[str, Path]) -> None:
    if not findings:
        st.success(say(f"문제 없음: {plain(name)}", f"No problem: {plain(name)}"), icon=":material/check_circle:")
        return
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    with st.container(horizontal=True, gap="large"):
        st.metric(say("오류", "Errors"), errors, width="content")
        st.metric(say("경고", "Warnings"), warnings, width="content")
    if errors:
        st.caption(say("오류가 있으면 제출이 무효가 됩니다.", "An error makes the submission invalid."))
    for finding in findings:
        if finding.severity == "error":
            st.error(shown(finding.message, names), icon=":material/error:")
        else:
            st.warning(shown(finding.message, names), icon=":material/warning:")

"""Submissions and runs: which settings gave which score, which rows are wrong, is a file valid, how do two differ."""

import streamlit as st

from pipelines.demo.language import say
from pipelines.demo.runs.compare import show_comparison
from pipelines.demo.runs.doctor import show_check
from pipelines.demo.runs.errors import show_errors
from pipelines.demo.runs.history import show_runs

PARTS = {
    "runs": (("실행", "Runs"), show_runs),
    "errors": (("틀린 것 보기", "What is wrong"), show_errors),
    "check": (("제출 확인", "Check"), show_check),
    "compare": (("두 제출 비교", "Compare"), show_comparison),
}
"""Part of the page -> what it is called, and what shows it."""
KEY = "part"
"""Of the session state, and of the address."""


def page() -> None:
    """One of the parts at a time, so that the others cost nothing; the address says which one."""
    if KEY not in st.session_state:
        asked = st.query_params.get(KEY)
        st.session_state[KEY] = asked if asked in PARTS else next(iter(PARTS))
    st.segmented_control(
        say("보기", "Part"), list(PARTS), format_func=lambda name: say(*PARTS[name][0]), required=True,
        label_visibility="collapsed", key=KEY,
    )  # fmt: skip
    part: str = st.session_state[KEY]
    st.query_params[KEY] = part
    with st.spinner(say("여는 중…", "Opening…")):
        import pipelines.runs.compare_page
        import pipelines.runs.examine
        import pipelines.runs.history  # noqa: F401 - they import torch, which takes seconds the first time
    PARTS[part][1]()

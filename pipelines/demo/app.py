"""The demo: its pages in order, and what they share above their own widgets."""

from pathlib import Path

import streamlit as st

from pipelines.demo import anomaly_page, captions_page, detect_page, runs_page, search_page, status_page
from pipelines.demo.language import choose_language, say
from pipelines.demo.serving import libraries, warm_up

# A Material icon here would make each visitor's browser ask Google for it.
ICON = Path(__file__).parent / "icon.svg"


def main() -> None:
    """Runs the page that the address names."""
    st.set_page_config(page_title="Vision challenge suite", page_icon=ICON, layout="wide")
    st.html("<style>.stMainBlockContainer { padding-top: 4.5rem; }</style>")  # not a third of a phone
    top = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    heading = top.container(width="content")
    with top:
        choose_language()  # before anything is said: the address may name the language
    pages = [
        st.Page(captions_page.page, title=say("캡션", "Captions"), icon=":material/subtitles:", url_path="caption",
                default=True),
        st.Page(detect_page.page, title=say("찾고 세기", "Find and count"), icon=":material/frame_inspect:",
                url_path="detect"),
        st.Page(anomaly_page.page, title=say("이상 탐지", "Anomalies"), icon=":material/troubleshoot:",
                url_path="anomaly"),
        st.Page(search_page.page, title=say("사진 검색", "Photo search"), icon=":material/image_search:",
                url_path="search"),
        st.Page(runs_page.page, title=say("제출과 실행", "Submissions and runs"), icon=":material/leaderboard:",
                url_path="runs"),
        st.Page(status_page.page, title=say("상태", "Status"), icon=":material/monitor_heart:", url_path="status"),
    ]  # fmt: skip
    page = st.navigation(pages, position="top")
    heading.title(page.title, anchor=False, width="content")
    if page.url_path:  # the first page shows its widgets before anything heavy is there
        with st.spinner(say("여는 중…", "Opening…")):
            libraries(page.url_path)
    page.run()
    _warm()


@st.cache_resource(show_spinner=False)
def _warm() -> None:
    """Once, after the first page of the first visitor is there."""
    warm_up()

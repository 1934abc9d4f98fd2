"""The demo: its pages in order, and what they share above their own widgets."""

from importlib import import_module
from pathlib import Path

import streamlit as st

from pipelines.demo.language import choose_language, say
from pipelines.demo.serving import first_page, libraries, warm_up
from pipelines.tasks import TASKS

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
        _page("caption.page", "", say(*TASKS["caption"].title), "subtitles"),
        _page("detect.page", "detect", say(*TASKS["detect"].title), "frame_inspect"),
        _page("anomaly.page", "anomaly", say(*TASKS["anomaly"].title), "troubleshoot"),
        _page("search.page", "search", say(*TASKS["search"].title), "image_search"),
        _page("runs.page", "runs", say("제출과 실행", "Submissions and runs"), "leaderboard"),
        _page("status_page", "status", say("상태", "Status"), "monitor_heart"),
    ]
    page = st.navigation(pages, position="top")
    heading.title(page.title, anchor=False, width="content")
    if page.url_path:  # the first page shows its widgets before anything heavy is there
        with st.spinner(say("여는 중…", "Opening…")):
            libraries(page.url_path)
    page.run()
    first_page.set()
    warm_up()


def _page(module: str, address: str, title: str, icon: str) -> st.Page:
    """A page whose module is imported when it is shown; an empty address is the first page's."""

    def run() -> None:
        import_module(f"pipelines.demo.{module}").page()

    return st.Page(run, title=title, icon=f":material/{icon}:", url_path=address or "caption", default=not address)

"""Shows work that takes a while: how far it is, a button that ends it, and what went wrong in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipelines.core.errors import SuiteError
from pipelines.demo import serving
from pipelines.demo.language import plain, say

if TYPE_CHECKING:
    from pipelines.core.images.samples import Sample
    from pipelines.core.running.batch_model import Outcome
    from pipelines.core.running.runner import Runner

STAGES = {
    "caption": ("사진을 설명하는 중", "Captioning"),
    "translate": ("번역하는 중", "Translating"),
    "detect": ("찾는 중", "Looking"),
    "score": ("점수를 매기는 중", "Scoring"),
    "photos": ("사진을 읽는 중", "Reading photos"),
    "queries": ("질문을 읽는 중", "Reading the query"),
}
"""What the Runner's stages are called here."""


@contextmanager
def working(key: str) -> Iterator["Runner"]:
    """A Runner whose progress is shown here, with a button that ends the work; a SuiteError becomes a sentence.

    Streamlit runs the page anew when the button is pressed, which ends the script at the next look at the progress,
    and with it what was asked of the networks. What the body has put into the session state until then stays.
    """
    place = st.empty()
    with place.container(key=f"working-{key}"):
        bar = st.progress(0.0, say("모델을 여는 중…", "Opening the models…"))
        st.button(say("중지", "Stop"), icon=":material/stop_circle:", key=f"stop-{key}")

    def watch(stage: str, done: int, total: int | None) -> None:
        bar.progress(done / total if total else 0.0, f"{stage_name(stage)} · {done}/{total or '?'}")

    try:
        yield serving.runner(watch)
    except SuiteError as error:
        st.error(plain(str(error)), icon=":material/error:")
    place.empty()


def stage_name(stage: str) -> str:
    """What a stage of the Runner is called here; fitting names its own by category."""
    return say(*STAGES.get(stage, ("정상 사진을 배우는 중", "Learning the normal photos")))


def show_refused(reasons: dict[str, str], title: str) -> None:
    """Lists what was left out, each with its reason; nothing where nothing was."""
    if reasons:
        lines = "\n".join(f"- **{plain(name)}**: {plain(reason)}" for name, reason in reasons.items())
        st.warning(f"{title}\n\n{lines}", icon=":material/image_not_supported:")


def reason_of(outcome: "Outcome[Sample, Any]") -> str:
    """Why an outcome has no result, with the picture's name in place of where it is kept."""
    return outcome.error.replace(str(outcome.item.path), outcome.item.id)

"""Says everything in the visitor's language: Korean, or English where it was chosen."""

import re
import unicodedata

import streamlit as st

LANGUAGES = {"ko": "한국어", "en": "English"}
KEY = "lang"
MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@/^=])")


def say(korean: str, english: str) -> str:
    """The one of the two that the visitor reads."""
    return english if st.session_state.get(KEY) == "en" else korean


def choose_language() -> None:
    """The switch; the address bar keeps what was chosen, as `?lang=English`."""
    st.segmented_control(
        say("언어", "Language"), list(LANGUAGES), format_func=LANGUAGES.__getitem__, default="ko", key=KEY,
        label_visibility="collapsed", bind="query-params", required=True,
    )  # fmt: skip


def plain(text: str) -> str:
    """Text of unknown origin, such as a file's name, as Markdown that shows just that, on one line."""
    visible = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in text)
    return MARKS.sub(r"\\\1", visible)

"""The search page's query, which is kept in the address bar, and what its widgets do to it."""

import streamlit as st

from pipelines.demo.search.texts import joined

ALBUM, WORDS, WHERE, WEIGHT, ALL, PAGE = "album", "words", "where", "weight", "all", "page"
"""Widgets, each of the name that it has in the address bar."""
LIKE = "like"
"""In the address bar: the id of the photo that others are to look like."""
PUT_AWAY = "search-put-away"
"""Session state: how many uploaded pictures were put away, which names their widget."""


def first_page() -> None:
    """A new answer is looked at from its beginning."""
    if st.session_state.get(PAGE, 1) != 1:
        st.session_state[PAGE] = 1


def other_album() -> None:
    """A photo of the one is none of the other."""
    st.query_params.pop(LIKE, None)
    first_page()


def ask_words(words: str) -> None:
    """An example instead of what was typed."""
    st.session_state[WORDS] = words
    first_page()


def add_condition(condition: str) -> None:
    """One more condition."""
    st.session_state[WHERE] = joined(st.session_state.get(WHERE) or "", condition)
    first_page()


def put_photo_away() -> None:
    """No photo is searched by any more."""
    st.query_params.pop(LIKE, None)
    st.session_state[PUT_AWAY] = st.session_state.get(PUT_AWAY, 0) + 1
    first_page()


def ask_like(key: str) -> None:
    """More like a photo of the album: without words, whoever wants them too adds them."""
    put_photo_away()
    st.query_params[LIKE] = key
    st.session_state[WORDS] = ""

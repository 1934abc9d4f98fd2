import pytest
import streamlit as st

from pipelines.demo.language import KEY, plain, say


@pytest.mark.parametrize(("language", "said"), [(None, "가"), ("ko", "가"), ("en", "a")])
def test_everything_is_said_in_the_visitors_language(language, said):
    try:
        st.session_state[KEY] = language
        assert say("가", "a") == said
    finally:
        del st.session_state[KEY]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("강아지 1", "강아지 1"),
        ("**bold** [x](y) <b>", r"\*\*bold\*\* \[x\]\(y\) \<b\>"),
        ("a_b.jpg", r"a\_b\.jpg"),
        (":red[x] $y$", r"\:red\[x\] \$y\$"),
        ("two\nlines\x00", "two lines "),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_text_from_outside_shows_as_it_is(text, shown):
    assert plain(text) == shown

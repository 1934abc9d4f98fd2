"""The documents show what was measured."""

import pytest

from benchmarks.tables import BEGIN, DOCUMENTS, END, RESULTS, filled


def test_figures_go_between_the_marks_again_and_again():
    document = f"# Title\n\n{BEGIN}{END}\nMore.\n"
    once = filled(document, "| a |\n")
    assert once == f"# Title\n\n{BEGIN}| a |\n{END}\nMore.\n"
    assert filled(once, "| b |\n") == once.replace("a |", "b |")


@pytest.mark.parametrize("document", ["", BEGIN, END, END + BEGIN])
def test_a_document_without_marks(document):
    with pytest.raises(ValueError, match="expected a line '<!-- figures"):
        filled(document, "| a |\n")


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_documents_show_the_figures_that_were_measured(path):
    text = path.read_text(encoding="utf-8")
    assert filled(text, DOCUMENTS[path](RESULTS)) == text

"""English phrases lose what frames their thing, and their plural."""

import pytest

from pipelines.core.words.english import read, singular
from pipelines.core.words.lexicon import read_lexicon

KNOWN = read_lexicon().english


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("dogs", "dog"),
        ("dog", "dog"),
        ("buses", "bus"),
        ("bus", "bus"),
        ("gizmos", "gizmo"),
        ("gizmo boxes", "gizmo box"),
        ("policemen", "policeman"),
        ("cups of coffee", "cup of coffee"),
        ("solder bridges", "solder bridge"),
        ("glasses", "glasses"),
        ("tennis", "tennis"),
        ("grass", "grass"),
        ("cactus", "cactus"),
    ],
)
def test_singular(many, one):
    assert singular(many, KNOWN.__contains__) == one


@pytest.mark.parametrize(
    ("text", "things", "left_out"),
    [
        ("small running dog", ("small running dog",), ()),
        ("how many of the apples are green", ("apple",), ("are green",)),
        ("no parking sign", ("no parking sign",), ()),
        ("where is the dog", (), ("is the dog",)),
        ("in the park", (), ()),
        ("two pairs of shoes", ("shoe",), ()),
    ],
)
def test_read(text, things, left_out):
    reading = read(text, KNOWN.__contains__, {"small"}.__contains__)
    assert (reading.things, reading.left_out) == (things, left_out)

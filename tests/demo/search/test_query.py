from datetime import datetime

import pytest
from PIL import ExifTags, Image

from pipelines.core.errors import InputError
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.demo.search.query import Found, Query, answer, facts
from pipelines.search.album.album import open_album
from pipelines.search.album.indexing import index
from pipelines.search.album.nearest import Match
from pipelines.search.query.asking import Asking
from pipelines.search.settings import SearchConfig

QUIET = RunnerConfig(device="cpu", batch=4, progress=False)


def draw(path, colour, taken=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = Image.Exif()
    if taken:
        tags[ExifTags.Base.DateTime] = taken.strftime("%Y:%m:%d %H:%M:%S")
    Image.new("RGB", (60, 40), colour).save(path, exif=tags)


@pytest.fixture
def config(tmp_path):
    draw(tmp_path / "photos" / "a.jpg", "red")
    draw(tmp_path / "photos" / "여행" / "부산" / "b.jpg", "blue")
    draw(tmp_path / "photos" / "집" / "c.jpg", "white")
    config = SearchConfig("mini/weights/clip", albums=tmp_path / "albums", runner=QUIET, fold=None)
    index(tmp_path / "photos", config)
    return config


@pytest.fixture
def album(config):
    return open_album(config.albums / "photos")


@pytest.fixture
def asking(album, config):
    return Asking(album, config, Runner(QUIET))


def test_facts_are_what_a_choice_can_be_made_by(album, tmp_path, config):
    found = facts(album)
    assert (found.photos, found.captioned, found.counted, found.kinds, found.dated) == (3, 0, 0, [], False)
    assert found.folders == ["여행", "여행/부산", "집"]
    draw(tmp_path / "photos" / "d.jpg", "green", datetime(2024, 5, 1))
    index(tmp_path / "photos", config)
    album.note([{"id": "a.jpg", "caption": "빨강"}, {"id": "d.jpg", "caption": "초록"}])
    album.note([{"id": "a.jpg", "counts": '{"개": 0, "dog": 0}'}])
    found = facts(album)
    assert (found.photos, found.captioned, found.counted, found.kinds, found.dated) == (4, 2, 1, ["dog", "개"], True)


def test_without_a_question_photos_come_by_name_and_have_no_scores(asking):
    found = answer(asking, Query())
    assert [match.id for match in found.matches] == ["a.jpg", "여행/부산/b.jpg", "집/c.jpg"] and not found.scored
    assert [match.id for match in answer(asking, Query(where="colour = 파랑")).matches] == ["여행/부산/b.jpg"]
    with pytest.raises(InputError, match="expected a comparison"):
        answer(asking, Query(where="colour"))


def test_a_photo_is_looked_for_in_the_album_and_nowhere_else(asking, tmp_path, monkeypatch):
    found = answer(asking, Query(like="여행/부산/b.jpg"))
    assert {match.id for match in found.matches} == {"a.jpg", "집/c.jpg"} and found.scored
    other = tmp_path / "elsewhere" / "a.jpg"
    draw(other, "white")
    with pytest.raises(InputError, match="expected a photo of the album photos"):
        answer(asking, Query(like=str(other)))
    monkeypatch.chdir(other.parent)  # where the id of a photo is another file's path
    assert "a.jpg" not in {match.id for match in answer(asking, Query(like="a.jpg")).matches}
    assert answer(asking, Query(upload=other)).matches[0].id == "집/c.jpg"


def test_what_does_not_fit_is_shown_on_request():
    found = Found([Match("a", 0.9), Match("b", 0.2), Match("c", 0.8)], scored=True, below=frozenset("b"))
    assert [match.id for match in found.shown(all_shown=False)] == ["a", "c"]
    assert [match.id for match in found.shown(all_shown=True)] == ["a", "b", "c"]

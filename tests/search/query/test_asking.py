"""An album is asked by words, by its own photos and by any other file."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.core.config import TranslationConfig
from pipelines.core.errors import ImageError, InputError
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.search.album.album import About, make_album
from pipelines.search.album.nearest import Match
from pipelines.search.query.asking import Asking, as_json, as_table, find_album
from pipelines.search.settings import SearchConfig
from tests import tiny
from tests.search.album.test_album import row
from tests.search.conftest import QUIET, draw


@pytest.fixture
def asking(made_once, siglip_folder):
    config = SearchConfig(str(siglip_folder), albums=made_once / "albums", runner=QUIET)
    return Asking(find_album(config), config)


def test_words_find_the_photos_whose_vectors_are_nearest(asking, siglip_folder):
    found = asking.ask("강아지 두 마리", None, 4)
    vectors = asking.album.vectors()
    (outcome,) = Runner(QUIET).run(load_clip(siglip_folder)[1], ["강아지 두 마리"])
    scores = vectors.matrix.float() @ outcome.result
    expected = sorted(zip(scores.tolist(), vectors.ids, strict=True), reverse=True)[:4]
    assert [(match.score, match.id) for match in found] == [
        (pytest.approx(score, abs=1e-5), key) for score, key in expected
    ]


def test_a_photo_of_the_album_finds_others_by_id_or_path(asking, made_once):
    by_id = asking.ask(None, "여행/1.png", 10)
    assert by_id == asking.ask(None, str(made_once / "photos" / "여행" / "1.png"), 10)
    assert len(by_id) == 5 and "여행/1.png" not in {match.id for match in by_id}
    assert len(asking.ask(None, "여행/1.png", 2)) == 2


def test_any_other_file_finds_what_is_like_it(asking, tmp_path):
    copy = draw(tmp_path / "0.png", 3)
    first, *others = asking.ask(None, str(copy), 10)
    assert first.id == "여행/3.png" and first.score == pytest.approx(1, abs=1e-3) and len(others) == 5


def test_a_condition_narrows_both(asking):
    where = "folder = 여행"
    assert {match.id for match in asking.ask("cats", None, 10, where)} == {"여행/1.png", "여행/3.png", "여행/5.png"}
    assert {match.id for match in asking.ask(None, "여행/1.png", 10, where)} == {"여행/3.png", "여행/5.png"}


def test_what_is_no_photo_is_refused(asking, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="expected a picture"):
        asking.ask(None, str(tmp_path / "a.jpg"), 3)
    with pytest.raises(ImageError, match="expected a photo of the album or a file at nothing"):
        asking.ask(None, "nothing.jpg", 3)


def test_another_checkpoint_is_refused(asking, clip_folder):
    with pytest.raises(InputError, match="say --checkpoint"):
        Asking(asking.album, SearchConfig(str(clip_folder), runner=QUIET))


@pytest.mark.parametrize(
    ("album", "names", "message"),
    [
        (None, [], "expected one album in .*, found none; make one"),
        (None, ["a", "b"], "found a, b; say which with --album"),
        ("c", ["a"], "expected an album at .*c, found none; there are: a"),
    ],
)
def test_which_album_is_asked(made_once, tmp_path, config, album, names, message):
    for name in names:
        (tmp_path / "albums" / name).mkdir(parents=True)
        (tmp_path / "albums" / name / "photos.lance").symlink_to(made_once / "albums" / "photos" / "photos.lance")
    with pytest.raises(InputError, match=message):
        find_album(replace(config, album=album))


def test_the_only_album_needs_no_name(made_once, config):
    assert len(find_album(replace(config, albums=made_once / "albums"))) == 6


def test_json_has_paths_and_scores(asking, made_once):
    (row,) = json.loads(as_json(asking.ask("cats", None, 1), asking.album))
    assert set(row) == {"path", "id", "score"} and Path(row["path"]) == made_once / "photos" / row["id"]


def test_a_file_that_a_mac_named_is_shown_by_its_own_name(tmp_path):
    file = draw(tmp_path / unicodedata.normalize("NFD", "바다.png"), 0)
    album = make_album(tmp_path / "album", 4, About(str(tmp_path), "some/clip", "abc"))
    album.put([row("바다.png")], [])
    (found,) = json.loads(as_json([Match("바다.png", 0.5)], album))
    assert found["path"] == str(file) and found["id"] == "바다.png"
    assert as_table([Match("바다.png", 0.5)], album, None)[1:] == [["0.500", str(file)]]


def test_what_does_not_fit_is_marked(asking):
    matches = [Match("0.png", 0.5), Match("2.png", 0.1)]
    assert [row.get("match") for row in json.loads(as_json(matches, asking.album, (), {"2.png"}))] == [None, False]
    header, *rows = as_table(matches, asking.album, None, (), {"2.png"})
    assert header == ["score", "photo", "match"] and [row[-1] for row in rows] == ["", "no"]


@pytest.mark.parametrize(("model", "known"), [(None, True), ("abc", False), ("own", True)])
def test_a_cutoff_is_that_of_one_model(made_once, siglip_folder, model, known):
    model = checkpoints.fingerprint(siglip_folder) if model == "own" else model
    settings = {"albums": made_once / "albums", "runner": QUIET, "cutoff": 1.0, "cutoff_model": model}
    config = SearchConfig(str(siglip_folder), **settings)
    search = Asking(find_album(config), config)
    found = search.fit(search.take_apart("강아지"), search.ask("강아지", None, 3))
    assert (found is not None) is known
    if found is not None:
        assert len(found.below) == 3 and found.best == pytest.approx(search.ask("강아지", None, 1)[0].score, abs=1e-5)
    assert search.fit(search.take_apart("강아지"), []) is None


def test_a_judge_of_little_korean_is_asked_in_english(made_once, siglip_folder, nllb_folder, tmp_path):
    judge = str(tiny.blip_itm(tmp_path / "itm"))
    config = SearchConfig(
        str(siglip_folder), albums=made_once / "albums", runner=QUIET, rerank="itm", rerank_checkpoint=judge,
        translation=TranslationConfig(str(nllb_folder)),
    )  # fmt: skip
    search = Asking(find_album(config), config)
    matches = search.ask("강아지", None, 6)
    found = search.reranked("강아지", matches)
    assert found.text == search.queries.english["강아지"] and list(search.queries.english) == ["강아지"]
    assert found.failed == {} and {match.id for match in found.matches} == {match.id for match in matches}
    assert [match.judged for match in found.matches] == sorted((match.judged for match in found.matches), reverse=True)
    assert search.reranked("dogs", matches).text == "dogs"
    assert json.loads(as_json(found.matches[:1], search.album))[0]["judged"] == round(found.matches[0].judged, 6)

import csv
import json
import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pipelines.core.config import load_config
from pipelines.search.album.album import open_album, writing
from pipelines.search.album.indexing import index
from pipelines.search.settings import SearchConfig
from tests.demo.conftest import HEADER, ROOT, press

SAMPLES = ROOT / "samples" / "search"
CONFIG = ROOT / "configs" / "mini" / "search.yaml"
ALBUM = Path("albums/mini/images")


def truth():
    with (SAMPLES / "truth.csv").open(encoding="utf-8-sig") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


DOGS = [name for name, row in truth().items() if "강아지" in row["caption"]]
PHOTOS = [*DOGS, *list(truth())[:30]]
"""Two pages of them."""


def make_place(folder):
    """The demo's surroundings: the bundled models and some of the bundled photos."""
    (folder / "samples" / "search" / "images").mkdir(parents=True)
    for name in PHOTOS:
        shutil.copy(SAMPLES / "images" / name, folder / "samples" / "search" / "images")
    for name in ("configs", "mini"):
        (folder / name).symlink_to(ROOT / name)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """An album of the photos, with captions and counts for those of dogs, not to be touched."""
    root = tmp_path_factory.mktemp("demo")
    settings = {"checkpoint": str(ROOT / "mini/weights/clip"), "albums": str(root), "runner.progress": False}
    make_place(root / "place")
    index(root / "place/samples/search/images", load_config(CONFIG, SearchConfig, settings))
    album = open_album(root / "images")
    rows = [truth()[name] for name in DOGS]
    album.note([{"id": row["image"], "caption": row["caption"], "caption_english": row["english"]} for row in rows])
    album.note(
        [{"id": row["image"], "counts": json.dumps(dict.fromkeys(["강아지", "dog"], dogs(row)))} for row in rows]
    )
    return root


def dogs(row):
    numbers = {"한": 1, "두": 2, "다섯": 5}
    return numbers[row["caption"].split("강아지 ")[1].split()[0]]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Where no album is yet."""
    make_place(tmp_path)
    monkeypatch.chdir(tmp_path)
    st.cache_data.clear()
    return tmp_path


@pytest.fixture
def place(empty, made_once):
    shutil.copytree(made_once / "images", empty / ALBUM)
    return empty


def only_this_page():
    from pipelines.demo.search.page import page

    page()


def visit(**query):
    """The page as somebody finds it who follows a link."""
    app = AppTest.from_function(only_this_page, default_timeout=300)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def shown(app):
    """The ids of the photos on the page, in order."""
    return [button.key.removeprefix("like-") for button in app.button if (button.key or "").startswith("like-")]


def said(app):
    kinds = (app.markdown, app.caption, app.info, app.error, app.success, app.warning)
    return "\n".join(element.value for elements in kinds for element in elements)


def test_the_first_visitor_makes_an_album_of_the_samples_in_one_click(empty):
    images = empty / "samples" / "search" / "images"
    shutil.copy(images / DOGS[0], images / "scene_copy.jpg")
    app = visit()
    assert "아직 앨범이 없습니다" in said(app) and not shown(app)
    press(app, "예시 사진으로 앨범 만들기")
    assert not app.exception and not app.error
    assert len(open_album(ALBUM)) == len(PHOTOS) + 1
    assert f"앨범에 사진이 {len(PHOTOS) + 1}장 있습니다" in said(app)
    assert shown(app) == sorted(PHOTOS)[:24]
    press(app, "강아지")
    assert app.text_input(key="words").value == "강아지"
    assert set(shown(app)[:4]) <= set(DOGS)
    assert "앨범에 사진이" not in said(app)  # that was said before
    copies = {DOGS[0], "scene_copy.jpg"}
    assert len(copies & set(shown(app))) == 1 and "badge[+1]" in said(app)
    app.button(key=f"large-{(copies & set(shown(app))).pop()}").click().run()
    assert "거의 같은 사진 1장" in said(app)


def test_words_find_photos_and_say_what_was_asked_and_why(place):
    app = visit(words="강아지")
    assert set(shown(app)) == set(DOGS)  # the others are below the cutoff
    assert "강아지 → dog" in said(app)
    assert f"맞는 사진 {len(DOGS)}장" in said(app)
    assert ":primary-background[강아지] 두 마리와 고양이 네 마리" in said(app)
    assert "강아지 5" in said(app)
    app.toggle(key="all").set_value(True).run()
    assert len(shown(app)) == 24 and len(app.pagination) == 1
    first = shown(app)
    app.pagination(key="page").set_value(2).run()
    assert len(shown(app)) == len(PHOTOS) - 24 and not set(shown(app)) & set(first)
    app.text_input(key="words").set_value("나무").run()
    assert app.pagination(key="page").value == 1  # another answer begins at its first page


def test_a_query_that_no_photo_matches_is_said_plainly(place):
    app = visit(words="giraffe", where="year = 2024")
    assert "조건에 맞는 사진이 없습니다" in said(app) and not shown(app)
    app = visit(words="a red sofa")
    assert "맞는 사진이 없습니다" in app.info[0].value and not shown(app)


def test_more_like_a_photo_in_one_click_and_with_words(place):
    app = visit(words="강아지")
    liked = shown(app)[0]
    app.button(key=f"like-{liked}").click().run()
    assert app.query_params["like"] == liked
    assert app.text_input(key="words").value == ""
    assert liked not in shown(app) and len(shown(app)) == 24
    app.text_input(key="words").set_value("코끼리").run()
    app.slider(key="weight").set_value(95).run()
    assert "강아지" in truth()[shown(app)[0]]["caption"]
    app.slider(key="weight").set_value(5).run()
    assert "코끼리" in truth()[shown(app)[0]]["caption"]
    press(app, "사진 빼기")
    assert "like" not in app.query_params and not app.slider


def test_a_link_opens_as_it_was_shared(place):
    app = visit(album="images", words="고양이 -강아지", where="not 강아지 >= 1", all="true", page="2")
    assert app.pagination(key="page").value == 2
    assert len(shown(app)) == len(PHOTOS) - len(DOGS) - 24
    assert not set(shown(app)) & set(DOGS)
    assert "고양이 → " in said(app) and "강아지 → dog" in said(app)


def test_conditions_alone_choose_photos_and_widgets_write_them(place):
    app = visit(where="강아지 = 2")
    two = sorted(name for name in DOGS if dogs(truth()[name]) == 2)
    assert shown(app) == two
    app.number_input[0].set_value(5).run()
    app.button(key="add-count").click().run()
    assert app.text_input(key="where").value == "강아지 = 2 and 강아지 >= 5"
    assert "조건에 맞는 사진이 없습니다" in said(app)


def test_a_number_in_words_offers_the_condition(place):
    app = visit(words="강아지 다섯 마리")
    press(app, "그 사진만 보기")
    assert app.text_input(key="where").value == "강아지 = 5"
    assert shown(app) == [name for name in DOGS if dogs(truth()[name]) == 5]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"where": "강아지 >> 2"}, "expected a number"),
        ({"where": "year = 2024 and"}, "expected a name"),
        ({"words": '"강아지'}, "expected quotes"),
        ({"words": "-강아지"}, "only what not"),
        ({"like": "nothing.jpg"}, "expected a photo of the album"),
        ({"like": str(SAMPLES / "images" / DOGS[0])}, "expected a photo of the album"),  # not for strangers to name
        ({"like": "a\0'b"}, "expected a photo of the album"),
    ],
)
def test_mistakes_are_said_in_a_sentence(place, query, sentence):
    app = visit(**query)
    assert sentence in app.error[0].value.replace("\\", "") and not shown(app)


def test_a_picture_of_the_visitors_finds_its_like(place):
    app = visit()
    picture = SAMPLES / "images" / DOGS[0]
    uploader = next(each for each in app.file_uploader if each.key == "upload-search-0")
    uploader.set_value(("내 개.jpg", picture.read_bytes(), "image/jpeg")).run()
    assert shown(app)[0] == DOGS[0]
    assert "올린 사진과 비슷한 사진" in said(app)
    press(app, "사진 빼기")
    assert shown(app) == sorted(PHOTOS)[:24]


def test_a_large_view_says_what_is_known(place):
    app = visit(words="강아지")
    first = shown(app)[0]
    app.button(key=f"large-{first}").click().run()
    assert not app.exception
    assert "160 × 160" in said(app) and truth()[first]["english"] in said(app)


def test_strangers_make_albums_of_their_own_photos_only(place, monkeypatch):
    monkeypatch.setenv("SUITE_PUBLIC", "1")
    app = visit()
    labels = {button.label for button in app.button}
    assert not {"앨범으로 만들기", "캡션과 개수 넣기", "폴더에서 바뀐 것 반영"} & labels
    files = [(f"../{name}", (SAMPLES / "images" / name).read_bytes(), "image/jpeg") for name in DOGS[:2]]
    uploader = next(each for each in app.file_uploader if each.key != "upload-search-0")
    half = ("half.jpg", files[0][1][:HEADER], "image/jpeg")
    uploader.set_value([*files, ("note.jpg", b"hello", "image/jpeg"), half])
    press(app, "올린 사진 넣기")
    assert not app.exception
    assert app.selectbox(key="album").value == "내 사진"
    assert shown(app) == DOGS[:2]
    assert "note\\.jpg" in app.warning[0].value and "half\\.jpg" in app.warning[0].value
    assert "vision-demo" not in app.warning[0].value.replace("\\", "")  # where it is kept is nobody's business
    press(app, "캡션과 개수 넣기")
    assert not app.exception and not app.error
    assert "캡션을 2장에, 개수를 2장에" in said(app)
    assert any(f"강아지 {dogs(truth()[name])}" in said(app) for name in DOGS[:2])
    (path, _, _), _ = app.session_state["search-found"]
    shutil.rmtree(path)  # all visitors of a test are one, and the next begins without


def test_an_album_that_somebody_else_writes_can_be_searched(place):
    with writing(ALBUM):
        app = visit(words="강아지")
        assert set(shown(app)) == set(DOGS)
        press(app, "폴더에서 바뀐 것 반영")
        assert not app.exception
        assert "another process does; wait for it" in app.error[0].value


def test_an_album_that_cannot_be_read_is_said_in_a_sentence(place):
    shutil.rmtree(ALBUM / "photos.lance" / "_versions")
    app = visit()
    assert "이 앨범은 이제 없습니다" in said(app) and not shown(app)

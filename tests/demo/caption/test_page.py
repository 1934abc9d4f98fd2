import csv
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.demo.conftest import HEADER, ROOT, press

SAMPLES = Path("samples/caption")
EDITED = "captions-1"


def photo(name, called=None):
    return (called or name, (SAMPLES / "images" / name).read_bytes(), "image/jpeg")


def truth():
    with (SAMPLES / "truth.csv").open(encoding="utf-8-sig") as file:
        return {row["image"]: row["caption"] for row in csv.DictReader(file)}


def captions(app):
    """File -> caption, as the table has them."""
    table = app.data_editor[0].value
    return dict(zip(table["image"], table["caption"], strict=True))


def test_the_first_page_shows_samples_and_captions_them(app):
    assert not app.exception
    assert [title.value for title in app.title] == ["캡션"]
    assert len(app.image) == 8
    assert not app.data_editor
    press(app, "설명 만들기")
    assert not app.exception and not app.error and not app.warning
    said = captions(app)
    assert len(said) == 8
    assert sum(truth()[name] == text for name, text in said.items()) >= 6  # 97 of 100 are, of all samples
    assert app.data_editor[0].value["english"].str.contains(" ").all()
    assert app.data_editor[0].value["photo"].str.startswith("data:image/jpeg;base64,").all()
    assert [button.label for button in app.download_button] == ["CSV 받기"]


def test_uploads_are_captioned_and_what_is_no_picture_is_told(app):
    files = [photo("scene_003.jpg", "../../밤 산책.jpg"), ("note.png", b"hello", "image/png"), photo("scene_000.jpg")]
    broken = ("half.jpg", photo("scene_001.jpg")[1][:HEADER], "image/jpeg")
    app.file_uploader[0].set_value([*files, broken]).run()
    assert "note\\.png" in app.warning[0].value and "내용이 사진" in app.warning[0].value
    press(app, "설명 만들기")
    assert not app.exception
    assert captions(app) == {"밤 산책.jpg": truth()["scene_003.jpg"], "scene_000.jpg": truth()["scene_000.jpg"]}
    assert "half\\.jpg" in app.warning[1].value  # whole by its header only
    assert "vision-demo" not in app.warning[1].value  # where it is kept is nobody's business


def test_five_hundred_files_are_refused_in_a_sentence(app):
    app.file_uploader[0].set_value([photo("scene_000.jpg")] * 500).run()
    assert not app.exception
    assert "100장까지" in app.warning[0].value
    assert next(button for button in app.button if button.label == "설명 만들기").disabled


def test_endings_and_the_language_change_without_the_model(app):
    press(app, "설명 만들기")
    first = captions(app)
    app.session_state["captions"] = [
        (sample, type(caption)(caption.english, "개가 달린다.")) for sample, caption in app.session_state["captions"]
    ]
    app.segmented_control[1].set_value("습니다").run()
    assert set(captions(app).values()) == {"개가 달립니다."}
    assert captions(app).keys() == first.keys()
    app.segmented_control(key="lang").set_value("en").run()
    assert [title.value for title in app.title] == ["Captions"]


def test_a_shared_address_opens_in_its_language():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"))
    app.query_params["lang"] = "English"  # as the switch writes it
    assert [title.value for title in app.run().title] == ["Captions"]


def test_a_corrected_caption_stays_while_other_widgets_are_used(app):
    press(app, "설명 만들기")
    app.session_state[EDITED] = {"edited_rows": {0: {"caption": "고친 설명"}}, "added_rows": [], "deleted_rows": []}
    app.slider[0].set_value(1)
    app.segmented_control[1].set_value("다").run()
    assert app.session_state[EDITED]["edited_rows"] == {0: {"caption": "고친 설명"}}

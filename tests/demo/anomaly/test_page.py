import shutil

import pytest

from tests.demo.conftest import HEADER, ROOT, page_app, press

BUNDLED = ROOT / "samples/anomaly"
START = "이상 찾기"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The demo on two small categories; nothing is fitted yet."""
    monkeypatch.chdir(ROOT)
    for category in ("weave", "leather"):
        for kind, count in (("train/good", 6), ("test/good", 2), ("test/hole", 2)):
            (tmp_path / "samples/anomaly" / category / kind).mkdir(parents=True)
            for number in range(count):
                name = f"{category}/{kind}/{number:03}.jpg"
                shutil.copy(BUNDLED / name, tmp_path / "samples/anomaly" / name)
    settings = (ROOT / "configs/mini/demo.yaml").read_text()
    changed = settings.replace("samples: samples ", f"samples: {tmp_path}/samples ")
    (tmp_path / "demo.yaml").write_text(changed.replace("fitted: models/mini ", f"fitted: {tmp_path}/fitted "))
    monkeypatch.setenv("DEMO_CONFIG", str(tmp_path / "demo.yaml"))
    return tmp_path


@pytest.fixture
def app(folder):
    return page_app("anomaly.page")


def normal(name):
    return (name, (BUNDLED / "weave/train/good" / name).read_bytes(), "image/jpeg")


def photo(name):
    return (name.replace("/", "-"), (BUNDLED / "weave/test" / name).read_bytes(), "image/jpeg")


def choose(app, key):
    """Presses the pill of the model of that key."""
    return app.pills(key="anomaly-model").set_value(key).run()


def verdicts(app):
    """File -> verdict, worst first."""
    table = app.dataframe[0].value
    return dict(zip(table["image"], table["label"], strict=True))


def start(app):
    return next(button for button in app.button if button.label == START)


def test_the_first_click_fits_the_bundled_example_and_the_next_visitor_finds_it(app, folder):
    assert not app.exception and not app.dataframe
    assert any("처음 누를 때 이 정상 사진 6장을 배웁니다" in caption.value for caption in app.caption)
    press(app, START)
    assert not app.exception and not app.error and not app.warning
    found = verdicts(app)
    assert {found["hole/000.jpg"], found["hole/001.jpg"]} == {"이상"}
    assert {found["good/000.jpg"], found["good/001.jpg"]} == {"정상"}
    assert app.dataframe[0].value["score"].is_monotonic_decreasing
    assert any("정상 사진 6장 가운데 이만큼 높은 것은 없었습니다" in text.value for text in app.markdown)
    assert [button.label for button in app.download_button] == ["CSV 받기"]
    kept = folder / "fitted/weave/fitted.safetensors"
    written = kept.stat().st_mtime_ns
    other = page_app("anomaly.page")
    assert any("6장을 배워 두었습니다" in caption.value for caption in other.caption)
    press(other, START)
    assert verdicts(other) == found
    assert kept.stat().st_mtime_ns == written


def test_sliders_and_rows_change_what_is_seen_without_the_model(app):
    press(app, START)
    found, shown = app.session_state["anomaly"], app.image[-1].proto.imgs[0].url
    assert sum(label == "이상" for label in verdicts(app).values()) == 2
    app.slider(key="anomaly-threshold-1").set_value(0.0).run()
    assert set(verdicts(app).values()) == {"이상"}
    assert any("정상 사진 6장 중 6장이" in caption.value for caption in app.caption)
    app.slider(key="anomaly-threshold-1").set_value(app.slider(key="anomaly-threshold-1").max).run()
    assert set(verdicts(app).values()) == {"정상"}
    app.slider(key="anomaly-opacity").set_value(100).run()
    assert app.image[-1].proto.imgs[0].url != shown
    worst, second = list(verdicts(app))[:2]
    assert any(worst.replace("/", "\\/").replace(".", "\\.") in text.value for text in app.markdown)
    app.session_state["anomaly-table-1"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    assert any(second.replace("/", "\\/").replace(".", "\\.") in text.value for text in app.markdown)
    assert app.session_state["anomaly"] is found
    assert not app.exception


def test_normal_photos_of_a_visitor_stay_theirs_and_can_be_chosen_again(app, folder):
    choose(app, "new")
    assert start(app).disabled
    app.file_uploader(key="upload-anomaly-normal").set_value([normal("000.jpg")]).run()
    assert start(app).disabled
    broken = ("half.jpg", normal("005.jpg")[1][:HEADER], "image/jpeg")
    normals = [normal(f"{number:03}.jpg") for number in range(4)]
    app.file_uploader(key="upload-anomaly-normal").set_value([*normals, broken]).run()
    assert start(app).disabled  # there is nothing to inspect yet
    photos = [photo("hole/000.jpg"), photo("good/000.jpg")]
    app.file_uploader(key="upload-anomaly").set_value(photos).run()
    press(app, START)
    assert not app.exception and not app.error
    assert list(verdicts(app)) == ["hole-000.jpg", "good-000.jpg"]
    assert any("배우지 못한 정상 사진" in warning.value and "half" in warning.value for warning in app.warning)
    assert not any("vision-demo" in warning.value for warning in app.warning)
    assert not (folder / "fitted").exists()
    press(app, START)
    choose(app, f"{folder}/fitted/weave/weave")
    assert app.pills(key="anomaly-model").options[:3] == ["천", "가죽", "내 모델 1"]
    choose(app, app.session_state["anomaly-own"][0].key)
    press(app, START)
    assert list(verdicts(app)) == ["hole-000.jpg", "good-000.jpg"]


def test_what_goes_wrong_is_a_sentence(app):
    choose(app, "new")
    halves = [(name, normal(name)[1][:HEADER], "image/jpeg") for name in ("000.jpg", "001.jpg")]
    app.file_uploader(key="upload-anomaly-normal").set_value(halves).run()
    app.file_uploader(key="upload-anomaly").set_value([photo("hole/000.jpg")]).run()
    press(app, START)
    assert not app.exception
    assert "at least 2 normal images" in app.error[0].value
    assert len(app.pills(key="anomaly-model").options) == 3

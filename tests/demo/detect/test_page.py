import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from pipelines.__main__ import main
from pipelines.core.images.samples import Sample
from pipelines.demo.detect import page as detect_page
from pipelines.demo.detect.counting import Found
from pipelines.demo.detect.page import drawn, legend
from pipelines.detect.boxes.detections import Detections
from pipelines.detect.boxes.drawing import colour
from pipelines.detect.prompts import English
from tests.demo.conftest import HEADER, press

PHOTOS = sorted(Path("samples/detect/images").glob("*.jpg"))[:8]


def the_page():
    """A script of its own, as AppTest takes it."""
    from pipelines.demo.detect import page as detect_page

    detect_page.page()


@pytest.fixture
def detect():
    """The page as a visitor finds it, with the bundled models."""
    return AppTest.from_function(the_page, default_timeout=300).run()


def look(detect, prompts=None):
    if prompts is not None:
        detect.text_input[0].set_value(prompts)
    press(detect, "찾고 세기")
    assert not detect.exception
    return detect


def counts(detect):
    """File -> counts, as the table has them."""
    table = detect.dataframe[0].value
    return {row[-1]: list(row[1:-1]) for row in table.itertuples(index=False)}


def slide(detect, key, value):
    detect.slider(key=key).set_value(value).run()
    assert not detect.exception
    return detect


def by_command(folder, prompts, threshold, iou, tmp_path):
    """The CSV that the command writes."""
    output = tmp_path / "detect.csv"
    words = ["--images", str(folder), "--sample-submission", "null", "--output", str(output), "--boxes", "null"]
    settings = ["--box-threshold", str(threshold), "--nms-iou", str(iou), "--progress", "false", "--device", "cpu"]
    command = ["detect", "--config", "configs/mini/detect.yaml", *words, *settings, "--prompts", *prompts]
    assert main(command) == 0
    return output.read_text(encoding="utf-8")


def test_the_samples_are_counted_and_drawn(detect):
    assert not detect.exception
    assert len(detect.image) == 8
    assert not detect.dataframe and not detect.slider
    look(detect)
    assert not detect.error and not detect.warning
    assert len(detect.image) == 16
    assert detect.slider(key="detect-score").value == 0.19  # the settings' own
    truth = pd.read_csv("samples/detect/truth.csv", index_col="image")[["강아지", "고양이", "새"]]
    said = counts(detect)
    assert list(said) == [path.name for path in PHOTOS]
    right = sum(row == truth.loc[name].tolist() for name, row in said.items())
    assert right >= 6
    assert "<b>강아지</b> → dog" in detect.html[0].value
    assert [button.label for button in detect.download_button] == ["CSV 받기"]


@pytest.mark.parametrize(
    ("prompts", "threshold", "iou"),
    [
        ("강아지, 고양이, 새", 0.19, 0.5),
        ("강아지, 고양이, 새", 0.4, 0.2),
        ("우산", 0.1, 1.0),
        ("개, umbrella, 강아지", 0.05, 0.4),
    ],
)
def test_the_csv_is_the_commands(detect, tmp_path, prompts, threshold, iou):
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in PHOTOS:
        shutil.copy(path, folder)
    look(detect, prompts)
    slide(detect, "detect-score", threshold)
    slide(detect, "detect-iou", iou)
    found = detect.session_state[detect_page.FOUND]
    table = found.submission(found.counted(threshold, iou))
    expected = by_command(folder, prompts.split(", "), threshold, iou, tmp_path)
    assert table.to_csv(index=False, lineterminator="\n") == expected
    assert counts(detect) == {
        row[0]: list(row[1:]) for row in pd.read_csv(io.StringIO(expected)).itertuples(index=False)
    }
    assert table.iloc[:, 1:].to_numpy().sum() > 0


def test_the_slider_counts_again_without_the_model(detect):
    look(detect)
    found, run = detect.session_state[detect_page.FOUND], detect.session_state[detect_page.RUN]
    totals = [sum(map(sum, counts(slide(detect, "detect-score", score)).values())) for score in (0.05, 0.19, 0.5, 0.95)]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > totals[1] > totals[2] > totals[3] == 0
    assert detect.session_state[detect_page.FOUND] is found
    assert detect.session_state[detect_page.RUN] == run
    assert len(detect.image) == 16


def test_uploads_and_what_is_no_whole_picture(detect):
    data = [path.read_bytes() for path in PHOTOS]
    files = [("a_b*.jpg", data[3], "image/jpeg"), ("half.jpg", data[4][:HEADER], "image/jpeg")]
    detect.file_uploader[0].set_value(files).run()
    look(detect, "강아지")
    assert counts(detect) == {"a_b*.jpg": [1], "half.jpg": [0]}
    assert "half\\.jpg" in detect.warning[0].value
    assert "vision-demo" not in detect.warning[0].value
    found = detect.session_state[detect_page.FOUND]
    assert list(found.submission(found.counted(0.19, 0.5)).columns) == ["image", "count"]


def test_one_photo_has_no_table(detect):
    detect.file_uploader[0].set_value([("one.jpg", PHOTOS[3].read_bytes(), "image/jpeg")]).run()
    look(detect)
    assert not detect.dataframe
    assert len(detect.image) == 2 and len(detect.download_button) == 1


def test_many_photos_have_pages(detect):
    files = [(f"{number}.jpg", PHOTOS[number % 8].read_bytes(), "image/jpeg") for number in range(10)]
    detect.file_uploader[0].set_value(files).run()
    look(detect)
    assert len(counts(detect)) == 10
    previews = 10
    assert len(detect.image) == previews + 8
    detect.pagination[0].set_value(2).run()
    assert len(detect.image) == previews + 2


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ("강아지, 없는낱말", "영어로 옮기지 못한 말: 없는낱말."),
        ("강아지, 123", "찾을 수 없는 말: 123."),
        ("a; b", "찾을 수 없는 말: a; b."),
        ("狗", "찾을 수 없는 말: 狗."),
        ("강아지, xylophone", "모델이 모르는 말입니다."),
    ],
)
def test_prompts_that_cannot_be_used_are_a_sentence(detect, prompts, said):
    look(look(detect), prompts)
    assert [error.value.replace("\\", "").startswith(said) for error in detect.error] == [True]
    assert not detect.dataframe  # not those of the prompts before


def test_nothing_to_find_is_asked_for(detect):
    look(detect, " , ")
    assert [info.value for info in detect.info] == ["무엇을 찾을지 적어 주세요."]


def test_words_may_be_those_of_the_tables_own_columns(detect):
    """The bundled model knows neither word; a real one does."""
    words = {"photo": English("photo", "as given"), "image": English("image", "as given")}
    nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    photos = [(Sample(path.name, path), nothing) for path in PHOTOS]
    detect.session_state[detect_page.FOUND] = Found(words, tuple(words), list(words), [0, 1], False, photos, 0.3)
    detect.session_state[detect_page.RUN] = 1
    detect.run()
    assert not detect.exception
    assert counts(detect) == {path.name: [0, 0] for path in PHOTOS}
    assert detect.dataframe[0].value["photo"].str.startswith("data:image/jpeg;base64,").all()


def test_the_legend_is_plain_text():
    prompts = {"<b>개": English("dog", "translation"), "cat": English("cat", "as given")}
    found = Found(prompts, ("dog", "cat"), list(prompts), [0, 1], False, [], 0.3)
    table = pd.DataFrame([["a", 2, 0], ["b", 3, 1]], columns=["image", *prompts])
    text = legend(found, table)
    assert "<b>&lt;b&gt;개</b> → dog" in text and "번역" in text and "그대로" in text
    assert ">5</div>" in text and ">1</div>" in text
    assert f"rgb{colour(0)}" in text and f"rgb{colour(1)}" in text


@pytest.mark.parametrize(
    ("size", "expected"), [((100, 50), (640, 320)), ((800, 400), (800, 400)), ((3000, 4000), (768, 1024))]
)
def test_a_photo_is_drawn_in_a_size_to_be_shown(tmp_path, size, expected):
    path = tmp_path / "grey.png"
    Image.new("RGB", size, (128, 128, 128)).save(path)
    width, height = size
    box = torch.tensor([[width / 4, height / 4, width / 2, height / 2]])
    found = Detections(box, torch.tensor([0.8]), torch.tensor([1]))
    picture = Image.open(io.BytesIO(drawn(path, ("dog", "cat"), {}, found)))
    assert picture.size == expected
    pixel = np.asarray(picture).astype(int)[expected[1] // 2 - 2, expected[0] // 2 - 2]
    assert np.abs(pixel - colour(1)).max() < 60
    nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert drawn(path, ("dog", "cat"), {}, nothing) != drawn(path, ("dog", "cat"), {}, found)


def test_a_damaged_photo_is_not_drawn(tmp_path):
    path = tmp_path / "half.jpg"
    path.write_bytes(PHOTOS[0].read_bytes()[:HEADER])
    nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert drawn(path, ("dog",), {}, nothing) is None

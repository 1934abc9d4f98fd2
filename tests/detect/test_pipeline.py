import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import ConfigError, InputError, SubmissionError
from pipelines.core.images.samples import Sample
from pipelines.core.model import choose
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.schema import read_schema
from pipelines.core.submission.writing import write_submission
from pipelines.detect.boxes.counting import suppress
from pipelines.detect.evaluate import aligned, scores
from pipelines.detect.models import DETECTORS
from pipelines.detect.pipeline import DetectPipeline
from pipelines.detect.settings import DetectConfig, TranslationConfig, fields, samples
from tests import tiny
from tests.detect.tiny import yolo as tiny_yolo

RUNNER = RunnerConfig(batch=2, progress=False, device="cpu")
NO_FOLDER = "./there/is/no/checkpoint"


@pytest.fixture
def images(photos) -> Path:
    return photos[0].path.parent


@pytest.fixture
def make(dino_folder, images):
    """A pipeline of the tiny detector with the given settings, and its samples."""

    def make_pipeline(data=None, **settings):
        config = DetectConfig(
            data=DataConfig(images=images, **(data or {})),
            **{"checkpoint": str(dino_folder), "runner": RUNNER, "box_threshold": 0.4, **settings},
        )
        return DetectPipeline(config, Runner(config.runner)), samples(config)

    return make_pipeline


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# --- prompts


@pytest.mark.parametrize("prompts", [None, [], "", " ", ["강아지", "\t"], "...", ["dog", "dog"], ["a. b."], ["狗"]])
def test_prompts_that_cannot_be_used_are_told_before_anything_loads(images, prompts):
    config = DetectConfig(data=DataConfig(images=images), checkpoint=NO_FOLDER, prompts=prompts)
    with pytest.raises(InputError, match="expected"):
        samples(config)
    with pytest.raises(InputError, match="expected"):
        DetectPipeline(config, Runner(RUNNER))


def test_unknown_words_are_listed_before_anything_loads(images):
    config = DetectConfig(data=DataConfig(images=images), checkpoint=NO_FOLDER, prompts=["개", "없는낱말", "모를낱말"])
    with pytest.raises(InputError, match=r"없는낱말, 모를낱말.*--lexicon.*--translation\.checkpoint"):
        samples(config)


def test_one_prompt_is_a_count(make, capsys):
    pipeline, found = make(prompts="강아지")
    assert pipeline.fields == {"count": "count"}
    rows = [pipeline.rows(outcome.item, outcome.result) for outcome in pipeline(found)]
    assert [len(row) for row in rows] == [1] * len(found)
    assert sum(row[0]["count"] for row in rows) > 0
    assert pipeline.blank(found[0]) == [{"count": 0}]
    assert "강아지 -> dog (lexicon)" in capsys.readouterr().err
    assert pipeline.record()["prompts"] == {"강아지": {"english": "dog", "source": "lexicon"}}


def test_several_prompts_are_a_column_each(make):
    pipeline, found = make(prompts=["개", "Cat", "강아지"], box_threshold=0.3)
    assert list(pipeline.fields.items()) == [("개", "count"), ("Cat", "count"), ("강아지", "count")]
    assert pipeline.classes == ("dog", "cat")
    outcomes = list(pipeline(found))
    rows = [pipeline.rows(outcome.item, outcome.result)[0] for outcome in outcomes]
    assert all(row["개"] == row["강아지"] for row in rows)
    assert sum(row["개"] + row["Cat"] for row in rows) == sum(len(outcome.result) for outcome in outcomes)
    assert sum(row["개"] for row in rows) > 0 < sum(row["Cat"] for row in rows)
    assert pipeline.blank(found[0]) == [{"개": 0, "Cat": 0, "강아지": 0}]


def test_one_prompt_in_a_list_is_one_prompt(make):
    """As a flag, a single prompt is a list too."""
    assert make(prompts=["dog"])[0].fields == {"count": "count"}


def test_a_prompt_a_row(make, photos, tmp_path):
    prompts = ["dog", "고양이", " ", "zebra", "강아지", "a. b", "dog"]
    rows = [
        f"{number},{photo.id},{prompt}\n" for number, (photo, prompt) in enumerate(zip(photos, prompts, strict=True))
    ]
    test_csv = table(tmp_path / "test.csv", "id,image,query\n" + "".join(rows))
    pipeline, found = make({"test_csv": test_csv}, prompt_column="query", prompts=["not used"])
    outcomes = list(pipeline(found))
    assert [outcome.item.id for outcome in outcomes] == list("0123456")
    assert [outcome.ok for outcome in outcomes] == [True, True, False, False, True, False, True]
    assert "column `query`: expected a prompt that names what to find" in outcomes[2].error
    assert "vocabulary" in outcomes[3].error
    assert "one thing a prompt" in outcomes[5].error
    alone, _ = make(prompts="고양이")
    (expected,) = alone([photos[1]])
    assert pipeline.rows(outcomes[1].item, outcomes[1].result) == alone.rows(photos[1], expected.result)
    assert list(pipeline.record()["prompts"]) == ["dog", "고양이", "zebra", "강아지"]


@pytest.mark.parametrize(("header", "named"), [("id,question", "question"), ("id", "none beside the ids")])
def test_a_missing_column_is_told_before_anything_loads(images, photos, tmp_path, header, named):
    row = ",".join([photos[0].id, "dog"][: len(header.split(","))])
    test_csv = table(tmp_path / "test.csv", f"{header}\n{row}\n")
    config = DetectConfig(
        data=DataConfig(images=images, test_csv=test_csv), checkpoint=NO_FOLDER, prompt_column="query"
    )
    with pytest.raises(InputError, match=rf"column `query`.*test\.csv, found {named}"):
        samples(config)


def test_a_column_needs_a_csv(images):
    config = DetectConfig(data=DataConfig(images=images), checkpoint=NO_FOLDER, prompt_column="query")
    with pytest.raises(InputError, match="--test-csv"):
        samples(config)


def test_the_users_lexicon(make, tmp_path):
    lexicon = table(tmp_path / "mine.csv", "korean,english\n빨간불,red traffic light\n")
    pipeline, _ = make(prompts="빨간불이", lexicon=lexicon)
    assert pipeline.classes == ("red traffic light",)


def test_the_translator_is_not_looked_for_where_the_lexicon_knows_all(make):
    pipeline, _ = make(prompts="강아지", translation=TranslationConfig(checkpoint=NO_FOLDER))
    assert set(pipeline.record()["models"]) == {"detector"}


def test_the_translator_helps_where_the_lexicon_does_not(make, tmp_path):
    folder = tiny.nllb(tmp_path / "nllb")
    # Its random words are no English at all, or none that the detector has.
    with pytest.raises(InputError, match=r"translation of '없는낱말'|vocabulary can spell"):
        make(prompts="없는낱말", translation=TranslationConfig(checkpoint=str(folder)))


def test_closed_classes(make, yolo_folder):
    pipeline, found = make(prompts=["신호등", "개"], checkpoint=str(yolo_folder), model="yolo")
    assert sum(pipeline.rows(outcome.item, outcome.result)[0]["개"] for outcome in pipeline(found)) > 0
    with pytest.raises(InputError, match="dog, cat, traffic light"):
        make(prompts=["zebra"], checkpoint=str(yolo_folder), model="yolo")


@pytest.mark.parametrize("folder", ["dino_folder", "yolo_folder"])
def test_what_is_left_open_is_the_checkpoints_own(make, request, folder):
    """So that a run is gone on with whose settings said it, as those before `auto` did."""
    folder = request.getfixturevalue(folder)
    pipeline, _ = make(prompts=["개"], checkpoint=str(folder), box_threshold=None)
    name = choose(DETECTORS, "auto", folder)
    told, _ = make(prompts=["개"], checkpoint=str(folder), model=name, box_threshold=0.3)
    assert pipeline.config == told.config
    assert pipeline.record()["box_threshold"] == pipeline.detector.threshold == 0.3


def test_closed_classes_by_names_that_are_no_english(make, tmp_path):
    names = ["안전모", "0", "St. Bernard"]
    folder = tiny_yolo(tmp_path / "korean")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"names": names}), encoding="utf-8")
    pipeline, found = make(prompts=["헬멧", "0", "st. bernard"], checkpoint=str(folder), boxes=tmp_path / "boxes.csv")
    assert pipeline.classes == ("안전모", "0", "st. bernard")
    rows = [pipeline.rows(outcome.item, outcome.result)[0] for outcome in pipeline(found)]
    assert sum(sum(row.values()) for row in rows) > 0
    with pytest.raises(InputError, match=r"안전모, 0, st\. bernard.*found dog"):
        make(prompts=["강아지"], checkpoint=str(folder))


# --- questions and phrases


@pytest.mark.parametrize(
    "prompt", ["사진에 강아지가 몇 마리 있나요?", "How many dogs are there in this picture?", "두 마리의 개"]
)
def test_a_question_asks_for_its_noun(make, prompt, capsys):
    pipeline, found = make(prompts=prompt)
    plain, _ = make(prompts="dog")
    asked, expected = ([each.rows(o.item, o.result) for o in each(found)] for each in (pipeline, plain))
    assert asked == expected
    assert f"{prompt} -> dog" in capsys.readouterr().err


def test_what_is_chosen_and_left_out_is_said(make, capsys):
    make(prompts=["차", "자전거를 타는 개"])
    said = capsys.readouterr().err
    assert "차 -> car: it may be tea too, as in '차(tea)'" in said
    assert "자전거를 타는 개 -> dog: no detector looks at: 자전거를 타는" in said


def test_a_row_that_asks_for_two_things_is_blank_by_name(make, photos, tmp_path):
    test_csv = table(tmp_path / "test.csv", f"id,image,query\n0,{photos[0].id},개와 고양이\n1,{photos[1].id},dogs\n")
    pipeline, found = make({"test_csv": test_csv}, prompt_column="query")
    first, second = pipeline(found)
    assert "found 2 in '개와 고양이'; give several things as a list of prompts: '개' '고양이'" in first.error
    assert second.ok


# --- what is written


def test_no_samples(make, tmp_path):
    pipeline, _ = make(prompts="dog", boxes=tmp_path / "boxes.csv")
    assert list(pipeline([])) == []
    assert (tmp_path / "boxes.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_the_prompts_number_the_classes_whatever_is_found_first(make, tmp_path, backwards):
    """By their first appearance another order of the photos gave the classes other numbers."""
    pipeline, found = make(prompts=["cat", "강아지", "traffic light"], boxes=tmp_path / "b.json", box_threshold=0.0)
    list(pipeline(found[::-1] if backwards else found))
    numbers = {(each["category"], each["category_id"]) for each in json.loads((tmp_path / "b.json").read_text())}
    assert numbers <= {("cat", 1), ("dog", 2), ("traffic light", 3)} and len(numbers) > 1


def test_a_file_of_categories_numbers_the_classes(make, tmp_path):
    coco = table(tmp_path / "coco.json", '[{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]')
    pipeline, found = make(prompts=["고양이", "dog"], boxes=tmp_path / "b.json", categories=coco, box_threshold=0.0)
    list(pipeline(found))
    numbers = {(each["category"], each["category_id"]) for each in json.loads((tmp_path / "b.json").read_text())}
    assert numbers and numbers <= {("cat", 3), ("dog", 7)}
    with pytest.raises(InputError, match="found none called traffic light"):
        make(prompts=["traffic light"], boxes=tmp_path / "b.json", categories=coco)


def test_boxes_and_images_beside_the_counts(make, tmp_path):
    boxes, folder = tmp_path / "boxes.csv", tmp_path / "drawn"
    pipeline, found = make(prompts=["개", "고양이"], boxes=boxes, save_images=folder)
    bad = Sample("bad", tmp_path / "nothing.jpg")
    outcomes = list(pipeline([*found[:2], bad, *found[2:]]))
    assert [outcome.ok for outcome in outcomes] == [True, True, False] + [True] * (len(found) - 2)
    counts = {outcome.item.id: len(outcome.result) for outcome in outcomes if outcome.ok}
    with boxes.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["class"] for row in rows} == {"dog", "cat"}
    assert {key: sum(row["image"] == key for row in rows) for key in counts} == counts
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{sample.id}.jpg" for sample in found)
    assert Image.open(folder / "1.png.jpg").size == (60, 90)


def test_boxes_are_suppressed(make):
    pipeline, found = make(prompts="dog", nms_iou=0.0, box_threshold=0.0)
    for outcome in pipeline(found):
        xyxy = outcome.result.xyxy
        corner, far = xyxy[:, None, :2].maximum(xyxy[None, :, :2]), xyxy[:, None, 2:].minimum(xyxy[None, :, 2:])
        shared = (far - corner).clamp(min=0).prod(-1).fill_diagonal_(0)
        assert shared.max() < 1e-3


def test_every_box_without_nms(make, tmp_path):
    settings = {"prompts": ["dog", "cat"], "nms_iou": 0.3, "boxes": tmp_path / "boxes.csv"}
    pipeline, found = make(**settings)
    bad = Sample("bad", tmp_path / "nothing.jpg")
    every = list(pipeline.detect([bad, *found]))
    assert not (tmp_path / "boxes.csv").exists()
    counted = list(pipeline([bad, *found]))
    assert not every[0].ok and every[0] == counted[0]
    for before, after in zip(every[1:], counted[1:], strict=True):
        assert suppress(before.result, 0.3).xyxy.equal(after.result.xyxy)
    assert sum(len(outcome.result) for outcome in every[1:]) > sum(len(outcome.result) for outcome in counted[1:])


def test_saturated_images_are_recorded(make, capsys):
    pipeline, found = make(prompts="dog", box_threshold=0.0)
    for _ in range(2):
        list(pipeline(found[:2]))
    assert pipeline.record()["saturated"] == ["0.png", "1.png"]
    assert "2 images had a box in every slot" in capsys.readouterr().err
    json.dumps(pipeline.record())


def test_the_same_run_gives_the_same_bytes(make, tmp_path):
    texts = []
    for name in ("one.csv", "two.csv"):
        pipeline, found = make(prompts=["개", "고양이"], boxes=tmp_path / "boxes.json")
        schema = read_schema(pipeline.config.data, fields(pipeline.config))
        write_submission(tmp_path / name, schema, pipeline, pipeline(found))
        texts.append((tmp_path / name).read_bytes() + (tmp_path / "boxes.json").read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].decode().splitlines()[0] == "image,개,고양이"


# --- settings


@pytest.mark.parametrize(
    "setting", [{"box_threshold": 1.5}, {"nms_iou": -0.1}, {"boxes": Path("boxes.xml")}, {"boxes": Path("boxes")}]
)
def test_settings_out_of_range(images, setting):
    with pytest.raises(ValueError, match="is"):
        DetectConfig(data=DataConfig(images=images), checkpoint="x", prompts="dog", **setting)


def test_where_nothing_can_be_written(make, tmp_path):
    (tmp_path / "boxes.csv").mkdir()
    with pytest.raises(SubmissionError, match=r"boxes\.csv"):
        make(prompts="dog", boxes=tmp_path / "boxes.csv")


@pytest.mark.parametrize("profile", ["configs/detect.yaml", "configs/mini/detect.yaml"])
def test_the_projects_settings_are_valid(profile):
    config = load_config(Path(profile), DetectConfig, {"data.images": "x"})
    assert config.prompts
    with pytest.raises(ConfigError, match="box_treshold"):
        load_config(Path(profile), DetectConfig, {"box_treshold": 0.3})


# --- the bundled model


@pytest.mark.skipif(not Path("mini/weights/grounding-dino").is_dir(), reason="needs mini/weights/grounding-dino")
def test_the_bundled_model_counts_the_samples(tmp_path):
    texts = []
    for batch in (1, 16):
        settings = {"runner.batch": batch, "runner.progress": False, "runner.device": "cpu", "boxes": None}
        config = load_config(Path("configs/mini/detect.yaml"), DetectConfig, settings)
        pipeline = DetectPipeline(config, Runner(config.runner))
        schema = read_schema(config.data, fields(config))
        written = write_submission(tmp_path / "detect.csv", schema, pipeline, pipeline(samples(config)))
        assert not written.blanks
        texts.append((tmp_path / "detect.csv").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    submission, truth = (pd.read_csv(path, dtype=str) for path in (tmp_path / "detect.csv", "samples/detect/truth.csv"))
    found = scores(*aligned(submission, truth))
    assert found["exact"] > 0.9
    assert found["mae"] < 0.2 * found["always_one_mae"]

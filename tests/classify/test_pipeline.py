"""Photos get one of the classes whose names are given; the names are embedded once, whatever the number of runs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mini.world import KINDS
from pipelines.__main__ import main
from pipelines.classify.labels import read_labels
from pipelines.classify.pipeline import ClassifyPipeline, _noun
from pipelines.classify.settings import ClassifyConfig
from pipelines.classify.task import TASK
from pipelines.core.config import DataConfig, TranslationConfig, load_config
from pipelines.core.errors import CheckpointError, ConfigError, InputError, StoppedError
from pipelines.core.images.samples import read_table
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop
from pipelines.runs.run import run_task
from tests.search.conftest import draw

QUIET = RunnerConfig(device="cpu", precision="fp32", batch=2, progress=False)
MINI = Path("configs/mini/classify.yaml")
needs_mini = pytest.mark.skipif(not Path("mini/weights/clip").is_dir(), reason="needs mini/weights/clip")


@pytest.fixture
def folder(tmp_path):
    for seed in range(5):
        draw(tmp_path / "photos" / f"{seed}.png", seed)
    (tmp_path / "labels.txt").write_text("dogs\ncats\nred apples\ntrees\n", encoding="utf-8")
    return tmp_path


def settings(folder, checkpoint, output="out/a.csv", **changes):
    data = DataConfig(folder / "photos", output=folder / output)
    given = {"labels": folder / "labels.txt", "runner": QUIET} | changes
    return ClassifyConfig(data, str(checkpoint), **given)


def run(config, **options):
    run_task(TASK, config, **options)
    record = json.loads(config.data.output.with_suffix(".json").read_text(encoding="utf-8"))
    return read_table(config.data.output).rows, record


def stages(record):
    return {stage["name"]: stage["items"] - stage["resumed"] for stage in record["stages"]}


@pytest.mark.parametrize(("checkpoint", "probability"), [("clip_folder", "softmax"), ("siglip_folder", "sigmoid")])
def test_every_photo_has_a_class(folder, checkpoint, probability, request):
    config = settings(folder, request.getfixturevalue(checkpoint), top=3, top_file=folder / "out" / "top.csv")
    rows, record = run(config)
    assert [row["image"] for row in rows] == [f"{seed}.png" for seed in range(5)]
    assert {row["label"] for row in rows} <= {"dogs", "cats", "red apples", "trees"}
    assert all(0 < float(row["probability"]) <= 1 for row in rows)
    assert record["run"]["probability"] == probability and record["run"]["labels"]["count"] == 4
    top = read_table(folder / "out" / "top.csv").rows
    assert [(row["image"], row["rank"]) for row in top] == [(row["image"], str(n)) for row in rows for n in (1, 2, 3)]
    assert [{"label": row["label"], "probability": row["probability"]} for row in top[::3]] == [
        {"label": row["label"], "probability": row["probability"]} for row in rows
    ]


def test_columns_that_are_named_like_labels_get_each_ones_probability(folder, clip_folder):
    """The label in one column and a probability in another would be a wrong CSV without a word of it."""
    top = folder / "out" / "top.csv"
    labels = ["dogs", "cats", "red apples", "trees"]
    rows, _ = run(settings(folder, clip_folder, top=4, top_file=top))
    likely = {(row["image"], row["label"]): row["probability"] for row in read_table(top).rows}
    header = "image_id,나무,고양이,강아지,dogs_note\n"
    sample = folder / "sample.csv"
    sample.write_text(header + "".join(f"{seed}.png,0,0,0,keep\n" for seed in range(5)), encoding="utf-8")
    (folder / "photos" / "4.png").write_bytes(b"torn")
    asked = settings(folder, clip_folder, top=1, top_file=top)
    asked = replace(asked, data=replace(asked.data, sample_submission=sample))
    found, record = run(asked)
    assert list(found[0]) == header.strip().split(",")
    columns = {"나무": "trees", "고양이": "cats", "강아지": "dogs"}
    for row in found[:4]:
        assert {column: row[column] for column in columns} == {
            column: likely[row["image_id"], label] for column, label in columns.items()
        }
    assert [found[4][column] for column in columns] == ["0.250000"] * 3, "of a broken photo all are as likely"
    assert {row["dogs_note"] for row in found} == {"keep"}
    assert [row["rank"] for row in read_table(top).rows] == ["1"] * 4, "the file of the likeliest is as asked for"
    assert record["blanks"][0]["id"] == "4.png"
    assert [row["label"] for row in rows] == [
        max(labels, key=lambda label: float(likely[row["image"], label])) for row in rows
    ]


def test_the_same_labels_are_embedded_once(folder, clip_folder):
    first, record = run(settings(folder, clip_folder))
    assert stages(record) == {"labels": 4, "classify": 5}
    again, record = run(settings(folder, clip_folder))
    assert stages(record) == {"classify": 5}, "no text was read"
    assert again == first
    with (folder / "labels.txt").open("a", encoding="utf-8") as file:
        file.write("cars\n")
    for changes in ({}, {"templates": "{}"}, {"templates": ["{}", "a {}"]}):
        _, record = run(settings(folder, clip_folder, **changes))
        assert stages(record)["labels"] == 5, changes


def test_another_checkpoint_embeds_anew(folder, clip_folder, siglip_folder):
    run(settings(folder, clip_folder))
    _, record = run(settings(folder, siglip_folder))
    assert stages(record)["labels"] == 4


def test_a_damaged_cache_is_made_anew(folder, clip_folder):
    first, _ = run(settings(folder, clip_folder, cache=folder / "kept"))
    (kept,) = (folder / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:-5])
    again, record = run(settings(folder, clip_folder, cache=folder / "kept"))
    assert stages(record)["labels"] == 4 and again == first


def test_what_is_submitted_and_what_is_asked_may_differ(folder, clip_folder, capsys):
    by_word, _ = run(settings(folder, clip_folder))
    lines = ["label,name", "0,강아지들|dogs", "1,cats", "2,red apples", "3,trees"]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    rows, record = run(settings(folder, clip_folder, labels=folder / "labels.csv"))
    assert {row["label"] for row in rows} <= set("0123") and len(rows) == 5
    assert record["run"]["english"] == {"강아지들": "dog"}
    assert "labels: 강아지들 -> dog" in capsys.readouterr().err
    lines[1] = "0,dogs"
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    numbered, _ = run(settings(folder, clip_folder, labels=folder / "labels.csv"))
    numbers = {"dogs": "0", "cats": "1", "red apples": "2", "trees": "3"}
    assert [row["label"] for row in numbered] == [numbers[row["label"]] for row in by_word]


def test_a_model_with_korean_is_asked_in_korean(folder, siglip_folder):
    (folder / "labels.txt").write_text("강아지\n사과\n", encoding="utf-8")
    _, record = run(settings(folder, siglip_folder, translation=TranslationConfig("/nowhere")))
    assert record["run"]["english"] == {} and record["run"]["templates"][0] == "이것은 {} 이다."


def test_a_translator_is_asked_for_only_by_names_that_the_lexicon_lacks(folder, clip_folder):
    (folder / "labels.txt").write_text("강아지\n고양이\n", encoding="utf-8")
    _, record = run(settings(folder, clip_folder, translation=TranslationConfig("/nowhere")))
    assert record["run"]["english"] == {"강아지": "dog", "고양이": "cat"}
    (folder / "labels.txt").write_text("강아지\n강아지 두 마리\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match="/nowhere"):
        run(settings(folder, clip_folder, translation=TranslationConfig("/nowhere")))


@needs_mini
def test_names_that_the_lexicon_lacks_are_translated_once(folder):
    (folder / "labels.txt").write_text("강아지 두 마리\n사과\n", encoding="utf-8")
    config = settings(folder, "mini/weights/clip", translation=TranslationConfig("mini/weights/nllb"))
    _, record = run(config)
    assert record["run"]["english"] == {"사과": "apple", "강아지 두 마리": "two dogs"}
    assert stages(record) == {"translate": 1, "labels": 2, "classify": 5}
    _, again = run(config)
    assert stages(again) == {"classify": 5} and again["run"]["english"] == record["run"]["english"]


@pytest.mark.parametrize(
    ("said", "noun"), [("dog", "dog"), ("A dog.", "dog"), ("It's the red car", "red car"), ("Android", "Android")]
)
def test_a_translation_becomes_a_name(said, noun):
    assert _noun("강아지", said) == noun


@pytest.mark.parametrize("said", ["", " .", "강아지"])
def test_a_translation_that_is_no_english_is_refused(said):
    with pytest.raises(InputError, match="expected a translation of '강아지' that is English"):
        _noun("강아지", said)


def test_labels_of_the_same_words_are_told(folder, clip_folder, capsys):
    (folder / "labels.txt").write_text("강아지\ndog\ntrees\n", encoding="utf-8")
    run(settings(folder, clip_folder))
    assert "the labels 강아지, dog are all asked as dog: only 강아지 is ever given" in capsys.readouterr().err


def test_a_broken_photo_has_the_first_label(folder, clip_folder):
    (folder / "photos" / "broken.jpg").write_bytes(b"no picture")
    rows, record = run(settings(folder, clip_folder, top_file=folder / "top.csv"))
    assert rows[-1] == {"image": "broken.jpg", "label": "dogs", "probability": "0.000000"}
    assert [blank["id"] for blank in record["blanks"]] == ["broken.jpg"]
    assert "broken.jpg" not in (folder / "top.csv").read_text(encoding="utf-8")


def test_a_sample_with_one_free_column_gets_the_label(folder, clip_folder):
    (folder / "sample.csv").write_text("id,class\n3,x\n0001,x\n", encoding="utf-8")
    shutil.copy(folder / "photos" / "1.png", folder / "photos" / "0001.png")
    config = settings(folder, clip_folder)
    data = DataConfig(folder / "photos", folder / "sample.csv", output=folder / "b.csv")
    rows, _ = run(ClassifyConfig(data, config.checkpoint, config.labels, runner=QUIET))
    by_id = {row["image"]: row["label"] for row in run(config)[0]}
    assert rows == [{"id": "3", "class": by_id["3.png"]}, {"id": "0001", "class": by_id["1.png"]}]


def test_too_little_time_for_the_labels_is_said(folder, clip_folder):
    config = settings(folder, clip_folder)
    with pytest.raises(StoppedError, match="expected the vectors of 4 labels before the first photo, but the deadline"):
        run(config, stop=Stop(0.5))
    assert not config.data.output.exists()
    rows, _ = run(config)
    assert len(rows) == 5


def test_changed_labels_are_another_run(folder, clip_folder):
    config = settings(folder, clip_folder)
    before, again = (ClassifyPipeline(config, Runner(QUIET)).record() for _ in range(2))
    (folder / "labels.txt").write_text("cats\ndogs\nred apples\ntrees\n", encoding="utf-8")
    assert before == again != ClassifyPipeline(config, Runner(QUIET)).record()


@pytest.mark.parametrize("templates", ["korean", ["a {}", "{}의 사진"]])
def test_korean_templates_for_a_model_without_korean_are_refused(folder, clip_folder, templates):
    with pytest.raises(ConfigError, match=r"expected templates in English for .* which is asked in English"):
        run(settings(folder, clip_folder, templates=templates))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--templates", "a photo"], "templates are auto, english, korean, or sentences with {}"),
        (["--top", "0"], "top is at least 1, not 0"),
        (["--labels", "samples"], "expected a file of labels at samples, found a folder"),
        (["--labels", "nothing.txt"], "expected a file of labels at nothing.txt, found nothing"),
        (["--checkpoint", "mini/weights/blip"], "expected all weights of BlipModel"),
    ],
)
@needs_mini
def test_what_cannot_be_is_one_sentence(tmp_path, capsys, words, said):
    own = ["--config", str(MINI), "--output", str(tmp_path / "a.csv"), "--top-file", "null", "--device", "cpu"]
    assert main(["search", "classify", *own, *words]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ") and said in line


@needs_mini
@pytest.mark.parametrize("language", ["korean", "english"])
def test_the_bundled_model_knows_its_kinds(tmp_path, language):
    """All 60 bundled photos were right in both languages when this was written."""
    truth = {row["image"]: row["label"] for row in read_table(Path("samples/classify/truth.csv")).rows}
    kinds = {kind.korean: kind.name if language == "english" else kind.korean for kind in KINDS.values()}
    (tmp_path / "labels.txt").write_text("\n".join(kinds.values()), encoding="utf-8")
    own = ["--labels", tmp_path / "labels.txt", "--output", tmp_path / "a.csv", "--top-file", "null", "--device", "cpu"]
    words = ["classify", "samples/classify/images", "--config", MINI, "--progress", "false", *own]
    assert main(["search", *map(str, words)]) == 0
    said = {row["image"]: row["label"] for row in read_table(tmp_path / "a.csv").rows}
    assert said.keys() == truth.keys()
    assert sum(said[image] == kinds[label] for image, label in truth.items()) >= 0.95 * len(truth)


def test_the_samples_labels_are_all_kinds():
    labels = [label.submitted for label in read_labels(Path("samples/classify/labels.txt"))]
    assert labels == [kind.korean for kind in KINDS.values()]
    assert {row["label"] for row in read_table(Path("samples/classify/truth.csv")).rows} == set(labels)


@pytest.mark.parametrize("settings_file", [Path("configs/classify.yaml"), MINI])
def test_the_settings_files_are_whole(settings_file):
    assert load_config(settings_file, ClassifyConfig).sentences == ["auto"]

import json
import threading
from pathlib import Path

import pytest

from pipelines.anomaly.settings import AnomalyConfig
from pipelines.anomaly.task import TASK
from pipelines.core.config import load_config
from pipelines.core.errors import CheckpointError, InputError
from pipelines.core.images.samples import Sample
from pipelines.core.running.runner import Runner
from pipelines.demo.anomaly.inspection import (
    Inspection,
    Model,
    example_models,
    example_photos,
    inspect,
    kept_models,
    likelihood,
    own_model,
)
from pipelines.runs.run import run_task
from tests.demo.conftest import HEADER

ROOT = Path(__file__).parents[3]
TREE = ROOT / "samples/anomaly"
NORMALS, TESTS = TREE / "weave/train/good", TREE / "weave/test"


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(ROOT)
    settings = {"runner.progress": False, "runner.device": "cpu", "folds": 2}
    return load_config(Path("configs/mini/anomaly.yaml"), AnomalyConfig, settings)


def as_uploads(paths: list[Path], folder: Path) -> list[Sample]:
    """The pictures under names without endings, in another order than their own names have."""
    folder.mkdir(exist_ok=True)
    found = []
    for number, path in enumerate(reversed(paths)):
        (folder / f"u{number}").write_bytes(path.read_bytes())
        found.append(Sample(path.name, folder / f"u{number}"))
    return found


def inspected(model: Model, photos: list[Sample], config: AnomalyConfig, folder: Path) -> Inspection:
    inspection = Inspection(model)
    inspect(photos, config, Runner(config.runner), folder, inspection)
    return inspection


def test_the_csv_is_what_the_command_writes_and_the_threshold_changes_its_labels(config, tmp_path):
    normal, images, visitor = tmp_path / "normal", tmp_path / "images", tmp_path / "visitor"
    for folder, paths in ((normal, sorted(NORMALS.iterdir())[:5]), (images, sorted((TESTS / "hole").iterdir())[:2])):
        folder.mkdir()
        for path in paths:
            (folder / f"사진 {path.name}").write_bytes(path.read_bytes())
    (images / "good.png").write_bytes((TESTS / "good/000.jpg").read_bytes())
    (images / "half.jpg").write_bytes((TESTS / "good/001.jpg").read_bytes()[:HEADER])
    (normal / "half.jpg").write_bytes((TESTS / "good/001.jpg").read_bytes()[:HEADER])
    visitor.mkdir()
    normals = as_uploads(sorted(normal.iterdir()), tmp_path / "normal uploads")
    photos = as_uploads(sorted(images.iterdir()), tmp_path / "image uploads")
    found = inspected(own_model(normals, visitor), photos, config, visitor)

    path = tmp_path / "settings.yaml"
    kept = {"checkpoint": "mini/weights/backbone", "strides": [4, 8, 16], "input_size": 160, "folds": 2}
    runner = {"device": "cpu", "progress": False}
    data = {"images": str(images), "output": str(tmp_path / "out/anomaly.csv")}
    path.write_text(json.dumps(kept | {"data": data, "normal": str(normal), "runner": runner}))
    command = load_config(path, AnomalyConfig)
    run_task(TASK, command)
    written = found.submission(found.threshold).to_csv(index=False, lineterminator="\n").encode()
    assert written == command.data.output.read_bytes()
    assert set(found.failed) == set(found.left_out) == {"half.jpg"}
    assert str(tmp_path) not in found.failed["half.jpg"] + found.left_out["half.jpg"]
    assert list(found.submission(0.0)["label"]) == [1, 0, 1, 1]  # good, half, two with holes
    assert list(found.submission(1e6)["label"]) == [0] * 4
    assert [sample.id for sample, _ in found.worst_first()][-1] == "good.png"
    assert [each.name for each in visitor.iterdir()] == [found.model.folder.name]


def small_example(fitted: Path) -> Model:
    model = next(model for model in example_models(TREE, fitted) if model.category == "weave")
    return Model(model.folder, model.category, model.normals[:4])


def test_what_was_fitted_is_kept_for_the_next_visitor(config, tmp_path):
    model, photos = small_example(tmp_path / "fitted"), example_photos(TREE / "weave")
    assert not model.kept
    first = inspected(model, photos, config, tmp_path)
    assert model.kept
    without_normals = Model(model.folder, "weave")
    second = inspected(without_normals, photos, config, tmp_path)
    pairs = zip(first.found, second.found, strict=True)
    assert all(one == other and one[1].map.equal(other[1].map) for one, other in pairs)
    assert (first.threshold, first.held_out) == (second.threshold, second.held_out)


@pytest.mark.parametrize("damage", ["another backbone", "another category", "cut"])
def test_a_kept_model_that_cannot_be_used_is_fitted_again(config, tmp_path, damage):
    model, photos = small_example(tmp_path / "fitted"), example_photos(TREE / "weave")[:1]
    first = inspected(model, photos, config, tmp_path)
    path = model.folder / "fitted.json"
    description = json.loads(path.read_text())
    if damage == "another backbone":
        description["backbone"]["fingerprint"] = "0" * 16
    elif damage == "another category":
        description["categories"][0]["name"] = "all"
    else:
        (model.folder / "fitted.safetensors").write_bytes(b"")
    path.write_text(json.dumps(description))
    with pytest.raises(CheckpointError):
        inspected(Model(model.folder, "weave"), photos, config, tmp_path)
    assert inspected(model, photos, config, tmp_path).found == first.found
    assert inspected(Model(model.folder, "weave"), photos, config, tmp_path).found == first.found


def test_visitors_who_fit_the_same_at_once_do_not_spoil_each_other(config, tmp_path):
    model, photos = small_example(tmp_path / "fitted"), example_photos(TREE / "weave")[:2]
    found: list[Inspection] = []
    visitors = [
        threading.Thread(target=lambda: found.append(inspected(model, photos, config, tmp_path))) for _ in range(3)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert [each.name for each in (tmp_path / "fitted").iterdir()] == ["weave"]
    found.append(inspected(Model(model.folder, "weave"), photos, config, tmp_path))
    assert len(found) == 4
    scores = [[(sample.id, anomaly.score, anomaly.label) for sample, anomaly in each.found] for each in found]
    for each in scores:  # batches that are shared differ in size, and sums round with them
        assert each == [(key, pytest.approx(score, rel=1e-5), label) for key, score, label in scores[0]]


def test_where_nothing_can_be_kept_photos_are_scored_all_the_same(config, tmp_path):
    (tmp_path / "fitted").write_text("a file")
    model = small_example(tmp_path / "fitted")
    assert len(inspected(model, example_photos(TREE / "weave"), config, tmp_path).found) == 8
    assert not model.kept


def test_too_few_readable_normal_photos_are_told(config, tmp_path):
    (tmp_path / "a").write_bytes(b"no picture")
    normals = [*as_uploads([NORMALS / "000.jpg"], tmp_path), Sample("a.jpg", tmp_path / "a")]
    with pytest.raises(InputError, match="at least 2 normal images"):
        inspected(own_model(normals, tmp_path), example_photos(TREE / "weave"), config, tmp_path)


def test_kept_models_are_listed_by_category_and_damaged_ones_passed_over(tmp_path):
    assert kept_models(tmp_path) == []
    for name, text in {
        "a": '{"model": "padim", "categories": [{"name": "bottle"}, {"name": "cable"}]}',
        "b": "{",
        "c": "[]",
        "d": '{"model": "padim"}',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "fitted.json").write_text(text)
    assert [(model.folder.name, model.category, model.method) for model in kept_models(tmp_path)] == [
        ("a", "bottle", "padim"),
        ("a", "cable", "padim"),
    ]


def test_a_models_place_is_that_of_its_photos(tmp_path):
    photos = [Sample("a", Path("1")), Sample("b", Path("2"))]
    same, other = own_model(photos[::-1], tmp_path), own_model(photos[:1], tmp_path)
    assert own_model(photos, tmp_path).folder == same.folder != other.folder


def test_examples_are_of_every_kind():
    assert [sample.id for sample in example_photos(TREE / "weave")] == [
        f"{kind}/{number:03}.jpg" for kind in ("good", "hole", "missing", "scratch") for number in range(2)
    ]
    assert example_photos(TREE / "no such category") == []
    assert {model.category: len(model.normals) for model in example_models(TREE, Path("x"))} == {
        "weave": 30,
        "leather": 30,
    }


@pytest.mark.parametrize(
    ("p_value", "normals", "words"),
    [
        (1 / 31, 30, "정상 사진 30장 가운데 이만큼 높은 것은 없었습니다. 정상 사진 100장이라면 많아야 4장쯤입니다."),
        (1 / 101, 100, "정상 사진 100장 가운데 이만큼 높은 것은 없었습니다. 정상 사진 100장이라면 많아야 1장쯤입니다."),
        (16 / 31, 30, "정상 사진 100장 중 52장쯤이 이만큼 높은 점수를 받습니다."),
        (1.0, 2, "정상 사진 100장 중 100장쯤이 이만큼 높은 점수를 받습니다."),
    ],
)
def test_p_values_in_words(p_value, normals, words):
    assert likelihood(p_value, normals) == words

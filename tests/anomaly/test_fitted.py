import json

import pytest
import torch
from safetensors.torch import load_file

from pipelines.anomaly.fitted import load_fitted, save_fitted
from pipelines.anomaly.models import METHODS, load_method
from pipelines.anomaly.models.detector import Fitted
from pipelines.anomaly.models.features.backbone import load_backbone
from pipelines.anomaly.settings import FitConfig
from pipelines.core.errors import CheckpointError, SubmissionError

CPU = torch.device("cpu")
SETTINGS = FitConfig(coreset=0.5, neighbours=3, dimensions=12, seed=5)


@pytest.fixture(scope="module", params=METHODS)
def saved(request, backbone, tmp_path_factory):
    """(folder, name, method, categories) of a method fitted on two categories."""
    method = load_method(request.param, SETTINGS, backbone)
    categories = {}
    for seed, category in enumerate(("나사", "a/b")):
        images = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            features = list(method.embed(backbone(images)))
        categories[category] = Fitted(method.fitter(features, CPU)(range(5)), 0.1 + seed / 3, 5, [1.0, 2.0])
    folder = tmp_path_factory.mktemp("saved") / "new"
    save_fitted(folder, request.param, SETTINGS, backbone, categories)
    return folder, request.param, method, categories


def test_loaded_scores_are_exactly_the_saved_ones(saved, backbone):
    folder, name, method, categories = saved
    again, loaded = load_fitted(folder, name, backbone, CPU)
    with torch.inference_mode():
        maps = backbone(torch.randn(1, 3, 64, 64))
        before, after = method.embed(maps)[0], again.embed(maps)[0]
    assert torch.equal(before, after)
    assert list(loaded) == list(categories)
    for category, fitted in categories.items():
        found, expected = loaded[category].scorer(after), fitted.scorer(before)
        assert found.score == expected.score and torch.equal(found.map, expected.map)
        assert loaded[category].threshold == fitted.threshold
        assert loaded[category].held_out == [1.0, 2.0]


def test_the_folder_holds_safetensors_and_json_and_no_more(saved):
    folder, name, _, _ = saved
    assert sorted(path.name for path in folder.iterdir()) == ["fitted.json", "fitted.safetensors"]
    description = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
    assert description["model"] == name
    assert [entry["name"] for entry in description["categories"]] == ["나사", "a/b"]
    assert {key.split(".")[0] for key in load_file(folder / "fitted.safetensors")} == {"0", "1"}


def test_another_method_is_an_error(saved, backbone):
    folder, name, _, _ = saved
    other = next(key for key in METHODS if key != name)
    with pytest.raises(CheckpointError, match=f"was fitted with \\(model: {name}\\), found model: {other}"):
        load_fitted(folder, other, backbone, CPU)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"strides": [8]}, "out_indices"),
        ({"size_hw": (64, 96)}, "input_size"),
        ({"mean": [0.4, 0.4, 0.4]}, "mean"),
        ({"options": {"output_stride": 16}}, "options"),
    ],
)
def test_other_settings_of_the_backbone_are_an_error(saved, backbone_folder, settings, key):
    other = load_backbone(str(backbone_folder), **{"size_hw": (64, 64), **settings})
    with pytest.raises(CheckpointError, match=f"expected the model and backbone that .* was fitted with \\({key}: "):
        load_fitted(saved[0], saved[1], other, CPU)


def test_other_weights_of_the_same_backbone_are_an_error(saved, tmp_path):
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "other.safetensors")
    other = load_backbone(str(tmp_path / "other.safetensors"), "test_resnet", size_hw=(64, 64))
    with pytest.raises(CheckpointError, match="was fitted with \\(fingerprint: "):
        load_fitted(saved[0], saved[1], other, CPU)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, "", "expected a fitted model's fitted.json in .* cannot be read"),
        ("fitted.json", "{", "expected a fitted model's fitted.json in .* cannot be read"),
        ("fitted.json", '{"format": 99}', "expected format 1 in .*, found 99"),
    ],
)
def test_folders_without_a_fitted_model(backbone, tmp_path, name, content, message):
    if name:
        (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        load_fitted(tmp_path, "patchcore", backbone, CPU)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_tensors(saved, backbone, tmp_path, damage):
    (tmp_path / "fitted.json").write_bytes((saved[0] / "fitted.json").read_bytes())
    if damage == "cut":
        (tmp_path / "fitted.safetensors").write_bytes((saved[0] / "fitted.safetensors").read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"expected a fitted model's tensors in .* do not load"):
        load_fitted(tmp_path, saved[1], backbone, CPU)


def test_a_file_in_the_way(saved, backbone, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(SubmissionError, match="its folder cannot be made"):
        save_fitted(tmp_path / "taken", saved[1], SETTINGS, backbone, saved[3])

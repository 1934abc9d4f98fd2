"""What the doctor says of the models that settings name, before anything is loaded or fetched."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.core.config import load_config
from pipelines.core.doctor import check_models
from pipelines.core.networks.catalogue import Catalogue, Entry
from pipelines.tasks import TASKS


def said(path: str, known: Catalogue | None = None, **flags) -> list[str]:
    kind = TASKS[Path(path).stem].config
    findings = check_models(load_config(Path(path), kind, flags), known)
    assert {finding.severity for finding in findings} <= {"error"}
    return [finding.message for finding in findings]


@pytest.mark.parametrize("path", sorted(map(str, Path("configs").glob("**/*.yaml"))))
def test_the_shipped_settings_are_in_order(path):
    if Path(path).stem in ("caption", "detect", "anomaly", "classify", "search"):
        assert said(path, **({} if Path(path).stem == "search" else {"data.images": "x"})) == []


def checkpoint(folder: Path, **settings: object) -> str:
    """The bundled detector with other settings."""
    shutil.copytree("mini/weights/grounding-dino", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    return str(folder)


def test_an_unknown_model_type_is_no_error_for_who_insists(tmp_path):
    folder = checkpoint(tmp_path / "odd", model_type="unheard-of")
    (message,) = said("configs/mini/detect.yaml", checkpoint=folder)
    assert f"{folder}/config.json" in message and "found unheard-of" in message and "--model NAME" in message
    assert said("configs/mini/detect.yaml", checkpoint=folder, model="yolo") == []


def test_a_folder_without_weights_is_told_as_a_run_would(tmp_path):
    folder = checkpoint(tmp_path / "empty")
    (tmp_path / "empty/model.safetensors").unlink()
    (message,) = said("configs/mini/detect.yaml", checkpoint=folder)
    assert "expected weights (model.safetensors or pytorch_model.bin)" in message


def test_of_a_hub_id_only_what_the_catalogue_tells():
    entry = Entry("a/b", ["detect"], "yolo", "MIT", "https://x", "fp32", [])
    for model, count in (("auto", 0), ("yolo", 0), ("grounding-dino", 1)):
        assert len(said("configs/detect.yaml", Catalogue([entry]), checkpoint="a/b", model=model)) == count
        assert said("configs/detect.yaml", Catalogue([]), checkpoint="a/b", model=model) == []


def test_a_method_runs_on_any_checkpoint():
    for model in ("patchcore", "padim"):
        assert said("configs/anomaly.yaml", model=model) == []


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"rerank": "blip"}, "as `rerank` one of itm (blip), clip (clip, siglip"),
        ({"rerank": "auto"}, "found `auto`"),
        ({"rerank": "clip"}, "found mini/weights/blip, which is one of itm"),
        ({"rerank": "itm", "rerank_checkpoint": "openai/clip-vit-large-patch14"}, "which is one of clip"),
    ],
)
def test_the_judge_of_a_search(flags, found):
    (message,) = said("configs/mini/search.yaml", **{"rerank_checkpoint": "mini/weights/blip", **flags})
    assert found in message

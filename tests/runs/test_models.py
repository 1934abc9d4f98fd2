"""`python -m pipelines models`, and the page that it makes."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.__main__ import main
from pipelines.caption.settings import CaptionConfig
from pipelines.core.config import load_config
from pipelines.core.networks.catalogue import catalogue, known_ids
from pipelines.runs.models import USES, page, settings_of
from pipelines.search.settings import SearchConfig
from pipelines.tasks import TASKS

CONFIGS = {name: task.config for name, task in TASKS.items()} | {"translation": CaptionConfig, "rerank": SearchConfig}
NEEDED = {"data": {"images": "photos"}, "checkpoint": "x", "labels": "labels.txt"}
"""What settings have to say that no checkpoint decides."""
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/models.md"


def test_the_page_is_what_the_catalogue_makes():
    assert PAGE.read_text(encoding="utf-8") == page(), "make models-page"


def test_the_page_is_printed_as_it_is(capsys):
    assert main(["models", "--markdown"]) == 0
    assert capsys.readouterr().out == page()


def test_the_page_links_each_score_to_its_source():
    text = page()
    for entry in catalogue().entries:
        for task in entry.tasks:
            score = entry.score(task)
            assert score is None or f"{score.value} [{score.metric}]({score.source})" in text


def test_all_are_listed_by_task(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["task", "model", "checkpoint"]
    assert [line.split()[0] for line in lines[2:]] == [task for task in USES for _ in catalogue().of_task(task)]
    assert any("facebook/nllb-200-distilled-600M" in line and "CC-BY-NC-4.0 (NC)" in line for line in lines)


@pytest.mark.parametrize("task", USES)
def test_those_of_one_task_are_listed(capsys, task):
    assert main(["models", "--task", task]) == 0
    listed = [line.split()[2] for line in capsys.readouterr().out.splitlines()[2:]]
    assert listed == [entry.id for entry in catalogue().of_task(task)]


def test_programs_get_json_in_bytes(capsys):
    assert main(["models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["id"] for entry in found] == known_ids()
    llmdet = next(entry for entry in found if entry["id"] == "iSEE-Laboratory/llmdet_tiny")
    assert llmdet["memory_fp16_bytes"] == round(llmdet["parameters"] * 2 * 1.2)
    assert llmdet["download_bytes"] == 692_000_000
    assert llmdet["scores"][0]["value"] == 44.7
    assert main(["models", "--json", "--task", "translation"]) == 0
    assert {"translation"} == {task for entry in json.loads(capsys.readouterr().out) for task in entry["tasks"]}


def test_an_unknown_task_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["models", "--task", "vqa"])
    assert "caption" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("profile", "folder"), [("mini", "configs/mini"), ("base", "configs"), ("gpu", "configs/gpu")])
def test_a_profile_is_a_folder_of_settings(profile, folder):
    for task in ("caption", "detect", "anomaly", "classify", "search-rank", "evaluate"):
        words = ["make", "--dry-run", task, f"PROFILE={profile}"]
        asked = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True).stdout
        path = f"{folder}/{task.removesuffix('-rank')}.yaml"
        assert f"--config {path}" in asked and (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("task", "entry"), [(task, entry) for task in USES for entry in catalogue().of_task(task)], ids=str
)
def test_settings_to_copy_are_settings(tmp_path, task, entry):
    known = CONFIGS[task].__pydantic_fields__
    settings = {key: value for key, value in NEEDED.items() if key in known} | settings_of(entry, task)
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert entry.id in str(load_config(path, CONFIGS[task]))

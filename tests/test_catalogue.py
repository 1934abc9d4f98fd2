"""The catalogue against itself, against the libraries that it speaks of, and against all that names a checkpoint."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import transformers

from pipelines.anomaly.models import METHODS
from pipelines.caption.models import CAPTIONERS
from pipelines.classify.models import CLASSIFIERS
from pipelines.core.errors import ConfigError
from pipelines.core.networks.catalogue import BYTES, Entry, catalogue, known_ids, memory, read_catalogue
from pipelines.core.networks.models import CLIP, TRANSLATORS
from pipelines.detect.models import DETECTORS
from pipelines.runs.models import USES
from pipelines.search.models import RERANKERS

ROOT = Path(__file__).parents[1]
ENTRIES = catalogue().entries
NAMING = [
    *sorted(ROOT.glob("configs/**/*.yaml")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("pipelines/**/*.py")),
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "deploy/space/README.md",
]  # fmt: skip
OWNERS = {entry.id.partition("/")[0] for entry in ENTRIES} | {
    "microsoft", "laion", "OpenGVLab", "llava-hf", "apple", "NHNDQ", "skt", "naver-hyperclovax", "jinaai", "omlab"
}  # fmt: skip
ID = r"([A-Za-z0-9][\w-]*/[\w.-]*\w)(?![\w/])"
"""An owner and a name, and no third part: that would be a path or an address."""


def each(entries=ENTRIES):
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.id)


def ids_named(text: str) -> set[str]:
    """The hub ids of a text: what a setting called checkpoint says, in a comment too, and what known owners have."""
    text = re.sub(r"https?://\S+", " ", text)  # whose parts are no ids
    settings = re.findall(rf"checkpoint\w*[\"']?(?:: str(?: \| None)?)?\s*[:=]\s*[\"']?{ID}", text)
    owned = [found for found in re.findall(rf"(?<![\w/.-]){ID}", text) if found.partition("/")[0] in OWNERS]
    local = ("mini/", "models/", "configs/", "data/")
    return {found for found in [*settings, *owned] if not found.startswith(local)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# checkpoint: timm/resnet18.a1_in1k   # small", {"timm/resnet18.a1_in1k"}),
        ('checkpoint: str = "new/one-2B"', {"new/one-2B"}),
        ("rerank_checkpoint: a/b", {"a/b"}),
        ("smaller: [Qwen/Qwen3-VL-2B-Instruct]", {"Qwen/Qwen3-VL-2B-Instruct"}),
        ("see `openai/clip-vit-base-patch32`.", {"openai/clip-vit-base-patch32"}),
        ("https://github.com/google/thing and https://huggingface.co/google/thing/tree/main", set()),
        ("checkpoint: mini/weights/blip", set()),
        ("checkpoint: models/yolo11n", set()),
        ("photos/s, train/good, ViT-B/32, ~/google/drive/x", set()),
    ],
)
def test_ids_are_found_in_texts(text, found):
    assert ids_named(text) == found


@pytest.mark.parametrize("path", NAMING, ids=lambda path: str(path.relative_to(ROOT)))
def test_whatever_names_a_checkpoint_names_one_of_the_catalogue(path):
    assert ids_named(path.read_text(encoding="utf-8")) <= set(known_ids()) | {"openai/CLIP"}


def test_the_shipped_settings_name_some():
    named = set().union(*(ids_named(path.read_text(encoding="utf-8")) for path in NAMING if path.suffix == ".yaml"))
    assert len(named) >= 12


@pytest.mark.parametrize("task", USES)
def test_each_task_has_entries_and_one_with_a_published_score(task):
    entries = catalogue().of_task(task)
    assert len(entries) >= 4
    assert any(entry.score(task) for entry in entries)


def test_ids_are_of_an_owner_and_come_once():
    assert len(set(known_ids())) == len(known_ids()) >= 30
    assert all(re.fullmatch(ID, name) for name in known_ids())


@each()
def test_each_figure_has_its_source(entry):
    sources = [entry.licence_source, *(score.source for score in entry.scores)]
    assert all(source.startswith("https://") for source in sources)
    assert entry.licence and entry.tasks and set(entry.tasks) <= set(USES)
    assert (entry.download_mb is None) == (entry.download_source is None)
    assert entry.parameters is not None or entry.parameters_source is None


@each()
def test_a_non_commercial_clause_is_marked(entry):
    assert entry.commercial is ("-NC" not in entry.licence)


@each([entry for entry in ENTRIES if len(entry.tasks) > 1 and entry.scores])
def test_scores_of_several_tasks_say_which(entry):
    assert {score.task for score in entry.scores} <= set(entry.tasks)


@each([entry for entry in ENTRIES if entry.download_mb and entry.parameters])
def test_what_is_downloaded_is_the_weights_and_little_else(entry):
    """Within a tenth: BLIP's file has a shared weight twice."""
    assert 0.99 < entry.download / (entry.parameters * BYTES[entry.dtype]) < 1.11


@each()
def test_models_have_the_names_of_the_tasks_own_dicts(entry):
    names = {"caption": CAPTIONERS, "detect": DETECTORS, "rerank": RERANKERS, "anomaly": METHODS,
             "classify": CLASSIFIERS, "translation": TRANSLATORS, "search": {"clip": CLIP}}  # fmt: skip
    assert all(entry.model in names[task] for task in entry.tasks)


@each(catalogue().of_task("anomaly"))
def test_timm_counts_as_many_parameters(entry):
    with torch.device("meta"):
        network = timm.create_model(entry.id.removeprefix("timm/"), pretrained=False)
    assert sum(weight.numel() for weight in network.parameters()) == entry.parameters


def test_transformers_counts_as_many_parameters():
    """Whose CLIP, by its own defaults, is openai's ViT-B/32."""
    with torch.device("meta"):
        network = transformers.CLIPModel(transformers.CLIPConfig())
    count = sum(weight.numel() for weight in network.parameters())
    assert count == catalogue().find("openai/clip-vit-base-patch32").parameters


def test_memory_is_the_weights_and_a_fifth_more():
    assert memory(1000, "fp16") == memory(1000, "bf16") == 2400
    assert memory(1000, "fp32") == 4800


def test_what_is_not_known_is_not_said():
    entry = Entry("a/b", ["caption"], "chat", "MIT", "https://x", "bf16", ["en"])
    assert entry.memory("fp16") is None and entry.download is None and entry.score("caption") is None


def test_a_checkpoint_is_found_with_its_revision():
    assert catalogue().find("facebook/m2m100_418M@refs/pr/19").licence == "MIT"
    assert catalogue().find("mini/weights/blip") is None


@pytest.mark.parametrize("text", ["[", "- id: a/b", "- {id: a/b, colour: red}", "x: 1"])
def test_a_file_that_is_no_catalogue(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"expected a list of checkpoints in {path}"):
        read_catalogue(path)


def test_the_known_ids_are_had_without_a_model_library():
    what = "from pipelines.core.networks.catalogue import known_ids; assert known_ids()"
    code = f"import sys; {what}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "False\n"

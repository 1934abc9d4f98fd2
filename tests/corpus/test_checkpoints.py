"""A spoiled checkpoint is one CheckpointError that names the folder; nothing in it is ever run."""

import ast
import re
import shutil
from pathlib import Path

import pytest
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BlipForConditionalGeneration,
    BlipProcessor,
)

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.checkpoints import resolve
from pipelines.core.networks.pretrained import load_network, load_processor
from tests import tiny
from tests.corpus.checkpoints import CHECKPOINTS, PLANTED, own_code
from tests.corpus.images import IMAGES
from tests.corpus.settings import SETTINGS
from tests.corpus.tables import TABLES
from tests.in_time import in_time

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.blip(tmp_path_factory.mktemp("blip"))


@pytest.fixture
def folder(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "checkpoint"))


def test_the_corpus_is_large():
    assert len(IMAGES) + len(TABLES) + len(SETTINGS) + len(CHECKPOINTS) >= 200
    assert min(map(len, (IMAGES, TABLES, SETTINGS, CHECKPOINTS))) >= 40


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_spoiled_checkpoint(folder, name):
    odd = CHECKPOINTS[name]
    odd.change(folder)

    def load() -> type:
        found = resolve(str(folder))
        load_processor(BlipProcessor, found)
        return type(load_network(BlipForConditionalGeneration, found, ("blip",)))

    end = in_time(load)
    assert not (folder.parent / PLANTED).exists()
    if not odd.refused:
        assert end is BlipForConditionalGeneration, end
        return
    assert isinstance(end, CheckpointError), repr(end)
    assert str(folder) in str(end) and "\n" not in str(end) and len(str(end)) < 1000
    assert re.search(odd.refused, str(end)), end


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", [AutoModelForImageTextToText, AutoProcessor, AutoTokenizer, AutoImageProcessor])
def test_code_in_the_folder_is_never_run_nor_asked_about(folder, capsys, kind, known):
    """By transformers' classes that choose themselves; without the answer No they would ask on the terminal."""
    own_code(known)(folder)
    load = load_network if kind is AutoModelForImageTextToText else load_processor
    try:
        assert load(kind, folder) is not None
    except CheckpointError:
        assert not known
    assert not (folder.parent / PLANTED).exists()
    assert "Do you wish to run" not in capsys.readouterr().out


def calls() -> list[tuple[str, str, ast.Call]]:
    """(file, the name that is called, the call) of all the code in pipelines/."""
    found = []
    for path in sorted(PIPELINES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.append((path.name, ast.unparse(node.func), node))
    return found


def test_nothing_in_the_project_unpickles_or_trusts_code():
    """torch.load only of weights, numpy's only without pickles, no pickle, no trust_remote_code but False."""
    for file, name, call in calls():
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given.get("trust_remote_code", "False") == "False", file
        if name == "torch.load":
            assert given.get("weights_only") == "True", file
        if name in ("np.load", "numpy.load"):
            assert given.get("allow_pickle", "False") == "False", file
        if name.endswith("torch_safe_load"):
            assert given.get("safe_only") == "True", file
        assert name not in ("yaml.load", "yaml.unsafe_load", "eval", "exec") or file == "config.py", (file, name)
    for path in PIPELINES.rglob("*.py"):
        names = [
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in [*node.names, ast.alias(getattr(node, "module", None) or "")]
        ]
        assert not {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"} & set(names), path

"""The suite's commands on every published checkpoint, as people type them: online, again offline, gated, misspelt."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.published.facts import Facts, read_facts
from tests.published.hub import State, serving

ROOT = Path(__file__).parents[2]
ALL = read_facts()
TRANSLATOR = "facebook/nllb-200-distilled-600M"
CAPTIONER = "Salesforce/blip-image-captioning-base"
ALBUM_MODEL = "google/siglip2-base-patch16-224"
LANGUAGES = {"m2m100": ["en", "ko"]}
COMMON = ["--device", "cpu", "--runner.progress", "false"]


def words(facts: Facts, place: Path) -> list[list[str]]:
    """The commands that run a checkpoint; what they write lies in `place`."""
    name, photos = facts.checkpoint, ["--images", str(place / "photos")]
    own = place / name.replace("/", "--")
    output = ["--output", f"{own}.csv", *COMMON]
    if facts.task == "caption":
        short = ["--max-tokens", "8", "--translation.max-tokens", "8"]
        return [["caption", "--checkpoint", name, *photos, *short, *output]]
    if facts.task == "translation":
        pair = next((pair for kind, pair in LANGUAGES.items() if kind in name), ["eng_Latn", "kor_Hang"])
        to = ["--translation.checkpoint", name, "--translation.source", pair[0], "--translation.target", pair[1]]
        return [["caption", "--checkpoint", CAPTIONER, *photos, "--translation.max-tokens", "8", *to, *output]]
    if facts.task == "detect":
        return [["detect", "--checkpoint", name, "--prompts", "강아지", *photos, *output]]
    if facts.task == "anomaly":
        data = ["--normal", str(place / "normal"), *photos]
        return [["anomaly", "--checkpoint", name, *data, "--folds", "2", *output]]
    album = ["--albums", str(place), "--album", own.name, *COMMON]
    model = [] if facts.task == "rerank" else ["--checkpoint", name]
    index = ["search", "index", *model, *album, str(place / "photos")]
    judge = ["--rerank", "itm", "--rerank-checkpoint", name] if facts.task == "rerank" else []
    return [index, ["search", "query", *model, *judge, *album, "--json", "강아지"]]


COMMANDS = {facts.checkpoint: facts for facts in ALL}


@pytest.fixture(scope="module")
def place(tmp_path_factory, photos):
    """Three photos to run on, and three to learn from."""
    folder = tmp_path_factory.mktemp("place")
    for name, chosen in (("photos", photos[:3]), ("normal", photos[2:])):
        (folder / name).mkdir()
        for path in chosen:
            shutil.copy(path, folder / name)
    return folder


def several(commands, place, environment):
    """What became of commands, run one after the other by one process."""
    given, ends = place / "commands.json", place / "ends.json"
    given.write_text(json.dumps(commands))
    subprocess.run(
        [sys.executable, "-m", "tests.published.several", str(given), str(ends)],
        cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return json.loads(ends.read_text())


@pytest.fixture(scope="module")
def ended(hub_root, place, tmp_path_factory):
    """Checkpoint -> the ends of its commands, online and offline, the CSVs of both, and what was fetched of it."""
    home, commands = tmp_path_factory.mktemp("home"), [each for facts in ALL for each in words(facts, place)]
    found = {}
    with serving(hub_root) as hub:
        environment = hub.environment(home)
        online = several(commands, place, environment)
        fetched = {facts.checkpoint: hub.fetched(facts.checkpoint) for facts in ALL}
    rows = {path.name: path.read_bytes() for path in place.glob("*.csv")}
    for path in place.glob("*.csv"):
        path.unlink()
    offline = several(commands, place, {**environment, "HF_HUB_OFFLINE": "1"})  # and the server is gone
    again = {path.name: path.read_bytes() for path in place.glob("*.csv")}
    for facts in ALL:
        count = len(words(facts, place))
        found[facts.checkpoint] = {
            "online": online[:count],
            "offline": offline[:count],
            "rows": [each.get(f"{facts.checkpoint.replace('/', '--')}.csv") for each in (rows, again)],
            "fetched": fetched[facts.checkpoint],
        }
        online, offline = online[count:], offline[count:]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_checkpoint_runs_online_and_then_offline(ended, name):
    end = ended[name]
    assert [(each["code"], each["said"]) for each in end["online"] if each["code"]] == []
    assert [(each["code"], each["said"]) for each in end["offline"] if each["code"]] == []
    assert "downloading" not in "".join(each["said"] for each in end["offline"])
    if COMMANDS[name].task not in ("search", "rerank"):
        first, second = end["rows"]
        assert first is not None and first == second


@pytest.mark.parametrize("name", COMMANDS)
def test_only_what_is_loaded_is_fetched(ended, hub_root, name):
    fetched = set(ended[name]["fetched"])
    weights = {each for each in fetched if each.endswith((".safetensors", ".bin"))}
    facts = COMMANDS[name]
    safe = [each for each in facts.files if each.endswith(".safetensors") and "/" not in each]
    assert weights == set(safe or ["model.safetensors" if facts.offers else "pytorch_model.bin"])
    junk = (".h5", ".msgpack", ".ot", ".onnx", ".md", ".gitattributes", ".zip")
    assert not any(each.endswith(junk) or each.startswith(("onnx/", "openvino/")) for each in fetched)


def test_captions_are_korean_in_every_row(ended, place):
    """Of BLIP-large and NLLB, the defaults."""
    table = pd.read_csv(place / "Salesforce--blip-image-captioning-large.csv")
    assert len(table) == 3 and table["caption"].str.contains("[가-힣]").all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--checkpoint", "Salesforce/blip-image-captioning-lage"],
            "nearest known id is Salesforce/blip-image-captioning-large",
        ),
        (
            ["--checkpoint", "closed/blip"],
            "accept its licence at https://huggingface.co/closed/blip, then set HF_TOKEN",
        ),
    ],
    ids=["misspelt", "gated"],
)
def test_a_checkpoint_that_is_not_to_be_had_is_one_sentence(hub_root, place, tmp_path, words, message):
    command = ["caption", "--images", str(place / "photos"), "--output", str(tmp_path / "a.csv"), *COMMON, *words]
    root = tmp_path / "hub"
    shutil.copytree(hub_root / CAPTIONER / "main", root / "closed/blip/main")
    shutil.copytree(hub_root / TRANSLATOR, root / TRANSLATOR)
    with serving(root, {"closed/blip": State(gated=True)}) as hub:
        (end,) = several([command], tmp_path, hub.environment(tmp_path / "home"))
    last = end["said"].strip().splitlines()[-1]
    assert end["code"] == 2 and last.startswith("error: ")

    assert re.search(message, last), last


@pytest.mark.skipif(not (ROOT / ".venv/ready").exists() or not shutil.which("make"), reason="needs make and .venv")
def test_make_caption_with_the_real_profile(hub_root, place, tmp_path):
    """`make caption PROFILE=base` on what BLIP-large's and NLLB's repositories hold, and again without a network."""
    output = tmp_path / "caption.csv"
    words = f"--images {place / 'photos'} --output {output} --device cpu --translation.max-tokens 8 --fresh"
    command = ["make", "caption", "PROFILE=base", f"ARGS={words}"]
    with serving(hub_root) as hub:
        environment = {**os.environ, **hub.environment(tmp_path / "home")}
        first = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        asked = len(hub.requests)
    assert first.returncode == 0 and asked, first.stderr
    online = output.read_bytes()
    output.unlink()
    second = subprocess.run(
        command, cwd=ROOT, env={**environment, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True
    )
    assert second.returncode == 0, second.stderr
    assert output.read_bytes() == online and online.decode("utf-8-sig").startswith("image,caption")

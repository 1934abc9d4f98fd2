"""A whole command whose models lie on a hub in the converter's pull requests, as those of our defaults do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests import tiny
from tests.published.hub import publish, serving

ROOT = Path(__file__).parents[4]


def offered(root, name, folder):
    """A repository that has but a .bin on main, and the folder as pull request 7."""
    shutil.copytree(folder, root / name / "refs" / "pr" / "7")
    publish(root, name, {"config.json": (folder / "config.json").read_bytes(), "pytorch_model.bin": b"p"})


def caption(photos, output, environment):
    """Runs the command in a process of its own; what it says on standard error, and its record."""
    command = [
        *(sys.executable, "-m", "pipelines", "caption", "--config", "configs/caption.yaml", "--images", str(photos)),
        *("--checkpoint", "org/blip", "--translation.checkpoint", "org/nllb", "--output", str(output)),
        *("--progress", "false", "--device", "cpu"),
    ]
    environment = {**os.environ, **environment, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr, json.loads(output.with_suffix(".json").read_text())


def test_captions_online_and_again_offline(tmp_path, nllb_folder):
    root, photos, home = tmp_path / "hub", tmp_path / "photos", tmp_path / "home"
    offered(root, "org/blip", tiny.blip(tmp_path / "blip"))
    offered(root, "org/nllb", nllb_folder)
    photos.mkdir()
    Image.new("RGB", (40, 30), "teal").save(photos / "a.png")
    with serving(root) as hub:
        said, record = caption(photos, tmp_path / "online.csv", hub.environment(home))
        for role, name in (("captioner", "org/blip"), ("translator", "org/nllb")):
            model = record["run"]["models"][role]
            assert (model["checkpoint"], model["revision"]) == (name, "refs/pr/7")
            assert model["sha"] == hub.sha(name, "refs/pr/7")
            assert f"downloading {name}@refs/pr/7: " in said and f"into {home / 'hub'}" in said
            assert "pytorch_model.bin" not in hub.fetched(name)
    said, again = caption(photos, tmp_path / "offline.csv", {**hub.environment(home), "HF_HUB_OFFLINE": "1"})
    assert "downloading" not in said and again["run"]["models"] == record["run"]["models"]
    assert (tmp_path / "offline.csv").read_bytes() == (tmp_path / "online.csv").read_bytes()

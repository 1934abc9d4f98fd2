"""The bundled samples, asked by the bundled CLIP through the command: what comes back is what was asked for."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from mini.world import KINDS
from pipelines.__main__ import main
from pipelines.core.config import load_config
from pipelines.core.images.samples import Sample
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.album import open_album
from pipelines.search.album.captions import index_captions
from pipelines.search.settings import SearchConfig

SAMPLES = Path("samples/search")
TRUTH = {row["image"]: row for row in csv.DictReader((SAMPLES / "truth.csv").open(encoding="utf-8"))}
NAMES = [f"scene_{number:03}.jpg" for number in range(60)]
CATS, RABBITS, TREES = (
    {name for name in NAMES if kind in TRUTH[name]["caption"]} for kind in ("고양이", "토끼", "나무")
)
KOREAN = {"한": 1, "두": 2, "세": 3, "네": 4, "다섯": 5, "여섯": 6}


def counted(name, kind):
    """How many the truth's sentence says."""
    _, found, rest = TRUTH[name]["caption"].partition(f"{kind} ")
    return KOREAN[rest.split()[0]] if found else 0


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """An album of sixty samples and a copy of one, with the true captions and counts of cats."""
    root = tmp_path_factory.mktemp("samples")
    (root / "photos" / "고양이 집").mkdir(parents=True)
    for name in NAMES:
        shutil.copy(SAMPLES / "images" / name, root / "photos" / name)
    shutil.copy(SAMPLES / "images" / "scene_012.jpg", root / "photos" / "고양이 집" / "copy.jpg")
    words = ["--config", "configs/mini/search.yaml", "--albums", str(root / "albums"), "--runner.progress", "false"]
    assert main(["search", "index", str(root / "photos"), *words]) == 0
    album = open_album(root / "albums" / "photos")
    rows = [{"id": name, "caption": TRUTH[name]["caption"]} for name in NAMES]
    album.note([row | {"counts": json.dumps({"cat": counted(row["id"], "고양이")})} for row in rows])
    index_captions(album)
    return words


@pytest.fixture
def ask(flags, capsys):
    def asked(*words):
        assert main(["search", "query", *words, "--json", *flags]) == 0
        return json.loads(capsys.readouterr().out)

    return asked


def ids(rows):
    return [row["id"] for row in rows]


def test_words_find_what_photos_show_and_copies_stand_under_one(ask):
    found = ask("고양이", "--top", "5")
    assert all(row["id"] in CATS or row["id"] == "고양이 집/copy.jpg" for row in found)
    assert [row["alike"] for row in found if "alike" in row] in ([["scene_012.jpg"]], [["고양이 집/copy.jpg"]])
    assert all(row["caption"][start:end] == "고양이" for row in found if "marks" in row for start, end in row["marks"])
    assert ask("고양이", "--top", "5", "--fold", "null") != found


def test_minus_terms_take_photos_away(ask):
    assert "scene_018.jpg" in CATS & RABBITS and "scene_018.jpg" in ids(ask("고양이", "--top", "5"))
    assert not RABBITS & set(ids(ask("고양이 -토끼", "--top", "5")))


def test_conditions_are_exact(ask):
    found = ask("바다", "--where", "고양이 >= 2 and not caption ~ 나무", "--top", "60", "--all")
    expected = {name for name in CATS - TREES if counted(name, "고양이") >= 2}
    assert expected and set(ids(found)) == expected
    assert ids(ask("바다", "--where", "folder = '고양이 집'", "--all")) == ["고양이 집/copy.jpg"]
    assert ask("바다", "--where", "cats > 50") == []


def test_numbers_bring_up_photos_with_as_many(ask, flags, capsys):
    (first,) = ask("고양이 네 마리", "--top", "1")
    assert counted(first["id"], "고양이") == 4
    assert main(["search", "query", "고양이 네 마리", *flags]) == 0
    assert "--where 'cat = 4'" in capsys.readouterr().err


def test_a_photo_and_words_are_asked_together(ask):
    found = ids(ask("cats", "--image", "scene_040.jpg", "--top", "3"))  # two dogs and four cats
    assert "scene_040.jpg" not in found and found[0] in CATS
    assert ids(ask("--image", "scene_012.jpg", "--top", "1")) == ["고양이 집/copy.jpg"]


# --- the cutoff


@pytest.fixture(scope="module")
def catless(tmp_path_factory):
    """An album of samples without a cat, without captions, counts or copies."""
    root = tmp_path_factory.mktemp("catless")
    (root / "photos").mkdir()
    for name in sorted(set(NAMES) - CATS):
        shutil.copy(SAMPLES / "images" / name, root / "photos" / name)
    words = ["--config", "configs/mini/search.yaml", "--albums", str(root / "albums"), "--device", "cpu"]
    assert main(["search", "index", str(root / "photos"), *words, "--runner.progress", "false"]) == 0
    return words


def asked(words, capsys):
    """What `search query` prints: JSON, and what it says besides."""
    capsys.readouterr()
    assert main(["search", "query", *words, "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_what_no_photo_shows_is_said(catless, capsys):
    for words in ("고양이", "cats", "고양이 -나무"):
        rows, said = asked([words, *catless], capsys)
        assert rows == [] and "no photo of the album matches" in said and "it/s" not in said
    rows, said = asked(["고양이", "--all", *catless], capsys)
    assert len(rows) == 10 and {row["match"] for row in rows} == {False}
    rows, said = asked(["토끼", "--top", "40", *catless], capsys)
    assert rows and set(ids(rows)) <= RABBITS and "of the best 40 photos are below the cutoff 0.628" in said
    assert not any("match" in row for row in rows)


@pytest.mark.parametrize("change", [["--cutoff", "null"], ["--cutoff-model", "abc"], ["--image", "scene_000.jpg"]])
def test_no_photo_is_left_out_where_no_cutoff_holds(catless, capsys, change):
    rows, said = asked(["고양이", *change, *catless], capsys)
    assert len(rows) == 10 and not any("match" in row for row in rows) and "no photo" not in said
    assert ("is another model's" in said) is ("abc" in change)


def test_what_captions_say_fits(ask):
    found = ids(ask("고양이 두 마리", "--cutoff", "0.99", "--top", "60"))
    two = {name for name in CATS if counted(name, "고양이") == 2}
    assert set(found) == CATS and two and set(found[: len(two)]) == two


def test_the_cutoff_of_the_settings_is_that_of_the_bundled_model():
    """Of each kind: with the photos that show it, and without them; the scenes that it was found on were others."""
    config = load_config(Path("configs/mini/search.yaml"), SearchConfig)
    folder = checkpoints.resolve(config.checkpoint)
    assert config.cutoff_model == checkpoints.fingerprint(folder)
    runner = Runner(RunnerConfig(batch=16, progress=False, device="cpu"))
    images, texts = load_clip(folder)
    samples = [Sample(name, SAMPLES / "images" / name) for name in TRUTH]
    photos = torch.stack([outcome.result for outcome in runner.run(images, samples)])
    shows = torch.tensor(
        [[re.search(rf"\b({kind.name}|{kind.plural})\b", row["english"]) is not None for row in TRUTH.values()]
         for kind in KINDS.values()]
    )  # fmt: skip
    kinds = torch.stack([outcome.result for outcome in runner.run(texts, list(KINDS))])
    scores = kinds @ photos.T
    missed = scores.where(shows, torch.tensor(-1.0)).amax(1) < config.cutoff
    slipped = scores.where(~shows, torch.tensor(-1.0)).amax(1) >= config.cutoff
    assert int(missed.sum()) == 0 and int(slipped.sum()) <= 2  # of 32

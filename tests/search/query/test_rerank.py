"""A second judge says of each pair what its network says by itself, and puts photos in that order."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import BlipForImageTextRetrieval, BlipProcessor

from pipelines.core.errors import CheckpointError, ConfigError, ImageError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.nearest import Match
from pipelines.search.query.rerank import RERANKERS, Pair, load_judge, rerank, say_reranked
from tests import tiny
from tests.search.conftest import draw

TEXTS = ["two dogs", "a photo of three cats and the red apples on one", "cats"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Judge -> a checkpoint folder for it."""
    root = tmp_path_factory.mktemp("judges")
    return {"itm": tiny.blip_itm(root / "itm"), "clip": tiny.siglip(root / "clip")}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four photos of the networks' size, so that nothing depends on who resizes."""
    folder = tmp_path_factory.mktemp("photos")
    return [draw(folder / f"{seed}.png", seed, size=(32, 32)) for seed in range(4)]


@pytest.fixture
def pairs(photos):
    return [Pair(photo, text) for photo in photos for text in TEXTS]


def scores(judge, pairs, batch):
    outcomes = list(Runner(RunnerConfig(device="cpu", batch=batch, progress=False)).run(judge, pairs))
    assert [outcome.error for outcome in outcomes] == [""] * len(pairs)
    return torch.tensor([outcome.result for outcome in outcomes])


def test_itm_gives_hugging_faces_probability(folders, pairs):
    model = BlipForImageTextRetrieval.from_pretrained(folders["itm"]).eval()
    processor = BlipProcessor.from_pretrained(folders["itm"])
    expected = []
    for pair in pairs:
        inputs = processor(images=Image.open(pair.photo), text=pair.text, return_tensors="pt")
        with torch.inference_mode():
            expected.append(model(**inputs).itm_score.softmax(-1)[0, 1])
    found = scores(load_judge("itm", folders["itm"]), pairs, batch=1)
    assert found.tolist() == pytest.approx(torch.stack(expected).tolist(), abs=1e-5)
    assert found.std() > 0.01, "pairs differ"


def test_clip_gives_the_cosines_of_its_vectors(folders, pairs):
    images, texts = load_clip(folders["clip"])
    runner = Runner(RunnerConfig(device="cpu", batch=1, progress=False))
    of_photos = [each.result for each in runner.run(images, [Sample(pair.photo.name, pair.photo) for pair in pairs])]
    of_texts = [each.result for each in runner.run(texts, [pair.text for pair in pairs])]
    expected = [float(photo @ text) for photo, text in zip(of_photos, of_texts, strict=True)]
    assert scores(load_judge("clip", folders["clip"]), pairs, batch=5).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", RERANKERS)
@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_a_score_does_not_depend_on_the_batch(name, count, folders, pairs):
    judge = load_judge(name, folders[name])
    some = pairs[:count]
    together = scores(judge, some, batch=4)
    assert together.shape == (count,)
    assert together.tolist() == pytest.approx(scores(judge, some, batch=1).tolist(), abs=1e-5)


@pytest.mark.parametrize("name", RERANKERS)
def test_a_text_that_is_too_long_is_cut(name, folders, photos):
    judge = load_judge(name, folders[name])
    assert len(scores(judge, [Pair(photos[0], "dogs " * 2000), Pair(photos[0], "cats")], batch=2)) == 2


class Taste:
    """A judge to whom a photo's score is what it is told, and that cannot read one of which it is told nothing."""

    dtypes = frozenset({torch.float32})

    def __init__(self, told):
        self.told, self.module = told, torch.nn.Linear(1, 1)

    def prepare(self, pairs):
        assert all(pair.text == "two dogs" for pair in pairs)
        for pair in pairs:
            if pair.photo.name not in self.told:
                raise ImageError(f"{pair.photo}: broken")
        return {"told": torch.tensor([self.told[pair.photo.name] for pair in pairs])}

    def predict(self, batch):
        return batch["told"].tolist()


@pytest.mark.parametrize(
    ("told", "order"),
    [
        ({"a": 0.25, "b": 0.5, "c": 0.75, "d": 1.0}, "dcba"),
        ({"a": 0.5, "b": 0.5, "c": 0.75, "d": 0.5}, "cabd"),
        ({"b": 0.25, "d": 0.75}, "dbac"),
        ({}, "abcd"),
    ],
    ids=["all", "ties", "two broken", "all broken"],
)
def test_photos_come_in_the_judges_order_and_broken_ones_last_as_they_were(told, order, capsys):
    matches = [Match(key, 1 - place / 10) for place, key in enumerate("abcd")]
    runner = Runner(RunnerConfig(device="cpu", batch=3, progress=False))
    found = rerank(Taste(told), runner, "two dogs", matches, Path("/photos"))
    assert [match.id for match in found.matches] == list(order)
    assert {match.id: match.judged for match in found.matches} == {key: told.get(key) for key in "abcd"}
    assert {match.id: match.score for match in found.matches} == {match.id: match.score for match in matches}
    assert found.failed == {key: f"/photos/{key}: broken" for key in "abcd" if key not in told}
    say_reranked(found, "itm")
    said = capsys.readouterr().err
    assert f"itm judged {len(told)} photos by 'two dogs' in " in said and ("come last" in said) == (len(told) < 4)


def test_an_unknown_judge_and_a_checkpoint_for_another_are_refused(folders, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a judge for `rerank` \(itm, clip\), found `blip`"):
        load_judge("blip", folders["itm"])
    with pytest.raises(CheckpointError, match="of the architecture blip"):
        load_judge("itm", folders["clip"])
    with pytest.raises(CheckpointError, match="missing"):
        load_judge("itm", tiny.blip(tmp_path / "captioner"))

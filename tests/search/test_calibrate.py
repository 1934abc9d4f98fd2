"""The cutoff that separates best is found, and what it is worth on captions that had no say is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from pipelines.core.errors import InputError
from pipelines.search.album.album import make_album
from pipelines.search.album.indexing import index
from pipelines.search.calibrate import (
    FOLDS,
    Cosines,
    Rates,
    calibrate,
    captions_of,
    cosines,
    judge,
    read_captions,
)
from tests.search.album.test_album import ABOUT, row
from tests.search.conftest import draw


def of(own, others, groups=None):
    groups = range(len(own)) if groups is None else groups
    return Cosines(np.array(own, float), np.array(others, float), np.array(groups))


@pytest.fixture
def album(tmp_path):
    """Twelve photos at right angles to each other, the last two of one caption, the first without one."""
    made = make_album(tmp_path / "one", 12, ABOUT)
    captions = [None, *(f"caption {number}" for number in range(1, 11)), "caption 10"]
    photos = zip(np.eye(12, dtype=np.float16), captions, strict=True)
    made.put([row(f"{place:02}", vector=vector, caption=said) for place, (vector, said) in enumerate(photos)], [])
    return made


@pytest.mark.parametrize(
    ("own", "others", "cutoff", "rates"),
    [
        ([0.5, 0.6], [0.1, 0.3], 0.4, Rates(0, 0)),
        ([0.5], [0.5], 0.5, Rates(0, 1)),
        ([0.2, 0.6, 0.7, 0.8], [0.1, 0.3, 0.4, 0.1], 0.5, Rates(0.25, 0)),
        ([0.5, 0.6, 0.7, 0.8], [0.1, 0.2, 0.3, 0.9], 0.4, Rates(0, 0.25)),
    ],
)
def test_the_best_cutoff(own, others, cutoff, rates):
    found = of(own, others)
    assert found.best() == pytest.approx(cutoff) and found.rates(found.best()) == rates
    assert found.best(np.ones(len(own), bool)) == found.best()


def test_no_other_cutoff_is_better_by_scikit_learn():
    random = np.random.default_rng(0)
    found = of(random.normal(0.3, 0.1, 60), random.normal(0.2, 0.1, 60))
    true = np.repeat([1, 0], 60)
    accuracies = {
        cutoff: balanced_accuracy_score(true, np.concatenate([found.own, found.others]) >= cutoff)
        for cutoff in (found.best(), *np.linspace(-0.2, 0.7, 400))
    }
    assert accuracies[found.best()] == max(accuracies.values())
    assert found.rates(found.best()).balanced == pytest.approx(max(accuracies.values()))


def test_captions_of_one_photo_share_a_fold():
    """Each photo has cosines of its own, which a second caption of it would betray."""
    random = np.random.default_rng(1)
    own, others = (np.repeat(random.normal(0, 1, 30), 2) for _ in range(2))
    together = of(own, others, np.repeat(np.arange(30), 2)).out_of_fold()
    assert together == of(own[::2], others[::2]).out_of_fold()


def test_noise_is_worth_nothing_and_signal_much():
    random = np.random.default_rng(2)
    noise, more_noise = random.normal(0, 1, (2, 200))
    assert not judge(of(noise, more_noise)).worth
    found = judge(of(noise + 4, more_noise))
    assert found.worth and found.honest.balanced > 0.95 and found.cutoff == pytest.approx(2, abs=0.5)


def test_a_caption_meets_its_own_photos_and_the_best_of_the_others(album):
    query = torch.zeros(12)
    query[[0, 3, 7]] = torch.tensor([0.25, 0.75, 0.5])
    found = cosines(album, torch.stack([query] * 3), [{"03"}, {"03", "07"}, {"00", "11"}])
    assert found.own.tolist() == [0.75, 0.75, 0.25]
    assert found.others.tolist() == [0.5, 0.25, 0.75]
    assert found.groups.tolist() == [1, 1, 0]


def test_an_album_s_own_captions(album):
    found = captions_of(album)
    assert len(found) == 10 and found["caption 10"] == {"10", "11"} and found["caption 1"] == {"01"}
    album.drop(["01"])
    with pytest.raises(InputError, match=r"at least 10 captions of the album's photos; `enrich` .*found 9"):
        captions_of(album)


def test_captions_of_a_file(album, tmp_path, capsys):
    path = tmp_path / "truth.csv"
    lines = ["image,caption,english", *(f"{number:02},개 {number},dog {number}" for number in range(12))]
    path.write_text("\n".join([*lines, "03,개 4,", "x.jpg,개,dog"]) + "\n", encoding="utf-8")
    found = read_captions(path, ["caption", "english"], album)
    assert len(found) == 24 and found["개 4"] == {"03", "04"} and found["dog 4"] == {"04"}
    assert "1 rows of" in (said := capsys.readouterr().err) and "no such photo, such as 'x.jpg'" in said
    with pytest.raises(InputError, match=r"truth\.csv, found image, caption, english; no korean"):
        read_captions(path, ["caption", "korean"], album)
    path.write_text("image,caption\nx.jpg,dog\n", encoding="utf-8")
    with pytest.raises(InputError, match="found 0"):
        read_captions(path, ["caption"], album)


@pytest.fixture
def many(tmp_path, config):
    """Twenty photos of an untrained model, their album, and captions that have nothing to do with them."""
    for seed in range(20):
        draw(tmp_path / "photos" / f"{seed}.png", seed)
    index(tmp_path / "photos", config)
    rows = (f"{seed}.png,{word}" for seed, word in enumerate("개곰말소벌배컵책집꽃공새차눈산강달별해비"))
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(["image,caption", *rows]) + "\n", encoding="utf-8")
    return truth


def test_captions_that_say_nothing_give_no_cutoff(many, config, tmp_path, capsys):
    found = calibrate(config, many, tmp_path / "found.yaml")
    said = capsys.readouterr()
    assert not found.worth and not (tmp_path / "found.yaml").exists()
    assert "no cutoff was written: " in said.err and "20 captions, 20 photos" in said.out


def test_too_few_captions_are_refused(made_once, config, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("image,caption\n0.png,a\n2.png,b\n", encoding="utf-8")
    config = replace(config, albums=made_once / "albums")
    with pytest.raises(InputError, match=f"at least {2 * FOLDS} captions in .*found 2"):
        calibrate(config, truth, tmp_path / "found.yaml")

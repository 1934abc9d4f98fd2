"""`search rank` writes the photos of every query, the best first, in the form that is scored."""

import json

import pytest
import torch

from pipelines.core.errors import ConfigError, InputError
from pipelines.core.images.samples import Sample, read_table
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.evaluate import SearchScoring, evaluate
from pipelines.search.rank import rank, read_queries
from pipelines.search.settings import RankConfig, SearchConfig
from tests.search.conftest import draw

QUIET = RunnerConfig(device="cpu", batch=2, progress=False)


@pytest.fixture
def folder(tmp_path):
    for seed in range(3):
        draw(tmp_path / "photos" / f"{seed}.png", seed)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"not a picture")
    lines = ["image,caption,english", "0.png,강아지,two dogs", "1.png,사과,cats", "2.png,강아지,apples"]
    (tmp_path / "truth.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def settings(folder, checkpoint, **changes):
    rank = {"images": folder / "photos", "queries": folder / "truth.csv", "output": folder / "search.csv"} | changes
    return SearchConfig(str(checkpoint), top=2, rank=RankConfig(**rank), runner=QUIET)


def test_each_distinct_query_has_its_best_photos(folder, siglip_folder, capsys):
    record = rank(settings(folder, siglip_folder, columns=["caption", "english"]))
    rows = read_table(folder / "search.csv").rows
    assert list(dict.fromkeys(row["caption"] for row in rows)) == ["강아지", "사과", "two dogs", "cats", "apples"]
    assert len(rows) == 5 * 2 == record["rows"]
    images, texts = load_clip(siglip_folder)
    ids = ["0.png", "1.png", "2.png"]
    runner = Runner(QUIET)
    pictures = runner.run(images, [Sample(name, folder / "photos" / name) for name in ids])
    (word,) = runner.run(texts, ["cats"])
    scores = (torch.stack([outcome.result for outcome in pictures]) @ word.result).tolist()
    best = sorted(zip(scores, ids, strict=True), reverse=True)[:2]
    assert [(float(row["score"]), row["image"]) for row in rows if row["caption"] == "cats"] == [
        (pytest.approx(score, abs=2e-6), name) for score, name in best
    ]
    assert "broken.jpg: " in capsys.readouterr().err
    assert json.loads((folder / "search.json").read_text(encoding="utf-8"))["blanks"][0]["id"] == "broken.jpg"


def test_what_it_writes_can_be_scored(folder, siglip_folder):
    rank(settings(folder, siglip_folder))
    names = [score.name for score in evaluate(SearchScoring(folder / "search.csv", folder / "truth.csv")).scores]
    assert names[0] == "recall@1"


def test_translated_queries_are_told_of(folder, clip_folder, nllb_folder, capsys):
    config = settings(folder, clip_folder, columns=["caption", "english"])
    translation = type(config.translation)(str(nllb_folder))
    record = rank(SearchConfig(config.checkpoint, translation=translation, rank=config.rank, runner=QUIET))
    assert set(record["run"]["english"]) == {"강아지", "사과"}
    assert "was asked in English" in capsys.readouterr().err
    assert {row["caption"] for row in read_table(folder / "search.csv").rows} >= {"강아지", "two dogs"}


def test_queries_are_distinct_in_nfc_and_not_empty(tmp_path):
    path = tmp_path / "queries.csv"
    path.write_text("id,q\n1,\u1100\u1162\n2,\uac1c\n3,\n4,dog\n", encoding="utf-8")
    assert read_queries(path, ["q"]) == ["\uac1c", "dog"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": None}, ConfigError, "rank.images. is missing"),
        ({"queries": None}, ConfigError, "rank.queries. is missing"),
        ({"columns": ["korean"]}, InputError, "expected a column `korean`, found the columns image, caption, english"),
    ],
)
def test_what_does_not_fit_is_refused(folder, siglip_folder, changes, error, message):
    with pytest.raises(error, match=message):
        rank(settings(folder, siglip_folder, **changes))


def test_a_folder_without_a_readable_photo_is_refused(folder, siglip_folder):
    for path in (folder / "photos").glob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match="all 1 failed"):
        rank(settings(folder, siglip_folder))
    assert not (folder / "search.csv").exists()

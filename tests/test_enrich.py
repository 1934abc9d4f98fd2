"""`enrich` as a user runs it, by the bundled models on bundled photos, held to what the two tasks' commands say."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from pipelines import enrich
from pipelines.__main__ import main
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Outcome
from pipelines.search.album.album import open_album

PHOTOS = [Path("samples/search/images") / f"scene_{number:03}.jpg" for number in (0, 40, 55, 69)]
QUIET = ["--runner.progress", "false", "--runner.device", "cpu"]
SEARCH = ["--config", "configs/mini/search.yaml", *QUIET]


def run(albums, *more):
    return main(["enrich", *SEARCH, "--albums", str(albums), *more])


def kept(albums):
    """Id -> caption, its English, and counts."""
    album = open_album(albums / "photos")
    rows = album.rows(list(album.known()), ["caption", "caption_english", "counts"])
    return {
        key: (row["caption"], row["caption_english"], json.loads(row["counts"] or "null")) for key, row in rows.items()
    }


def submitted(task, root, *more):
    """The rows of the task's own command on the same photos."""
    output = root / "out" / f"{task}.csv"
    words = ["--config", f"configs/mini/{task}.yaml", "--images", str(root / "photos"), "--output", str(output)]
    assert main([task, *words, "--sample-submission", "null", *QUIET, *more]) == 0
    with output.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    """A folder of photos, and its album without captions and counts."""
    root = tmp_path_factory.mktemp("indexed")
    (root / "photos").mkdir()
    for path in PHOTOS:
        shutil.copy(path, root / "photos")
    assert main(["search", "index", str(root / "photos"), *SEARCH, "--albums", str(root / "albums")]) == 0
    return root


@pytest.fixture(scope="module")
def enriched(indexed, tmp_path_factory):
    """The same album with captions and with dogs counted."""
    albums = shutil.copytree(indexed / "albums", tmp_path_factory.mktemp("enriched") / "albums")
    assert run(albums, "--prompts", "강아지") == 0
    return albums


@pytest.fixture
def albums(enriched, tmp_path):
    """An album of the test's own, with captions and with dogs counted."""
    return shutil.copytree(enriched, tmp_path / "albums")


def test_captions_and_counts_are_those_of_the_tasks_own_commands(indexed, enriched):
    found = kept(enriched)
    captions = {row["image"]: row["caption"] for row in submitted("caption", indexed)}
    assert {key: caption for key, (caption, _, _) in found.items()} == captions
    rows = submitted("detect", indexed, "--prompts", "강아지", "--boxes", "null")
    counts = {row["image"]: int(row["count"]) for row in rows}
    assert {key: counted for key, (_, _, counted) in found.items()} == {
        key: {"강아지": number, "dog": number} for key, number in counts.items()
    }
    assert max(counts.values()) >= 2 and min(counts.values()) == 0
    assert all(english.isascii() and " " in english for _, english, _ in found.values())


def test_an_album_answers_by_the_prompt_and_by_its_english(enriched):
    album = open_album(enriched / "photos")
    korean = album.ids("json_get_int(counts, '강아지') >= 2")
    assert korean == album.ids("json_get_int(counts, 'dog') >= 2") and 0 < len(korean) < len(album)


def test_what_is_done_is_not_done_again(albums, capsys):
    before = kept(albums)
    assert run(albums, "--prompts", "강아지") == 0
    assert f"{len(PHOTOS)} photos (0 captioned, 0 counted)" in capsys.readouterr().out and kept(albums) == before
    some = open_album(albums / "photos")
    some.note([{"id": PHOTOS[0].name, "caption": None, "caption_english": None}])
    assert run(albums, "--prompts", "강아지") == 0
    assert "(1 captioned, 0 counted)" in capsys.readouterr().out and kept(albums) == before


def test_a_new_prompt_is_counted_beside_the_old_ones(albums, capsys):
    before = kept(albums)
    assert run(albums, "--prompts", "강아지", "우산") == 0
    assert f"(0 captioned, {len(PHOTOS)} counted)" in capsys.readouterr().out
    for key, (_, _, counts) in kept(albums).items():
        assert counts.keys() == {"강아지", "dog", "우산", "umbrella"} and counts["dog"] == before[key][2]["dog"]


def test_again_does_all_that_is_wanted(albums, capsys):
    some = open_album(albums / "photos")
    some.note([{"id": path.name, "counts": '{"강아지": 99, "dog": 99, "cat": 7}'} for path in PHOTOS])
    assert run(albums, "--prompts", "강아지", "--captions", "false", "--again") == 0
    assert f"(0 captioned, {len(PHOTOS)} counted)" in capsys.readouterr().out
    assert all(counts["강아지"] == counts["dog"] < 99 and counts["cat"] == 7 for _, _, counts in kept(albums).values())


def test_a_photo_that_is_not_what_was_indexed_waits_for_the_index(indexed, tmp_path, capsys):
    photos, albums = tmp_path / "photos", tmp_path / "albums"
    shutil.copytree(indexed / "photos", photos)
    assert main(["search", "index", str(photos), *SEARCH, "--albums", str(albums)]) == 0
    shutil.copy(PHOTOS[0], photos / PHOTOS[1].name)
    (photos / PHOTOS[2].name).unlink()
    assert run(albums, "--counts", "false") == 0
    said = capsys.readouterr()
    assert f"({len(PHOTOS) - 2} captioned, 0 counted)" in said.out
    assert f"{PHOTOS[1].name}: the file has changed since it was indexed" in said.err
    assert f"{PHOTOS[2].name}: the file is gone since it was indexed" in said.err
    assert kept(albums)[PHOTOS[1].name] == (None, None, None)


def test_what_was_found_before_a_crash_is_kept(indexed, tmp_path):
    albums = shutil.copytree(indexed / "albums", tmp_path / "albums")
    album = open_album(albums / "photos")

    def found():
        for key in (PHOTOS[0].name, *(f"gone {number}" for number in range(1, enrich.MOST_AT_ONCE)), PHOTOS[1].name):
            yield Outcome(Sample(key, PHOTOS[0]), {"caption": "강아지"})
        raise MemoryError

    with pytest.raises(MemoryError):
        enrich.write(album, found(), enrich.Report(album.path))
    assert {key for key, (caption, _, _) in kept(albums).items() if caption} == {PHOTOS[0].name}
    assert len(album) == len(PHOTOS)


def test_photos_that_failed_or_were_not_reached_are_told_and_stay_without(indexed, tmp_path, capsys):
    album = open_album(shutil.copytree(indexed / "albums", tmp_path / "albums") / "photos")
    report = enrich.Report(album.path, len(album))
    samples = [Sample(path.name, path) for path in PHOTOS[:3]]
    outcomes = [
        Outcome(samples[0], None, "too odd"),
        Outcome(samples[1], {"caption": "강아지 한 마리"}),
        Outcome(samples[2], None, "the deadline came first", reached=False),
    ]
    assert enrich.write(album, outcomes, report) == 1
    enrich.say(report, 1.0)
    said = capsys.readouterr().err
    assert f"{samples[0].id}: too odd" in said and "1 photos are left" in said and samples[2].id not in said
    assert {key for key, found in kept(tmp_path / "albums").items() if found[0]} == {samples[1].id}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--prompts", "강아지", "강아지"], "expected prompts that differ"),
        (["--detect", "nowhere.yaml"], "expected a settings file (YAML, UTF-8) at nowhere.yaml"),
        (["--album", "elsewhere"], "expected an album at"),
    ],
)
def test_what_a_user_can_mend_is_told_before_anything_is_captioned(indexed, tmp_path, more, message, capsys):
    albums = shutil.copytree(indexed / "albums", tmp_path / "albums")
    assert run(albums, *more) == 2
    assert message in capsys.readouterr().err
    assert not any(caption for caption, _, _ in kept(albums).values())

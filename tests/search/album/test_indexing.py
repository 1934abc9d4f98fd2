"""An album follows its folder, and ends the same wherever its making was cut off."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.core.errors import ConfigError, InputError
from pipelines.core.running.runner import Runner
from pipelines.core.running.stopping import Stop
from pipelines.search.album.album import open_album, writing
from pipelines.search.album.approximate import INDEX
from pipelines.search.album.indexing import index, say
from tests.search.conftest import QUIET, draw

KILLS = 20


def content(config, name="photos"):
    """All that an album holds, sorted by id."""
    album = open_album(config.albums / name)
    return album.photos.search().to_arrow().sort_by("id"), album.refused()


def counts(report):
    return report.photos, report.new, report.changed, report.gone


def test_every_photo_is_in_with_what_its_file_says(made, config):
    assert counts(index(made, config)) == (6, 6, 0, 0)
    table, refused = content(config)
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ["0.png", "2.png", "4.png", "여행/1.png", "여행/3.png", "여행/5.png"]
    assert refused == {}
    state = (made / "0.png").stat()
    assert (rows[0]["bytes"], rows[0]["mtime_ns"]) == (state.st_size, state.st_mtime_ns)
    assert (rows[0]["width"], rows[0]["height"], rows[0]["caption"], rows[0]["counts"]) == (60, 40, None, None)
    assert rows[0]["colour"] and rows[0]["thumbnail"][:2] == b"\xff\xd8"


def test_a_second_run_changes_nothing(made, config):
    index(made, config)
    before, version = content(config)[0], open_album(config.albums / "photos").photos.version
    assert counts(index(made, config)) == (6, 0, 0, 0)
    assert content(config)[0] == before and open_album(config.albums / "photos").photos.version == version


def test_it_follows_what_comes_changes_and_goes(made, config):
    index(made, config)
    draw(made / "new.png", 10)
    draw(made / "2.png", 11)
    (made / "4.png").unlink()
    assert counts(index(made, config)) == (6, 1, 1, 1)
    found = content(config)[0]
    other = replace(config, albums=config.albums / "other")
    index(made, other)
    assert found == content(other)[0]


def test_a_touched_photo_is_not_embedded_again(made, config):
    index(made, config)
    album = open_album(config.albums / "photos")
    album.photos.update(where="id = '0.png'", values={"caption": "개"})
    os.utime(made / "0.png", ns=(1, 1))
    assert counts(index(made, config)) == (6, 0, 0, 0)
    row = content(config)[0].to_pylist()[0]
    assert row["mtime_ns"] == 1 and row["caption"] == "개"


def test_a_photo_that_changed_loses_what_was_said_of_it_and_no_other_does(made, config):
    index(made, config)
    said = {"caption": "개", "caption_english": "a dog", "counts": '{"dog":1}'}
    open_album(config.albums / "photos").note([{"id": key} | said for key in ("0.png", "2.png")])
    draw(made / "0.png", 12)
    assert index(made, config).changed == 1
    rows = {row["id"]: {name: row[name] for name in said} for row in content(config)[0].to_pylist()}
    assert rows["0.png"] == dict.fromkeys(said) and rows["2.png"] == said


def test_a_photo_of_the_same_size_and_another_time_is_looked_into(made, config):
    draw(made / "0.bmp", 1)
    index(made, config)
    before = content(config)[0].to_pylist()[0]
    draw(made / "0.bmp", 2)
    os.utime(made / "0.bmp", ns=(1, 1))
    assert index(made, config).changed == 1
    after = content(config)[0].to_pylist()[0]
    assert after["bytes"] == before["bytes"] and after["vector"] != before["vector"]


def test_a_broken_photo_is_told_of_and_tried_again_only_when_it_changed(made, config, capsys):
    (made / "broken.jpg").write_bytes(b"no picture")
    first = index(made, config)
    assert counts(first) == (6, 6, 0, 0) and "expected a picture" in first.failed["broken.jpg"]
    version = open_album(config.albums / "photos").unreadable.version
    second = index(made, config)
    assert second.failed == first.failed and open_album(config.albums / "photos").unreadable.version == version
    say(second, 1.0)
    assert "broken.jpg: " in capsys.readouterr().err
    draw(made / "broken.jpg", 20)
    assert index(made, config).failed == {}
    assert "broken.jpg" in open_album(config.albums / "photos").known()


def test_a_photo_that_breaks_is_no_longer_in(made, config):
    index(made, config)
    (made / "0.png").write_bytes(b"no picture")
    report = index(made, config)
    assert counts(report) == (5, 0, 0, 0) and list(report.failed) == ["0.png"]


def test_a_file_in_both_tables_is_looked_at_again(made, config):
    index(made, config)
    album = open_album(config.albums / "photos")
    state = album.known()["0.png"]
    stale = {"id": "0.png", "hash": "old", "bytes": state.size, "mtime_ns": state.mtime_ns, "reason": "was broken"}
    album.unreadable.add([stale])
    assert index(made, config).failed == {}
    assert content(config)[1] == {} and len(open_album(config.albums / "photos")) == 6


def test_names_that_no_album_can_hold_are_told_of(made, config):
    draw(made / "\u1100\u1161.png", 30)
    draw(made / "\uac00.png", 31)
    (made / "0.png").rename(made / os.fsdecode(b"bad\xff.png"))
    report = index(made, config)
    assert report.photos == 6 and sorted(report.failed) == ["bad?.png", "\uac00.png (again)"]


def test_another_checkpoint_is_refused_and_fresh_takes_it(made, config, clip_folder):
    index(made, config)
    before = content(config)[0]
    other = replace(config, checkpoint=str(clip_folder))
    with pytest.raises(InputError, match=f"{config.checkpoint}.*--fresh"):
        index(made, other)
    assert content(config)[0] == before
    assert counts(index(made, other, fresh=True)) == (6, 6, 0, 0)
    assert content(config)[0]["vector"].type.list_size == 24


def test_another_folder_is_refused(made, config, tmp_path):
    index(made, config)
    draw(tmp_path / "elsewhere" / "photos" / "a.png", 1)
    with pytest.raises(InputError, match="is of the photos in"):
        index(tmp_path / "elsewhere" / "photos", config)
    assert index(tmp_path / "elsewhere" / "photos", replace(config, album="부산")).photos == 1


def test_an_empty_folder_does_not_empty_the_album(made, config):
    index(made, config)
    for path in made.rglob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match="expected images"):
        index(made, config)
    assert len(open_album(config.albums / "photos")) == 6


def test_a_second_process_is_refused(made, config):
    with writing(config.albums / "photos"), pytest.raises(InputError, match="another process"):
        index(made, config)


def test_a_stopped_run_says_what_is_left_and_the_next_one_goes_on(made, config, capsys):
    stop = Stop()
    stop.reason = "SIGINT came first"
    report = index(made, config, runner=Runner(QUIET, stop))
    assert (report.photos, report.left, report.failed) == (0, 6, {})
    say(report, 1.0)
    assert "6 files are left" in capsys.readouterr().err
    assert counts(index(made, config)) == (6, 6, 0, 0)


def test_a_large_album_gets_an_index_once_also_where_the_run_before_had_no_time_for_it(made, config, capsys):
    stop = Stop()
    index(made, config, exact=6)
    album = open_album(config.albums / "photos")
    assert album.photos.index_stats(INDEX) is None
    stop.reason = "SIGINT came first"
    index(made, config, runner=Runner(QUIET, stop), exact=5)
    assert album.photos.index_stats(INDEX) is None
    index(made, config, exact=5)
    assert album.photos.index_stats(INDEX).num_indexed_rows == 6
    assert capsys.readouterr().err.count("the index of 6 photos is made") == 1
    index(made, config, exact=5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a\\b"])
def test_an_albums_name_is_plain(config, name):
    with pytest.raises((ConfigError, ValueError), match="plain name"):
        replace(config, album=name)


def test_it_ends_the_same_after_kills_at_any_moment(tmp_path, config):
    photos = tmp_path / "photos"
    for seed in range(40):
        draw(photos / f"{seed:02}.png", seed)
    (photos / "broken.jpg").write_bytes(b"no picture")
    words = [photos, config.albums, config.checkpoint, KILLS, 0]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.search.killed", *map(str, words)], capture_output=True, text=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{KILLS} of ")
    whole = replace(config, albums=config.albums / "whole", runner=replace(QUIET, batch=7))
    index(photos, whole)
    (found, refused), (expected, expected_refused) = content(config), content(whole)
    assert found == expected and len(found) == len(list(photos.glob("*.png")))
    assert refused.keys() == expected_refused.keys() == {"broken.jpg"}


def test_a_pipe_and_what_is_no_photo_are_left_out_and_told(made, config, capsys):
    """A pipe that is opened waits for ever for a writer."""
    os.mkfifo(made / "x.jpg")
    (made / "IMG_1.CR2").write_bytes(b"")
    (made / "@eaDir/0.png").mkdir(parents=True)
    draw(made / "@eaDir/0.png/thumb.jpg", 0)
    cut = draw(made / "cut.jpg", 12, (640, 480))
    cut.write_bytes(cut.read_bytes()[:-2])
    report = index(made, config)
    assert counts(report) == (7, 7, 0, 0) and report.failed == {}
    assert report.warnings[str(made)] == (
        "left out are camera RAW files: 1 (IMG_1.CR2); hidden or system folders: 1 (@eaDir); "
        "pipes, sockets or devices: 1 (x.jpg)"
    )
    assert "truncated" in report.warnings["cut.jpg"]
    say(report, 1.0)
    assert "IMG_1.CR2" in capsys.readouterr().err


def test_patterns_leave_photos_out_of_an_album(made, config):
    assert counts(index(made, replace(config, ignore=["여행"]))) == (3, 3, 0, 0)
    assert counts(index(made, config)) == (6, 3, 0, 0)
    assert counts(index(made, replace(config, ignore=["[0-2].png"]))) == (3, 0, 0, 3)

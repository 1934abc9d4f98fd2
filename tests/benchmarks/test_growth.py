"""What a photo takes, for growing numbers of photos."""

from pathlib import Path

import pytest

from benchmarks import growth
from pipelines.search.album.album import open_album

pytestmark = pytest.mark.skipif(
    not Path("mini/weights/clip/model.safetensors").exists(), reason="the bundled models are not there"
)


@pytest.mark.parametrize(
    ("seconds", "each", "deviation", "flat"),
    [
        ({11: 2.0, 21: 3.0, 41: 5.0}, [100, 100, 100], 0.0, True),
        ({11: 2.0, 21: 2.8, 41: 5.4}, [100, 90, 110], -0.1, True),
        ({11: 2.0, 21: 3.0, 41: 5.8}, [100, 100, 120], 0.2, False),
        ({11: 2.0, 21: 3.0, 41: 4.0}, [100, 100, 75], -0.25, False),
    ],
)
def test_the_start_is_apart_and_the_largest_deviation_counts(seconds, each, deviation, flat):
    found = growth.summary(1.0, seconds)
    assert found["start_s"] == 1.0
    assert found["ms_a_photo"] == pytest.approx(each)
    assert found["deviation"] == pytest.approx(deviation)
    assert found["flat"] is flat


def test_a_task_runs_over_each_number_of_photos(tmp_path):
    found = growth.measure("anomaly", 2, 1, tmp_path)
    assert (found["photos"], found["repeats"]) == ([2, 4, 8], 1)
    assert found["start_s"] > 0
    assert len((tmp_path / "out/anomaly.csv").read_text().splitlines()) == 1 + 8
    assert len(list((tmp_path / "out/maps").iterdir())) == 8


def test_an_album_is_made_anew_each_time(tmp_path):
    growth.measure("index", 2, 1, tmp_path)
    album = open_album(tmp_path / "out/albums/all")
    assert album is not None and len(album) == 8


def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"ended with 2:\nerror: .*nowhere"):
        growth.command(growth.COMMANDS["detect"], {"photos": tmp_path / "nowhere", "out": tmp_path})

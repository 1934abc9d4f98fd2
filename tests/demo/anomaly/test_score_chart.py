import pandas as pd
import pytest

from pipelines.demo.anomaly.score_chart import score_chart


@pytest.mark.parametrize("held_out", [[2.0, 2.0], [1.5, 2.5], [1 + i / 100 for i in range(100)]])
def test_bars_are_the_normal_photos_and_lines_the_threshold_and_this_photo(held_out):
    bars, lines = score_chart(held_out, 2.25, 7.5).layer
    histogram = pd.DataFrame(bars.data)
    assert histogram["photos"].sum() == len(held_out)
    assert histogram["from"].min() <= min(held_out) and histogram["to"].max() >= max(held_out)
    assert dict(zip(lines.data["what"], lines.data["score"], strict=True)) == {"문턱값": 2.25, "이 사진": 7.5}


def test_axes_are_titled_in_the_visitors_language():
    drawn = score_chart([1.0, 2.0], 1.5, 3.0).to_dict()
    encoding = drawn["layer"][0]["encoding"]
    assert (encoding["x"]["title"], encoding["y"]["title"]) == ("점수 (높을수록 이상)", "정상 사진 수")

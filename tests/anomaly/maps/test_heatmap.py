import cv2
import numpy as np
import pytest
import torch

from pipelines.anomaly.maps.heatmap import COLD, HOT, draw, smooth, write_heatmap
from pipelines.core.errors import SubmissionError


@pytest.fixture
def photo() -> torch.Tensor:
    return torch.arange(3 * 40 * 60).remainder(251).view(3, 40, 60).to(torch.uint8)


def test_an_even_map_stays_even():
    torch.testing.assert_close(smooth(torch.full((4, 6), 2.5), (64, 96)), torch.full((64, 96), 2.5))


def test_a_hot_patch_is_hottest_in_its_place():
    scores = torch.zeros(8, 8)
    scores[2, 5] = 1
    heat = smooth(scores, (64, 64))
    y, x = divmod(int(heat.argmax()), 64)
    assert 16 <= y < 24 and 40 <= x < 48
    assert heat[40:, :].max() < 0.01


def test_below_the_coldest_colour_the_photo_is_left_alone(photo):
    drawn = draw(photo, torch.full((8, 8), COLD * 3.0), threshold=3.0)
    assert np.array_equal(drawn, photo.flip(0).permute(1, 2, 0).numpy())


def test_only_the_hot_half_is_coloured(photo):
    heat = torch.zeros(8, 8)
    heat[:, 5:] = HOT * 3.0
    drawn, plain = draw(photo, heat, threshold=3.0), photo.flip(0).permute(1, 2, 0).numpy()
    assert drawn.shape == (40, 60, 3) and drawn.dtype == np.uint8
    assert np.array_equal(drawn[:, :30], plain[:, :30])
    red = drawn[:, 50:].astype(int) - plain[:, 50:]
    assert red[..., 2].mean() > red[..., 0].mean()  # BGR: the hottest colour is red


@pytest.mark.parametrize("opacity", [0.0, 0.25, 1.0])
def test_opacity_mixes_the_photo_with_the_hottest_colour(photo, opacity):
    hot, plain = torch.full((8, 8), HOT * 3.0), photo.flip(0).permute(1, 2, 0).numpy().astype(float)
    hottest = draw(torch.zeros_like(photo), hot, 3.0, opacity=1.0).astype(float)
    mixed = plain * (1 - opacity) + hottest * opacity
    assert np.abs(draw(photo, hot, 3.0, opacity).astype(float) - mixed).max() <= 0.51


@pytest.mark.parametrize("threshold", [0.0, 1e-30])
def test_a_threshold_of_zero_divides_nothing(photo, threshold):
    draw(photo, torch.zeros(8, 8), threshold)


def test_written_picture_has_the_photos_size(photo, tmp_path):
    source = tmp_path / "a.png"
    cv2.imwrite(str(source), photo.permute(1, 2, 0).numpy())
    write_heatmap(tmp_path / "new/folder/a.jpg", source, torch.zeros(8, 8), 1.0)
    assert cv2.imread(str(tmp_path / "new/folder/a.jpg")).shape == (40, 60, 3)
    with pytest.raises(SubmissionError, match=r"expected to write the heatmap .*a\.png/b\.jpg"):
        write_heatmap(source / "b.jpg", source, torch.zeros(8, 8), 1.0)

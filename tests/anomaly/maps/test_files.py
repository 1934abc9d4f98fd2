import cv2
import numpy as np
import pytest
import torch

from pipelines.anomaly.maps.files import map_path, mask_path, read_map, read_mask, write_map
from pipelines.core.errors import InputError, SubmissionError


@pytest.mark.parametrize(
    ("image", "expected"),
    [("fine/test/a.png", "fine/test/a.npy"), ("0001", "0001.npy"), ("v1.5", "v1.5.npy"), ("가.JPG", "가.npy")],
)
def test_maps_are_named_as_the_images(tmp_path, image, expected):
    assert map_path(tmp_path, image) == tmp_path / expected


def test_a_written_map_is_read_as_it_was(tmp_path):
    heat = torch.rand(5, 7)
    write_map(tmp_path / "new/a.npy", heat)
    assert np.array_equal(read_map(tmp_path / "new/a.npy"), heat.numpy())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.npy"]
    with pytest.raises(SubmissionError, match="its folder cannot be made"):
        write_map(tmp_path / "new/a.npy/b.npy", heat)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is none; --save-maps writes"),
        (b"", "it cannot be read"),
        (b"no numbers", "it cannot be read"),
        (np.zeros((2, 2, 2)), "found something else"),
        (np.array([["a"]]), "found something else"),
        (np.array([[np.nan]]), "found something else"),
    ],
)
def test_what_is_no_map_is_an_error(tmp_path, content, message):
    path = tmp_path / "a.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(InputError, match=f"{path}.*{message}"):
        read_map(path)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("fine/test/broken/000.png", "fine/ground_truth/broken/000_mask.png"),
        ("fine/test/broken/000.jpg", "fine/ground_truth/broken/000.png"),
        ("test/cracked/000", "ground_truth/cracked/000_mask.png"),
        ("test/fine/test/broken/000.png", "test/fine/ground_truth/broken/000.png"),
        ("plain/000.jpg", "plain/000.png"),
        ("000.jpg", "000_mask.png"),
    ],
)
def test_masks_lie_as_in_mvtec_or_as_the_images(tmp_path, image, mask):
    with pytest.raises(InputError, match=f"expected the mask of the anomalous image '{image}' at .*, found none"):
        mask_path(tmp_path, image)
    (tmp_path / mask).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mask).touch()
    assert mask_path(tmp_path, image) == tmp_path / mask


@pytest.mark.parametrize("value", [1, 255])
def test_whatever_is_not_black_is_anomalous(tmp_path, value):
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1:3, 2] = value
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    assert np.array_equal(read_mask(tmp_path / "a.png"), pixels > 0)

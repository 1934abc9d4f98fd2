"""16-bit pictures of cameras with 10, 12 or 14 bits: one white for a whole folder, said once, and never guessed."""

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import ConfigError
from pipelines.core.images.decode import decode
from pipelines.core.images.depth import to_8_bits
from pipelines.core.images.samples import read_samples
from pipelines.core.images.sets import one_set
from pipelines.core.notes import noticing


def ramp(most: int) -> np.ndarray:
    return np.linspace(0, most, 40 * 30).reshape(30, 40).astype(np.uint16)


def deep(path, most, ending=".png", colours=1):
    path = path.with_suffix(ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = ramp(most)
    pixels = grey if colours == 1 else np.dstack([grey, grey // 2, grey // 4])
    path.write_bytes(cv2.imencode(ending, pixels)[1].tobytes())
    return path


def highest(path):
    return int(decode(path).max())


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_folder_of_so_many_bits_is_as_bright_as_its_scenes(tmp_path, bits, colours, ending):
    bright = deep(tmp_path / "bright", 2**bits - 1, ending, colours)
    dim = deep(tmp_path / "dim", (2**bits - 1) // 3, ending, colours)
    read_samples(DataConfig(images=tmp_path))
    expected = np.rint(ramp(2**bits - 1) / (2**bits - 1) * 255)
    with noticing() as noticed:
        shown = decode(bright)
    assert np.abs(shown[2 if colours == 3 else 0].numpy() - expected).max() <= 1
    assert abs(highest(dim) - 85) <= 1, "a picture of the same set is not made brighter by itself"
    told = noticed.get(str(tmp_path), "")
    assert (f"no value above {2**bits - 1} ({bits} bits)" in told) == (bits < 16)


def test_a_picture_of_no_set_is_not_guessed_at(tmp_path):
    assert highest(deep(tmp_path / "alone", 4095)) == 16


def test_white_that_was_given_is_white(tmp_path):
    path = deep(tmp_path / "a", 4095)
    with noticing() as noticed:
        for white, most in ((4095, 255), (65535, 16), (2047, 255)):
            read_samples(DataConfig(images=tmp_path, white=white))
            assert highest(path) == most
    assert not noticed


def test_folders_of_one_set_have_one_white(tmp_path):
    """Normal images that are dimmer than those to score would else be made as bright."""
    normal, test = deep(tmp_path / "normal/a", 900), deep(tmp_path / "test/a", 4000)
    one_set([tmp_path / "normal", tmp_path / "test"])
    assert (highest(normal), highest(test)) == (56, 249)


def test_what_is_left_out_of_a_set_does_not_count(tmp_path):
    path = deep(tmp_path / "a", 4095)
    deep(tmp_path / "masks/a", 65535)
    one_set([tmp_path], ["masks"])
    assert highest(path) == 255


def test_a_tiff_that_says_itself_how_many_bits_it_has(tmp_path):
    """As scientific cameras write them: 12 bits, two pixels in three bytes; PIL's reader has them as 0 to 4095."""
    grey = np.full((4, 8), 4095, np.uint16)
    packed = np.unpackbits(grey.astype(">u2").view(np.uint8).reshape(4, 8, 2), axis=2)[..., 4:].reshape(4, -1)
    data = np.packbits(packed, axis=1).tobytes()
    tags = [(256, 8), (257, 4), (258, 12), (259, 1), (262, 1), (273, 122), (277, 1), (278, 4), (279, len(data))]
    entries = b"".join(np.array([tag, 4, 1, 0, value, 0], "<u2").tobytes() for tag, value in tags)
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + np.array([9], "<u2").tobytes() + entries + bytes(4) + data)
    assert Image.open(path).mode == "I;16"
    assert highest(path) == 255


@pytest.mark.parametrize("white", [100, 70000])
def test_a_white_that_cannot_be_is_refused(white):
    with pytest.raises(ConfigError, match=f"white is 255 to 65535, not {white}"):
        load_config(None, DataConfig, {"images": "photos", "white": white})


def test_rounding_is_as_it_was_for_all_16_bits():
    values = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(to_8_bits(values, 65535), (values.astype(np.uint32) + 128) // 257)

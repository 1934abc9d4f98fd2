"""Pictures are prepared as the checkpoint's own processor does it: by a spec where that is the same, else by itself.

The settings are those of published preprocessor_config.json files; `dino` stands for the processors that pad.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BlipImageProcessor,
    CLIPImageProcessor,
    DPTImageProcessor,
    GroundingDinoImageProcessor,
    Siglip2ImageProcessor,
)

from pipelines.core.errors import CheckpointError
from pipelines.core.images.decode import decode
from pipelines.core.images.samples import Sample
from pipelines.core.networks.pictures import ProcessorPictures, SpecPictures, pictures_of, prepared

FOLDER = Path("owner/name")
# Salesforce/blip-image-captioning-large: what it pads to is a multiple of 32 already
BLIP_LARGE = BlipImageProcessor(
    do_pad=True, size_divisor=32, size={"height": 384, "width": 384}, resample=3, do_convert_rgb=True
)
NAFLEX = Siglip2ImageProcessor(max_num_patches=64, patch_size=16)  # google/siglip2-base-patch16-naflex has 256
MANY_SIZES = DPTImageProcessor(  # depth-anything/Depth-Anything-V2-Small-hf, which has 518
    size={"height": 56, "width": 56}, ensure_multiple_of=14, keep_aspect_ratio=True
)
PROCESSORS = {
    "blip-large": (BLIP_LARGE, SpecPictures),
    "clip": (CLIPImageProcessor(), SpecPictures),
    "dino": (GroundingDinoImageProcessor(size={"shortest_edge": 60, "longest_edge": 100}), SpecPictures),
    "naflex": (NAFLEX, ProcessorPictures),
    "dpt": (MANY_SIZES, ProcessorPictures),
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder, random, found = tmp_path_factory.mktemp("photos"), np.random.default_rng(0), []
    for number, size in enumerate([(40, 30), (120, 50), (33, 47), (900, 700)]):
        path = folder / f"{number}.png"
        Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize(size).save(path)
        found.append(Sample(path.name, path))
    return found


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_network_gets_what_the_processor_gives(name, samples):
    processor, kind = PROCESSORS[name]
    pictures = pictures_of(processor, FOLDER, 32 if name == "dino" else None)
    assert isinstance(pictures, kind)
    for sample in samples:
        theirs = processor(images=[decode(sample.path)], return_tensors="pt")
        ours = pictures.inputs(prepared(pictures, [sample]), torch.float32)
        assert ours.keys() == theirs.keys()
        height, width = theirs["pixel_values"].shape[-2:]  # what follows is padding
        assert torch.allclose(ours["pixel_values"][..., :height, :width], theirs["pixel_values"], atol=1e-6)
        for key in theirs.keys() - {"pixel_values", "pixel_mask"}:
            assert torch.equal(ours[key], theirs[key])


@pytest.mark.parametrize("name", PROCESSORS)
def test_pictures_of_one_key_make_a_batch_of_equal_rows(name, samples):
    pictures = pictures_of(PROCESSORS[name][0], FOLDER, 32 if name == "dino" else None)
    for sample in samples:
        alone = prepared(pictures, [sample])
        alike = [other for other in samples if pictures.shape_key(other.path) == pictures.shape_key(sample.path)]
        together = prepared(pictures, alike)
        for key, value in alone.items():
            assert torch.equal(together[key][alike.index(sample)], value[0])
    keys = {pictures.shape_key(sample.path) for sample in samples}
    assert len(keys) > 1 if name in ("dino", "dpt") else keys == {None}


def test_the_own_processor_is_told_of_in_one_line(capsys):
    pictures_of(CLIPImageProcessor(), FOLDER)
    assert not capsys.readouterr().err
    pictures_of(NAFLEX, FOLDER)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and "owner/name: pictures are prepared by the checkpoint's own processor" in told[0]


def test_half_precision_is_of_the_numbers_only(samples):
    pictures = pictures_of(NAFLEX, FOLDER)
    inputs = pictures.inputs(prepared(pictures, samples), torch.float16)
    dtypes = {key: value.dtype for key, value in inputs.items()}
    assert dtypes.pop("pixel_values") == torch.float16 and torch.float16 not in dtypes.values()


def test_a_processor_that_fails_is_one_sentence():
    def processor(images, return_tensors):
        raise KeyError("videos")

    processor.size = {}
    with pytest.raises(CheckpointError, match=r"expected function of owner/name to prepare a picture.*videos"):
        pictures_of(processor, FOLDER)

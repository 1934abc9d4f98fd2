"""A spec gives what the Hugging Face processor or the timm transform gives, and padding never depends on the batch."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.ops import box_convert
from transformers import (
    BlipImageProcessor,
    BlipImageProcessorPil,
    CLIPImageProcessor,
    ConvNextImageProcessor,
    EfficientNetImageProcessor,
    GroundingDinoImageProcessor,
    Siglip2ImageProcessor,
    SiglipImageProcessor,
)
from transformers.image_transforms import get_size_with_aspect_ratio

from pipelines.core.errors import CheckpointError, ImageError
from pipelines.core.images.decode import decode
from pipelines.core.images.preprocess import (
    MAX_RESIZED_PIXELS,
    KeepRatio,
    PreprocessSpec,
    ShortestEdge,
    Squash,
    bucket,
    normalise,
    pad,
    resize,
    spec_of_processor,
    spec_of_timm,
    to_source_xyxy,
)

PHOTOS = Path(__file__).parents[4] / "shared/data/coco/images"
PLAIN = PreprocessSpec(resize=None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
DETECT = PreprocessSpec(ShortestEdge(800, 1333), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), pad_multiple=128)
SIZES_HW = [(480, 640), (640, 426), (37, 53), (224, 224), (1, 1), (301, 900), (800, 801), (1500, 400)]


@functools.cache
def drawn(height: int, width: int) -> torch.Tensor:
    """A picture with edges, gradients and noise: uint8 (3, H, W)."""
    generator = torch.Generator().manual_seed(height * 10_000 + width)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = torch.stack([rows * 3 + columns, columns * 5, (rows // 16 + columns // 16) % 2 * 200])
    noise = torch.randint(0, 40, (3, height, width), generator=generator)
    return (waves.remainder(216) + noise).to(torch.uint8)


@pytest.fixture(scope="module", params=["synthetic", "photos"])
def pictures(request):
    """The drawn pictures, then every twelfth real photo."""
    if request.param == "synthetic":
        return [drawn(*size_hw) for size_hw in SIZES_HW]
    if not PHOTOS.is_dir():
        pytest.skip(f"no photos in {PHOTOS}")
    return [decode(path) for path in sorted(PHOTOS.glob("*.jpg"))[::12]]


def network_input(image: torch.Tensor, spec: PreprocessSpec) -> torch.Tensor:
    batch, mask = pad([resize(image, spec)], spec)
    return normalise(batch, spec, torch.float32, mask)[0]


@pytest.mark.parametrize(
    "processor",
    [
        BlipImageProcessor(),
        CLIPImageProcessor(),
        CLIPImageProcessor(size={"shortest_edge": 200}, crop_size={"height": 225, "width": 190}),
        SiglipImageProcessor(),
        SiglipImageProcessor(do_normalize=False, resample=2),
        SiglipImageProcessor(do_rescale=False, image_mean=[9, 8, 7], image_std=[3, 2, 1]),
        SiglipImageProcessor(do_resize=False),
    ],
    ids=["blip", "clip", "clip with borders", "siglip", "no normalising", "no rescaling", "no resizing"],
)
def test_equals_the_hugging_face_processor(processor, pictures):
    """Largest difference in the normalised tensors: 0, or 1 in 10^7 where the processor only rescales."""
    spec = spec_of_processor(processor)
    for image in pictures:
        expected = processor(images=[image], return_tensors="pt")["pixel_values"][0]
        ours = network_input(image, spec)
        assert ours.shape == expected.shape
        assert (ours - expected).abs().max() <= (1e-7 if not processor.do_normalize else 0)


def test_equals_grounding_dinos_processor(pictures):
    """Largest difference in the normalised tensors: 0; the padding is 0 as well."""
    processor = GroundingDinoImageProcessor()
    spec = spec_of_processor(processor, pad_multiple=128)
    assert spec == DETECT_BY_PROCESSOR
    for image in pictures[:6]:
        theirs = processor(images=[image], return_tensors="pt")
        height, width = theirs["pixel_values"].shape[-2:]
        batch, mask = pad([resize(image, spec)], spec)
        ours = normalise(batch, spec, torch.float32, mask)
        assert tuple(ours.shape[-2:]) == bucket(tuple(image.shape[-2:]), spec)
        assert torch.equal(ours[..., :height, :width], theirs["pixel_values"])
        assert torch.equal(mask[:, :height, :width].long(), theirs["pixel_mask"])
        assert mask.sum() == height * width
        assert not ours[..., height:, :].any() and not ours[..., width:].any()


def test_equals_grounding_dinos_padding_within_a_batch():
    """What Hugging Face pads to its largest picture, we pad to the bucket: the same values, zeros and mask."""
    images = [drawn(480, 640), drawn(480, 630)]
    theirs = GroundingDinoImageProcessor()(images=images, return_tensors="pt")
    height, width = theirs["pixel_values"].shape[-2:]
    batch, mask = pad([resize(image, DETECT_BY_PROCESSOR) for image in images], DETECT_BY_PROCESSOR)
    ours = normalise(batch, DETECT_BY_PROCESSOR, torch.float32, mask)
    assert torch.equal(ours[..., :height, :width], theirs["pixel_values"])
    assert torch.equal(mask[:, :height, :width].long(), theirs["pixel_mask"])


DETECT_BY_PROCESSOR = replace(DETECT, interpolation="bilinear")


@pytest.mark.parametrize(
    "config",
    [
        {"input_size": (3, 224, 224), "crop_pct": 0.875, "interpolation": "bicubic"},
        {"input_size": (3, 225, 225), "crop_pct": 0.9, "interpolation": "bilinear"},
        {"input_size": (3, 200, 256), "crop_pct": 1.0, "crop_mode": "squash", "interpolation": "bicubic"},
        {"crop_pct": None, "crop_mode": None},
        {"input_size": (3, 224, 160), "crop_pct": 0.9, "interpolation": "bilinear"},
        # deepseek_vit_412m has that crop mode (timm 1.0.31, models/deepseek_vit.py)
        {"input_size": (3, 546, 546), "crop_pct": 1.0, "crop_mode": "border", "mean": (0.5, 0.25, 0.75)},
        {"input_size": (3, 131, 200), "crop_pct": 0.9, "crop_mode": "border", "interpolation": "bilinear"},
    ],
    ids=["resnet", "odd", "squash", "defaults", "not square", "border", "border, not square"],
)
def test_is_close_to_timms_transform(config, pictures):
    """timm resizes with Pillow. Largest difference 2 of 255 levels, 0.01 on average.

    15 and 0.3 where Pillow resizes the height before the width (some tall pictures, or squashed ones): torchvision
    always begins with the width, and both round to 8 bits in between.
    """
    spec = spec_of_timm(config)
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=config))
    levels = torch.tensor(spec.std).view(3, 1, 1) * 255
    for image in pictures:
        expected = transform(Image.fromarray(image.permute(1, 2, 0).numpy()))
        ours = network_input(image, spec)
        assert ours.shape == expected.shape
        difference = (ours - expected).abs() * levels
        height_first = image.shape[-2] > 2 * image.shape[-1] or isinstance(spec.resize, Squash | KeepRatio)
        assert difference.max() < (15 if height_first else 2.01)
        assert difference.mean() < (0.3 if height_first else 0.01)


@pytest.mark.parametrize("name", ["nearest", "lanczos", "box", "hamming"])
@pytest.mark.parametrize("mode", ["center", "squash", "border"])
def test_filters_of_pillow_are_pillows(name, mode, capsys):
    """timm knows six filters by name (timm 1.0.31, data/transforms.py) and resizes with Pillow: to the last bit so."""
    config = {"input_size": (3, 64, 48), "crop_mode": mode, "crop_pct": 0.9, "interpolation": name}
    spec = spec_of_timm(config)
    assert capsys.readouterr().err == f"timm: {name} resizing is done by Pillow, which is slower\n"
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=config))
    for size_hw in SIZES_HW:
        expected = transform(Image.fromarray(drawn(*size_hw).permute(1, 2, 0).numpy()))
        assert (network_input(drawn(*size_hw), spec) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("resample", range(6))
@pytest.mark.parametrize("processor", [BlipImageProcessor, BlipImageProcessorPil])
def test_processors_may_have_any_of_pillows_six_filters(processor, resample, pictures, capsys):
    """By their numbers, as preprocessor_config.json has them. Processors behind torchvision have no box or hamming."""
    spec = spec_of_processor(processor(resample=resample))
    assert ("slower" in capsys.readouterr().err) == (resample not in (2, 3))
    whole = BlipImageProcessorPil(resample=resample) if resample in (4, 5) else processor(resample=resample)
    for image in pictures[:4]:
        expected = whole(images=[image], return_tensors="pt")["pixel_values"][0]
        assert (network_input(image, spec) - expected).abs().mean() < 0.01


def test_a_grey_networks_mean_is_that_of_each_channel():
    assert spec_of_timm({"mean": (0.25,), "std": [0.5]}) == spec_of_timm({"mean": (0.25,) * 3, "std": (0.5,) * 3})


SIDE = st.integers(1, 4000)


@settings(deadline=None)
@given(SIDE, SIDE, st.sampled_from([7, 224, 480, 800]), st.sampled_from([None, 481, 801, 1333]))
def test_bucket_follows_hugging_faces_rounding(height, width, shortest, longest):
    spec = replace(PLAIN, resize=ShortestEdge(shortest, longest))
    expected = get_size_with_aspect_ratio((height, width), shortest, longest)
    if min(expected) < 1 or expected[0] * expected[1] > MAX_RESIZED_PIXELS:
        with pytest.raises(ImageError, match=f"{width}x{height}"):
            bucket((height, width), spec)
    else:
        assert bucket((height, width), spec) == expected


@pytest.mark.parametrize("size_hw", SIZES_HW)
@pytest.mark.parametrize(
    "spec",
    [
        PLAIN,
        replace(PLAIN, resize=Squash((30, 40))),
        replace(PLAIN, resize=ShortestEdge(40), crop_hw=(50, 30)),
        replace(PLAIN, resize=ShortestEdge(80, 133), pad_multiple=32),
    ],
    ids=["as it is", "squash", "crop", "pad"],
)
def test_bucket_is_the_padded_size(spec, size_hw):
    batch, mask = pad([resize(drawn(*size_hw), spec)], spec)
    assert bucket(size_hw, spec) == tuple(batch.shape[-2:]) == tuple(mask.shape[-2:])
    assert batch.dtype == torch.uint8
    assert mask.dtype == torch.bool
    if spec.pad_multiple:
        assert not any(side % spec.pad_multiple for side in bucket(size_hw, spec))


def test_padding_nothing_or_several_buckets_is_an_error():
    spec = replace(PLAIN, pad_multiple=32)
    with pytest.raises(ValueError, match="found \\[\\]"):
        pad([], spec)
    with pytest.raises(ValueError, match="found \\[\\(32, 32\\), \\(64, 32\\)\\]"):
        pad([drawn(20, 20), drawn(40, 20)], spec)
    with pytest.raises(ValueError, match="one bucket"):
        pad([drawn(20, 20), drawn(20, 21)], PLAIN)  # without padding only equal sizes share a batch


def test_a_pictures_padding_does_not_depend_on_its_batch():
    spec = replace(PLAIN, pad_multiple=64)
    alone, alone_mask = pad([drawn(30, 40)], spec)
    batch, mask = pad([drawn(60, 60), drawn(30, 40)], spec)
    assert torch.equal(batch[1], alone[0])
    assert torch.equal(mask[1], alone_mask[0])


def test_normalising_is_done_in_float32_and_leaves_its_input():
    batch = drawn(8, 9).unsqueeze(0)
    before = batch.clone()
    exact = (batch.double() / 255 - 0.45) / 0.22
    spec = replace(PLAIN, mean=(0.45, 0.45, 0.45), std=(0.22, 0.22, 0.22))
    assert (normalise(batch, spec, torch.float32) - exact).abs().max() < 1e-6
    half = normalise(batch, spec, torch.float16)
    assert half.dtype == torch.float16
    assert torch.equal(half, normalise(batch, spec, torch.float32).half())
    assert torch.equal(batch, before)


@pytest.mark.parametrize("size_hw", [(1, 200_000), (200_000, 1)])
@pytest.mark.parametrize(
    "edge", [ShortestEdge(224), ShortestEdge(800, 1333), KeepRatio((224, 160)), KeepRatio((224, 160), within=True)]
)
def test_strips_that_would_vanish_or_explode_are_refused(size_hw, edge):
    spec = replace(PLAIN, resize=edge)
    with pytest.raises(ImageError, match="less thin"):
        resize(torch.zeros(3, *size_hw, dtype=torch.uint8), spec)


def test_boxes_to_source_pixels():
    assert to_source_xyxy(torch.zeros(0, 4), (480, 640)).shape == (0, 4)
    relative = torch.tensor([[0.5, 0.5, 1.0, 1.0], [0.25, 0.5, 0.1, 0.2], [0.0, 1.0, 0.5, 0.5]], dtype=torch.float16)
    expected = torch.tensor([[0, 0, 640, 480], [128, 192, 192, 288], [0, 360, 160, 480]], dtype=torch.float32)
    found = to_source_xyxy(relative, (480, 640))
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.05)  # float16 holds 0.1 to a few 10^-5, of 640 pixels


def test_boxes_of_a_batch_each_have_their_own_source():
    boxes = torch.rand(3, 7, 4, generator=torch.Generator().manual_seed(0))
    sizes = [(480, 640), (37, 53), (1000, 10)]
    found = to_source_xyxy(boxes, torch.tensor(sizes))
    for index, (height, width) in enumerate(sizes):
        xyxy = box_convert(boxes[index], "cxcywh", "xyxy") * torch.tensor([width, height, width, height])
        limit = torch.tensor([width, height, width, height])
        assert torch.allclose(found[index], xyxy.clamp(min=0).minimum(limit))
        assert torch.allclose(to_source_xyxy(boxes[index], (height, width)), found[index])


@pytest.mark.parametrize(
    ("processor", "reason"),
    [
        (BlipImageProcessor(resample=7), "one of bilinear, .* found 7"),
        (BlipImageProcessor(size={"max_height": 30, "max_width": 30}), "max_height"),
        (Siglip2ImageProcessor(), "height and width or of a shortest edge, found {}"),  # cuts into patches
        (ConvNextImageProcessor(size={"shortest_edge": 224}), "something else"),  # resizes by crop_pct, then crops
        (EfficientNetImageProcessor(rescale_offset=True, resample=3), "something else"),  # shifts after rescaling
    ],
    ids=["resample", "size", "no size", "other shape", "other values"],
)
def test_processors_that_do_more_are_refused(processor, reason):
    with pytest.raises(CheckpointError, match=rf"{type(processor).__name__}.*{reason}"):
        spec_of_processor(processor)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"input_size": (1, 224, 224)}, "RGB"),
        ({"crop_mode": "tile"}, "tile"),
        ({"interpolation": "random"}, "'random'"),
    ],
)
def test_timm_configs_that_a_spec_cannot_give_are_refused(config, reason):
    with pytest.raises(CheckpointError, match=reason):
        spec_of_timm(config)


def test_timms_none_means_its_default():
    assert spec_of_timm({"crop_mode": None, "crop_pct": None}) == spec_of_timm({})


@pytest.mark.parametrize("std", [(0.0, 1.0, 1.0), (1.0, 1.0)])
def test_a_std_that_cannot_divide_is_refused(std):
    with pytest.raises(ValueError, match="3 stds that are not 0"):
        replace(PLAIN, std=std)


def test_uint8_pictures_stay_uint8():
    image = resize(torch.from_numpy(np.zeros((3, 50, 60), np.uint8)), replace(PLAIN, resize=Squash((8, 9))))
    assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, 8, 9))

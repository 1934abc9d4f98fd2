"""What is read of a network and at what size: by its name alone, for nothing here needs weights."""

from pathlib import Path

import pytest

from pipelines.anomaly.models.features.levels import choose
from pipelines.anomaly.models.features.network import Network
from pipelines.core.errors import CheckpointError

SMALL = {"depth": 12, "embed_dim": 24, "num_heads": 2}


def network(name: str, **options: object) -> Network:
    return Network(name, {}, options, Path("none.safetensors"))


@pytest.mark.parametrize(
    "name", ["test_resnet", "wide_resnet50_2", "mobilenetv2_100", "convnext_atto", "hrnet_w18_small"]
)
def test_convolutional_networks_are_read_at_strides_8_and_16_without_a_word(name):
    reading, named = choose(network(name)), choose(network(name), (256, 256), [8, 16])
    assert reading == named and reading.size_hw == (256, 256)
    assert reading.notes == named.notes == ()


def test_what_is_read_has_one_name_however_it_came_about():
    """A service keeps a network by the text of what it is loaded with: fitted or not, it is in memory once."""
    vit = network("vit_small_patch14_dinov2", **SMALL)
    found = choose(vit, (256, 256))
    assert repr(found) == repr(choose(vit, found.size_hw, out_indices=found.out_indices, exact=True))


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (
            12,
            [3, 5, 8, 10],
        ),  # anomalib 2.7.0, models/image/super_add/torch_model.py: of its "small" and "base" networks
        (24, [6, 10, 17, 21]),
        (4, [1, 2, 3]),
    ],
)
def test_middle_blocks_of_a_transformer_are_read_and_a_line_says_so(depth, expected):
    reading = choose(network("vit_small_patch14_dinov2", **SMALL | {"depth": depth}))
    assert reading.out_indices == expected
    (note,) = reading.notes
    assert f"all its {depth} levels have the stride 14; those of out_indices {expected} are read" in note


@pytest.mark.parametrize(
    ("name", "expected"),
    [("efficientvim_m1", [0, 1]), ("crossvit_9_240", [2, 5]), ("volo_d1_224", [0, 3]), ("pit_b_224", [0, 1])],
)
def test_of_other_strides_the_two_nearest_are_read(name, expected):
    reading = choose(network(name))
    assert reading.out_indices == expected
    assert "it has no levels of the strides 8 and 16; those of [" in reading.notes[0]
    assert f"(out_indices {expected})" in reading.notes[0]


def test_levels_that_are_named_are_taken_without_a_word():
    vit = network("vit_small_patch16_224", **SMALL)
    assert choose(vit, (64, 64), strides=[16]).out_indices == [11]
    reading = choose(vit, (64, 64), out_indices=[7, 2])
    assert (reading.out_indices, reading.notes) == ([2, 7], ())


def test_strides_that_a_transformer_has_not_are_refused_with_the_remedy():
    with pytest.raises(CheckpointError, match=r"none of \[8\]; it has \[16\]: name those, or leave strides out"):
        choose(network("vit_small_patch16_224", **SMALL), (64, 64), strides=[8, 16])


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [
        (None, (252, 252)),
        ((256, 256), (252, 252)),  # which timm would have cut to 252 pixels: 18 x 18 patches
        ((260, 448), (266, 448)),
        ((259, 32), (266, 28)),
        ((448, 448), (448, 448)),
        ((518, 518), (518, 518)),
    ],
)
@pytest.mark.parametrize(
    "name", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2", "eva02_small_patch14_224"]
)
def test_sides_become_multiples_of_the_patch_and_a_line_says_so(name, size_hw, expected):
    """The last of them takes one size only, though its pretrained_cfg has no fixed_input_size (timm 1.0.31)."""
    reading = choose(network(name, **SMALL), size_hw, out_indices=[3])
    assert reading.size_hw == expected
    told = [f"{name}: pictures have "] if size_hw not in (None, expected) else []
    assert [note[: len(told[0])] for note in reading.notes] == told
    assert all("its patches have 14 px" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("name", "size_hw", "expected", "why"),
    [
        ("vit_small_patch16_224", (250, 250), (256, 256), "its patches have 16 px"),
        ("vit_small_patch16_dinov3", (440, 450), (448, 448), "its patches have 16 px"),
        ("xcit_nano_12_p8_224", (250, 250), (248, 248), "its patches have 8 px"),
        ("swin_tiny_patch4_window7_224", (250, 250), (252, 252), "its patches have 4 px"),
        ("convnext_atto", (250, 250), (252, 252), "its patches have 4 px"),
        ("maxvit_tiny_tf_224", (250, 250), (256, 256), "it takes multiples of 32 px"),
        ("hiera_tiny_224", (250, 250), (256, 256), "it takes multiples of 32 px"),
        ("twins_pcpvt_small", (250, 250), (256, 256), "it takes multiples of 32 px"),
        ("efficientformer_l1", (256, 256), (224, 224), "it takes those of its training only"),
        ("crossvit_9_240", (256, 256), (240, 240), "it takes those of its training only"),
    ],
)
def test_sizes_that_a_network_cannot_take_whole_are_rounded(name, size_hw, expected, why):
    last = 3 if "former" in name else 2  # where its only layer of one size is
    reading = choose(network(name), size_hw, out_indices=[1, last])
    assert (reading.size_hw, len(reading.notes)) == (expected, 1)
    assert reading.notes[0].startswith(f"{name}: pictures have ") and reading.notes[0].endswith(f": {why}")


@pytest.mark.parametrize("name", ["test_resnet", "mobilenetv2_100", "vgg11_bn", "regnetx_002", "swinv2_cr_tiny_ns_224"])
def test_sizes_that_a_network_pads_itself_stay(name):
    size_hw = (252, 260) if name.startswith("swin") else (250, 157)
    reading = choose(network(name), size_hw, [8, 16])
    assert (reading.size_hw, reading.notes) == (size_hw, ())


def test_an_exact_size_is_never_rounded():
    vit = network("vit_small_patch14_dinov2", **SMALL)
    assert choose(vit, (256, 256), out_indices=[1], exact=True).size_hw == (256, 256)
    with pytest.raises(CheckpointError, match=r"expected pictures of a size that .* runs neither on 264 px nor near"):
        choose(network("vit_small_patch16_dinov3", depth=2), (264, 264), out_indices=[1], exact=True)

import pytest
import torch
from transformers import GroundingDinoConfig
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoDeformableLayer,
    GroundingDinoMultiscaleDeformableAttention,
)

from pipelines.detect.models.grounding_dino.deformable import CELLS_AT_ONCE, DeformableAttention, DeformableLayer

SIZES_HW = [(40, 30), (20, 15), (7, 3), (1, 1)]
CELLS = sum(height * width for height, width in SIZES_HW)
AT_ONCE = CELLS_AT_ONCE["cpu"] // 2
"""Of each of the two pictures here."""
CONFIG = GroundingDinoConfig(d_model=32, encoder_attention_heads=4, encoder_ffn_dim=48)


def drawn(module: torch.nn.Module, offsets: float) -> torch.nn.Module:
    """Weights wide enough that queries look `offsets` cells away."""
    torch.manual_seed(0)
    for name, parameter in module.named_parameters():
        torch.nn.init.normal_(parameter, std=offsets if "sampling_offsets.bias" in name else 0.2)
    return module.eval()


def inputs(queries: int, coordinates: int, batch: int = 2) -> dict[str, object]:
    generator = torch.Generator().manual_seed(1)
    mask = torch.ones(batch, CELLS, dtype=torch.bool)
    mask[0, ::7] = False
    return {
        "hidden_states": torch.randn(batch, queries, 32, generator=generator),
        "attention_mask": mask,
        "encoder_hidden_states": torch.randn(batch, CELLS, 32, generator=generator),
        "position_embeddings": torch.randn(batch, queries, 32, generator=generator),
        "reference_points": torch.rand(batch, queries, 4, coordinates, generator=generator),
        "spatial_shapes": torch.tensor(SIZES_HW),
        "spatial_shapes_list": SIZES_HW,
        "level_start_index": None,
    }


@pytest.mark.parametrize("offsets", [0.5, 50.0])  # within the levels, and mostly far outside
@pytest.mark.parametrize("coordinates", [2, 4])  # points and boxes
@pytest.mark.parametrize("queries", [1, AT_ONCE, AT_ONCE + 1])
@torch.inference_mode()
def test_attention_is_that_of_transformers(queries, coordinates, offsets):
    theirs = drawn(GroundingDinoMultiscaleDeformableAttention(CONFIG, 4, 4), offsets)
    given = inputs(queries, coordinates)
    expected, _ = theirs(**given)
    found, _ = DeformableAttention(theirs)(**given)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@torch.inference_mode()
def test_points_on_the_edges_are_those_of_transformers():
    """On a level's first and last cells, and exactly a cell outside, where nothing is left of them."""
    theirs = drawn(GroundingDinoMultiscaleDeformableAttention(CONFIG, 4, 4), 0)
    for parameter in theirs.sampling_offsets.parameters():
        torch.nn.init.zeros_(parameter)
    given = inputs(8, 2)
    edges = torch.tensor([-2.0, -0.5, 0.0, 0.5, 1.0, 1.5, 3.0, 0.25])
    given["reference_points"] = edges.view(1, 8, 1, 1).expand(2, 8, 4, 2)
    torch.testing.assert_close(DeformableAttention(theirs)(**given)[0], theirs(**given)[0], atol=2e-5, rtol=1e-4)


@torch.inference_mode()
def test_numbers_that_overflowed_are_passed_on():
    module = DeformableAttention(drawn(GroundingDinoMultiscaleDeformableAttention(CONFIG, 4, 4), 0.5))
    given = inputs(3, 2)
    given["hidden_states"][0, 1] = float("nan")
    found, _ = module(**given)
    assert found.isnan().all(-1).tolist() == [[False, True, False], [False] * 3]


@torch.inference_mode()
def test_layer_is_that_of_transformers():
    theirs = drawn(GroundingDinoDeformableLayer(CONFIG), 2.0)
    given = {key: value for key, value in inputs(CELLS, 2).items() if key != "encoder_hidden_states"}
    torch.testing.assert_close(DeformableLayer(theirs)(**given)[0], theirs(**given)[0], atol=1e-4, rtol=1e-4)
    assert CELLS > AT_ONCE

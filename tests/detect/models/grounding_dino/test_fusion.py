import pytest
import torch
from transformers import GroundingDinoConfig
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoBiMultiHeadAttention

from pipelines.detect.models.grounding_dino.fusion import Fusion

CELLS, WIDTH = 50, 32


@pytest.mark.parametrize("tokens", [1, 5, 20])  # of 4 heads: fewer and more columns than the projections have
@pytest.mark.parametrize("masked", [False, True])
@torch.inference_mode()
def test_both_ways_are_those_of_transformers(tokens, masked):
    torch.manual_seed(0)
    config = GroundingDinoConfig(d_model=WIDTH, encoder_ffn_dim=64, encoder_attention_heads=8)
    theirs = GroundingDinoBiMultiHeadAttention(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    cells, words = torch.randn(2, CELLS, WIDTH), torch.randn(2, tokens, WIDTH)
    of_cells = torch.arange(CELLS) % 3 == torch.tensor([[0], [1]]) if masked else None
    of_words = torch.arange(tokens) >= torch.tensor([[tokens], [max(1, tokens - 2)]]) if masked else None
    expected = theirs(cells, words, of_cells, of_words)
    found = Fusion(theirs)(cells, words, of_cells, of_words)
    for (ours, _), (other, _) in zip(found, expected, strict=True):
        assert other.std() > 0.1
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-4)

import pytest
import torch
from transformers import GroundingDinoConfig
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoMultiheadAttention

from pipelines.detect.models.grounding_dino.attention import Attention


@pytest.mark.parametrize("masked", [False, True])
@torch.inference_mode()
def test_it_is_that_of_transformers(masked):
    torch.manual_seed(0)
    theirs = GroundingDinoMultiheadAttention(GroundingDinoConfig(d_model=32), num_attention_heads=4).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    queries, keys, values = torch.randn(2, 7, 32), torch.randn(2, 5, 32), torch.randn(2, 5, 32)
    mask = (torch.rand(2, 4, 7, 5) < 0.3) * torch.finfo(torch.float32).min if masked else None
    (expected,) = theirs(queries, keys, values, mask)
    found, _ = Attention(theirs)(queries, keys, values, mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)

import pytest
import torch
from torch.nn import functional as F

from pipelines.core.networks.attention import attend, in_heads


def drawn(words, seen, dtype):
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, count, 24) for count in (words, seen, seen))
    return [in_heads(part, 3).to(dtype) for part in (query, key, value)]


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("words", "seen"), [(1, 7), (5, 7)])
def test_what_is_seen_is_as_by_the_formula(words, seen, masked, dtype, close):
    query, key, value = drawn(words, seen, dtype)
    unseen = torch.zeros(2, 1, 1, seen)
    unseen[0, ..., 4:] = -torch.inf if masked else 0
    weights = query.float() @ key.float().transpose(-1, -2) / 8**0.5 + unseen
    wanted = weights.softmax(-1) @ value.float()
    found = attend(query, key, value, unseen.to(dtype) if masked else None)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_word_sees_those_before_it(dtype):
    query, key, value = drawn(4, 4, dtype)
    found = attend(query, key, value, causal=True)
    wanted = F.scaled_dot_product_attention(*(part.float() for part in (query, key, value)), is_causal=True)
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=1e-6 if dtype == torch.float32 else 0.03)
    assert torch.equal(found[:, :, 0], value[:, :, 0])

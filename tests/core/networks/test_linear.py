import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipelines.core.networks.linear import FastLinear, speed_up


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(0, 8), (1, 8), (3, 8), (2, 5, 8), (2, 3, 4, 8)])
def test_products_are_those_of_torch(shape, dtype, bias):
    torch.manual_seed(0)
    linear, values = nn.Linear(8, 6, bias=bias).to(dtype), torch.randn(shape, dtype=dtype)
    with torch.inference_mode():
        found, wanted = FastLinear(linear)(values), F.linear(values, linear.weight, linear.bias)
    assert found.dtype == dtype and found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_values_that_are_strided_are_read_right():
    torch.manual_seed(0)
    linear, values = nn.Linear(8, 6), torch.randn(9, 5, 8)
    with torch.inference_mode():
        for some in (values[::3], values.transpose(0, 1), values[:, 1:3]):
            torch.testing.assert_close(FastLinear(linear)(some), linear(some), rtol=1e-5, atol=1e-5)


def test_gradients_flow():
    fast, values = FastLinear(nn.Linear(8, 6)), torch.randn(2, 8)
    fast(values).sum().backward()
    assert fast.weight.grad is not None


def test_parameters_keep_their_names_places_and_ties():
    tied = nn.Linear(4, 4)
    network = nn.Sequential(nn.Linear(4, 4), nn.Sequential(tied, nn.ReLU()), nn.Embedding(4, 4))
    network[2].weight = tied.weight
    before = {name: value.data_ptr() for name, value in network.state_dict().items()}
    speed_up(network)
    speed_up(network)
    assert {name: value.data_ptr() for name, value in network.state_dict().items()} == before
    assert isinstance(network[0], FastLinear) and isinstance(network[1][0], FastLinear)
    assert network[1][0].weight is network[2].weight
    network.bfloat16()
    assert network[1][0].weight.dtype == torch.bfloat16


def test_what_derives_from_linear_stays():
    class Own(nn.Linear):
        pass

    network = nn.Sequential(Own(4, 4))
    speed_up(network)
    assert type(network[0]) is Own

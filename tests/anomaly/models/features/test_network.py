import pytest
import torch

from pipelines.anomaly.models.features.network import Network
from pipelines.core.errors import CheckpointError


@pytest.fixture
def resnet(tmp_path) -> Network:
    path = tmp_path / "none.safetensors"
    return Network("test_resnet", {"source": "", "file": str(path)}, {}, path)


def test_a_sketch_has_no_numbers_and_draws_none(resnet):
    state = torch.get_rng_state()
    sketch = resnet.sketch({"out_indices": (1,)})
    assert {parameter.device.type for parameter in sketch.parameters()} == {"meta"}
    assert sketch.feature_info.reduction() == [4] and not sketch.training
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.ones(1).device.type == "cpu"


def test_sizes_and_settings_that_do_not_run(resnet):
    assert resnet.takes((64, 50), {})
    assert not resnet.takes((64, 64), {"img_size": (64, 64)})  # a ResNet is made for no size
    vit = Network("vit_small_patch16_224", {}, {"depth": 1}, resnet.weights)
    assert vit.takes((64, 48), {"img_size": (64, 48), "out_indices": (0,)})
    assert not vit.takes((64, 48), {"img_size": (48, 64), "out_indices": (0,)})


def test_networks_that_ask_for_numbers_are_tried_with_numbers(resnet):
    """gemma4_vit reads a value off a tensor in its forward pass (timm 1.0.31, models/gemma4_vit.py)."""
    network = Network("gemma4_vit_167m", {}, {"depth": 1, "out_indices": (0,)}, resnet.weights)
    assert network.takes((64, 64), {})
    assert not network.takes((64, 60), {})


def test_weights_that_are_not_there(resnet):
    with pytest.raises(CheckpointError, match=r"expected a timm network test_resnet with the weights .* does not load"):
        resnet.loaded({})

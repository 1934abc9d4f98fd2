"""A training that was stopped goes on as if it had not been."""

import torch
from torch import nn

from mini.training import Training


def trained(run, steps, stop_after=None):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    training = Training(model, [{"params": model.parameters(), "lr": 0.1}], steps, run)
    for step in training.steps_left():
        inputs = torch.full((1, 3), float(step))
        training.learn((model(inputs) - 1).square().mean(), clip=1.0)
        if step == stop_after:
            break
    return model.weight.detach().clone(), training.seconds


def test_nothing_to_do_leaves_the_network_as_it_is(tmp_path):
    weight, _ = trained(tmp_path / "run.pt", 0)
    torch.manual_seed(0)
    assert torch.equal(weight, nn.Linear(3, 1).weight)
    assert not (tmp_path / "run.pt").exists()


def test_a_stopped_training_ends_where_an_unbroken_one_does(tmp_path):
    unbroken, _ = trained(tmp_path / "unbroken.pt", 150)
    trained(tmp_path / "stopped.pt", 150, stop_after=120)  # after the checkpoint of step 100
    resumed, seconds = trained(tmp_path / "stopped.pt", 150)
    assert torch.equal(unbroken, resumed)
    assert seconds > 0


def test_a_finished_training_can_be_made_longer(tmp_path):
    first, _ = trained(tmp_path / "run.pt", 100)
    longer, _ = trained(tmp_path / "run.pt", 110)
    assert not torch.equal(first, longer)

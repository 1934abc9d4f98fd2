"""A training that was stopped goes on as if it had not been, and is written down."""

import json

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from mini.training import Training, drawn_batches, muon_and_adamw, write_record


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 4)
        self.hidden = nn.Linear(4, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, inputs):
        return self.head(self.hidden(self.embed(inputs)).tanh())


def trained(run, steps, stop_after=None):
    torch.manual_seed(0)
    model = Network()
    training = Training(model, muon_and_adamw(model, 0.1, 0.1), steps, run)
    for step in training.steps_left():
        inputs = torch.full((1, 3), float(step) / 100)
        training.learn({"error": (model(inputs) - 1).square().mean()}, clip=1.0, figures={"step": float(step)})
        if step == stop_after:
            break
    return nn.utils.parameters_to_vector(model.parameters()).detach(), training


def test_nothing_to_do_leaves_the_network_as_it_is(tmp_path):
    weights, _ = trained(tmp_path / "run.pt", 0)
    torch.manual_seed(0)
    assert torch.equal(weights, nn.utils.parameters_to_vector(Network().parameters()))
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_training_ends_where_an_unbroken_one_does(tmp_path):
    unbroken, _ = trained(tmp_path / "unbroken.pt", 150)
    trained(tmp_path / "stopped.pt", 150, stop_after=120)  # after the checkpoint of step 100
    resumed, training = trained(tmp_path / "stopped.pt", 150)
    assert torch.equal(unbroken, resumed)
    assert training.seconds > 0


def test_a_finished_training_can_be_made_longer(tmp_path):
    first, _ = trained(tmp_path / "run.pt", 100)
    longer, _ = trained(tmp_path / "run.pt", 110)
    assert not torch.equal(first, longer)


def test_losses_and_figures_go_to_tensorboard(tmp_path):
    trained(tmp_path / "run.pt", 30)
    board = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [event.step for event in board.Scalars("error")] == [10, 20, 30]
    assert [event.value for event in board.Scalars("step")] == [9, 19, 29]


def test_muon_has_the_hidden_matrices_only():
    model = Network()
    muon, adamw = muon_and_adamw(model, 0.1, 0.1)
    assert [id(each) for each in muon.param_groups[0]["params"]] == [id(model.hidden.weight)]
    assert len(adamw.param_groups[0]["params"]) == 5


def test_batches_come_in_the_order_of_their_seeds():
    examples = {seed: torch.tensor(seed) for seed in range(10)}
    assert [batch.tolist() for batch in drawn_batches(examples, range(2, 8), 3)] == [[2, 3, 4], [5, 6, 7]]
    assert [batch.item() for batch in drawn_batches(examples, [4, 1], None)] == [4, 1]


def test_the_record_says_how_a_model_was_made(tmp_path):
    _, training = trained(tmp_path / "run.pt", 10)
    write_record(tmp_path, training, {"batch": 1})
    record = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert (record["steps"], record["batch"], record["training_seconds"]) == (10, 1, round(training.seconds))
    assert "CPU cores" in record["machine"]

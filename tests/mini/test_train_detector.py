"""The detector's trainings go on from where they were stopped, and its loss reaches all of it."""

import random

import torch

from mini.detector import make_model, make_tokenizer, prompt_ids
from mini.train_detector import detection_loss, draw_batch, train_backbone, train_detector


def test_a_few_steps_and_then_one_more(emoji, tmp_path):
    backbone, _ = train_backbone(1, tmp_path / "backbone.pt")
    tokenizer = make_tokenizer()
    model, _ = train_detector(1, backbone, tokenizer, tmp_path / "run.pt")
    before = model.model.enc_output.weight.detach().clone()
    longer, training = train_detector(2, backbone, tokenizer, tmp_path / "run.pt")
    assert training.step == 2 and not torch.equal(before, longer.model.enc_output.weight)


def test_the_loss_teaches_the_encoders_proposals(emoji):
    torch.manual_seed(0)
    model, batch = make_model(), draw_batch(random.Random(0), 2)
    detection_loss(model, prompt_ids(make_tokenizer(), batch.prompt, 2), batch).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.model.enc_output.parameters())

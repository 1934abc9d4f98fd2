"""Photos are put in the order of a second judge."""

from pathlib import Path

import pytest
import torch

from pipelines.core.errors import ImageError
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.nearest import Match
from pipelines.search.query.rerank import rerank, say_reranked


class Taste:
    """A judge to whom a photo's score is what it is told, and that cannot read one of which it is told nothing."""

    dtypes = frozenset({torch.float32})

    def __init__(self, told):
        self.told, self.module = told, torch.nn.Linear(1, 1)

    def prepare(self, pairs):
        assert all(pair.text == "two dogs" for pair in pairs)
        for pair in pairs:
            if pair.photo.name not in self.told:
                raise ImageError(f"{pair.photo}: broken")
        return {"told": torch.tensor([self.told[pair.photo.name] for pair in pairs])}

    def predict(self, batch):
        return batch["told"].tolist()


@pytest.mark.parametrize(
    ("told", "order"),
    [
        ({"a": 0.25, "b": 0.5, "c": 0.75, "d": 1.0}, "dcba"),
        ({"a": 0.5, "b": 0.5, "c": 0.75, "d": 0.5}, "cabd"),
        ({"b": 0.25, "d": 0.75}, "dbac"),
        ({}, "abcd"),
    ],
    ids=["all", "ties", "two broken", "all broken"],
)
def test_photos_come_in_the_judges_order_and_broken_ones_last_as_they_were(told, order, capsys):
    matches = [Match(key, 1 - place / 10) for place, key in enumerate("abcd")]
    runner = Runner(RunnerConfig(device="cpu", batch=3, progress=False))
    found = rerank(Taste(told), runner, "two dogs", matches, Path("/photos"))
    assert [match.id for match in found.matches] == list(order)
    assert {match.id: match.judged for match in found.matches} == {key: told.get(key) for key in "abcd"}
    assert {match.id: match.score for match in found.matches} == {match.id: match.score for match in matches}
    assert found.failed == {key: f"/photos/{key}: broken" for key in "abcd" if key not in told}
    say_reranked(found, "itm")
    said = capsys.readouterr().err
    assert f"itm judged {len(told)} photos by 'two dogs' in " in said and ("come last" in said) == (len(told) < 4)

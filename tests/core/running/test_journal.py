"""The journal: everything comes back bit for bit, and nothing of a torn line."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipelines.core.running.journal import Journal, difference

KEY = {"task": "caption", "settings": {"beams": 3, "runner": {"batch": 16}}}


@dataclass(frozen=True)
class Found:
    score: float
    map: Tensor | None = None
    ids: tuple[int, ...] = ()


def opened(folder: Path, key=KEY, **settings) -> Journal:
    return Journal(folder / "journal", key, [Found], **settings)


@pytest.mark.parametrize(
    "value",
    ["", "강아지\n\"'\\", None, 0.1 + 0.2, 1e-320, [1, [2.5, "a"]], {"a": {"b": None}}, {}, []],
)
def test_plain_values_come_back(tmp_path, value):
    opened(tmp_path).put("x", value)
    assert opened(tmp_path).get("x") == value


def test_numbers_that_are_none_come_back(tmp_path):
    opened(tmp_path).put("x", [math.nan, math.inf])
    nan, inf = opened(tmp_path).get("x")
    assert math.isnan(nan) and inf == math.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("shape", [(), (0, 4), (3, 5)])
def test_tensors_come_back_bit_for_bit(tmp_path, dtype, shape):
    tensor = (torch.randn(shape) * 100).to(dtype)
    opened(tmp_path).put("x", [tensor])
    (back,) = opened(tmp_path).get("x")
    assert back.dtype == dtype and back.shape == tensor.shape
    assert torch.equal(back, tensor)


@pytest.mark.parametrize(
    "tensor",
    [torch.arange(12.0).reshape(3, 4).T[1:], torch.arange(12.0).reshape(2, 6)[:, :1][:1], torch.arange(6.0)[::6]],
)
def test_a_tensor_that_is_a_view_comes_back(tmp_path, tensor):
    opened(tmp_path).put("x", tensor)
    assert torch.equal(opened(tmp_path).get("x"), tensor)


def test_dataclasses_come_back(tmp_path):
    opened(tmp_path).put("x", {"results": [Found(0.1, torch.ones(2, 2)), None]})
    found, none = opened(tmp_path).get("x")["results"]
    assert none is None and isinstance(found, Found)
    assert found.score == 0.1 and torch.equal(found.map, torch.ones(2, 2))


def test_the_last_value_of_a_name_counts(tmp_path):
    journal = opened(tmp_path)
    for value in (1, 2):
        journal.put("x", value)
    assert journal.get("x") == opened(tmp_path).get("x") == 2
    assert journal.get("y") is None
    assert len(journal) == 1


def test_whatever_is_torn_off_the_end_costs_only_its_own_line(tmp_path):
    journal = opened(tmp_path)
    journal.put("first", "a" * 50)
    kept = journal.path.stat().st_size
    journal.put("second", "b" * 50)
    whole = journal.path.read_bytes()
    for size in range(kept, len(whole)):
        journal.path.write_bytes(whole[:size])
        again = opened(tmp_path)
        assert (again.get("first"), again.get("second")) == ("a" * 50, None)
        again.put("second", "c")
        assert opened(tmp_path).get("second") == "c"


@pytest.mark.parametrize("place", [0, 20, 200])
def test_a_changed_byte_is_never_taken_for_a_value(tmp_path, place):
    journal = opened(tmp_path)
    for name in "abc":
        journal.put(name, name * 100)
    data = bytearray(journal.path.read_bytes())
    data[place] ^= 1
    journal.path.write_bytes(data)
    again = opened(tmp_path)
    assert all(again.get(name) in (name * 100, None) for name in "abc")
    assert again.get("c") is None


def test_random_bytes_are_no_journal(tmp_path):
    (tmp_path / "journal").write_bytes(bytes(range(256)) * 10)
    journal = opened(tmp_path)
    assert (len(journal), journal.why_afresh) == (0, "")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (KEY, ""),
        ({**KEY, "settings": {"beams": 1, "runner": {"batch": 16}}}, "settings.beams was 3 and is 1"),
        ({**KEY, "settings": {"beams": 3, "runner": {"batch": 8}}}, "settings.runner.batch was 16 and is 8"),
        ({**KEY, "task": "detect", "settings": {"beams": 3}}, 'task was "caption" and is "detect"; settings.runner.ba'),
        ({**KEY, "new": Path("a")}, 'new was null and is "a"'),
    ],
)
def test_another_key_starts_afresh_and_says_why(tmp_path, key, reason):
    opened(tmp_path).put("x", 1)
    again = opened(tmp_path, key)
    assert again.why_afresh.startswith(reason) and bool(again.why_afresh) == bool(reason)
    assert again.get("x") == (None if reason else 1)
    assert opened(tmp_path, key).why_afresh == ""


def test_afresh_where_it_is_asked_for(tmp_path):
    assert opened(tmp_path, fresh=True).why_afresh == ""  # there is nothing to give up
    opened(tmp_path).put("x", 1)
    journal = opened(tmp_path, fresh=True)
    assert journal.why_afresh == "--fresh asks for it"
    assert journal.get("x") is None


def test_many_differences_are_counted():
    assert difference(dict.fromkeys("abcde", 1), dict.fromkeys("abcde", 2)).endswith("c was 1 and is 2; and 2 more")


def test_a_full_disk_ends_the_journal_and_not_the_run(tmp_path, capsys):
    journal = opened(tmp_path)
    with journal.keeping():
        raise OSError(28, "No space left on device")
    journal.put("x", 1)
    assert journal.get("x") is None
    assert "No space left on device" in capsys.readouterr().err

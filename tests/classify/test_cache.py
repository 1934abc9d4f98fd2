"""Labels' vectors come back bit for bit, and nothing but what was written comes back."""

import pytest
import torch

from pipelines.classify.cache import LabelVectors, cache_path, load_vectors, save_vectors

FOUND = LabelVectors(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), {"강아지": "dog"})


def test_what_was_saved_comes_back(tmp_path):
    path = tmp_path / "a.safetensors"
    assert load_vectors(path) is None
    save_vectors(path, FOUND)
    found = load_vectors(path)
    assert found is not None and torch.equal(found.vectors, FOUND.vectors) and found.english == FOUND.english
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: b"\x80\x04N." + data])
def test_a_damaged_file_is_none(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    save_vectors(path, FOUND)
    path.write_bytes(damage(path.read_bytes()))
    assert load_vectors(path) is None


def test_a_folder_in_the_files_place_is_none(tmp_path):
    assert load_vectors(tmp_path) is None


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".a.safetensors.12345678.tmp").write_bytes(b"half")
    save_vectors(tmp_path / "a.safetensors", FOUND)
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]


def test_where_it_cannot_be_written_nothing_is_left(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(OSError):
        save_vectors(tmp_path / "a.safetensors", FOUND)
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]


def test_another_key_is_another_file(tmp_path):
    keys = [{"names": [["dog"]]}, {"names": [["cat"]]}, {"names": [["dog"]], "dtype": "torch.float16"}]
    paths = {cache_path(tmp_path, key) for key in keys}
    assert len(paths) == 3 and cache_path(tmp_path, dict(keys[0])) in paths


def test_vectors_are_a_matrix():
    with pytest.raises(ValueError, match=r"expected vectors \(L, D\), found \(3,\)"):
        LabelVectors(torch.zeros(3), {})

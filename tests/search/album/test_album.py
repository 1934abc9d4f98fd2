"""An album keeps what is put in, and is either whole or not there."""

import numpy as np
import pytest
import torch

from pipelines.core.errors import InputError
from pipelines.search.album.album import (
    IDS_AT_ONCE,
    MOST_FRAGMENTS,
    About,
    FileState,
    Vectors,
    album_names,
    make_album,
    open_album,
    writing,
)

ABOUT = About("/사진", "some/clip", "abc")


def row(key, value=0.0, **changes):
    known = {"id": key, "vector": np.full(4, value, np.float16), "hash": f"hash of {key}", "bytes": 10, "mtime_ns": 20}
    known |= {"width": 4, "height": 3, "orientation": 1, "taken": None, "camera": None, "latitude": None}
    known |= {
        "longitude": None,
        "colour": "red",
        "caption": None,
        "caption_english": None,
        "counts": None,
        "thumbnail": b"jpeg",
    }
    return known | changes


def refused(key, **changes):
    return {"id": key, "hash": f"hash of {key}", "bytes": 10, "mtime_ns": 20, "reason": "broken"} | changes


@pytest.fixture
def album(tmp_path):
    return make_album(tmp_path / "one", 4, ABOUT)


def test_an_empty_album_opens(tmp_path, album):
    found = open_album(tmp_path / "one")
    assert found.about == ABOUT and len(found) == 0 and found.known() == {} and found.refused() == {}
    assert found.vectors().matrix.shape == (0, 4)


def test_what_is_put_in_is_found_by_another(tmp_path, album):
    album.put([row("b'강", 1), row("a", 2)], [refused("c")])
    found = open_album(tmp_path / "one")
    assert found.known() == {key: FileState(10, 20, f"hash of {key}") for key in ("a", "b'강")}
    assert found.refused() == {"c": (FileState(10, 20, "hash of c"), "broken")}
    vectors = found.vectors()
    assert vectors.ids == ["a", "b'강"] and vectors.matrix.dtype == torch.float16
    assert vectors.matrix[:, 0].tolist() == [2, 1]
    assert found.rows(["b'강", "none"], ["colour"]) == {"b'강": {"id": "b'강", "colour": "red"}}


def test_columns_are_noted_of_photos_that_there_are(tmp_path, album):
    album.put([row("강's", 1), row("b", 2)], [])
    album.note([])
    album.note([{"id": "강's", "counts": '{"강아지":2}'}, {"id": "none", "counts": '{"강아지":3}'}])
    found = open_album(tmp_path / "one")
    assert found.ids("json_get_int(counts, '강아지') >= 2") == {"강's"} and len(found) == 2
    assert found.rows(["b"], ["counts"])["b"]["counts"] is None and found.vectors().matrix[:, 0].tolist() == [2, 1]


def test_an_album_of_other_columns_is_to_be_made_anew(tmp_path, album):
    album.photos.add_columns({"mood": "'good'"})
    with pytest.raises(InputError, match=r"with other columns \(mood\); make it anew with `search index --fresh`"):
        open_album(tmp_path / "one")


def test_vectors_follow_the_album(tmp_path, album):
    album.put([row("a", 1)], [])
    reader = open_album(tmp_path / "one")
    assert reader.vectors() is reader.vectors()
    album.put([row("a", 5), row("b", 2)], [])
    assert reader.vectors().matrix[:, 0].tolist() == [5, 2]


def test_a_file_is_a_photo_or_it_is_not(album):
    album.put([row("a"), row("b")], [])
    album.put([], [refused("a")])
    assert list(album.known()) == ["b"] and list(album.refused()) == ["a"]
    album.put([row("a")], [])
    assert sorted(album.known()) == ["a", "b"] and album.refused() == {}


def test_a_touched_file_keeps_all_else(album):
    album.put([row("a", 3, caption="개"), row("b")], [refused("c")])
    album.touch({"a": FileState(1, 2, "hash of a"), "c": FileState(3, 4, "hash of c")})
    assert album.known() == {"a": FileState(1, 2, "hash of a"), "b": FileState(10, 20, "hash of b")}
    assert album.refused() == {"c": (FileState(3, 4, "hash of c"), "broken")}
    assert album.rows(["a"], ["caption", "thumbnail"])["a"] == {"id": "a", "caption": "개", "thumbnail": b"jpeg"}
    assert album.vectors().matrix[0].tolist() == [3] * 4


def test_what_is_gone_is_dropped_however_much(album):
    keys = [f"it's {number}" for number in range(IDS_AT_ONCE + 2)]
    album.put([row(key) for key in keys], [refused("z")])
    album.drop([*keys[:-1], "z", "never there"])
    assert list(album.known()) == keys[-1:] and album.refused() == {}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("colour = 'blue'", {"b"}),
        ("width >= 4", {"a", "b"}),
        ("json_get_int(counts, '강아지') >= 2", {"a"}),
        ("caption IS NULL", {"b"}),
        ("false", set()),
    ],
)
def test_conditions_choose_photos(album, where, expected):
    album.put([row("a", caption="개", counts='{"강아지": 3}'), row("b", colour="blue")], [])
    assert album.ids(where) == expected


@pytest.mark.parametrize("where", ["nothing = 3", "width >=", "'"])
def test_a_condition_that_is_none_is_refused(album, where):
    album.put([row("a")], [])
    with pytest.raises(InputError, match="expected a condition over the album's columns"):
        album.ids(where)


def test_one_writes_at_a_time(tmp_path):
    with writing(tmp_path / "one"):
        with writing(tmp_path / "two"):
            pass
        with pytest.raises(InputError, match="another process"), writing(tmp_path / "one"):
            pass
    with writing(tmp_path / "one"):
        pass


def test_many_small_writes_are_merged(album):
    for number in range(MOST_FRAGMENTS + 1):
        album.put([row(f"{number}", number)], [])
    album.tidy()
    assert album.photos.stats()["fragment_stats"]["num_fragments"] == 1
    assert len(album.vectors().ids) == MOST_FRAGMENTS + 1


@pytest.mark.parametrize("half", ["", "photos.lance", "photos.lance/_versions", "photos.lance/data"])
def test_what_was_cut_off_while_it_was_made_is_no_album_and_can_be_made(tmp_path, half):
    (tmp_path / "one" / half).mkdir(parents=True)
    assert open_album(tmp_path / "one") is None
    make_album(tmp_path / "one", 4, ABOUT).put([row("a")], [])
    assert len(open_album(tmp_path / "one")) == 1


def test_an_album_is_made_anew_in_place_of_another(tmp_path, album):
    album.put([row("a")], [refused("b")])
    other = make_album(tmp_path / "one", 8, About("/b", "c", "d"))
    assert len(other) == 0 and other.refused() == {} and other.vectors().matrix.shape == (0, 8)
    assert open_album(tmp_path / "one").about == About("/b", "c", "d")


def test_albums_are_listed(tmp_path, album):
    (tmp_path / "no album").mkdir()
    make_album(tmp_path / "another", 4, ABOUT)
    assert album_names(tmp_path) == ["another", "one"]
    assert album_names(tmp_path / "nowhere") == [] and open_album(tmp_path / "nowhere") is None


def test_a_vector_an_id():
    with pytest.raises(ValueError, match="a vector an id"):
        Vectors(["a"], torch.zeros(2, 4), np.zeros(1, np.uint64))

"""The index of a large album proposes what is nearest, and what is not in it yet."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from lancedb.index import IvfSq

from pipelines.core.errors import InputError
from pipelines.search.album.album import make_album, open_album, photo_schema
from pipelines.search.album.approximate import DATES, INDEX, KIND, MOST_NEW, SPARE, likely, make_index, wants_index
from pipelines.search.album.exact import most_similar
from pipelines.search.album.nearest import nearest
from tests.search.album.test_album import ABOUT, row

COUNT, WIDTH = 4000, 16
RARE = ["0007", "1003", "1998", "2555", "3999"]


def unit(count, seed):
    return torch.nn.functional.normalize(
        torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)), dim=1
    )


QUERIES = unit(20, 1)


def add(album, ids, vectors):
    """Puts photos in by Arrow, which a test of thousands needs."""
    schema = photo_schema(WIDTH, ABOUT)
    known = {
        "id": pa.array(ids),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.half().numpy().ravel()), WIDTH),
        "colour": pa.array(["red" if key in RARE else "blue" if int(key) % 2 else "grey" for key in ids]),
    }
    album.photos.add(pa.table([known.get(f.name, pa.nulls(len(ids), f.type)) for f in schema], schema=schema))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An album with an index, not to be written to."""
    folder = tmp_path_factory.mktemp("large") / "one"
    album = make_album(folder, WIDTH, ABOUT)
    add(album, [f"{number:04}" for number in range(COUNT)], unit(COUNT, 0))
    make_index(album)
    return folder


@pytest.fixture
def album(folder):
    return open_album(folder)


def by_hand(album, query, top, where=None):
    """The ids that comparing with every photo finds."""
    vectors = album.read(album.photos.search(), where)
    return [vectors.ids[place] for place in most_similar(query[None], vectors.matrix, top).places[0].tolist()]


def found(album, query, top, where=None):
    return [match.id for match in nearest(album, query, top, where, exact=10)]


def test_a_large_album_finds_the_nearest(album):
    same = sum(len(set(found(album, query, 10)) & set(by_hand(album, query, 10))) for query in QUERIES)
    assert same >= 0.99 * 10 * len(QUERIES)


def test_the_nearest_parts_have_most_of_the_nearest(album):
    """Of random vectors, which nothing is harder than, a quarter has more than half."""
    proposed = [set(likely(album, query, 60 - SPARE, looked_at=COUNT // 4).ids) for query in QUERIES]
    assert all(len(ids) == 60 for ids in proposed)
    same = sum(len(ids & set(by_hand(album, query, 10))) for ids, query in zip(proposed, QUERIES, strict=True))
    assert 0.5 < same / (10 * len(QUERIES)) < 1


def test_where_the_nearest_parts_have_too_few_all_are_looked_into(album):
    assert len(likely(album, QUERIES[0], COUNT // 2, looked_at=100).ids) == COUNT // 2 + SPARE


def test_parts_of_the_index_lose_photos_under_a_narrow_condition_and_we_none(album):
    where = "colour = 'red'"
    searches = [album.photos.search(query.numpy()).where(where).limit(10) for query in QUERIES]
    theirs = [len(search.minimum_nprobes(4).maximum_nprobes(4).to_list()) for search in searches]
    assert min(theirs) < len(RARE)
    for query in QUERIES:
        assert found(album, query, 10, where) == by_hand(album, query, 10, where)
        assert len(found(album, query, 10, where)) == len(RARE)


@pytest.mark.parametrize("share", [0.5, 0.0], ids=["of the nearest of all", "of all parts"])
def test_under_a_condition_that_leaves_many_hardly_one_is_lost(album, share):
    where, missed = "colour = 'blue'", 0
    for query in QUERIES:
        missed += len(set(by_hand(album, query, 10, where)) - set(likely(album, query, 10, where, share).ids))
    assert missed <= 0.01 * 10 * len(QUERIES)


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_where_all_that_a_condition_leaves_is_far_what_is_found_is_nearly_as_near(album, share):
    """There very many are equally far, which 4 bits a number do not tell apart."""
    for query in QUERIES:
        far = by_hand(album, query, COUNT)[COUNT // 2 :]
        where = f"id IN ({', '.join(repr(key) for key in far)})"
        choice, kept = album.read(album.photos.search(), where), likely(album, query, 10, where, share)
        best, ours = (most_similar(query[None], each.matrix, 10).scores[0] for each in (choice, kept))
        assert set(kept.ids) <= set(far) and (best - ours).max() < 0.03


def test_an_index_of_the_kind_before_answers_and_is_made_anew(tmp_path):
    album = make_album(tmp_path / "one", WIDTH, ABOUT)
    add(album, [f"{number:04}" for number in range(1000)], unit(1000, 0))
    album.photos.create_index("vector", config=IvfSq(distance_type="cosine", num_partitions=32), name=INDEX)
    assert set(found(album, QUERIES[0], 5)) == set(by_hand(album, QUERIES[0], 5))
    assert wants_index(album, 10)
    make_index(album)
    assert album.photos.index_stats(INDEX).index_type == KIND and album.photos.index_stats(DATES) is not None
    assert not wants_index(album, 10)
    assert set(found(album, QUERIES[0], 5)) == set(by_hand(album, QUERIES[0], 5))


def test_scores_are_those_of_comparing(album):
    vectors = album.vectors()
    for match in nearest(album, QUERIES[0], 5, exact=10):
        expected = vectors.matrix[vectors.ids.index(match.id)].float() @ QUERIES[0]
        assert match.score == pytest.approx(expected.item(), abs=1e-6)


def test_more_than_there_are(album):
    assert sorted(found(album, QUERIES[0], COUNT + 5)) == album.vectors().ids


def test_no_condition_is_refused(album):
    with pytest.raises(InputError, match="condition"):
        found(album, QUERIES[0], 3, "colour is")


def test_what_came_later_is_found_and_what_went_is_not(tmp_path):
    album = make_album(tmp_path / "one", WIDTH, ABOUT)
    add(album, [f"{number:04}" for number in range(500)], unit(500, 0))
    make_index(album)
    best, *_ = by_hand(album, QUERIES[0], 1)
    album.drop([best])
    assert best not in found(album, QUERIES[0], 10)
    album.put([{**row("new", colour="blue"), "vector": QUERIES[0].half().numpy()}], [])
    assert album.photos.index_stats(INDEX).num_unindexed_rows == 1
    assert found(album, QUERIES[0], 10)[0] == "new" == found(album, QUERIES[0], 10, "colour = 'blue'")[0]
    make_index(album)
    assert album.photos.index_stats(INDEX).num_unindexed_rows == 0
    assert found(album, QUERIES[0], 10)[0] == "new" and best not in found(album, QUERIES[0], 10)


def test_a_large_album_without_an_index_is_compared(tmp_path):
    album = make_album(tmp_path / "one", WIDTH, ABOUT)
    add(album, [f"{number:04}" for number in range(500)], unit(500, 0))
    assert found(album, QUERIES[0], 10) == by_hand(album, QUERIES[0], 10)


def test_when_an_album_wants_an_index(tmp_path):
    album = make_album(tmp_path / "one", WIDTH, ABOUT)
    add(album, [f"{number:05}" for number in range(300)], unit(300, 0))
    assert not wants_index(album, 300) and wants_index(album, 299)
    make_index(album)
    assert not wants_index(album, 299)
    add(album, [f"{number:05}" for number in range(300, 300 + MOST_NEW)], unit(MOST_NEW, 1))
    assert not wants_index(album, 299)
    add(album, ["99999"], unit(1, 2))
    assert wants_index(album, 299)
    make_index(album)
    assert not wants_index(album, 299)


def test_a_note_leaves_photos_in_the_index(tmp_path):
    album = make_album(tmp_path / "one", WIDTH, ABOUT)
    add(album, [f"{number:04}" for number in range(500)], unit(500, 0))
    make_index(album)
    best, *_ = by_hand(album, QUERIES[0], 1)
    album.note([{"id": best, "caption": "개"}])
    assert found(album, QUERIES[0], 5)[0] == best
    assert np.isclose(
        nearest(album, QUERIES[0], 1, "caption = '개'", exact=10)[0].score,
        (album.vectors().matrix.float() @ QUERIES[0]).max(),
    )

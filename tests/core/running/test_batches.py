import pytest

from pipelines.core.running.batches import AUTO_MOST, BatchSize


def noted(size, rates):
    """The size and whether it still grows, after batches that went at `rates`."""
    for rate in rates:
        size.note(size.size, size.size / rate, roomy=True)
    return size.size, size.growing


@pytest.mark.parametrize(
    ("rates", "wanted"),
    [
        ([], (4, True)),
        ([10], (4, True)),
        ([10, 10], (8, True)),
        ([10, 10, 20, 20], (16, True)),
        ([10, 10, 5, 5, 20], (16, True)),  # two slow ones are no proof
        ([10, 10, 5, 5, 10.4], (8, True)),
        ([10, 10, 5, 5, 10.4, 5], (4, False)),
        ([10, 10, 20, 20, 20.1, 20.1, 20.1, 20.1], (8, False)),
        ([10, 10, 5, 5, 5, 5, 99, 99], (4, False)),
    ],
)
def test_auto_batch_doubles_while_it_pays(rates, wanted):
    assert noted(BatchSize(4, growing=True), rates) == wanted


def test_a_batch_that_is_not_full_says_nothing():
    size = BatchSize(4, growing=True)
    for _ in range(9):
        size.note(3, 1, roomy=True)
    assert (size.size, size.growing, size.trials) == (4, True, [])


def test_auto_batch_stops_at_the_bound_and_where_memory_ends():
    size = BatchSize(AUTO_MOST, growing=True)
    for _ in range(2):
        size.note(AUTO_MOST, 1, roomy=True)
    assert (size.size, size.growing) == (AUTO_MOST, False)
    tight = BatchSize(4, growing=True)
    for _ in range(2):
        tight.note(4, 1, roomy=False)
    assert (tight.size, tight.growing) == (4, False)

"""What is asked of every detector, on the tiny checkpoint that its entry names."""

import pytest
import torch

from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.images.samples import Sample
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.models import DETECTORS, load_detector
from tests import contract, tiny
from tests.detect.conftest import assert_same

CLASSES = ("dog", "cat")
"""Words that every tiny checkpoint knows."""


@pytest.fixture(scope="module", params=DETECTORS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return contract.made(DETECTORS[name], tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def detector(name, folder):
    return load_detector(name, folder)


@pytest.fixture
def queries(photos):
    return [Query(photo, CLASSES) for photo in photos]


def test_the_entry_is_as_the_class(name, folder, detector):
    contract.check_entry(DETECTORS, name, folder, detector)


@pytest.mark.parametrize("count", contract.COUNTS)
def test_as_many_results_as_queries(detector, queries, count):
    found = contract.results(detector, queries[:count])
    assert len(found) == count and all(isinstance(each, Detections) for each in found)


def test_one_bad_picture_fails_alone(detector, queries, tmp_path):
    bad = Query(Sample("bad", contract.bad_picture(tmp_path)), CLASSES)
    found = contract.outcomes(detector, [*queries[:2], bad, *queries[2:]])
    assert [outcome.ok for outcome in found] == [outcome.item is not bad for outcome in found]
    assert "bad.jpg" in found[2].error


def test_boxes_are_the_same_alone_and_in_a_batch(detector, queries):
    alone, together = (contract.results(detector, queries, batch) for batch in (1, len(queries)))
    assert sum(map(len, alone)) > 10
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_boxes_lie_in_the_source_and_exceed_the_threshold(name, folder, queries):
    every = contract.results(load_detector(name, folder, 0.0), queries[1:3])
    middle = float(every[0].scores.median())
    some = contract.results(load_detector(name, folder, middle), queries[1:3])
    assert 0 < sum(map(len, some)) < sum(map(len, every))
    for found, (width, height) in zip(some, [(60, 90), (90, 60)], strict=True):
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= torch.tensor([width, height, width, height])).all()
        assert (found.scores > middle).all() and (found.scores <= 1).all()
        assert set(found.class_ids.tolist()) <= {0, 1}


def test_without_a_threshold_it_has_its_own(name, detector):
    assert detector.threshold == DETECTORS[name].defaults["box_threshold"]


def test_classes_may_come_in_any_order(name, folder, queries):
    detector = load_detector(name, folder, 0.0)
    one, other = (
        contract.results(detector, [Query(queries[0].sample, order)])[0] for order in (CLASSES, CLASSES[::-1])
    )
    assert_same(one, Detections(other.xyxy, other.scores, 1 - other.class_ids), pixels=0.1)


def test_numbers_that_overflow_are_no_detections(name, folder, queries):
    assert "overflowed" in contract.check_overflow(load_detector(name, folder, 0.0), queries[0])


def test_half_precision_finds_the_same(name, folder, queries):
    if "fp16" not in DETECTORS[name].dtypes:
        pytest.skip(f"{name} does not run in float16")
    exact = contract.results(load_detector(name, folder, 0.0), queries[:3], batch=1)
    half = contract.in_half(load_detector(name, folder, 0.0), queries[:3])
    for one, other in zip(exact, half, strict=True):
        assert_near(one, other, pixels=4, score=0.03)  # weights that are drawn wide round more than trained ones


def test_bfloat16_finds_nearly_the_same(name, folder, queries):
    if "bf16" not in DETECTORS[name].dtypes | DETECTORS[name].near_dtypes:
        pytest.skip(f"{name} does not run in bfloat16")
    exact, near = (contract.results(load_detector(name, folder, 0.0), queries[:3], precision=each)
                   for each in ("fp32", "bf16"))  # fmt: skip
    for one, other in zip(exact, near, strict=True):
        assert_near(one, other, pixels=8, score=0.05)


def assert_near(exact, rounded, pixels, score):
    """Of the best boxes of each most are there, a little moved: of those that score about the same, ranks change."""
    best = exact[exact.scores.argsort(descending=True)[:10]]
    gaps = (best.xyxy[:, None] - rounded.xyxy[None]).abs().amax(-1) / pixels
    gaps = gaps.maximum((best.scores[:, None] - rounded.scores[None]).abs() / score)
    assert (gaps.amin(1) < 1).float().mean() > 0.7


def test_another_kind_of_checkpoint_is_refused(name, tmp_path):
    with pytest.raises(CheckpointError, match="expected"):
        load_detector(name, tiny.nllb(tmp_path))


def test_an_unknown_detector(tmp_path):
    with pytest.raises(ConfigError, match="found `nobody`") as refusal:
        load_detector("nobody", tmp_path, 0.3)
    assert all(f"{name} ({model.fits})" in str(refusal.value) for name, model in DETECTORS.items())

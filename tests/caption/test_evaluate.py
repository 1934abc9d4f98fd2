import math

import pandas as pd
import pytest

from pipelines.caption.evaluate import scores
from pipelines.core.errors import InputError

TRUTH = pd.DataFrame(
    {
        "image": ["1.jpg", "2.jpg", "3.jpg"],
        "caption": ["강아지 한 마리", "개", "강아지 두 마리와 자동차 한 대"],
        "english": ["a dog", "a dog", "two dogs and a car"],
    }
)


def said(captions, **columns):
    return pd.DataFrame({"image": TRUTH["image"], "caption": captions, **columns}, dtype="str")


def test_nothing_said_is_zero_and_no_nan():
    for captions in (["", "", ""], [None, None, None]):
        found = scores(said(captions), TRUTH)
        assert found == {"exact": 0, "chrF2": 0, "BLEU (char)": 0}


def test_perfect_captions_reach_the_maximum():
    found = scores(said(TRUTH["caption"], english=TRUTH["english"]), TRUTH)
    assert found == pytest.approx({"exact": 100, "chrF2": 100, "BLEU (char)": 100, "exact (english)": 100})


def test_a_single_short_caption_can_be_perfect():
    assert scores(said(TRUTH["caption"])[1:2], TRUTH[1:2]) == pytest.approx(
        {"exact": 100, "chrF2": 100, "BLEU (char)": 100}
    )


def test_nearer_captions_score_more():
    near = scores(said(["강아지 두 마리", "개", "강아지 두 마리와 자동차 세 대"]), TRUTH)
    far = scores(said(["사과 세 개", "공", "나무 한 그루"]), TRUTH)
    assert near["exact"] == pytest.approx(100 / 3)
    assert far["exact"] == 0
    for name in ("chrF2", "BLEU (char)"):
        assert 0 <= far[name] < near[name] < 100
    assert all(math.isfinite(value) for value in far.values())


def test_rows_are_joined_on_the_id_whatever_their_order():
    shuffled = said(TRUTH["caption"]).iloc[::-1]
    assert scores(shuffled, TRUTH)["exact"] == 100


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (said(["", "", ""])[:2], r"1 only in the truth, such as '3.jpg'"),
        (
            pd.concat([said(["", "", ""]), pd.DataFrame({"image": ["4.jpg"], "caption": [""]})]),
            r"submission, such as '4.jpg'",
        ),
        (pd.concat([said(["", "", ""])] * 2), r"'1.jpg' again"),
        (
            said(["", "", ""]).rename(columns={"caption": "text"}),
            r"column `caption` in the submission, found image, te",
        ),
    ],
)
def test_unfit_frames_are_refused(submission, message):
    with pytest.raises(InputError, match=message):
        scores(submission, TRUTH)


def test_an_empty_truth_is_refused():
    with pytest.raises(InputError, match="rows in the truth, found none"):
        scores(said(["", "", ""])[:0], TRUTH[:0])

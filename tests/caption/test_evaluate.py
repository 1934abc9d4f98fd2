"""What captions score equals what the libraries say; contests' sums are what contests compute."""

import math

import pandas as pd
import pytest
import sacrebleu
from nltk.translate.bleu_score import sentence_bleu

from pipelines.caption.evaluate import PRESETS, CaptionScoring, evaluate, score
from pipelines.caption.scoring.tokens import tokenizer
from pipelines.core.errors import InputError

TRUTH = pd.DataFrame(
    {
        "image": ["1.jpg", "2.jpg", "3.jpg"],
        "caption": ["강아지 한 마리가 있다.", "개", "강아지 두 마리와 자동차 한 대"],
        "english": ["a dog", "a dog", "two dogs and a car"],
    }
)
SEVERAL = pd.DataFrame(
    [("1.jpg", "두 사람이 걷는다."), ("1.jpg", "사람 둘이 길을 걷고 있다."), ("2.jpg", "고양이가 잔다.")],
    columns=["image", "caption"],
)


def said(captions, **columns):
    return pd.DataFrame({"image": TRUTH["image"], "caption": captions, **columns}, dtype="str")


def scores(submission, truth, **settings):
    found = score(submission, truth, CaptionScoring(submission="s.csv", truth="t.csv", **settings))
    return {each.name: each.value for each in found.scores}


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_said_is_zero_and_no_nan(preset):
    for captions in (["", "", ""], [None, None, None]):
        assert set(scores(said(captions), TRUTH, preset=preset).values()) == {0}


@pytest.mark.parametrize("name", ["char", "ko-mecab", "13a"])
def test_perfect_captions_reach_the_maximum(name):
    found = scores(said(TRUTH["caption"], english=TRUTH["english"]), TRUTH, tokenizer=name)
    # By its formula a perfect caption of n tokens has 1 - 0.5 / n^3: a single word has a half.
    lengths = [len(tokenizer(name)(caption)) for caption in TRUTH["caption"]]
    assert found.pop("METEOR") == pytest.approx(sum(1 - 0.5 / length**3 for length in lengths) / 3)
    cider = found.pop("CIDEr-D")
    assert 0 < cider <= 10
    assert found == pytest.approx(dict.fromkeys(found, 1.0))
    assert {"exact", "exact (english)", "BLEU-1", "BLEU-4", "chrF2", "ROUGE-L"} <= found.keys()


def test_perfect_long_captions_reach_ciders_maximum():
    captions = ["강아지가 길을 천천히 걷는다", "고양이는 의자에서 깊이 잔다", "새들이 하늘로 높이 난다"]
    assert scores(said(captions), TRUTH.assign(caption=captions), tokenizer="13a")["CIDEr-D"] == pytest.approx(10)


def test_bleu_and_chrf_are_sacrebleus():
    captions = ["강아지 두 마리가 있다.", "고양이", "강아지 두 마리와 자동차 세 대가 있다"]
    found = scores(said(captions), TRUTH, tokenizer="ko-mecab")
    references = [TRUTH["caption"].tolist()]
    bleu = sacrebleu.BLEU(tokenize="ko-mecab", smooth_method="none", effective_order=True)
    assert found["BLEU-4"] == pytest.approx(bleu.corpus_score(captions, references).score / 100)
    assert found["chrF2"] == pytest.approx(sacrebleu.corpus_chrf(captions, references).score / 100)


def test_rouge_l_by_hand():
    truth = pd.DataFrame([("1.jpg", "a b c d"), ("1.jpg", "a x")], columns=["image", "caption"])
    submission = pd.DataFrame([("1.jpg", "a c y")], columns=["image", "caption"])
    precision, recall = 2 / 3, 1 / 2  # "a c" of three tokens said, of four in the first; "a" of two in the second
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert scores(submission, truth, tokenizer="13a")["ROUGE-L"] == pytest.approx(expected)


def test_any_of_several_references_may_be_met():
    submission = pd.DataFrame(
        [("2.jpg", "고양이가 잔다."), ("1.jpg", "사람 둘이 길을 걷고 있다.")], columns=["image", "caption"]
    )
    found = scores(submission, SEVERAL)
    assert (found["exact"], found["BLEU-4"], found["ROUGE-L"]) == pytest.approx((1, 1, 1))


@pytest.mark.filterwarnings("ignore")  # as the contest's code does, nltk is asked for n-grams that weigh nothing
def test_nikl_averages_over_the_references():
    submission = pd.DataFrame([("1.jpg", "두 사람이 걷는다."), ("2.jpg", "개가 잔다.")], columns=["image", "caption"])
    found = scores(submission, SEVERAL, preset="nikl")
    cut = tokenizer("ko-mecab")
    one = [
        sentence_bleu([cut(text)], cut("두 사람이 걷는다."), weights=(1, 0, 0, 0)) for text in SEVERAL["caption"][:2]
    ]
    other = sentence_bleu([cut("고양이가 잔다.")], cut("개가 잔다."), weights=(1, 0, 0, 0))
    assert one[0] == 1 and one[1] < 1
    assert found["NIKL BLEU-1"] == pytest.approx((sum(one) / 2 + other) / 2)
    assert 0 < found["NIKL ROUGE-1"] < 1


def test_nikl_rouge_by_hand():
    truth = pd.DataFrame([("1.jpg", "고양이가 잔다."), ("1.jpg", "고양이!")], columns=["image", "caption"])
    submission = pd.DataFrame([("1.jpg", "고양이가")], columns=["image", "caption"])
    cut = tokenizer("ko-mecab")
    assert (cut("고양이가"), cut("고양이")) == (["고양이", "가"], ["고양이"])
    long = len(cut("고양이가 잔다"))
    assert scores(submission, truth, preset="nikl")["NIKL ROUGE-1"] == pytest.approx(2 * 3 / (2 + 2 + long + 1))


def test_samsungs_sum_is_of_its_parts():
    captions = ["강아지 한 마리", "고양이 세 마리", "강아지 두 마리와 자동차 한 대"]
    parts = scores(said(captions), TRUTH)
    expected = 4 * parts["CIDEr-D"] + 3 * parts["METEOR"] + parts["BLEU-3"] + parts["BLEU-4"] + parts["ROUGE-L"]
    assert scores(said(captions), TRUTH, preset="samsung2023") == {"Samsung 2023": pytest.approx(expected)}


def test_nearer_captions_score_more():
    near = scores(said(["강아지 두 마리", "개", "강아지 두 마리와 자동차 세 대"]), TRUTH)
    far = scores(said(["사과 세 개", "공", "나무 한 그루"]), TRUTH)
    assert near["exact"] == pytest.approx(1 / 3) and far["exact"] == 0
    for name in ("chrF2", "BLEU-1", "ROUGE-L", "METEOR", "CIDEr-D"):
        assert 0 <= far[name] < near[name], name
    assert all(math.isfinite(value) for value in far.values())


def test_every_figure_says_what_computed_it():
    found = score(said(TRUTH["caption"]), TRUTH, CaptionScoring("s.csv", "t.csv", tokenizer="ko-mecab"))
    tools = {each.name: each.by for each in found.scores}
    assert tools["BLEU-4"] == f"sacrebleu {sacrebleu.__version__}, ko-mecab"
    assert all(tools.values())


def test_rows_are_joined_on_the_id_whatever_their_order():
    assert scores(said(TRUTH["caption"]).iloc[::-1], TRUTH)["exact"] == 1


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfimage,caption\r\n1.jpg,\xea\xb0\x9c\r\n", "image,caption\n1.jpg,개\n".encode("cp949")]
)
def test_files_of_other_encodings(tmp_path, data):
    (tmp_path / "truth.csv").write_bytes(data)
    (tmp_path / "said.csv").write_text("image,caption\n1.jpg,개\n", encoding="utf-8")
    found = evaluate(CaptionScoring(tmp_path / "said.csv", tmp_path / "truth.csv"))
    assert {each.name: each.value for each in found.scores}["exact"] == 1


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (pd.DataFrame({"image": ["1.jpg"], "text": ["개"]}), "`caption` in the submission, found image, text"),
        (pd.DataFrame({"image": ["1.jpg", "2.jpg"], "caption": "개"}), "1 only in the truth, such as '3.jpg'"),
    ],
)
def test_what_does_not_fit_is_refused(submission, message):
    with pytest.raises(InputError, match=message):
        scores(submission, TRUTH)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="preset is one of general, nikl"):
        CaptionScoring("s.csv", "t.csv", preset="kaggle")

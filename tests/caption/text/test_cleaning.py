"""What captioners say beside captions, as people report it of them, is taken out; captions stay as they are.

arafed: https://huggingface.co/Salesforce/blip-image-captioning-large/discussions/20. Thoughts: Qwen3's model card, by
which answers begin with <think>...</think>.
"""

import pytest

from pipelines.caption.text.cleaning import cleaned_answer, whole_sentences, without_arafed, without_thoughts


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("", ""),
        ("강아지 두 마리가 잔디밭에서 뛰고 있습니다.", "강아지 두 마리가 잔디밭에서 뛰고 있습니다."),
        ("**캡션:** '이 사진은 강아지가 뛰는 모습입니다.'", "강아지가 뛰는 모습입니다."),
        ("- 강아지가 뜁니다.\n- 고양이도 있습니다.", "강아지가 뜁니다. 고양이도 있습니다."),
        ("1. 빨간 버스가 서 있다.", "빨간 버스가 서 있다."),
        ("### 한국어 설명: 빨간 버스가 서 있다.", "빨간 버스가 서 있다."),
        ("```\n빨간 버스\n```", "빨간 버스"),
        ("“빨간 버스가 서 있다.”", "빨간 버스가 서 있다."),
        ("**강아지** 두 마리와 `고양이`", "강아지 두 마리와 고양이"),
        ("이 이미지에는 강아지가 있습니다.", "강아지가 있습니다."),
        ("사진 속에는 두 사람이 있다.", "두 사람이 있다."),
        ("해당 이미지는 개를 보여줍니다.", "개를 보여줍니다."),
        ("The image shows a dog on a bed.", "a dog on a bed."),
        # what only looks like it
        ("사진을 찍는 남자", "사진을 찍는 남자"),
        ("사진에 찍힌 강아지", "사진에 찍힌 강아지"),
        ("그림은 벽에 걸려 있다", "그림은 벽에 걸려 있다"),
        ("'강아지' 그리고 '고양이'", "'강아지' 그리고 '고양이'"),
        ("3.5 미터 높이의 동상", "3.5 미터 높이의 동상"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("이 사진은", "이 사진은"),
    ],
)
def test_an_answer_becomes_a_caption(said, caption):
    assert cleaned_answer(said) == caption
    assert cleaned_answer(caption) == caption


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("arafed man in a suit", "a man in a suit"),
        ("arafed image of a cat", "an image of a cat"),
        ("there is a arafed dog laying on a bed", "there is a dog laying on a bed"),
        ("a close up of an araffed elephant", "a close up of an elephant"),
        ("two arafed dogs", "two dogs"),
        ("araffe is sitting on a bench", "sitting on a bench"),
        ("araffes standing in a field", "standing in a field"),
        ("arafed", "arafed"),
        ("arafeed woman smiling", "a woman smiling"),
        ("two giraffes and a carafe", "two giraffes and a carafe"),
        ("yasser arafat at a podium", "yasser arafat at a podium"),
    ],
)
def test_blips_own_words_are_taken_out(said, caption):
    assert without_arafed(said) == caption


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("<think>\n개가 보인다.\n</think>\n\n개가 뛴다.", "\n\n개가 뛴다."),
        ("개가 보인다.\n</think>개가 뛴다.", "개가 뛴다."),  # where the template begins the thoughts
        ("<thinking>개가 보인", ""),
        ("개가 뛴다.", "개가 뛴다."),
    ],
)
def test_thoughts_are_no_answer(said, answer):
    assert without_thoughts(said) == answer


@pytest.mark.parametrize(
    ("said", "whole"),
    [("개가 뛴다. 그리고 고", "개가 뛴다."), ("높이 3.5 미", "높이 3.5 미"), ("개가 뛴다.", "개가 뛴다.")],
)
def test_what_was_cut_off_ends_with_a_sentence(said, whole):
    assert whole_sentences(said) == whole

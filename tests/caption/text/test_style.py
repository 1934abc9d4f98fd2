import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.caption.text.style import restyle

# Formal and plain, each the other's image.
BOTH_WAYS = [
    ("있습니다", "있다"),
    ("없습니다", "없다"),
    ("먹었습니다", "먹었다"),
    ("갔습니다", "갔다"),
    ("했습니다", "했다"),
    ("오겠습니다", "오겠다"),
    ("합니다", "한다"),
    ("갑니다", "간다"),
    ("봅니다", "본다"),
    ("됩니다", "된다"),
    ("다닙니다", "다닌다"),
    ("먹습니다", "먹는다"),
    ("앉습니다", "앉는다"),
    ("입습니다", "입는다"),
    ("읽습니다", "읽는다"),
    ("굽습니다", "굽는다"),
    ("만듭니다", "만든다"),  # ㄹ falls away before both endings
    ("흔듭니다", "흔든다"),
    ("보입니다", "보인다"),  # a verb in -이, no noun
    ("움직입니다", "움직인다"),
    ("뒤덮입니다", "뒤덮인다"),
    ("좋아합니다", "좋아한다"),
    ("달립니다", "달린다"),
    ("계십니다", "계신다"),
    ("입니다", "이다"),
    ("사진입니다", "사진이다"),
    ("아닙니다", "아니다"),
    ("좋습니다", "좋다"),
    ("많습니다", "많다"),
    ("하얗습니다", "하얗다"),
    ("귀엽습니다", "귀엽다"),
    ("아름답습니다", "아름답다"),
    ("자연스럽습니다", "자연스럽다"),
    ("차갑습니다", "차갑다"),
    ("맛있습니다", "맛있다"),
    ("같습니다", "같다"),
    ("싶습니다", "싶다"),
    ("큽니다", "크다"),
    ("예쁩니다", "예쁘다"),
    ("빠릅니다", "빠르다"),
    ("푸릅니다", "푸르다"),
    ("느립니다", "느리다"),
    ("조용합니다", "조용하다"),
    ("깨끗합니다", "깨끗하다"),
    ("가득합니다", "가득하다"),
    ("강합니다", "강하다"),
    ("하강합니다", "하강한다"),  # ends like 강하다, and is a verb
    ("행진합니다", "행진한다"),
    ("깁니다", "길다"),
    ("멉니다", "멀다"),
    ("둥급니다", "둥글다"),
    ("먹지 않습니다", "먹지 않는다"),
    ("크지 않습니다", "크지 않다"),
    ("길지 않습니다", "길지 않다"),
    ("있지 않습니다", "있지 않다"),
    ("깨끗하지는 않습니다", "깨끗하지는 않다"),
    ("하지 못합니다", "하지 못한다"),
]


@pytest.mark.parametrize(("formal", "plain"), BOTH_WAYS)
def test_formal_and_plain_endings_become_each_other(formal, plain):
    assert restyle(f"강아지가 {formal}", "다") == f"강아지가 {plain}"
    assert restyle(f"강아지가 {plain}", "습니다") == f"강아지가 {formal}"
    assert restyle(f"강아지가 {plain}", "다") == f"강아지가 {plain}"
    assert restyle(f"강아지가 {formal}", "습니다") == f"강아지가 {formal}"


INFORMAL = [
    ("있죠", "있다", "있습니다"),
    ("있지요", "있다", "있습니다"),
    ("있네요", "있다", "있습니다"),
    ("있군요", "있다", "있습니다"),
    ("있답니다", "있다", "있습니다"),
    ("있단다", "있다", "있습니다"),
    ("책이랍니다", "책이다", "책입니다"),
    ("자요", "잔다", "잡니다"),
    ("있어요", "있다", "있습니다"),
    ("먹었어요", "먹었다", "먹었습니다"),
    ("해요", "한다", "합니다"),
    ("행복해요", "행복하다", "행복합니다"),
    ("먹어요", "먹는다", "먹습니다"),
    ("앉아요", "앉는다", "앉습니다"),
    ("가요", "간다", "갑니다"),
    ("와요", "온다", "옵니다"),
    ("봐요", "본다", "봅니다"),
    ("줘요", "준다", "줍니다"),
    ("마셔요", "마신다", "마십니다"),
    ("지켜요", "지킨다", "지킵니다"),
    ("켜요", "켠다", "켭니다"),
    ("돼요", "된다", "됩니다"),
    ("보여요", "보인다", "보입니다"),
    ("쉬어요", "쉰다", "쉽니다"),
    ("만들어요", "만든다", "만듭니다"),
    ("올라요", "오른다", "오릅니다"),
    ("달라요", "다르다", "다릅니다"),
    ("커요", "크다", "큽니다"),
    ("예뻐요", "예쁘다", "예쁩니다"),
    ("귀여워요", "귀엽다", "귀엽습니다"),
    ("배워요", "배운다", "배웁니다"),
    ("하얘요", "하얗다", "하얗습니다"),
    ("책이에요", "책이다", "책입니다"),
    ("강아지예요", "강아지이다", "강아지입니다"),
    ("아니에요", "아니다", "아닙니다"),
    ("먹지 않아요", "먹지 않는다", "먹지 않습니다"),
]


@pytest.mark.parametrize(("informal", "plain", "formal"), INFORMAL)
def test_informal_endings_become_either(informal, plain, formal):
    assert restyle(informal, "다") == plain
    assert restyle(informal, "습니다") == formal


UNTOUCHED = [
    "",
    "강아지 두 마리와 자동차 한 대",
    "강아지 두 마리와 자동차 한 대.",
    "푸른 바다",
    "나무 위의 판다",
    "담요",
    "무엇이 있습니까?",
    "무엇이 있다?",
    "여기를 보세요.",
    "같이 갑시다.",
    "함께 가자.",
    "강아지가 있거든요.",
    "two dogs on a bench",
    "123",
]


@pytest.mark.parametrize("style", ["as-is", "다", "습니다"])
@pytest.mark.parametrize("text", UNTOUCHED)
def test_noun_phrases_questions_and_requests_stay(text, style):
    assert restyle(text, style) == text


@pytest.mark.parametrize(
    ("text", "style", "wanted"),
    [
        ("강아지가 앉아 있습니다.", "다", "강아지가 앉아 있다."),
        ("강아지가 앉아 있습니다 .", "다", "강아지가 앉아 있다 ."),
        ("강아지가 앉아 있다!", "습니다", "강아지가 앉아 있습니다!"),
        ("공이 있습니다. 사과도 있습니다.", "다", "공이 있다. 사과도 있다."),
        ("공이 있습니다. 사과 세 개", "다", "공이 있다. 사과 세 개"),
        ("“출구입니다.”", "다", "“출구이다.”"),
        ("3.5 미터입니다", "다", "3.5 미터이다"),
        ("TV입니다", "다", "TV이다"),
        ("의자다.", "습니다", "의자입니다."),
        ("공이 있습니다 (공원에서).", "다", "공이 있다 (공원에서)."),
        ("공이 있습니다, 사과도 있습니다.", "다", "공이 있다, 사과도 있다."),
        ("공이 있습니다.사과도 있습니다.", "다", "공이 있다.사과도 있다."),
        ("공이 있어요 😊 귀여워요ㅎㅎ", "다", "공이 있다 😊 귀엽다ㅎㅎ"),
        ('"출구입니다."라고 적혀 있습니다.', "다", '"출구입니다."라고 적혀 있다.'),
        ("공이 있습니다만 작습니다", "다", "공이 있습니다만 작다"),
        ("강아지가 있습니다", "as-is", "강아지가 있습니다"),
    ],
)
def test_sentences(text, style, wanted):
    assert restyle(text, style) == wanted


@pytest.mark.parametrize(
    ("text", "style", "likelier"),
    [
        # 세다 (strong) and 세다 (count) are spelt alike: without an object the adjective is taken.
        ("아이가 셉니다", "다", "아이가 세다"),
        # 찹니다 is said of a kick, of water that is cold, and of a car: the verb is taken.
        ("물이 찹니다", "다", "물이 찬다"),
    ],
)
def test_what_the_rule_cannot_know(text, style, likelier):
    assert restyle(text, style) == likelier


@pytest.mark.parametrize(
    ("text", "plain", "formal"),
    [
        # One spelling, two words: what stands before tells them apart.
        ("편지를 적습니다", "편지를 적는다", "편지를 적습니다"),
        ("손님이 적습니다", "손님이 적다", "손님이 적습니다"),
        ("사과가 답니다", "사과가 달다", "사과가 답니다"),
        ("벽에 액자를 답니다", "벽에 액자를 단다", "벽에 액자를 답니다"),
        ("수를 셉니다", "수를 센다", "수를 셉니다"),
        ("전구를 매답니다", "전구를 매단다", "전구를 매답니다"),
        ("아이가 깜짝 놀랍니다", "아이가 깜짝 놀란다", "아이가 깜짝 놀랍니다"),
        ("상인이 생선을 판다", "상인이 생선을 판다", "상인이 생선을 팝니다"),
        ("이것은 개입니다", "이것은 개이다", "이것은 개입니다"),
        ("할머니께서 문을 여세요", "할머니께서 문을 여신다", "할머니께서 문을 여십니다"),
        # A noun into which 이다 has melted.
        ("강아집니다", "강아지이다", "강아집니다"),
        ("비가 올 거예요", "비가 올 거다", "비가 올 겁니다"),
    ],
)
def test_what_stands_before_tells_words_apart(text, plain, formal):
    assert restyle(text, "다") == plain
    assert restyle(text, "습니다") == formal


PHRASES = [
    ("해변의 강아지", "해변의 강아지이다", "해변의 강아지입니다"),
    ("나무 위에 앉아 있는 새.", "나무 위에 앉아 있는 새이다.", "나무 위에 앉아 있는 새입니다."),
    ("강아지 두 마리와 자동차 한 대", "강아지 두 마리와 자동차 한 대이다", "강아지 두 마리와 자동차 한 대입니다"),
    ("나무 위의 판다", "나무 위의 판다이다", "나무 위의 판다입니다"),
    ("소년이 뛰는 모습 🛹", "소년이 뛰는 모습이다 🛹", "소년이 뛰는 모습입니다 🛹"),
    ("공이 있습니다. 사과 세 개", "공이 있다. 사과 세 개이다", "공이 있습니다. 사과 세 개입니다"),
    ("벤치 위에 고양이가 앉아 있음", "벤치 위에 고양이가 앉아 있다", "벤치 위에 고양이가 앉아 있습니다"),
    ("강아지가 달림.", "강아지가 달린다.", "강아지가 달립니다."),
]


@pytest.mark.parametrize(("text", "plain", "formal"), PHRASES)
def test_noun_phrases_become_sentences_where_that_is_asked_for(text, plain, formal):
    assert restyle(text, "다", phrases=True) == plain
    assert restyle(text, "습니다", phrases=True) == formal
    assert restyle(text, "as-is", phrases=True) == text


@pytest.mark.parametrize("text", ["", "공원에서", "무엇?", "two dogs on a bench", "123", "여기를 보세요."])
def test_what_ends_in_no_noun_becomes_no_sentence(text):
    assert restyle(text, "다", phrases=True) == restyle(text, "습니다", phrases=True) == text


ENDINGS = st.sampled_from(
    [
        "다",
        "습니다",
        "ㅂ니다",
        "니다",
        "요",
        "는다",
        "어요",
        "에요",
        "지 않습니다",
        "답니다",
        "랍니다",
        "",
        ".",
        " ",
        "?",
    ]
)
ANY_TEXT = st.lists(st.one_of(ENDINGS, st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)), st.text()))


@given(ANY_TEXT.map("".join), st.sampled_from(["다", "습니다"]), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_text_is_taken(text, style, phrases):
    assert isinstance(restyle(text, style, phrases), str)

"""Names become the sentences that a model is asked, in their own language and with the right particles."""

import pytest

from pipelines.classify.templates import ENGLISH, KOREAN, check_templates, ends_in_consonant, phrases, spelled_out


@pytest.mark.parametrize(
    ("name", "template", "expected"),
    [
        ("dog", "a photo of a {}.", "a photo of a dog."),
        ("강아지", "{}이(가) 있는 사진", "강아지가 있는 사진"),
        ("말", "{}이(가) 있는 사진", "말이 있는 사진"),
        ("말", "{}을(를) 찍은 사진", "말을 찍은 사진"),
        ("새", "{}은(는) {}과(와) 같다", "새는 새와 같다"),
        ("책", "{}은(는) {}과(와) 같다", "책은 책과 같다"),
        ("USB", "{}이(가) 있는 사진", "usb가 있는 사진"),
        ("Golden Retriever", "{}", "golden retriever"),
        ("{}", "a {}", "a {}"),
        ("강아지", "나무 이(가) {}", "나무 이(가) 강아지"),
    ],
)
def test_a_name_is_put_into_a_template(name, template, expected):
    assert phrases(name, [template]) == [expected]


@pytest.mark.parametrize(("name", "templates"), [("dog", ENGLISH), ("강아지", KOREAN)])
def test_auto_is_the_names_language(name, templates):
    assert phrases(name, ["auto"]) == phrases(name, templates)
    assert len(set(phrases(name, ["auto"]))) == 7


@pytest.mark.parametrize(
    ("templates", "korean", "expected"),
    [
        (["english"], True, ENGLISH),
        (["korean"], False, KOREAN),
        (["{}", "auto"], False, ("{}", *ENGLISH)),
        (["{}", "english", "{}", "auto"], False, ("{}", *ENGLISH)),
    ],
)
def test_sets_are_spelled_out(templates, korean, expected):
    assert spelled_out(templates, korean) == list(expected)


@pytest.mark.parametrize("templates", [["auto"], ["english", "korean"], ["a {}"], ["{} {}"]])
def test_templates_that_can_be_used(templates):
    check_templates(templates)


@pytest.mark.parametrize("templates", [[], ["a photo"], ["{}", ""], ["englisch"], ["{name}"]])
def test_templates_without_a_place_are_refused(templates):
    with pytest.raises(ValueError, match=r"templates (are auto, english, korean|has at least one)"):
        check_templates(templates)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("", False), ("강아지", False), ("가방", True), ("dog", False), ("빵 3", False)],
)
def test_a_final_consonant_is_heard(word, expected):
    assert ends_in_consonant(word) is expected

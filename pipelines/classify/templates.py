"""Puts the names of classes into sentences, for models that were trained on sentences."""

from collections.abc import Sequence

from pipelines.core.words.lexicon import has_hangul

PLACE = "{}"
AUTO = "auto"
ENGLISH = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""The seven that do as well as all eighty of CLIP's for ImageNet (openai/CLIP, Prompt_Engineering_for_ImageNet)."""
KOREAN = (
    "이것은 {} 이다.",
    "{}의 사진.",
    "{}을(를) 찍은 사진.",
    "{}이(가) 있는 사진.",
    "큰 {}의 사진.",
    "작은 {}의 사진.",
    "{}의 그림.",
)
"""The first is KoCLIP's; the others say what the English ones say."""
NAMED = {"english": ENGLISH, "korean": KOREAN}
PARTICLES = {"이(가)": ("이", "가"), "을(를)": ("을", "를"), "은(는)": ("은", "는"), "과(와)": ("과", "와")}
"""As a template has a particle -> its form after a final consonant, and after a vowel."""


def check_templates(templates: Sequence[str]) -> None:
    """Raises ValueError where there is none, or one is neither a set's name nor has a place for a class's name."""
    if not templates:
        raise ValueError("templates has at least one template, found none")
    for template in templates:
        if template not in (AUTO, *NAMED) and PLACE not in template:
            raise ValueError(
                f"templates are {AUTO}, {', '.join(NAMED)}, or sentences with {PLACE} where the name goes, such as "
                f"'a photo of a {PLACE}.', not {template!r}"
            )


def spelled_out(templates: Sequence[str], korean: bool) -> list[str]:
    """The sentences that `templates` stand for: `auto` is the set of the name's language."""
    language = "korean" if korean else "english"
    sets = (NAMED.get(language if each == AUTO else each, (each,)) for each in templates)
    return list(dict.fromkeys(sentence for sentences in sets for sentence in sentences))


def phrases(name: str, templates: Sequence[str]) -> list[str]:
    """A name in every one of the templates, each once.

    In lower case, in which all these models were trained: CLIP's tokenizer sees to it, SigLIP 2's leaves it to us.
    """
    filled = (_filled(template, name) for template in spelled_out(templates, has_hangul(name)))
    return list(dict.fromkeys(text.lower() for text in filled))


def _filled(template: str, name: str) -> str:
    for particle, (after_consonant, after_vowel) in PARTICLES.items():
        right = after_consonant if ends_in_consonant(name) else after_vowel
        template = template.replace(PLACE + particle, PLACE + right)
    return template.replace(PLACE, name)


def ends_in_consonant(word: str) -> bool:
    """Whether the last letter is a syllable (NFC) that closes with a consonant, which decides on the form of particles.

    False for any other letter.
    """
    # Unicode orders syllables by their 28 endings, none first.
    return "가" <= word[-1:] <= "힣" and (ord(word[-1]) - ord("가")) % 28 != 0

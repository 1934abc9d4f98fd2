"""Takes out of what a captioner says what is no caption: thoughts, markdown, quotes, openers, BLIP's own words."""

import re

_THOUGHTS = r"(?:think(?:ing)?|thoughts?|reasoning)"
_BEGIN, _END = (re.compile(rf"<{slash}\s*{_THOUGHTS}\s*>", re.I) for slash in ("", "/"))
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_MARKER = re.compile(r"^\s*(?:[-*+•‣·–]|\d{1,2}[.)]|#{1,6}|>)\s+", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{2,3}|`|~~)(?=\S)(.+?)(?<=\S)\1")
_LABEL = re.compile(
    r"^(?:(?:사진|이미지|한국어|한글)\s*)?(?:캡션|설명|답변|정답|문장|묘사|caption|answer|description)\s*[:：]\s*", re.I
)
_THIS = r"(?:이|위|본|해당|제시된|주어진|다음|첨부된)\s*"
_OPENERS = re.compile(
    rf"^(?:{_THIS}(?:사진|이미지|그림|영상)\s*(?:은|는|속|안|에|에서)"
    r"|(?:사진|이미지)\s*(?:에는|에서는|에선|엔|(?:속|안|상)(?:에는|에서는|에선|엔|에서|에)))(?:에?서?는|엔|에선)?\s*,?\s+"
    r"|^(?:the|this) (?:image|photo|picture|photograph) (?:shows|depicts|features|captures|is of) "
    r"|^in (?:the|this) (?:image|photo|picture|photograph),? ",
    re.I,
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»", "《": "》", "〈": "〉"}
_ARAFED = re.compile(r"\b(?:(a|an|the|one) )?araf+e[a-z]*\b(?: (?:is|are))? ?", re.I)


def without_thoughts(text: str) -> str:
    """The answer behind a thinking model's thoughts, `<think>...</think>`; '' where it was cut off within them."""
    return _BEGIN.split(_END.split(text)[-1])[0]


def ends_in_thoughts(text: str) -> bool:
    """Whether a text begins thoughts that it does not end."""
    return bool(_BEGIN.search(_END.split(text)[-1]))


def cleaned_answer(text: str) -> str:
    """A chat model's answer as a plain caption on one line, without markdown, list markers, quotes and openers.

    "**캡션:** '이 사진은 강아지가 뛰는 모습입니다.'" becomes "강아지가 뛰는 모습입니다."; an answer of nothing
    else stays.
    """
    plain = _MARKER.sub("", _FENCE.sub("", text))
    plain = one_line(_EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", plain))))
    while (shorter := _unquoted(_LABEL.sub("", plain))) != plain:
        plain = shorter
    plain = _OPENERS.sub("", plain)
    return plain or one_line(text)


def whole_sentences(text: str) -> str:
    """A text that was cut off, up to the end of its last whole sentence; where none is whole, all of it."""
    ends = [match.end() for match in re.finditer(r"[.!?。](?=\s|$)", text)]
    return text[: ends[-1]] if ends else text


def without_arafed(text: str) -> str:
    """BLIP's caption without "arafed" and "araffe", words of its own that stand before what it sees.

    "arafed man in a suit" becomes "a man in a suit", and "araffe is sitting on a bench" "sitting on a bench"; see
    https://huggingface.co/Salesforce/blip-image-captioning-large/discussions/20.
    """
    return one_line(_ARAFED.sub(_named, text)) or text


def one_line(text: str) -> str:
    """With single spaces in place of all that is blank."""
    return " ".join(text.split())


def _named(match: re.Match[str]) -> str:
    """What stands in place of the word: the article that the next word wants, nothing before what somebody does."""
    following = match.string[match.end() :]
    article = match[1] or ("a" if match.start() == 0 else "")
    if not article or not following or re.match(r"\w+ing\b", following):
        return ""
    if article.lower() in ("a", "an"):
        article = "an" if re.match("[aeiou]", following, re.I) else "a"
    return f"{article} "


def _unquoted(text: str) -> str:
    """Without a pair of quotes around all of it."""
    last = _QUOTES.get(text[:1])
    inner = text[1:-1]
    return inner.strip() if last and len(text) > 2 and text.endswith(last) and last not in inner else text

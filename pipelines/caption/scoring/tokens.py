"""How captions are cut into tokens before they are compared; a score means little without the name of the way."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Literal

Tokenizer = Literal["char", "ko-mecab", "13a"]
"""`char`: characters without spaces; `ko-mecab`: Korean morphemes; `13a`: words and punctuation, for English."""


_CLASSES = {
    "char": "tokenizer_char.TokenizerChar",
    "ko-mecab": "tokenizer_ko_mecab.TokenizerKoMecab",
    "13a": "tokenizer_13a.Tokenizer13a",
}


@cache
def tokenizer(name: Tokenizer) -> Callable[[str], list[str]]:
    """sacrebleu's tokenizer of that name, as a function from a text to its tokens."""
    module, kind = _CLASSES[name].split(".")
    tokenize = getattr(importlib.import_module(f"sacrebleu.tokenizers.{module}"), kind)()
    return lambda text: str(tokenize(text)).split()

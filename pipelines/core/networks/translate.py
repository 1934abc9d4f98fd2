"""Text to text: fast with an M2M100 or NLLB checkpoint, and with any other by transformers' own `generate`."""

import copy
import difflib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

from pipelines.core.errors import ConfigError
from pipelines.core.networks.beams import Rules, search
from pipelines.core.networks.m2m100 import Translation
from pipelines.core.networks.pretrained import load_network, load_processor
from pipelines.core.running.batch_model import Batch
from pipelines.core.running.batches import AUTO_MOST

KNOWN = frozenset({
    "bos_token_id", "decoder_start_token_id", "early_stopping", "eos_token_id", "forced_bos_token_id", "length_penalty",
    "max_length", "max_new_tokens", "num_beams", "pad_token_id", "transformers_version", "use_cache",
    "_from_model_config", "temperature", "top_k", "top_p",
})  # fmt: skip
"""What a checkpoint's generation config may ask for so that `search` gives what `generate` does. The last three are of
drawing words by chance, which is not done here."""


class Translator:
    """A BatchModel over texts: each becomes its translation from the `source` to the `target` language."""

    dtypes = frozenset({torch.float32, torch.float16, torch.bfloat16})
    auto_start = AUTO_MOST  # texts leave their batch as they end, so that a large one always pays

    def __init__(self, folder: Path, source: str, target: str, beams: int = 4, max_tokens: int = 128) -> None:
        """Loads the checkpoint folder.

        `source` and `target` are codes of the checkpoint's own (NLLB: eng_Latn, kor_Hang; M2M100: en, ko); one of a
        single pair of languages (Marian's) has none and takes any. `max_tokens` is the most that a translation has.
        Raises CheckpointError for a folder that does not fit, ConfigError for a language that its tokenizer lacks.
        """
        self.module = load_network(AutoModelForSeq2SeqLM, folder)
        self.module.generation_config.max_length = None  # the checkpoint's own would only cause a warning
        self.tokenizer = load_processor(AutoTokenizer, folder)
        self.fast = self.module.config.model_type == "m2m_100"
        if not self.fast:  # others may overflow in float16 (T5 does), unless their weights come in it
            self.dtypes = frozenset({torch.float32, torch.bfloat16, self.module.dtype})
        self.settings = {"num_beams": beams, "max_new_tokens": max_tokens, "do_sample": False}
        self.prefix = ""
        """What a text begins with, where that names the language to translate into (Marian of several: >>kor<<)."""
        if codes := language_codes(self.tokenizer):
            _language_id(codes, source, folder)
            self.tokenizer.src_lang = source
            self.settings["forced_bos_token_id"] = _language_id(codes, target, folder)
        elif (named := f">>{target[:3]}<<") in self.tokenizer.get_vocab():
            self.prefix = f"{named} "
        if not self.fast:
            print(f"{folder}: translates by transformers' own search, which is slower", file=sys.stderr)

    def without_repeats(self, words: int) -> "Translator":
        """The same network, writing no `words` tokens twice in a text; by transformers' own search, which is slower."""
        other = copy.copy(self)
        other.settings = self.settings | {"no_repeat_ngram_size": words}
        return other

    def prepare(self, texts: Sequence[str]) -> Batch:
        """`input_ids` and `attention_mask` (B, L), int64, padded on the right."""
        # Padded here, for a tokenizer that pads changes its own state, which several threads must not do at once.
        ids = [torch.tensor(tokens) for tokens in self.tokenizer([self.prefix + text for text in texts])["input_ids"]]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self.tokenizer.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(tokens) for tokens in ids], batch_first=True),
        }

    def predict(self, batch: Batch) -> list[str]:
        """One translation per text."""
        tokens = self.tokens(batch)
        tokens = tokens[:, 2:] if self.fast else tokens  # without the start token and the language
        return [text.strip() for text in self.tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def tokens(self, batch: Batch) -> Tensor:
        """What `generate` gives, int64 (B, L), padded; made by it where the checkpoint asks for what `search` lacks."""
        config = copy.deepcopy(self.module.generation_config)
        config.update(**self.settings)
        rules = rules_of(config) if self.fast else None
        if rules is None:
            generated: Tensor = self.module.generate(**batch, **self.settings)
            return generated
        ids, mask = batch["input_ids"], batch["attention_mask"]
        states = self.module.model.encoder(ids, mask).last_hidden_state
        first = torch.tensor([config.decoder_start_token_id, config.forced_bos_token_id], device=ids.device)
        return search(Translation(self.module, states, mask), first.expand(len(ids), -1), 1, rules)


def rules_of(config: GenerationConfig) -> Rules | None:
    """The rules of a search as a generation config has them, None where it asks for something that they lack."""
    asked = {name for name, value in config.to_diff_dict().items() if value is not None and value is not False}
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    if asked - KNOWN or config.decoder_start_token_id is None or config.pad_token_id is None:
        return None
    return Rules(
        beams=config.num_beams,
        most=config.max_new_tokens,
        ends=tuple(end for end in ends if end is not None),
        pad=config.pad_token_id,
        length_penalty=1.0 if config.length_penalty is None else config.length_penalty,
        early_stopping=config.early_stopping or False,
    )


def language_codes(tokenizer: Any) -> dict[str, int]:  # noqa: ANN401 - any tokenizer
    """The languages that a tokenizer knows, by its own codes, and the token that stands for each; none for most."""
    # M2M100's tokenizer keeps its codes in a table; NLLB's are among its special tokens.
    return getattr(tokenizer, "lang_code_to_id", None) or {
        token: tokenizer.convert_tokens_to_ids(token)
        for token in tokenizer.all_special_tokens
        if re.fullmatch(r"[a-z]{3}_[A-Z][a-z]{3}", token)
    }


def _language_id(codes: Mapping[str, int], code: str, folder: Path) -> int:
    if code not in codes:
        near = difflib.get_close_matches(code, codes, n=3, cutoff=0)
        raise ConfigError(
            f"expected a language that the checkpoint {folder} knows, found `{code}`; the nearest of its {len(codes)} "
            f"codes are {', '.join(near)}"
        )
    return codes[code]

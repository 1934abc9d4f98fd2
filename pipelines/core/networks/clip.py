"""Photos and texts to vectors of one space, by any network that gives features of both: CLIP, SigLIP, SigLIP 2 ..."""

import sys
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from pipelines.core.errors import CheckpointError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.pictures import pictures_of, prepared
from pipelines.core.networks.pretrained import load_network, load_processor
from pipelines.core.running.batch_model import Batch

PROBES = ("two Dogs, it's 3.5 m away!", "바닷가의 강아지 두 마리", "L'été  №5 — 猫")
"""Texts that tokenizers split in many ways: capitals, signs, Hangul, accents."""
SIGLIP = ("siglip", "siglip2")
DTYPES = frozenset({torch.float32, torch.float16})
NEAR_DTYPES = frozenset({torch.bfloat16})  # photos that are about as near may change places


def load_clip(folder: Path) -> "tuple[ClipImages, ClipTexts]":
    """The two sides of a checkpoint folder, which share one network. Raises CheckpointError."""
    module = load_network(AutoModel, folder)
    if not (hasattr(module, "get_image_features") and hasattr(module, "get_text_features")):
        raise CheckpointError(
            f"expected a network with features of pictures and of texts, such as CLIP or SigLIP, in {folder}, found "
            f"{type(module).__name__}; name another checkpoint"
        )
    return ClipImages(module, folder), ClipTexts(module, folder)


class ClipImages:
    """A BatchModel over samples: each picture becomes a unit vector, float32 (D,) on the CPU."""

    dtypes, near_dtypes = DTYPES, NEAR_DTYPES

    def __init__(self, module: Any, folder: Path) -> None:  # noqa: ANN401 - any that load_clip takes
        self.module = module
        self.pictures = pictures_of(load_processor(AutoImageProcessor, folder), folder)

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        config = self.module.config
        return int(getattr(config, "projection_dim", None) or config.vision_config.hidden_size)

    def shape_key(self, sample: Sample) -> Hashable:
        """Equal for pictures that may share a batch."""
        return self.pictures.shape_key(sample.path)

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """The pictures as `Pictures.one` makes them, (B, ...)."""
        return prepared(self.pictures, samples)

    def predict(self, batch: Batch) -> Sequence[Tensor]:
        """One vector a picture."""
        inputs = self.pictures.inputs(batch, next(self.module.parameters()).dtype)
        return _unit(self.module.get_image_features(**inputs))


class ClipTexts:
    """A BatchModel over texts: each becomes a unit vector, float32 (D,) on the CPU."""

    dtypes, near_dtypes = DTYPES, NEAR_DTYPES

    def __init__(self, module: Any, folder: Path) -> None:  # noqa: ANN401 - any that load_clip takes
        self.module = module
        self.fixed = module.config.model_type in SIGLIP
        """SigLIP was trained on lower-case texts padded to its longest, without a mask, and reads others worse."""
        self.tokenizer = published_tokenizer(folder, lower=self.fixed)
        # Tokenizers without a limit of their own say 10^30; RoBERTa's has fewer places than position embeddings.
        self.longest = min(module.config.text_config.max_position_embeddings, self.tokenizer.model_max_length)

    def prepare(self, texts: Sequence[str]) -> Batch:
        """`input_ids` (B, L), int64, padded on the right; texts that are too long lose their end."""
        # Padded here, for a tokenizer that pads changes its own state, which several threads must not do at once.
        texts = [text.lower() for text in texts] if self.fixed else list(texts)  # SigLIP 2's tokenizer may not do it
        tokens = [self._cut(ids) for ids in self.tokenizer(texts)["input_ids"]]
        if self.fixed:
            tokens[0] = F.pad(tokens[0], (0, self.longest - len(tokens[0])), value=self.tokenizer.pad_token_id)
        batch: Batch = {"input_ids": pad_sequence(tokens, batch_first=True, padding_value=self.tokenizer.pad_token_id)}
        if not self.fixed:
            batch["attention_mask"] = pad_sequence([torch.ones_like(ids) for ids in tokens], batch_first=True)
        return batch

    def predict(self, batch: Batch) -> Sequence[Tensor]:
        """One vector a text."""
        return _unit(self.module.get_text_features(**batch))

    def _cut(self, ids: list[int]) -> Tensor:
        """At most as many tokens as the network reads; the last one, which ends a text, stays."""
        return torch.tensor(ids if len(ids) <= self.longest else [*ids[: self.longest - 1], ids[-1]])


def published_tokenizer(folder: Path, lower: bool) -> Any:  # noqa: ANN401 - any tokenizer
    """The tokenizer of a folder, by its tokenizer.json where transformers would read texts otherwise than that does.

    `lower`: whether it only gets lower-case texts.

    transformers 5 takes the vocabulary alone from it, and makes CLIP's own way to split words around that: a Korean
    CLIP that splits otherwise would be given tokens that it was never trained on. Raises CheckpointError.
    """
    tokenizer = load_processor(AutoTokenizer, folder)
    path = folder / "tokenizer.json"
    if not path.is_file():
        return tokenizer
    published = Tokenizer.from_file(str(path))
    published.no_padding()
    published.no_truncation()
    probes = [probe.lower() if lower else probe for probe in PROBES]
    ours = tokenizer(probes, add_special_tokens=False)["input_ids"]
    theirs = [each.ids for each in published.encode_batch(probes, add_special_tokens=False)]
    if ours == theirs:
        return tokenizer
    print(f"{folder}: texts are split as its tokenizer.json says, not as {type(tokenizer).__name__}", file=sys.stderr)
    return load_processor(PreTrainedTokenizerFast, folder)


def _unit(features: Any) -> Sequence[Tensor]:  # noqa: ANN401 - transformers 5 gives an output, 4 the tensor
    """What `get_*_features` gives, as unit vectors on the CPU."""
    pooled: Tensor = getattr(features, "pooler_output", features)
    return list(F.normalize(pooled.float(), dim=-1).cpu())

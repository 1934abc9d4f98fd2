"""Photos and texts to vectors of one space, by any CLIP-like checkpoint: CLIP, SigLIP, SigLIP 2."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from pipelines.core.batch_model import Batch
from pipelines.core.decode import decode
from pipelines.core.images import Sample
from pipelines.core.preprocess import normalise, resize, spec_of_processor
from pipelines.core.pretrained import load_network, load_processor

ARCHITECTURES = ("clip", "siglip", "siglip2")
DTYPES = frozenset({torch.float32, torch.float16})
NEAR_DTYPES = frozenset({torch.bfloat16})  # photos that are about as near may change places


def load_clip(folder: Path) -> "tuple[ClipImages, ClipTexts]":
    """The two sides of a checkpoint folder, which share one network. Raises CheckpointError."""
    module = load_network(AutoModel, folder, ARCHITECTURES)
    return ClipImages(module, folder), ClipTexts(module, folder)


class ClipImages:
    """A BatchModel over samples: each picture becomes a unit vector, float32 (D,) on the CPU."""

    dtypes, near_dtypes = DTYPES, NEAR_DTYPES

    def __init__(self, module: Any, folder: Path) -> None:  # noqa: ANN401 - of any of ARCHITECTURES
        self.module = module
        self.spec = spec_of_processor(load_processor(AutoImageProcessor, folder))

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        config = self.module.config
        return int(getattr(config, "projection_dim", None) or config.vision_config.hidden_size)

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """`pixels`: uint8 (B, 3, H, W), resized."""
        return {"pixels": torch.stack([resize(decode(sample.path), self.spec) for sample in samples])}

    def predict(self, batch: Batch) -> Sequence[Tensor]:
        """One vector a picture."""
        values = normalise(batch["pixels"], self.spec, next(self.module.parameters()).dtype)
        return _unit(self.module.get_image_features(pixel_values=values))


class ClipTexts:
    """A BatchModel over texts: each becomes a unit vector, float32 (D,) on the CPU."""

    dtypes, near_dtypes = DTYPES, NEAR_DTYPES

    def __init__(self, module: Any, folder: Path) -> None:  # noqa: ANN401 - of any of ARCHITECTURES
        self.module = module
        self.tokenizer = load_processor(AutoTokenizer, folder)
        self.longest: int = module.config.text_config.max_position_embeddings
        self.fixed = module.config.model_type != "clip"
        """SigLIP was trained on lower-case texts padded to its longest, without a mask, and reads others worse."""

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


def _unit(features: Any) -> Sequence[Tensor]:  # noqa: ANN401 - transformers 5 gives an output, 4 the tensor
    """What `get_*_features` gives, as unit vectors on the CPU."""
    pooled: Tensor = getattr(features, "pooler_output", features)
    return list(F.normalize(pooled.float(), dim=-1).cpu())

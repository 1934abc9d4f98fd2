"""BLIP's matching head, which reads a photo and an English text together."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BlipForImageTextRetrieval, BlipProcessor

from pipelines.core.networks.pictures import pictures_of
from pipelines.core.networks.pretrained import load_network, load_processor
from pipelines.core.running.batch_model import Batch
from pipelines.search.models.judge import Pair, read_pairs


class BlipMatcher:
    """The probability, 0 to 1, that a photo and an English text belong together, by the matching head of BLIP."""

    dtypes = frozenset({torch.float32, torch.float16})

    def __init__(self, folder: Path) -> None:
        """Loads a checkpoint folder of BlipForImageTextRetrieval. Raises CheckpointError."""
        self.module = load_network(BlipForImageTextRetrieval, folder, ("blip",))
        processor = load_processor(BlipProcessor, folder)
        self.pictures, self.tokenizer = pictures_of(processor.image_processor, folder), processor.tokenizer
        self.longest: int = self.module.config.text_config.max_position_embeddings

    def prepare(self, pairs: Sequence[Pair]) -> Batch:
        """The photos as `Pictures.one` makes them; `input_ids`, `attention_mask`, int64 (B, L), padded on the right."""
        # Padded here, for a tokenizer that pads changes its own state, which several threads must not do at once.
        read = self.tokenizer([pair.text for pair in pairs], truncation=True, max_length=self.longest)["input_ids"]
        tokens = [torch.tensor(ids) for ids in read]
        return {
            **read_pairs(pairs, self.pictures),
            "input_ids": pad_sequence(tokens, batch_first=True, padding_value=self.tokenizer.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(ids) for ids in tokens], batch_first=True),
        }

    def predict(self, batch: Batch) -> list[float]:
        """One probability a pair."""
        inputs = self.pictures.inputs(batch, next(self.module.parameters()).dtype)
        # What forward() of the network does; but that makes a mask on the CPU, wherever the network is.
        seen = self.module.vision_model(pixel_values=inputs["pixel_values"]).last_hidden_state
        read = self.module.text_encoder(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], encoder_hidden_states=seen
        ).last_hidden_state
        chances: Tensor = self.module.itm_head(read[:, 0]).float().softmax(-1)
        return chances[:, 1].tolist()

"""BLIP's attention by PyTorch's fused kernels, and with each picture's keys and values kept once for all its beams.

transformers 5 computes BLIP's attention in steps that write every weight to memory. Its beam search copies what the
decoder sees of a picture for each beam, projects each copy, and moves all of them after each token. Here the beams of a
picture are that many queries to one copy (fairseq #1957, whisper #2812); nothing of a picture moves. The products are
the same, so that the captions are.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from pipelines.core.networks.attention import attend, in_heads


def install(network: Any) -> None:  # noqa: ANN401 - its layers are untyped
    """Puts the attention below in the place of a BlipForConditionalGeneration's own.

    Parameters stay the same, under the same names; a second time changes nothing. From then on `generate` needs a
    `BeamCache` as its `past_key_values`.
    """
    for layer in network.vision_model.encoder.layers:
        layer.self_attn = PictureAttention(layer.self_attn)
    for layer in network.text_decoder.bert.encoder.layer:
        layer.attention.self = WordAttention(layer.attention.self)
        layer.crossattention.self = BeamAttention(layer.crossattention.self)


class BeamCache(EncoderDecoderCache):
    """The keys and values of one `generate`: of the words for each beam, of a picture for all its beams together."""

    def __init__(self, beams: int) -> None:
        super().__init__(DynamicCache(), DynamicCache())
        self.beams = beams

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Beams only change places with those of their own picture, so that its part stays as it is."""
        self.self_attention_cache.reorder_cache(beam_idx)


class PictureAttention(nn.Module):
    """Between the patches of a picture."""

    def __init__(self, attention: Any) -> None:  # noqa: ANN401 - a BlipAttention, or this
        super().__init__()
        self.num_heads: int = attention.num_heads
        self.qkv, self.projection = attention.qkv, attention.projection

    def forward(self, hidden_states: Tensor, **_: object) -> tuple[Tensor, None]:
        """(B, N, D) -> (B, N, D), and no weights."""
        parts: Tensor = self.qkv(hidden_states)
        query, key, value = (in_heads(part, self.num_heads) for part in parts.chunk(3, dim=-1))
        seen = attend(query, key, value)
        return self.projection(seen.transpose(1, 2).flatten(2)), None


class WordAttention(nn.Module):
    """From the new words to those before."""

    def __init__(self, attention: Any) -> None:  # noqa: ANN401 - a BlipTextSelfAttention, or this
        super().__init__()
        self.num_attention_heads: int = attention.num_attention_heads
        self.layer_idx: int = attention.layer_idx
        self.query, self.key, self.value = attention.query, attention.key, attention.value

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None, past_key_values: BeamCache, **_: object
    ) -> tuple[Tensor, None]:
        """(B * beams, words, D) -> the same shape, and no weights; the mask is added to the products."""
        query, key, value = (
            in_heads(part(hidden_states), self.num_attention_heads) for part in (self.query, self.key, self.value)
        )
        key, value = past_key_values.self_attention_cache.update(key, value, self.layer_idx)
        seen = attend(query, key, value, attention_mask)
        return seen.transpose(1, 2).flatten(2), None


class BeamAttention(nn.Module):
    """From the new words of all beams of a picture to its patches."""

    def __init__(self, attention: Any) -> None:  # noqa: ANN401 - a BlipTextSelfAttention, or this
        super().__init__()
        self.num_attention_heads: int = attention.num_attention_heads
        self.layer_idx: int = attention.layer_idx
        self.query, self.key, self.value = attention.query, attention.key, attention.value

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor, past_key_values: BeamCache, **_: object
    ) -> tuple[Tensor, None]:
        """(B * beams, words, D) -> the same shape, and no weights.

        `encoder_hidden_states` (B * beams, N, D) repeats each picture for each beam, as `generate` passes it. Pictures
        have no padding, so there is no mask.
        """
        rows, words, _width = hidden_states.shape
        key, value = self._of_pictures(encoder_hidden_states, past_key_values)
        query = self.query(hidden_states).view(rows // past_key_values.beams, past_key_values.beams * words, -1)
        seen = attend(in_heads(query, self.num_attention_heads), key, value)
        return seen.transpose(1, 2).reshape(rows, words, -1), None

    def _of_pictures(self, states: Tensor, cache: BeamCache) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, N, D / heads), projected for the first words and then kept."""
        if not cache.is_updated.get(self.layer_idx):
            pictures = states[:: cache.beams]
            key, value = (
                in_heads(part(pictures), self.num_attention_heads).contiguous() for part in (self.key, self.value)
            )
            cache.cross_attention_cache.update(key, value, self.layer_idx)
            cache.is_updated[self.layer_idx] = True
        kept: Any = cache.cross_attention_cache.layers[self.layer_idx]
        return kept.keys, kept.values

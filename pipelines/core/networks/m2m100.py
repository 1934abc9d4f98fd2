"""M2M100's decoder, word by word, with each text's keys and values kept once for all the beams that translate it.

transformers copies what the decoder sees of a text for each beam, projects each copy, moves all of them after each word
and makes masks that one word has no need of. The layers here are its own, and so are the products; see
`modeling_m2m_100.py` for the order in which they come.
"""

from typing import Any

import torch
from torch import Tensor

from pipelines.core.networks.attention import attend, in_heads


class Translation:
    """The decoder (a `beams.Decoder`) at some texts."""

    def __init__(self, network: Any, states: Tensor, mask: Tensor) -> None:  # noqa: ANN401 - its layers are untyped
        """`network` is an M2M100ForConditionalGeneration; `states` (B, N, D) its encoder's; `mask` (B, N), 0: padding.

        There is one row a text.
        """
        self.decoder, self.head = network.model.decoder, network.lm_head
        unseen = torch.zeros_like(mask, dtype=states.dtype).masked_fill(mask == 0, -torch.inf)
        self.unseen = unseen[:, None, None]
        self.seen = [_keys_and_values(layer.encoder_attn, states) for layer in self.decoder.layers]
        """Each layer's keys and values of the texts (T, N, D)."""
        self.written: list[tuple[Tensor, Tensor]] = []
        """Each layer's keys and values of the words (R, L, D)."""

    def next(self, words: Tensor) -> Tensor:
        """Logits (R, V) of the word that follows the new `words` (R, W), int64, of all rows."""
        before = self.written[0][0].shape[1] if self.written else 0
        values = self.decoder.embed_tokens(words) + self.decoder.embed_positions(words, None, before)
        for number, layer in enumerate(self.decoder.layers):
            values = values + self._from_words(number, layer, values)
            values = values + self._from_texts(number, layer, values)
            values = values + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(values))))
        logits: Tensor = self.head(self.decoder.layer_norm(values[:, -1]))
        return logits

    def keep(self, rows: Tensor, texts: Tensor | None) -> None:
        """From now on row i goes on from row `rows[i]`; only `texts` are left, all where it is None."""
        self.written = [_chosen(layer, rows) for layer in self.written]
        if texts is not None:
            self.seen = [_chosen(layer, texts) for layer in self.seen]
            self.unseen = self.unseen[texts]

    def _from_words(self, number: int, layer: Any, values: Tensor) -> Tensor:  # noqa: ANN401 - an M2M100DecoderLayer
        """What the words (R, W, D) take from those before them."""
        values = layer.self_attn_layer_norm(values)
        keys, content = _keys_and_values(layer.self_attn, values)
        if number < len(self.written):
            keys, content = (torch.cat(pair, 1) for pair in zip(self.written[number], (keys, content), strict=True))
            self.written[number] = keys, content
        else:
            self.written.append((keys, content))
        return _attended(layer.self_attn, values, keys, content, None)

    def _from_texts(self, number: int, layer: Any, values: Tensor) -> Tensor:  # noqa: ANN401 - an M2M100DecoderLayer
        """What the words (R, W, D) take from their texts: all rows of a text are that many queries to one copy."""
        queries = layer.encoder_attn_layer_norm(values).view(len(self.unseen), -1, values.shape[2])
        return _attended(layer.encoder_attn, queries, *self.seen[number], self.unseen).view_as(values)


def _keys_and_values(attention: Any, states: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - an M2M100Attention
    return attention.k_proj(states), attention.v_proj(states)


def _chosen(layer: tuple[Tensor, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    return layer[0].index_select(0, rows), layer[1].index_select(0, rows)


def _attended(attention: Any, states: Tensor, keys: Tensor, content: Tensor, unseen: Tensor | None) -> Tensor:  # noqa: ANN401
    """From states (B, W, D) to keys and content (B, N, D); without a mask each word sees those up to it."""
    heads = attention.num_heads
    query, keys, content = (in_heads(part, heads) for part in (attention.q_proj(states), keys, content))
    causal = unseen is None and query.shape[2] > 1  # only the first words come several at a time
    seen = attend(query, keys, content, unseen, causal)
    projected: Tensor = attention.out_proj(seen.transpose(1, 2).reshape(states.shape))
    return projected

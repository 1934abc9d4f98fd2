"""BLIP, which writes English captions."""

from collections.abc import Hashable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import BlipForConditionalGeneration, BlipProcessor

from pipelines.caption.models.blip_attention import BeamCache, install
from pipelines.caption.models.captioner import Said, check_order, cut_off, dtype_of
from pipelines.caption.text.cleaning import one_line, without_arafed
from pipelines.core.errors import ConfigError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.pictures import pictures_of, prepared
from pipelines.core.networks.pretrained import load_network, load_processor
from pipelines.core.running.batch_model import Batch


class BlipCaptioner:
    """English captions by BLIP, base or large."""

    writes_korean = False
    dtypes = frozenset({torch.float32, torch.float16})
    near_dtypes = frozenset({torch.bfloat16})  # where two words are about as likely it changes captions

    def __init__(self, folder: Path, *, prompt: str, beams: int, min_tokens: int, max_tokens: int, clean: bool) -> None:
        """Loads a checkpoint folder of BlipForConditionalGeneration.

        A caption begins with `prompt`, such as "a photo of". Tokens are counted as LAVIS counts them: the start token,
        the prompt and the end token are among them. `clean` takes out BLIP's "arafed".
        Raises CheckpointError for a folder that does not fit, ConfigError for a prompt or min_tokens beyond max_tokens.
        """
        check_order(min_tokens, max_tokens)
        self.module = load_network(BlipForConditionalGeneration, folder, ("blip",))
        install(self.module)
        processor = load_processor(BlipProcessor, folder)
        self.pictures = pictures_of(processor.image_processor, folder)
        self.tokenizer = processor.tokenizer
        # With its first and last token, in whose places generate() puts the start token and the first new one.
        self.prompt_ids = torch.tensor([self.tokenizer(prompt)["input_ids"]]) if prompt.strip() else None
        self.beams, self.clean = beams, clean
        self.settings = {"num_beams": beams, "min_length": min_tokens, "max_length": max_tokens, "do_sample": False}
        if self.prompt_ids is not None and self.prompt_ids.shape[1] > max_tokens:
            raise ConfigError(
                f"expected a prompt that leaves room for a caption in max_tokens ({max_tokens}), found {prompt!r} "
                f"of {self.prompt_ids.shape[1]} tokens"
            )

    def shape_key(self, sample: Sample) -> Hashable:
        """Equal for pictures that may share a batch."""
        return self.pictures.shape_key(sample.path)

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """The pictures as `Pictures.one` makes them, (B, ...)."""
        return prepared(self.pictures, samples)

    def predict(self, batch: Batch) -> list[Said]:
        """One caption per picture."""
        tokens = self.tokens(batch)
        texts = map(one_line, self.tokenizer.batch_decode(tokens, skip_special_tokens=True))
        cut = cut_off(tokens, {self.module.config.text_config.sep_token_id})
        return [
            Said(without_arafed(text) if self.clean else text, was_cut)
            for text, was_cut in zip(texts, cut, strict=True)
        ]

    def tokens(self, batch: Batch) -> Tensor:
        """What `generate` gives for prepared pictures: int64 (B, L), padded behind the end token."""
        values = self.pictures.inputs(batch, dtype_of(self.module))["pixel_values"]
        prompt: Tensor | None = None
        if self.prompt_ids is not None:
            prompt = self.prompt_ids.to(values.device).repeat(len(values), 1)
        tokens: Tensor = self.module.generate(
            pixel_values=values,
            input_ids=prompt,
            attention_mask=None if prompt is None else torch.ones_like(prompt),
            past_key_values=BeamCache(self.beams),
            **self.settings,
        )
        return tokens

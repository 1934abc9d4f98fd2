"""Chat models that see pictures, asked for a caption."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv
from transformers import AutoModelForImageTextToText, AutoProcessor

from pipelines.caption.models.captioner import Said, check_order, cut_off, dtype_of
from pipelines.caption.text.cleaning import (
    cleaned_answer,
    ends_in_thoughts,
    one_line,
    whole_sentences,
    without_thoughts,
)
from pipelines.core.errors import CheckpointError
from pipelines.core.images.decode import decode
from pipelines.core.images.samples import Sample
from pipelines.core.networks.pretrained import load_network, load_processor
from pipelines.core.running.batch_model import Batch


class ChatCaptioner:
    """Captions by a chat model that sees pictures, in the language that the prompt asks for."""

    writes_korean = True

    def __init__(
        self,
        folder: Path,
        *,
        prompt: str,
        beams: int,
        min_tokens: int,
        max_tokens: int,
        max_pixels: int,
        clean: bool,
    ) -> None:
        """Loads a checkpoint folder of an AutoModelForImageTextToText with its processor and chat template.

        Only the answer's tokens count. Photos of more than `max_pixels` are seen reduced. `clean` takes markdown,
        quotes and openers out of the answers. Raises CheckpointError for a folder that does not fit or has no chat
        template, ConfigError for min_tokens beyond max_tokens.
        """
        check_order(min_tokens, max_tokens)
        self.module = load_network(AutoModelForImageTextToText, folder)
        # fp16 only where the weights come in it: networks trained in bf16 (Qwen's) overflow in fp16 and answer "!!!!".
        self.dtypes = frozenset({torch.float32, torch.bfloat16, dtype_of(self.module)})
        self.module.generation_config.max_length = None  # the checkpoint's own would only cause a warning
        self.processor = load_processor(AutoProcessor, folder)
        self.question = _asked(self.processor, prompt, folder)
        self.thinks_first = ends_in_thoughts(self.question)
        """Whether the question ends within thoughts, which the model then goes on with."""
        self.most_pixels = _most_decoded(self.processor.image_processor, max_pixels)
        self.clean = clean
        self.ends = _ends(self.module.generation_config.eos_token_id, self.processor.tokenizer.eos_token_id)
        self.settings = {
            "num_beams": beams,
            "min_new_tokens": min_tokens,
            "max_new_tokens": max_tokens,
            "do_sample": False,
            "eos_token_id": self.ends,
        }
        self._frequencies = {name: buffer.clone() for name, buffer in self.module.named_buffers() if "inv_freq" in name}
        self._processing = threading.Lock()

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """What the model's processor makes of the pictures and the question, padded on the left."""
        images = [[_at_most(decode(sample.path), self.most_pixels)] for sample in samples]
        with self._processing:  # a tokenizer that pads changes its own state
            return dict(
                self.processor(
                    images=images,
                    text=[self.question] * len(images),
                    padding=True,
                    padding_side="left",
                    return_tensors="pt",
                )
            )

    def predict(self, batch: Batch) -> list[Said]:
        """One answer per picture, without the thoughts before it."""
        tokens = self.tokens(batch)
        cut = cut_off(tokens, set(self.ends))
        return [self._said(ids, was_cut) for ids, was_cut in zip(tokens.tolist(), cut, strict=True)]

    def tokens(self, batch: Batch) -> Tensor:
        """The answers' tokens, int64 (B, L), without the question's."""
        self._keep_frequencies_exact()
        dtype = dtype_of(self.module)
        inputs = {
            name: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in batch.items()
        }
        tokens: Tensor = self.module.generate(**inputs, **self.settings)
        return tokens[:, batch["input_ids"].shape[1] :]

    def _said(self, ids: list[int], cut: bool) -> Said:
        """The answer in an answer's tokens."""
        tokenizer = self.processor.tokenizer
        whole = ("<think>" if self.thinks_first else "") + tokenizer.decode(ids, skip_special_tokens=False)
        text = without_thoughts(whole)
        if text == whole:
            text = tokenizer.decode(ids, skip_special_tokens=True)
        else:  # the marks of thoughts may be special tokens, so that all were kept
            for token in tokenizer.all_special_tokens:
                text = text.replace(token, "")
        if self.clean:
            text = cleaned_answer(text)
            text = whole_sentences(text) if cut else text
        return Said(one_line(text), cut)

    def _keep_frequencies_exact(self) -> None:
        """Rotary frequencies in half precision misplace distant tokens, and moving a network to a dtype rounds them."""
        for name, frequencies in self._frequencies.items():
            owner, _, buffer = name.rpartition(".")
            setattr(self.module.get_submodule(owner), buffer, frequencies.to(self.module.device))


def _asked(processor: Any, prompt: str, folder: Path) -> str:  # noqa: ANN401 - any processor
    """The text of a chat in which the user shows a picture and asks `prompt`, and is answered without thoughts."""
    if not getattr(processor, "chat_template", None):
        raise CheckpointError(
            f"expected a chat model's processor with a chat template in {folder}, found "
            f"{type(processor).__name__} without one; name an instruct or chat checkpoint"
        )
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    chat = [{"role": "user", "content": content}]
    # A name that templates of models that think by themselves know (Qwen3 and later); for others it causes a warning.
    silent = {"enable_thinking": False} if "enable_thinking" in str(processor.chat_template) else {}
    return str(processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, **silent))


def _ends(of_network: int | list[int] | None, of_tokenizer: int | None) -> list[int]:
    """The tokens that end an answer, by the network's settings and by the tokenizer.

    Qwen3.5's repositories have no generation_config.json, and their config.json names <|endoftext|> alone: without the
    tokenizer's <|im_end|> an answer would go on with the user's next turn.
    """
    named = of_network if isinstance(of_network, list) else [of_network]
    return sorted({end for end in (*named, of_tokenizer) if end is not None})


def _most_decoded(image_processor: Any, most: int) -> int:  # noqa: ANN401 - any processor
    """The most pixels of a decoded photo, so that the network sees `most`; a processor that limits them is told so.

    Qwen's processors, which merge patches, have a size that is an area. What they reduce they get twice as large, for
    theirs is the better way to its last size; others get what they are to see.
    """
    size = dict(image_processor.size or {}) if hasattr(image_processor, "merge_size") else {}
    limits = {key: value for key, value in size.items() if value is not None}
    if limits.keys() != {"shortest_edge", "longest_edge"}:
        return most
    image_processor.size = {key: min(value, most) for key, value in limits.items()}
    return 2 * most


def _at_most(image: Tensor, most: int) -> Tensor:
    """A picture, uint8 (3, H, W), reduced to `most` pixels in all; a smaller one stays as it is."""
    height, width = image.shape[-2:]
    scale = (most / (height * width)) ** 0.5
    if scale >= 1:
        return image
    size = [max(1, int(height * scale)), max(1, int(width * scale))]
    reduced: Tensor = tv.resize(image, size, InterpolationMode.BICUBIC, antialias=True)
    return reduced

"""The captioning networks: BLIP writes English, a chat model what its prompt asks for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, AutoProcessor, BlipForConditionalGeneration, BlipProcessor

from pipelines.caption.blip_attention import BeamCache, install
from pipelines.core.batch_model import Batch, BatchModel
from pipelines.core.decode import decode
from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.images import Sample
from pipelines.core.preprocess import normalise, resize, spec_of_processor
from pipelines.core.pretrained import load_network, load_processor


class Captioner(BatchModel[Sample, str], Protocol):
    """A BatchModel over samples: each picture becomes a sentence."""

    writes_korean: bool
    """Whether its captions need no translation."""


class BlipCaptioner:
    """English captions by BLIP, base or large."""

    writes_korean = False
    dtypes = frozenset({torch.float32, torch.float16})
    near_dtypes = frozenset({torch.bfloat16})  # where two words are about as likely it changes captions

    def __init__(
        self, folder: Path, prompt: str = "", beams: int = 3, min_tokens: int = 5, max_tokens: int = 20
    ) -> None:
        """Loads a checkpoint folder of BlipForConditionalGeneration.

        A caption begins with `prompt`, such as "a photo of". Tokens are counted as LAVIS counts them, whose defaults
        these are: the start token, the prompt and the end token are among them. Raises CheckpointError for a folder
        that does not fit, ConfigError for a prompt or min_tokens beyond max_tokens.
        """
        _check_order(min_tokens, max_tokens)
        self.module = load_network(BlipForConditionalGeneration, folder, ("blip",))
        install(self.module)
        processor = load_processor(BlipProcessor, folder)
        self.spec = spec_of_processor(processor.image_processor)
        self.tokenizer = processor.tokenizer
        # With its first and last token, in whose places generate() puts the start token and the first new one.
        self.prompt_ids = torch.tensor([self.tokenizer(prompt)["input_ids"]]) if prompt.strip() else None
        self.beams = beams
        self.settings = {"num_beams": beams, "min_length": min_tokens, "max_length": max_tokens, "do_sample": False}
        if self.prompt_ids is not None and self.prompt_ids.shape[1] > max_tokens:
            raise ConfigError(
                f"expected a prompt that leaves room for a caption in max_tokens ({max_tokens}), found {prompt!r} "
                f"of {self.prompt_ids.shape[1]} tokens"
            )

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """`pixels`: uint8 (B, 3, H, W), resized."""
        return {"pixels": torch.stack([resize(decode(sample.path), self.spec) for sample in samples])}

    def predict(self, batch: Batch) -> list[str]:
        """One caption per picture."""
        tokens = self.tokens(batch["pixels"])
        return [_one_line(text) for text in self.tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    def tokens(self, pixels: Tensor) -> Tensor:
        """What `generate` gives for resized uint8 pictures (B, 3, H, W): int64 (B, L), padded behind the end token."""
        values = normalise(pixels, self.spec, _dtype(self.module))
        prompt: Tensor | None = None
        if self.prompt_ids is not None:
            prompt = self.prompt_ids.to(pixels.device).repeat(len(pixels), 1)
        tokens: Tensor = self.module.generate(
            pixel_values=values,
            input_ids=prompt,
            attention_mask=None if prompt is None else torch.ones_like(prompt),
            past_key_values=BeamCache(self.beams),
            **self.settings,
        )
        return tokens


class ChatCaptioner:
    """Captions by a chat model that sees pictures, in the language that the prompt asks for."""

    writes_korean = True

    def __init__(
        self,
        folder: Path,
        prompt: str = "이 사진을 한국어 한 문장으로 설명해 주세요.",
        beams: int = 1,
        min_tokens: int = 1,
        max_tokens: int = 64,
    ) -> None:
        """Loads a checkpoint folder of an AutoModelForImageTextToText with its processor and chat template.

        Only the answer's tokens count. Raises CheckpointError for a folder that does not fit or has no chat template,
        ConfigError for min_tokens beyond max_tokens.
        """
        _check_order(min_tokens, max_tokens)
        self.module = load_network(AutoModelForImageTextToText, folder)
        # fp16 only where the weights come in it: networks trained in bf16 (Qwen's) overflow in fp16 and answer "!!!!".
        self.dtypes = frozenset({torch.float32, torch.bfloat16, _dtype(self.module)})
        self.module.generation_config.max_length = None  # the checkpoint's own would only cause a warning
        self.processor = load_processor(AutoProcessor, folder)
        self.question = _asked(self.processor, prompt, folder)
        self.settings = {
            "num_beams": beams,
            "min_new_tokens": min_tokens,
            "max_new_tokens": max_tokens,
            "do_sample": False,
        }
        self._frequencies = {name: buffer.clone() for name, buffer in self.module.named_buffers() if "inv_freq" in name}
        self._processing = threading.Lock()

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """What the model's processor makes of the pictures and the question, padded on the left."""
        images = [[decode(sample.path)] for sample in samples]
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

    def predict(self, batch: Batch) -> list[str]:
        """One answer per picture, on one line."""
        tokens = self.tokens(batch)
        return [_one_line(text) for text in self.processor.batch_decode(tokens, skip_special_tokens=True)]

    def tokens(self, batch: Batch) -> Tensor:
        """The answers' tokens, int64 (B, L), without the question's."""
        self._keep_frequencies_exact()
        dtype = _dtype(self.module)
        inputs = {
            name: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in batch.items()
        }
        tokens: Tensor = self.module.generate(**inputs, **self.settings)
        return tokens[:, batch["input_ids"].shape[1] :]

    def _keep_frequencies_exact(self) -> None:
        """Rotary frequencies in half precision misplace distant tokens, and moving a network to a dtype rounds them."""
        for name, frequencies in self._frequencies.items():
            owner, _, buffer = name.rpartition(".")
            setattr(self.module.get_submodule(owner), buffer, frequencies.to(self.module.device))


CAPTIONERS: dict[str, Callable[..., Captioner]] = {"blip": BlipCaptioner, "chat": ChatCaptioner}
"""The captioners by name. Each takes a checkpoint folder and, by name, prompt, beams, min_tokens and max_tokens."""


def load_captioner(name: str, folder: Path, settings: Mapping[str, Any]) -> Captioner:
    """The captioner `name` on a checkpoint folder; what `settings` leave out or have as None is the captioner's own.

    Raises ConfigError for an unknown name, CheckpointError for a folder that does not fit.
    """
    if name not in CAPTIONERS:
        raise ConfigError(f"expected a captioner ({', '.join(CAPTIONERS)}), found `{name}`")
    return CAPTIONERS[name](folder, **{key: value for key, value in settings.items() if value is not None})


def _asked(processor: Any, prompt: str, folder: Path) -> str:  # noqa: ANN401 - any processor
    """The text of a chat in which the user shows a picture and asks `prompt`."""
    if not getattr(processor, "chat_template", None):
        raise CheckpointError(
            f"expected a chat model's processor with a chat template in {folder}, found "
            f"{type(processor).__name__} without one; name an instruct or chat checkpoint"
        )
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    chat = [{"role": "user", "content": content}]
    return str(processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))


def _check_order(min_tokens: int, max_tokens: int) -> None:
    if min_tokens > max_tokens:
        raise ConfigError(f"expected min_tokens of at most max_tokens ({max_tokens}), found {min_tokens}")


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype


def _one_line(text: str) -> str:
    return " ".join(text.split())

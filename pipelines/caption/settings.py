"""The settings of the caption task, and what they alone say of a run."""

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Literal

from pipelines.caption.models import CAPTIONERS
from pipelines.caption.text.style import Style
from pipelines.core.config import DataConfig, schema
from pipelines.core.images.samples import Sample, read_samples
from pipelines.core.model import AUTO, Models
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.schema import Kind


def _at_least_one(**settings: int | None) -> None:
    for name, value in settings.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} is at least 1, not {value}")


@schema
class TranslationConfig:
    """The translator: an M2M100 or NLLB checkpoint."""

    checkpoint: str = "facebook/nllb-200-distilled-600M"
    """Folder or hub id of the translator."""
    source: str = "eng_Latn"
    """The captions' language, by the checkpoint's own code."""
    target: str = "kor_Hang"
    """The language to translate into, by the checkpoint's own code."""
    beams: int = 4
    """Beams of the search (1 or more); 1 is fastest."""
    max_tokens: int = 128
    """Most tokens of a translation (1 or more)."""
    garbled: Literal["keep", "blank"] = "keep"
    """What becomes of a translation that went wrong at a second try too (a loop, another script): it stays, or none."""

    def __post_init__(self) -> None:
        _at_least_one(beams=self.beams, max_tokens=self.max_tokens)


@schema
class CaptionConfig:
    """The settings of the caption task; what is left open is the captioner's own, which `CAPTIONERS` has."""

    models: ClassVar[Mapping[str, Models]] = {"model": CAPTIONERS}
    data: DataConfig
    checkpoint: str
    """Folder or hub id of the captioner."""
    smaller: list[str] = field(default_factory=list)
    """Checkpoints of the same `model` to take in turn where the one before does not fit into the device's memory."""
    model: str = AUTO
    """The captioner, or `auto`: the one that fits the checkpoint's config.json."""
    prompt: str | None = None
    """blip: how each caption begins, such as `a photo of`. chat: what is asked."""
    beams: int | None = None
    """Beams of the search (1 or more)."""
    min_tokens: int | None = None
    """Fewest tokens of a caption (1 or more)."""
    max_tokens: int | None = None
    """Most tokens of a caption (1 or more; blip counts its prompt)."""
    max_pixels: int | None = None
    """chat: most pixels of a photo that the model sees (1024 or more); larger ones are reduced."""
    clean: bool = True
    """Whether what is no caption is taken out: chat's markdown, quotes and openers (`이 사진은`), blip's "arafed"."""
    translate: bool | Literal["auto"] = "auto"
    """Whether captions are translated; `auto`: those of blip are, those of chat are not."""
    translation: TranslationConfig = TranslationConfig()
    style: Style = "as-is"
    """How Korean sentences end: `다`, `습니다`, or `as-is`."""
    style_phrases: bool = False
    """Whether `style` makes sentences of noun phrases too, 해변의 강아지이다; without it they stay as they are."""
    runner: RunnerConfig = RunnerConfig()

    def __post_init__(self) -> None:
        _at_least_one(beams=self.beams, min_tokens=self.min_tokens, max_tokens=self.max_tokens)
        if self.max_pixels is not None and self.max_pixels < 1024:
            raise ValueError(f"max_pixels is at least 1024, not {self.max_pixels}")
        if self.prompt is not None and not self.prompt.strip():
            raise ValueError("prompt has words in it, or is left out; found only spaces")


def fields(config: CaptionConfig) -> Mapping[str, Kind]:
    """What the rows hold: the caption."""
    return {"caption": "text"}


def samples(config: CaptionConfig) -> list[Sample]:
    """The photos to caption. Raises InputError."""
    return read_samples(config.data)

"""The settings of zero-shot classification, and what they alone say of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pipelines.classify.labels import Label, read_labels
from pipelines.classify.templates import check_templates
from pipelines.core.config import DataConfig, TranslationConfig, schema
from pipelines.core.images.samples import Sample, read_samples
from pipelines.core.places import OutputFile, OutputFolder
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.fields import Field

LABEL = Field("text", ("class", "category", "answer", "target", "라벨", "레이블", "분류", "클래스", "정답"))
PROBABILITY = Field("score", ("prob", "score", "confidence", "확률", "점수"))


@schema
class ClassifyConfig:
    """The settings of zero-shot classification."""

    data: DataConfig
    checkpoint: str
    """Folder or hub id of a CLIP, SigLIP or SigLIP 2 model."""
    labels: Path
    """The classes: a text file, one label a line, or a CSV (label,name) whose names have | between them."""
    templates: str | list[str] = "auto"
    """Sentences with {} for the name, such as 'a photo of a {}.'; or english, korean, or auto: the name's language."""
    translate: bool | Literal["auto"] = "auto"
    """Whether Korean names become English, by the lexicon, else translated; `auto`: for a model without Korean."""
    translation: TranslationConfig = TranslationConfig()
    top: int = 5
    """Labels of a photo that `top_file` has (1 or more)."""
    top_file: OutputFile | None = None
    """CSV for the likeliest labels of each photo: image,rank,label,probability."""
    cache: OutputFolder | None = None
    """Folder where the labels' vectors are kept for the next run; without it `labels` beside the output."""
    runner: RunnerConfig = RunnerConfig()

    def __post_init__(self) -> None:
        check_templates(self.sentences)
        if self.top < 1:
            raise ValueError(f"top is at least 1, not {self.top}")

    @property
    def sentences(self) -> list[str]:
        """The templates, as a list."""
        return [self.templates] if isinstance(self.templates, str) else self.templates


def fields(config: ClassifyConfig) -> Mapping[str, Field]:
    """What the rows hold: the likeliest label, and how likely it is; for a sample that names labels, each one's.

    Raises InputError for labels that cannot be used.
    """
    of_labels = {
        field_of(label): Field("score", (label.submitted, *label.names), on_request=True)
        for label in read_labels(config.labels)
    }
    return {"label": LABEL, "probability": PROBABILITY, **of_labels}


def field_of(label: Label) -> str:
    """The field of a label's own probability."""
    return f"probability of {label.submitted}"


def samples(config: ClassifyConfig) -> list[Sample]:
    """The photos to classify. Raises InputError, also for labels that cannot be used."""
    read_labels(config.labels)
    return read_samples(config.data)

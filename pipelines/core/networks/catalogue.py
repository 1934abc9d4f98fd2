"""The catalogue of checkpoints: what the world publishes of those that settings and documents name."""

import functools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from pipelines.core.config import schema
from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.model import AUTO, Dtype, Models, fitting, method_of, read_config

PATH = Path(__file__).with_suffix(".yaml")
MB = 1_000_000

BYTES: Mapping[Dtype, int] = {"fp32": 4, "fp16": 2, "bf16": 2}
"""Of a number in each dtype."""
MARGIN = 1.2
"""A network takes its weights and a fifth more: pictures, what layers hand on, the words so far, the driver's own. That
is a rule of thumb, said with `about`: a batch that does not fit is halved."""


@schema
class Score:
    """A figure that somebody published."""

    metric: str
    """What was measured, and on which data."""
    value: float
    """As it was published, to a tenth."""
    source: str
    """Where it was read: an address."""
    task: str | None = None
    """Which task it is of, where the checkpoint serves several."""


@schema
class Entry:
    """A checkpoint, with what is published of it; what no source was found for is None."""

    id: str
    """The hub's name of it."""
    tasks: list[str]
    """What it is used for, one or more: a task by its name, `translation`, or `rerank`."""
    model: str
    """The name in the task's dict of models, or (of translators and CLIPs) in core's own."""
    licence: str
    """As SPDX has it."""
    licence_source: str
    """Where the licence was read."""
    dtype: Dtype
    """What the weights are stored in."""
    languages: list[str]
    """Of the words that it reads or writes: en, ko, or multilingual (Korean among them); none for networks without."""
    commercial: bool = True
    """False where the licence has a non-commercial clause."""
    parameters: int | None = None
    """Each shared weight counted once."""
    parameters_source: str | None = None
    """Who says so; without it they were counted in the architecture that the repository's config.json describes."""
    download_mb: int | None = None
    """What is fetched, in 1,000,000 bytes, as the hub lists it."""
    download_source: str | None = None
    """Where that was read."""
    scores: list[Score] = field(default_factory=list)
    """The first of each task is the one that tables show."""
    settings: dict[str, str | int | list[int]] = field(default_factory=dict)
    """What the task's settings have to say besides model and checkpoint."""
    gated: bool = False
    """Whether the hub asks to accept terms first."""
    note: str = ""
    """What else a user has to know."""

    def memory(self, dtype: Dtype) -> int | None:
        """Bytes that it takes where it runs in `dtype`; None where its parameters are not known."""
        return None if self.parameters is None else memory(self.parameters, dtype)

    @property
    def download(self) -> int | None:
        """Bytes to fetch: as listed, else what the weights take in the dtype they are stored in."""
        if self.download_mb is not None:
            return self.download_mb * MB
        return None if self.parameters is None else self.parameters * BYTES[self.dtype]

    @property
    def address(self) -> str:
        """Its page on the hub."""
        return f"https://huggingface.co/{self.id}"

    def score(self, task: str) -> Score | None:
        """The score that tables of `task` show."""
        return next((each for each in self.scores if each.task in (None, task)), None)


@dataclass(frozen=True)
class Catalogue:
    """All entries, in the file's order."""

    entries: Sequence[Entry]

    def of_task(self, task: str) -> list[Entry]:
        """Those that serve a task."""
        return [entry for entry in self.entries if task in entry.tasks]

    def find(self, checkpoint: str) -> Entry | None:
        """The entry of a hub id, with or without @revision; None for a folder or another id."""
        name = checkpoint.partition("@")[0]
        return next((entry for entry in self.entries if entry.id == name), None)


def model_of(checkpoint: str, models: Models, name: str = AUTO, known: Catalogue | None = None) -> str | None:
    """The name of the model that will run a checkpoint, as far as it can be told without loading or fetching it.

    That is `name`, or for `auto` what fits: of a folder by its config.json, of a hub id by the catalogue.
    """
    if name != AUTO:
        return name
    if (method := method_of(models)) is not None:
        return method
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        with suppress(CheckpointError):
            return fitting(models, read_config(folder))
        return None
    entry = (known or catalogue()).find(checkpoint)
    return None if entry is None else entry.model


def memory(parameters: int, dtype: Dtype) -> int:
    """Bytes that a network of so many parameters takes in `dtype`: the one rule for all that is said of memory."""
    return round(parameters * BYTES[dtype] * MARGIN)


def gb(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def read_catalogue(path: Path = PATH) -> Catalogue:
    """The catalogue as a file has it. Raises ConfigError for a file that is none."""
    try:
        return Catalogue(TypeAdapter(list[Entry]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"expected a list of checkpoints in {path}: {' '.join(str(error).split())[:300]}") from None


@functools.cache
def catalogue() -> Catalogue:
    """The one that comes with the project."""
    return read_catalogue()


def known_ids() -> list[str]:
    """The hub ids of the catalogue, for whoever has to guess what a misspelt one was meant to be."""
    return [entry.id for entry in catalogue().entries]

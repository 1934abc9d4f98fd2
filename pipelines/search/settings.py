"""The settings of photo search: one class for indexing, asking and ranking."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import ClassVar, Literal

from pipelines.core.config import TranslationConfig, check_white, schema
from pipelines.core.model import Models
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.models import RERANKERS


@schema
class RankConfig:
    """What `rank` ranks."""

    images: Path | None = None
    """Folder of the photos; searched with its subfolders."""
    queries: Path | None = None
    """CSV of the queries, such as the truth that the result is to be scored with."""
    columns: Sequence[str] = ("caption",)
    """The columns of the queries; every distinct text in them is one."""
    output: Path = Path("submissions/search.csv")
    """CSV to write: `caption,image,score`, the photos found for each query, the best first."""


@schema
class EnrichConfig:
    """What `enrich` gives an album's photos."""

    captions: bool = True
    """Whether photos get captions."""
    counts: bool = True
    """Whether objects are counted in photos."""
    prompts: list[str] | None = None
    """What to count, in Korean or English; without it what the detect task's settings say."""
    caption: Path = Path("configs/caption.yaml")
    """Settings file of the caption task; its data and runner are not used."""
    detect: Path = Path("configs/detect.yaml")
    """Settings file of the detect task; its data, boxes, images and runner are not used."""


@schema
class SearchConfig:
    """The settings of photo search."""

    models: ClassVar[Mapping[str, Models]] = {"rerank": RERANKERS}
    checkpoint: str
    """Folder or hub id of a CLIP, SigLIP or SigLIP 2 model."""
    translate: bool | Literal["auto"] = "auto"
    """Whether Korean queries become English; `auto`: where the model's vocabulary has no Korean."""
    translation: TranslationConfig = TranslationConfig()
    albums: Path | str = Path("albums")
    """Folder of the albums, each a folder in it; here or in object storage (s3://bucket/albums, gs://, az://)."""
    album: str | None = None
    """Name of the album. Without it `index` takes the name of the photos' folder, `query` the only album there is."""
    ignore: list[str] = field(default_factory=list)
    """What of the photos' folder to leave out: names or paths in it, such as thumbs or *_mask.png."""
    white: int | None = None
    """What is white in 16-bit photos (255 to 65535), such as 4095 for 12 bits; without it what their values show."""
    top: int = 10
    """Photos shown for a query (1 or more)."""
    photo_weight: float = 0.5
    """Of words and a photo together: how much the photo counts (between 0 and 1)."""
    fold: float | None = 0.98
    """Photos whose vectors' cosine is this or more (0 to 1) are shown as one, the best of them; null shows each."""
    cutoff: float | None = None
    """Photos whose cosine with words is lower (-1 to 1) are not shown for them; null shows the nearest, whatever."""
    cutoff_model: str | None = None
    """Fingerprint of the checkpoint that the cutoff belongs to; an album of another one is asked without it."""
    rerank: str | None = None
    """Puts what words found in the order of a second judge."""
    rerank_checkpoint: str | None = None
    """Folder or hub id of the judge: a BlipForImageTextRetrieval for itm, a CLIP, SigLIP or SigLIP 2 for clip."""
    rerank_first: int = 1000
    """Photos that the judge is shown, the best of the first search (1 or more)."""
    rank: RankConfig = RankConfig()
    enrich: EnrichConfig = EnrichConfig()
    runner: RunnerConfig = RunnerConfig()

    def __post_init__(self) -> None:
        check_white(self.white)
        if self.top < 1:
            raise ValueError(f"top is at least 1, not {self.top}")
        if not 0 < self.photo_weight < 1:
            raise ValueError(f"photo_weight is between 0 and 1, not {self.photo_weight}")
        if self.fold is not None and not 0 < self.fold <= 1:
            raise ValueError(f"fold is above 0 and at most 1, or null, not {self.fold}")
        if self.cutoff is not None and not -1 <= self.cutoff <= 1:
            raise ValueError(f"cutoff is -1 to 1, or null, not {self.cutoff}")
        if self.rerank_first < 1:
            raise ValueError(f"rerank_first is at least 1, not {self.rerank_first}")
        if self.rerank is not None and self.rerank_checkpoint is None:
            raise ValueError("rerank needs a checkpoint: give rerank_checkpoint")
        if re.match(r"\w{2,}:/(?!/)", str(self.albums)):  # Path("s3://...") loses a slash
            raise ValueError(f"albums is a folder, or text such as s3://bucket/albums, not {str(self.albums)!r}")
        if self.album is not None and (self.album.startswith(".") or {"/", "\\"} & set(self.album) or not self.album):
            raise ValueError(f"album is a plain name, not {self.album!r}; its folder is the setting albums")

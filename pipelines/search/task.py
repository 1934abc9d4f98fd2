"""What photo search is: an album that is asked, and rankings for many queries, which are scored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.config import DataConfig
from pipelines.core.images.samples import Sample, read_samples
from pipelines.core.submission.schema import Kind
from pipelines.core.task import Comparison, Note, Scoring, Task, Worst
from pipelines.search.settings import SearchConfig

if TYPE_CHECKING:  # pandas takes a second
    import pandas as pd

    from pipelines.core.submission.scores import Wrong


def _data(config: SearchConfig) -> DataConfig | None:
    """Of a ranking; an album's photos are no part of the settings."""
    images = config.rank.images
    return (
        None
        if images is None
        else DataConfig(images=images, ignore=config.ignore, white=config.white, output=config.rank.output)
    )


def _samples(config: SearchConfig) -> list[Sample]:
    """The photos to rank."""
    data = _data(config)
    return [] if data is None else read_samples(data)


def _fields(config: SearchConfig) -> Mapping[str, Kind]:
    return {"image": "text", "score": "score"}


def _command(words: Sequence[str], note_run: Note) -> int:
    from pipelines.search.command import main

    return main(words, note_run)


def _scoring() -> Scoring:
    from pipelines.search.evaluate import SearchScoring, evaluate

    return Scoring(SearchScoring, evaluate)


def _wrong(submission: "pd.DataFrame", truth: "pd.DataFrame") -> "list[Wrong]":
    from pipelines.search.worst import find

    return find(submission, truth)


def _by_query(submission: "pd.DataFrame") -> "pd.DataFrame":
    from pipelines.search.comparing import by_query

    return by_query(submission)


def _fused(submissions: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    from pipelines.search.comparing import fused

    return fused(submissions)


TASK = Task(
    name="search",
    title=("사진 검색", "Photo search"),
    help=("말이나 사진으로 사진을 찾습니다: CLIP, LanceDB", "finds photos by words or by a photo: CLIP, LanceDB"),
    bundled=Path("samples/search"),
    config=SearchConfig,
    data=_data,
    samples=_samples,
    fields=_fields,
    command=_command,
    scoring=_scoring,
    worst=Worst(
        find=_wrong,
        unit="places",
        far=lambda error: (f"정답 {error + 1:.0f}위", f"rank {error + 1:.0f}"),
        kinds={"lower": ("아래에 있음", "Lower down")},
    ),
    comparison=Comparison(
        columns={"images": "text"},
        tells=lambda table: {"image", "score"} <= set(table.columns),
        by_id=_by_query,
        merge=_fused,
    ),
    blank=("순위에 없음", "not in the ranking"),
    fallback=("순위에 없음", "not in the ranking"),
)

"""The demo's one copy of everything heavy: the thread that runs the networks, and the models that it keeps."""

import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from pipelines.core.config import load_config
from pipelines.core.errors import SuiteError
from pipelines.demo.settings import demo_config

if TYPE_CHECKING:  # torch takes seconds
    from pipelines.core.running.runner import Runner
    from pipelines.core.running.service import Watch
    from pipelines.core.running.serving import Serving
    from pipelines.core.running.settings import RunnerConfig

MOST_KEPT = 32
"""Models, tokenizers and fingerprints; the one that was made the longest ago goes first."""

LIBRARIES = {
    "caption": ("pipelines.caption.pipeline", "pipelines.caption.models.blip", "pipelines.caption.models.chat"),
    "detect": (
        "pipelines.detect.pipeline",
        "pipelines.detect.models.grounding_dino.model",
        "pipelines.detect.boxes.drawing",
    ),
    "anomaly": (
        "pipelines.anomaly.pipeline",
        "pipelines.anomaly.models.patchcore.model",
        "pipelines.anomaly.models.padim",
    ),
    "search": ("pipelines.search.query.asking", "pipelines.search.album.indexing"),
    "runs": ("pipelines.runs.examine", "pipelines.runs.compare_page"),
}
"""Address of a page -> what is imported before it is shown; the first page's once its models are needed."""

Schema = TypeVar("Schema")

PATIENCE = 10.0
"""Seconds that the server waits for its first visitor."""
first_page = threading.Event()
"""Set once the first page is there."""
_loading = threading.RLock()
_imported: set[str] = set()


def runner(watch: "Watch | None" = None) -> "Runner":
    """A Runner for one piece of a visitor's work, which shares networks and batches with all others."""
    libraries()
    from pipelines.core.running.runner import Runner

    return Runner(_runner_config(), service=serving(), watch=watch)


@lru_cache
def task_config(path: Path, kind: type[Schema]) -> Schema:
    """A task's settings; those of its data are placeholders, for the pictures are the visitor's. Raises ConfigError."""
    return load_config(path, kind)


def libraries(page: str = "caption") -> None:
    """Imports what a page needs, once, while others wait; to be called before any module that needs torch.

    transformers imports its parts when they are asked for. Where two threads ask at the same time, the modules wait for
    each other in a circle, which Python ends by giving one of them half a module: an ImportError for a visitor.
    """
    if page in _imported:
        return
    with _loading:
        for module in LIBRARIES.get(page, ()):
            import_module(module)
        _imported.add(page)


@st.cache_resource(show_spinner=False)
def serving() -> "Serving":
    """The thread that has the device."""
    libraries()
    from pipelines.core.running.serving import Serving

    return Serving(_runner_config(), kept)


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Loads what the first click will need, once `first_page` is there or nobody comes for a while.

    Beside the first page it would double the time until that is there. What fails will be said at the click.
    """
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()


def _runner_config() -> "RunnerConfig":
    from dataclasses import replace

    from pipelines.caption.settings import CaptionConfig

    # A small batch first, so that something is seen soon; it grows while that pays.
    config: RunnerConfig = task_config(demo_config().caption, CaptionConfig).runner
    return replace(config, batch="auto", progress=False)


@st.cache_resource(show_spinner=False, max_entries=MOST_KEPT, on_release=lambda _: _free())
def kept(name: str, _make: Callable[[], Any]) -> Any:  # noqa: ANN401 - a model or what belongs to one
    """What was made under that name, made now where it is not there; two at once make it once."""
    with _loading:  # a network imports its parts while it is loaded
        return _make()


def _free() -> None:
    """Gives a released model's memory back to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _warm_up() -> None:
    first_page.wait(PATIENCE)
    libraries()
    with suppress(SuiteError):
        from pipelines.caption.pipeline import CaptionPipeline
        from pipelines.caption.settings import CaptionConfig

        CaptionPipeline(task_config(demo_config().caption, CaptionConfig), runner())

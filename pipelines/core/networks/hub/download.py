"""Fetches what is loaded of a hub repository, and nothing else, into the client's cache."""

import glob
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import RevisionNotFoundError
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.catalogue import known_ids
from pipelines.core.networks.hub import files
from pipelines.core.networks.hub.cache import MAIN, PULLS, commit, kept, kept_pulls, repository
from pipelines.core.networks.hub.refusals import Asked, refusal, shown

CONVERTER = "SFconvertbot"
"""The hub's own account that converts weights to safetensors, each time in a pull request."""
OTHERS = (".bin", ".h5", ".msgpack", ".ot", ".gguf", ".onnx", ".pt", ".pth", ".ckpt")
"""Endings of weights that other libraries, or none, can read."""


class Client(Protocol):
    """What is asked of the model hub: the methods of `huggingface_hub.HfApi` of the same names."""

    def model_info(self, repo_id: str, /, *, revision: str | None, files_metadata: bool, timeout: float) -> Any:  # noqa: ANN401
        """`sha` and `siblings` (the files, with sizes and hashes) of a revision."""
        ...

    def get_repo_discussions(self, repo_id: str, /, *, author: str, discussion_type: str) -> Iterable[Any]:
        """The pull requests of an author, each with `title`, `num`, `author` and `status`."""
        ...

    def snapshot_download(self, repo_id: str, /, *, revision: str, cache_dir: Path, allow_patterns: list[str]) -> str:
        """Downloads what is not in the cache; the local folder."""
        ...


def _free(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not be there yet."""
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.is_dir())).free


@dataclass(frozen=True)
class Hub:
    """Where checkpoints are had from, and where they are kept."""

    client: Client
    cache: Path
    known: Iterable[str] = ()
    """The ids among which a misspelt one is looked for."""
    free: Callable[[Path], int] = _free
    """Bytes that are free on the disk of a folder."""


def default_hub() -> Hub:
    """The hub and the cache that the environment names (HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE)."""
    return Hub(cast(Client, HfApi()), Path(constants.HF_HUB_CACHE).expanduser(), known_ids())


def fetch(name: str, revision: str, hub: Hub) -> Path:
    """The folder in the cache of a repository's revision ('': main), after what it lacks was downloaded.

    A repository without safetensors on main is taken at the pull request in which the hub's converter offers them, and
    where there is none as it is: PyTorch reads the pickles of most, without running what is in them.
    Which one is not pinned here, as the commits of those for our defaults (Salesforce/blip-image-captioning-base: 7,
    38, 44; blip-itm-base-coco: 5; facebook/nllb-200-distilled-600M: 39, 45) are published nowhere that we could read:
    the one that was taken is in the run record (see `checkpoints.identity`), and stays taken once it is in the cache.

    Where the hub cannot be asked, what the cache holds whole is taken. Raises CheckpointError where that is nothing,
    the repository has no weights that are loaded, or the disk has no room for them.
    """
    asked = Asked(name, revision, hub.cache, hub.known)
    try:
        found = _found(asked, hub)
    except CheckpointError:
        raise
    except Exception as error:  # the client raises some twenty kinds; for the user they are one
        folder = None if isinstance(error, RevisionNotFoundError) else kept(hub.cache, name, revision)
        if folder is None:
            raise refusal(error, asked) from None
        return folder
    try:
        return found if isinstance(found, Path) else _downloaded(asked, found, hub)
    except CheckpointError:
        raise
    except Exception as error:
        raise refusal(error, asked) from None


@dataclass(frozen=True)
class _File:
    """A file on the hub."""

    size: int
    """Bytes."""
    etag: str
    """What it is named by in the cache, whichever revision it is of."""


@dataclass(frozen=True)
class _Listing:
    """What a revision of a repository holds."""

    revision: str
    sha: str
    files: Mapping[str, _File]


def _found(asked: Asked, hub: Hub) -> "_Listing | Path":
    """The revision that has the weights; the folder of one that stands in for main where that is in the cache."""
    listing = _listed(asked.name, asked.revision or MAIN, hub)
    if files.has_weights(listing.files) and files.CONFIG in listing.files:
        return listing
    if not asked.revision and files.CONFIG in listing.files:
        pulls = list(kept_pulls(hub.cache, asked.name))
        if len(pulls) == 1:  # where there are more, somebody asked for another one by its name
            return pulls[0]
        for number in _offers(asked.name, hub):
            offered = _listed(asked.name, f"{PULLS}/{number}", hub)
            if files.has_weights(offered.files):
                return offered
    if files.has_pickles(listing.files) and files.CONFIG in listing.files:
        return listing
    raise _lacking(asked, listing)


def _listed(name: str, revision: str, hub: Hub) -> _Listing:
    """One request. The client's own would wait for ever on a network that swallows them, hence the time limit."""
    info = hub.client.model_info(
        name,
        revision=None if revision == MAIN else revision,
        files_metadata=True,
        timeout=constants.HF_HUB_ETAG_TIMEOUT,
    )
    found = {
        each.rfilename: _File(each.size or 0, str(each.lfs.sha256 if each.lfs else each.blob_id))
        for each in info.siblings or ()
    }
    return _Listing(revision, str(info.sha), found)


def _offers(name: str, hub: Hub) -> list[int]:
    """The converter's pull requests with safetensors, the best first.

    That is the newest of those that are open: it was made from the latest state of main. One that was closed or merged
    comes last: its owners did not want it, or had it and took it away again.
    """
    offers = [
        offer
        for offer in hub.client.get_repo_discussions(name, author=CONVERTER, discussion_type="pull_request")
        if offer.author == CONVERTER and "safetensors" in offer.title
    ]
    return [offer.num for offer in sorted(offers, key=lambda offer: (offer.status != "open", -offer.num))]


def _lacking(asked: Asked, listing: _Listing) -> CheckpointError:
    if files.CONFIG not in listing.files:
        return CheckpointError(
            f"expected a model's {files.CONFIG} in the checkpoint {asked.checkpoint}, found none in its repository; "
            "name one that transformers or timm can load"
        )
    others = sorted(name for name in listing.files if name.endswith(OTHERS) and "/" not in name)
    return CheckpointError(
        f"expected PyTorch's weights, as safetensors or {files.PICKLE}, in the checkpoint {asked.checkpoint}, found "
        f"{'only ' + ', '.join(others) if others else 'none'}; name a revision that has them (id@refs/pr/N), or "
        "another checkpoint"
    )


def _downloaded(asked: Asked, listing: _Listing, hub: Hub) -> Path:
    """The snapshot's folder, after all that is loaded lies there.

    The weights are fetched last, so that a snapshot that has them is whole, and the revision's name is written when
    they are there: a download that was killed leaves the commit before in its place.
    """
    revision, snapshot = listing.revision, repository(hub.cache, asked.name) / "snapshots" / listing.sha
    lacking = [name for name in _first(listing) if not (snapshot / name).is_file()]
    if lacking:  # little, and a gated repository refuses here, before anything is said of its size
        _get(asked.name, listing.sha, lacking, hub, bars=False)
    parts = files.index_of(listing.files)
    index = None if parts is None else _json(snapshot / parts)
    settings, weights = files.settings(listing.files), files.weights(listing.files, index)
    settings, weights = ([name for name in names if not (snapshot / name).is_file()] for names in (settings, weights))
    if settings or weights:
        _announce(asked, listing, [*settings, *weights], hub)
        _get(asked.name, listing.sha, settings, hub, bars=False)
        _get(asked.name, listing.sha, weights, hub, bars=True)
    if commit(repository(hub.cache, asked.name), revision) != listing.sha:
        _get(asked.name, revision, _first(listing), hub, bars=False)
    return snapshot


def _first(listing: _Listing) -> list[str]:
    index = files.index_of(listing.files)
    return [files.CONFIG, *([] if index is None else [index])]


def _json(path: Path) -> Mapping[str, Any]:
    """What an index holds; {} where it is no JSON object, which is refused where the folder is checked."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _get(name: str, revision: str, wanted: Sequence[str], hub: Hub, bars: bool) -> None:
    if wanted:
        patterns = [glob.escape(each) for each in wanted]
        with _progress_bars(bars and sys.stderr.isatty()):
            hub.client.snapshot_download(name, revision=revision, cache_dir=hub.cache, allow_patterns=patterns)


def _announce(asked: Asked, listing: _Listing, lacking: Sequence[str], hub: Hub) -> None:
    """Says what is downloaded. Raises CheckpointError where the disk has no room for it."""
    blobs = repository(hub.cache, asked.name) / "blobs"
    size = sum(listing.files[name].size for name in lacking if not (blobs / listing.files[name].etag).is_file())
    if not size:  # the same files as in another revision
        return
    free = hub.free(hub.cache)
    if size > free:
        raise CheckpointError(
            f"expected {_in_units(size)} of room for {asked.checkpoint} on the disk of the hub's cache "
            f"{shown(hub.cache)}, found {_in_units(free)}; make room, or let HF_HOME name a folder on a larger disk"
        )
    said = asked.name if listing.revision == MAIN else f"{asked.name}@{listing.revision}"
    print(f"downloading {said}: {_in_units(size)} into {shown(hub.cache)}", file=sys.stderr, flush=True)


def _in_units(size: int) -> str:
    """Bytes as the hub writes them: 1.5 GB."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}" if size < 10 * scale else f"{size / scale:.0f} {unit}"
    return f"{size} bytes"


@contextmanager
def _progress_bars(wanted: bool) -> Iterator[None]:
    """Shows the client's bars or hides them, unless the user has said so (HF_HUB_DISABLE_PROGRESS_BARS).

    They may be off: transformers turns them off with its own (see `pretrained`).
    """
    off = are_progress_bars_disabled()
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is not None or off != wanted:
        yield
        return
    (enable_progress_bars if wanted else disable_progress_bars)()
    try:
        yield
    finally:
        (disable_progress_bars if off else enable_progress_bars)()

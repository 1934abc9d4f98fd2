"""Reads the hub client's cache: which commit of a repository lies there, and whether it is whole.

Its layout (https://huggingface.co/docs/huggingface_hub/guides/manage-cache):
models--OWNER--NAME/refs/REVISION holds a commit, snapshots/COMMIT/ its files, blobs/ETAG what they are links to.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from pipelines.core.networks.hub.files import CONFIG, has_pickles, has_weights, index_of

COMMIT = re.compile(r"[0-9a-f]{40}")
MAIN = "main"
PULLS = "refs/pr"


def repository(cache: Path, name: str) -> Path:
    """The folder of all that the cache has of a repository."""
    return cache / f"models--{name.replace('/', '--')}"


def commit(folder: Path, revision: str) -> str:
    """The commit that a revision of the repository in `folder` was when it was last fetched, or ''."""
    if COMMIT.fullmatch(revision):
        return revision
    try:
        found = (folder / "refs" / revision).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return found if COMMIT.fullmatch(found) else ""


def kept(cache: Path, name: str, revision: str = "") -> Path | None:
    """The folder of a revision where it is whole, else None; without one, of main or of what stands in for it."""
    folder = repository(cache, name)
    if revision:
        return _whole(folder, revision) or _whole(folder, revision, has_pickles)
    return _whole(folder, MAIN) or next(kept_pulls(cache, name), None) or _whole(folder, MAIN, has_pickles)


def kept_pulls(cache: Path, name: str) -> Iterator[Path]:
    """The folders of the pull requests that are whole, the newest first.

    They lie there because somebody asked for them by name, or because the converter's offer was taken before.
    """
    folder = repository(cache, name)
    for revision in _pulls(folder):
        if (found := _whole(folder, revision)) is not None:
            yield found


def origin(snapshot: Path, revision: str = "") -> dict[str, str]:
    """`revision` and `sha` of a folder in the cache, {} of any other folder; without `revision`, what stands there."""
    if snapshot.parent.name != "snapshots" or not COMMIT.fullmatch(snapshot.name):
        return {}
    folder = snapshot.parents[1]
    names = [MAIN, *_pulls(folder)]
    taken = revision or next((name for name in names if commit(folder, name) == snapshot.name), MAIN)
    return {"revision": taken, "sha": snapshot.name}


def _pulls(folder: Path) -> list[str]:
    """The pull requests that the cache knows of a repository, the newest first."""
    numbers = [int(path.name) for path in (folder / "refs" / PULLS).glob("*") if path.name.isdecimal()]
    return [f"{PULLS}/{number}" for number in sorted(numbers, reverse=True)]


def _whole(folder: Path, revision: str, has: Callable[[Collection[str]], bool] = has_weights) -> Path | None:
    """The snapshot of a revision, where it has its weights: those are fetched when all else is there."""
    sha = commit(folder, revision)
    snapshot = folder / "snapshots" / sha
    if not sha or not (snapshot / CONFIG).is_file():
        return None
    names = [path.name for path in snapshot.iterdir() if path.is_file()]
    return snapshot if has(names) and _has_parts(snapshot, index_of(names)) else None


def _has_parts(snapshot: Path, index: str | None) -> bool:
    if index is None:
        return True
    try:
        shards = json.loads((snapshot / index).read_text(encoding="utf-8"))["weight_map"].values()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True  # what is wrong with it is said where it is loaded
    return all((snapshot / str(shard)).is_file() for shard in shards)

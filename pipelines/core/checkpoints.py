"""Finds a checkpoint, hub id or local folder, as a local folder with safetensors weights, or says why it cannot."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from pipelines.core.errors import CheckpointError

WEIGHTS = "*.safetensors"
CONVERTER = "SFconvertbot"  # the hub's own account that converts weights to safetensors
MAX_JSON_BYTES = 50_000_000  # of config.json or a weights' index; the largest in use have a few million
# All that our loaders read: nothing here is executed or unpickled.
FILES = ["*.json", "*.txt", "*.model", "*.jinja", WEIGHTS]


class Hub(Protocol):
    """What is asked of the model hub: the methods of `huggingface_hub.HfApi` of the same names."""

    def snapshot_download(self, repo_id: str, /, *, revision: str | None, allow_patterns: list[str]) -> str:
        """Downloads what is not in the cache; the local folder."""
        ...

    def get_repo_discussions(self, repo_id: str, /, *, author: str, discussion_type: str) -> Iterable[Any]:
        """The pull requests of an author, each with `title` and `num`."""
        ...


def resolve(checkpoint: str, hub: Hub | None = None) -> Path:
    """The local folder of `checkpoint`: a folder, or a hub id, with `@revision` where one is meant.

    A hub repository without safetensors is taken at the pull request in which the hub's converter offers them.
    Raises CheckpointError where the folder lacks config.json or safetensors weights, or the hub cannot give it.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return _checked(folder, checkpoint)
    if folder.is_absolute() or checkpoint.startswith((".", "~")) or checkpoint.count("/") > 1 or folder.exists():
        raise CheckpointError(f"expected a checkpoint folder at {checkpoint}, found {_finding(folder)}")
    if hub is None:
        from huggingface_hub import HfApi

        hub = cast(Hub, HfApi())
    return _checked(_download(checkpoint, hub), checkpoint)


def fingerprint(folder: Path) -> str:
    """SHA-256 (first 16 hex digits) over the names and hashes of a checkpoint folder's weights and config.json."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob(WEIGHTS), *folder.glob("config.json")]):
        digest.update(path.name.encode())
        digest.update(file_hash(path).digest())
    return digest.hexdigest()[:16]


def file_hash(path: Path) -> "hashlib._Hash":
    """SHA-256 of a file, read in blocks: weights may be larger than memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest


def _checked(folder: Path, checkpoint: str) -> Path:
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"expected a model's config.json in the checkpoint {checkpoint}, found none in {folder}")
    _check_json(folder / "config.json", checkpoint)
    for index in folder.glob(f"{WEIGHTS}.index.json"):
        _check_shards(index, _check_json(index, checkpoint))
    if not any(folder.glob(WEIGHTS)):
        others = sorted(path.name for path in folder.glob("*.bin"))
        found = f"only {', '.join(others)}, which is not loaded because unpickling can run code" if others else "none"
        raise CheckpointError(
            f"expected safetensors weights in the checkpoint {checkpoint}, found {found} (in {folder}); "
            "name a revision that has them (id@revision) or a folder saved with save_pretrained"
        )
    return folder


def _check_json(path: Path, checkpoint: str) -> dict[str, Any]:
    """What the file holds. Raises CheckpointError where that is no JSON object, or far more than a model's settings."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError(f"it is larger than {MAX_JSON_BYTES // 10**6} MB")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} of the checkpoint {checkpoint} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise CheckpointError(
            f"expected a JSON object in {path} of the checkpoint {checkpoint}, found a {type(content).__name__}"
        )
    return content


def _check_shards(index: Path, content: Mapping[str, Any]) -> None:
    """Raises CheckpointError where an index names weights that are not files of its own folder."""
    shards = content.get("weight_map")
    names = set(map(str, shards.values())) if isinstance(shards, dict) else set()
    wrong = sorted(name for name in names if Path(name).name != name or not (index.parent / name).is_file())
    if not names or wrong:
        raise CheckpointError(
            f"expected {index} to name weights that lie beside it, found {wrong[0] if wrong else 'no weight_map'}; "
            "copy the whole checkpoint again"
        )


def _finding(path: Path) -> str:
    return "a file" if path.is_file() else "nothing"


def _download(checkpoint: str, hub: Hub) -> Path:
    name, _, revision = checkpoint.partition("@")
    try:
        folder = Path(hub.snapshot_download(name, revision=revision or None, allow_patterns=FILES))
        if not revision and not any(folder.glob(WEIGHTS)):
            revision = _converted(name, hub)
            folder = Path(hub.snapshot_download(name, revision=revision, allow_patterns=FILES)) if revision else folder
    except Exception as error:  # the hub's client raises some twenty kinds; for the user they are one
        raise CheckpointError(
            f"the checkpoint {checkpoint} is no local folder and could not be had from the hub "
            f"({type(error).__name__}); give a local folder, fill the hub's cache where there is a network, "
            "or use the bundled models (PROFILE=mini)"
        ) from None
    return folder


def _converted(name: str, hub: Hub) -> str:
    """The revision with safetensors that the hub's own converter offers for a repository of .bin files, else ''."""
    for offer in hub.get_repo_discussions(name, author=CONVERTER, discussion_type="pull_request"):
        if "safetensors" in offer.title:
            return f"refs/pr/{offer.num}"
    return ""

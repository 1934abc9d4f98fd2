"""Finds a checkpoint, hub id or local folder, as a local folder with PyTorch's weights, or says why it cannot."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.hub import cache

if TYPE_CHECKING:
    from pipelines.core.networks.hub.download import Hub

WEIGHTS = "*.safetensors"
PICKLES = "pytorch_model*.bin"
"""Of repositories from before safetensors; read where there are none of those, by the unpickler of weights alone."""
MAX_JSON_BYTES = 50_000_000  # of config.json or a weights' index; the largest in use have a few million


def resolve(checkpoint: str, hub: "Hub | None" = None) -> Path:
    """The local folder of `checkpoint`: a folder, or a hub id, with `@revision` where one is meant.

    A revision is a branch, a tag, a commit or a pull request (id@refs/pr/45). What is loaded of it is downloaded into
    the hub client's cache where it is not there yet (see `hub.download.fetch`); `hub` is that of the environment unless
    given. Raises CheckpointError where the folder lacks config.json or weights, or the hub cannot give it.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return _checked(folder, checkpoint)
    name, _, revision = checkpoint.partition("@")
    if folder.is_absolute() or checkpoint.startswith((".", "~")) or name.count("/") > 1 or folder.exists():
        raise CheckpointError(f"expected a checkpoint folder at {checkpoint}, found {_finding(folder)}")
    from pipelines.core.networks.hub.download import (  # the hub's client is not needed for local folders
        default_hub,
        fetch,
    )

    return _checked(fetch(name, revision, hub or default_hub()), checkpoint)


def identity(checkpoint: str, folder: Path) -> dict[str, str]:
    """What a run record says of a checkpoint that was resolved to `folder`: its name, fingerprint and origin."""
    return {"checkpoint": checkpoint, "fingerprint": fingerprint(folder), **origin(checkpoint, folder)}


def origin(checkpoint: str, folder: Path) -> dict[str, str]:
    """`revision` and `sha` (the commit) of a checkpoint of the hub, {} of a local one; `folder` is what it resolved to.

    Where the settings name no revision this alone says which commit of main, or which pull request, a run has used.
    """
    if Path(checkpoint).expanduser().exists():
        return {}
    return cache.origin(folder, checkpoint.partition("@")[2])


def fingerprint(folder: Path) -> str:
    """SHA-256 (first 16 hex digits) over the names and hashes of a checkpoint folder's weights and config.json."""
    digest = hashlib.sha256()
    for path in sorted([*weights_of(folder), *folder.glob("config.json")]):
        digest.update(path.name.encode())
        digest.update(file_hash(path).digest())
    return digest.hexdigest()[:16]


def weights_of(folder: Path) -> list[Path]:
    """The files of a checkpoint folder's weights, sorted: safetensors, else pickles."""
    return sorted(folder.glob(WEIGHTS)) or sorted(folder.glob(PICKLES))


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
    found = weights_of(folder)
    pickled = bool(found) and found[0].suffix == ".bin"
    for index in folder.glob(f"{'*.bin' if pickled else WEIGHTS}.index.json"):
        _check_shards(index, _check_json(index, checkpoint))
    if not found:
        raise CheckpointError(
            f"expected weights (model.safetensors or pytorch_model.bin) in the checkpoint {checkpoint}, found none in "
            f"{folder}; name a folder saved with save_pretrained"
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

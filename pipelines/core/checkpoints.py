"""Finds a checkpoint, hub id or local folder, as a local folder with safetensors weights, or says why it cannot."""

import hashlib
import json
from pathlib import Path

from pipelines.core.errors import CheckpointError

WEIGHTS = "*.safetensors"
# All that our loaders read: nothing here is executed or unpickled.
FILES = ["*.json", "*.txt", "*.model", "*.jinja", WEIGHTS]


def resolve(checkpoint: str) -> Path:
    """The local folder of `checkpoint`: a folder, or a hub id, with `@revision` where one is meant.

    Raises CheckpointError where the folder lacks config.json or safetensors weights, or the hub cannot give it.
    """
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return _checked(folder, checkpoint)
    if folder.is_absolute() or checkpoint.startswith((".", "~")) or checkpoint.count("/") > 1 or folder.exists():
        raise CheckpointError(f"expected a checkpoint folder at {checkpoint}, found {_finding(folder)}")
    return _checked(_download(checkpoint), checkpoint)


def fingerprint(folder: Path) -> str:
    """SHA-256 (first 16 hex digits) over the names and bytes of a checkpoint folder's weights and config.json."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob(WEIGHTS), *folder.glob("config.json")]):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(
                hashlib.file_digest(file, "sha256").digest() if hasattr(hashlib, "file_digest") else file.read()
            )
    return digest.hexdigest()[:16]


def _checked(folder: Path, checkpoint: str) -> Path:
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"expected a model's config.json in the checkpoint {checkpoint}, found none in {folder}")
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'} of the checkpoint {checkpoint} is not JSON: {error}") from None
    if not any(folder.glob(WEIGHTS)):
        others = sorted(path.name for path in folder.glob("*.bin"))
        found = f"only {', '.join(others)}, which is not loaded because unpickling can run code" if others else "none"
        raise CheckpointError(
            f"expected safetensors weights in the checkpoint {checkpoint}, found {found} (in {folder}); "
            "name a revision that has them (id@revision) or a folder saved with save_pretrained"
        )
    return folder


def _finding(path: Path) -> str:
    return "a file" if path.is_file() else "nothing"


def _download(checkpoint: str) -> Path:
    from huggingface_hub import snapshot_download

    name, _, revision = checkpoint.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=FILES))
    except Exception as error:  # the hub's client raises some twenty kinds; for the user they are one
        raise CheckpointError(
            f"the checkpoint {checkpoint} is no local folder and could not be had from the hub "
            f"({type(error).__name__}); give a local folder, fill the hub's cache where there is a network, "
            "or use the bundled models (PROFILE=mini)"
        ) from None

"""Keeps the labels' vectors in a folder, a safetensors file for each list of labels, for the next run with the same."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FORMAT = 1


@dataclass(frozen=True)
class LabelVectors:
    """What a network makes of a list of labels."""

    vectors: Tensor
    """Unit vectors, float32 (L, D)."""
    english: Mapping[str, str]
    """The names that were translated for it, and what they became."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2:
            raise ValueError(f"expected vectors (L, D), found {tuple(self.vectors.shape)}")


def cache_path(folder: Path, key: Mapping[str, Any]) -> Path:
    """The file of what `key` identifies: checkpoints with fingerprints, names, templates, dtype; JSON's own types."""
    text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"


def load_vectors(path: Path) -> LabelVectors | None:
    """What `save_vectors` wrote; None where there is no such file, or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return LabelVectors(file.get_tensor("vectors"), json.loads(file.metadata()["english"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def save_vectors(path: Path, found: LabelVectors) -> None:
    """Writes the file, whole or not at all, and removes what a process left that was killed here. Raises OSError."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)
    english = json.dumps(found.english, ensure_ascii=False)
    content = save({"vectors": found.vectors.contiguous()}, {"english": english})
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)

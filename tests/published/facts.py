"""What the hub's repositories hold, read from facts/*.yaml: their files, and those settings that decide something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "facts"
TASKS = ("caption", "translation", "detect", "anomaly", "search", "rerank")


@dataclass(frozen=True)
class Facts:
    """One checkpoint as it is published."""

    checkpoint: str
    """The hub id: owner/name."""
    task: str
    """One of TASKS; classify uses search's."""
    model_type: str
    """As config.json has it, or timm."""
    sources: Sequence[str]
    """Where each value was read: an address, or repository@commit:path."""
    doubts: str
    """What is inferred or from a duplicate; empty where nothing is."""
    gated: bool
    """Whether its licence has to be accepted first."""
    files: Sequence[str]
    """Of main, those in folders with their path."""
    offers: Mapping[str, Sequence[str]]
    """A converter's pull request (refs/pr/7) -> the files that it adds to main's."""
    settings: Mapping[str, Any]
    """The name of a settings file -> its fields; `ours` stands for a chat template of our own in place of theirs."""

    @property
    def owner(self) -> str:
        return self.checkpoint.partition("/")[0]

    @property
    def name(self) -> str:
        return self.checkpoint.partition("/")[2]


@cache
def read_facts() -> tuple[Facts, ...]:
    """All checkpoints, by their ids' order. Raises TypeError for a file with other keys than Facts has."""
    texts = [path.read_bytes() for path in sorted(FOLDER.glob("*.yaml"))]
    return tuple(Facts(**yaml.load(text, yaml.CSafeLoader)) for text in texts)

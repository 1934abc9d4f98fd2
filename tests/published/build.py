"""Makes a checkpoint's hub repository as a folder, from facts: the published settings around a small random network.

`python -m tests.published.build FOLDER` makes all: FOLDER/owner/name/main, and FOLDER/owner/name/refs/pr/N where the
hub's converter offers safetensors.
"""

import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from tests.published.build_networks import shrunk, weights
from tests.published.build_text import TOKENIZERS, Text
from tests.published.facts import Facts, read_facts
from tests.published.templates import TEMPLATES

OURS = "ours"
SAFETENSORS = ".safetensors"
PICKLE = "pytorch_model.bin"
JUNK = b"Weights of another kind, or a text: a stand-in that nothing here ever reads.\n"
NO_TEXT = Text({}, (), 0)


def build(facts: Facts, root: Path) -> None:
    """Writes root/<owner>/<name>/main with all published files, and beside it what converters offer."""
    main = root / facts.checkpoint / "main"
    text = TOKENIZERS[facts.model_type](facts) if facts.model_type in TOKENIZERS else NO_TEXT
    config = shrunk(facts.settings["config.json"], facts.model_type, text.size)
    tensors = weights(config, text.words)
    _write(
        main, facts.files, _settings(facts, config) | text.files | _weights(facts.files, tensors, bool(facts.offers))
    )
    for ref, added in facts.offers.items():
        offer = root / facts.checkpoint / ref
        shutil.copytree(main, offer)
        _write(offer, added, _weights(added, tensors))


def _settings(facts: Facts, config: Mapping[str, Any]) -> dict[str, bytes]:
    files = {}
    for name, fields in {**facts.settings, "config.json": config}.items():
        if fields == OURS:
            files[name] = TEMPLATES[facts.model_type].encode()
            continue
        if fields.get("chat_template") == OURS:
            fields = {**fields, "chat_template": TEMPLATES[facts.model_type]}
        files[name] = (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()
    return files


def _weights(names: Sequence[str], tensors: Mapping[str, Tensor], offered: bool = True) -> dict[str, bytes]:
    """The safetensors files among `names`, with their index where there are several.

    A pickle is junk, but where there are no safetensors anywhere: then it is the network.
    """
    shards = sorted(name for name in names if name.endswith(SAFETENSORS))
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in shards}
    for number, (key, value) in enumerate(sorted(tensors.items())):
        if shards:
            parts[shards[number * len(shards) // len(tensors)]][key] = value
    files = {name: save(part, metadata={"format": "pt"}) for name, part in parts.items()}
    if len(shards) > 1:
        size = sum(value.nbytes for value in tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": {key: name for name in shards for key in parts[name]}}
        files["model.safetensors.index.json"] = json.dumps(index, indent=2).encode()
    if PICKLE in names and not shards and not offered:
        written = io.BytesIO()
        torch.save(dict(tensors), written)
        files[PICKLE] = written.getvalue()
    return files


def _write(folder: Path, names: Sequence[str], files: Mapping[str, bytes]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.get(name, JUNK))


if __name__ == "__main__":
    for each in read_facts():
        build(each, Path(sys.argv[1]))

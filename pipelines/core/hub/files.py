"""Which files of a hub repository are loaded, and so are fetched: settings, tokenizers and one set of weights."""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SETTINGS = (".json", ".model", ".spm", ".jinja")
"""Endings of settings, of SentencePiece's vocabularies (.spm: Marian's) and of chat templates."""
TEXTS = ("merges.txt", "vocab.txt", "dict.txt")
"""All .txt that a tokenizer of transformers 5.23 reads; the rest are licences and requirements."""
TEMPLATES = "additional_chat_templates"
LEFT_BY_TRAINERS = ("trainer_state.json", "all_results.json", "train_results.json", "eval_results.json")


def has_weights(names: Collection[str]) -> bool:
    """Whether weights in the safetensors format lie in the root."""
    return any(name.endswith(".safetensors") for name in _root(names))


def needs_index(names: Collection[str]) -> bool:
    """Whether the weights lie in the parts that an index names; the file of all is taken where there are both."""
    return INDEX in names and WEIGHTS not in names


def settings(names: Collection[str]) -> list[str]:
    """The files, sorted, that the loaders read beside the weights."""
    return sorted(name for name in names if _is_setting(PurePosixPath(name), needs_index(names)))


def weights(names: Collection[str], index: Mapping[str, Any] | None = None) -> list[str]:
    """The files of weights, sorted; `index` is what INDEX holds, where it is needed (see `needs_index`).

    Variants (fp16, consolidated), adapters and other libraries' copies stay on the hub, and so do all in folders.
    """
    root = [name for name in _root(names) if name.endswith(".safetensors")]
    if WEIGHTS in root:
        return [WEIGHTS]
    if index is not None:
        shards = index.get("weight_map")
        named = {str(name) for name in shards.values()} if isinstance(shards, Mapping) else set()
        return sorted(named & set(root))
    return sorted(root)[:1]  # what a loader takes that is given a folder without either


def _root(names: Collection[str]) -> list[str]:
    return [name for name in names if "/" not in name]


def _is_setting(path: PurePosixPath, indexed: bool) -> bool:
    """Processors read a second tokenizer from a folder named after it (InstructBLIP's qformer_tokenizer/).

    No other settings are read from folders: those of onnx/, openvino/, 1_Pooling/ and video_processor/ (which LLaVA-
    OneVision still has) are of other libraries and versions.
    """
    if len(path.parts) > 2:
        return False
    if len(path.parts) == 2 and path.parts[0] == TEMPLATES:
        return path.suffix == ".jinja"
    if len(path.parts) == 2 and not path.parts[0].endswith("_tokenizer"):
        return False
    if path.name.endswith(".index.json"):
        return indexed and str(path) == INDEX
    return path.name not in LEFT_BY_TRAINERS and (path.suffix in SETTINGS or path.name in TEXTS)

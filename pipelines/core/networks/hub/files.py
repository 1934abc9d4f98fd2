"""Which files of a hub repository are loaded, and so are fetched: settings, tokenizers and one set of weights."""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE, PICKLE_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
"""Weights of before safetensors, which PyTorch's unpickler of weights alone reads without running what is in them."""
SETTINGS = (".json", ".model", ".spm", ".jinja")
"""Endings of settings, of SentencePiece's vocabularies (.spm: Marian's) and of chat templates."""
TEXTS = ("merges.txt", "vocab.txt", "dict.txt")
"""All .txt that a tokenizer of transformers 5.23 reads; the rest are licences and requirements."""
TEMPLATES = "additional_chat_templates"
LEFT_BY_TRAINERS = ("trainer_state.json", "all_results.json", "train_results.json", "eval_results.json")


def has_weights(names: Collection[str]) -> bool:
    """Whether weights in the safetensors format lie in the root."""
    return any(name.endswith(".safetensors") for name in _root(names))


def has_pickles(names: Collection[str]) -> bool:
    """Whether weights in PyTorch's older format lie in the root."""
    return PICKLE in names or PICKLE_INDEX in names


def index_of(names: Collection[str]) -> str | None:
    """The index that names the parts in which the weights lie; None where one file has them all."""
    whole, index = (WEIGHTS, INDEX) if has_weights(names) else (PICKLE, PICKLE_INDEX)
    return index if index in names and whole not in names else None


def settings(names: Collection[str]) -> list[str]:
    """The files, sorted, that the loaders read beside the weights."""
    return sorted(name for name in names if _is_setting(PurePosixPath(name), index_of(names)))


def weights(names: Collection[str], index: Mapping[str, Any] | None = None) -> list[str]:
    """The files of weights, sorted; `index` is what the index holds, where there is one (see `index_of`).

    Variants (fp16, consolidated), adapters and other libraries' copies stay on the hub, and so do all in folders.
    Pickles are taken where there are no safetensors.
    """
    ending, whole = (".safetensors", WEIGHTS) if has_weights(names) else (".bin", PICKLE)
    root = [name for name in _root(names) if name.endswith(ending)]
    if whole in root:
        return [whole]
    if index is not None:
        shards = index.get("weight_map")
        named = {str(name) for name in shards.values()} if isinstance(shards, Mapping) else set()
        return sorted(named & set(root))
    return sorted(root)[:1]  # what a loader takes that is given a folder without either


def _root(names: Collection[str]) -> list[str]:
    return [name for name in names if "/" not in name]


def _is_setting(path: PurePosixPath, index: str | None) -> bool:
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
        return str(path) == index
    return path.name not in LEFT_BY_TRAINERS and (path.suffix in SETTINGS or path.name in TEXTS)

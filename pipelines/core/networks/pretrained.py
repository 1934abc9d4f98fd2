"""Loads a Hugging Face network or processor from a checkpoint folder, or says in one sentence why it does not fit."""

import json
import logging
import math
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from safetensors import safe_open
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.checkpoints import WEIGHTS
from pipelines.core.networks.linear import speed_up
from pipelines.core.running.service import sharing

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")

_in_use: WeakValueDictionary[tuple[Any, Path], Any] = WeakValueDictionary()
"""(class, folder) -> the network that was loaded of it to be shared, while anybody has it."""
_loading = threading.Lock()


def load_network(
    kind: Any,  # noqa: ANN401 - any class
    folder: Path,
    model_types: Collection[str] | None = None,
    settings: Mapping[str, object] | None = None,
) -> Any:  # noqa: ANN401
    """The network of `folder` by the transformers class `kind`, in evaluation mode, in the dtype it is stored in.

    `settings` stand in place of those that config.json has under their names, the same for a folder each time.
    Raises CheckpointError where config.json names another architecture than `model_types`, or the weights lack some
    of what the architecture has, which would run on random numbers, or hold NaN, which would answer nonsense.
    """
    found = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    if model_types is not None and found not in model_types:
        raise CheckpointError(
            f"expected a checkpoint of the architecture {' or '.join(model_types)} in {folder}, found "
            f"{found or 'none named in its config.json'}; name another checkpoint"
        )
    if not sharing():
        return _loaded(kind, folder, settings or {})
    with _loading:
        key = kind, folder.resolve()
        module = _in_use.get(key)
        if module is None:
            module = _in_use[key] = _loaded(kind, folder, settings or {})
        return module


def load_processor(kind: Any, folder: Path, **settings: object) -> Any:  # noqa: ANN401 - any class
    """The tokenizer, or the processor with its tokenizer, of `folder` by the transformers class `kind`.

    Raises CheckpointError where it does not load, or the vocabulary is missing: transformers would take an empty one.
    """
    if not any(path for pattern in VOCABULARIES for path in folder.glob(pattern)):
        raise CheckpointError(
            f"expected a tokenizer's vocabulary ({', '.join(VOCABULARIES)}) in {folder}, found none; "
            "copy the tokenizer's files there"
        )
    return _load(kind.from_pretrained, folder, kind.__name__, **settings)


def weight_names(folder: Path) -> set[str]:
    """The names of all weights in a folder's safetensors files, as they were saved. Raises CheckpointError."""
    names: set[str] = set()
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="pt") as file:
                names.update(file.keys())
        except Exception as error:  # a SafetensorError or what opening a file raises
            raise CheckpointError(f"{path} is no safetensors file ({error}); copy or download it again") from None
    return names


def _loaded(kind: Any, folder: Path, settings: Mapping[str, object]) -> Any:  # noqa: ANN401 - any class
    pickled = not any(folder.glob(WEIGHTS))
    if pickled:
        print(f"{folder}: weights are a pickle, of which only tensors are read; nothing in it is run", file=sys.stderr)
    how = {
        "use_safetensors": not pickled, "weights_only": True, "output_loading_info": True, "dtype": "auto", **settings,
    }  # fmt: skip
    module, info = _load(kind.from_pretrained, folder, kind.__name__, **how)
    missing = sorted(info["missing_keys"])
    if missing:
        raise CheckpointError(
            f"expected all weights of {type(module).__name__} in {folder}, found {len(missing)} missing, such as "
            f"{missing[0]}; the checkpoint is of another model or incomplete"
        )
    broken = next((name for name, value in module.named_parameters() if not _finite(value)), None)
    if broken is not None:
        raise CheckpointError(
            f"expected weights that are finite numbers in {folder}, found NaN or infinity in {broken}; the checkpoint "
            "is damaged: copy or train it again"
        )
    speed_up(module)
    return module.eval()


def _finite(value: Tensor) -> bool:
    """Whether all of a parameter is numbers: a NaN is lowest and highest of all, which are sooner had than a mask."""
    return not value.numel() or value.dtype not in FLOATS or all(map(math.isfinite, value.detach().aminmax()))


def _load(from_pretrained: Callable[..., Any], folder: Path, name: str, **settings: object) -> Any:  # noqa: ANN401
    # Weights load in seconds: a bar for each network would hide the run's own.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)  # its table of all keys that a checkpoint lacks: one sentence of ours says it
    try:
        # False, not left out: for an architecture that it does not know, transformers would ask whether to run the
        # folder's own code, and wait.
        return from_pretrained(folder, local_files_only=True, trust_remote_code=False, **settings)
    except Exception as error:  # transformers, and what it reads with, raise some twenty kinds
        raise CheckpointError(
            f"expected what {name} needs in the checkpoint folder {folder}, but it does not load: "
            f"{' '.join(str(error).partition('Model type should be one of')[0].split())[:300]}"
        ) from None
    finally:
        logger.setLevel(level)

"""Spoils a whole checkpoint folder of BLIP: each time with a part of the sentence that refuses it."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

PLANTED = "planted"
"""The folder that code from a checkpoint would make beside it, if it ran."""


@dataclass(frozen=True)
class Odd:
    """What is done to a whole folder, and what is to become of it."""

    change: Callable[[Path], object]
    refused: str = ""
    """A part of the sentence that refuses it; empty where it is loaded all the same."""


class MakesFolder:
    """Unpickling this makes the folder PLANTED."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def config(change: Callable[[dict[str, Any]], object], name: str = "config.json") -> Callable[[Path], object]:
    """Changes a JSON file of the folder, or begins it."""

    def changed(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        change(content)
        (folder / name).write_text(json.dumps(content))

    return changed


def written(name: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def changed(folder: Path) -> None:
        content = load_file(folder / "model.safetensors")
        change(content)
        save_file(content, folder / "model.safetensors", metadata={"format": "pt"})

    return changed


def spoiled(value: float) -> Callable[[Path], object]:
    """One number of one weight."""
    return weights(lambda content: content["vision_model.post_layernorm.weight"].view(-1)[3:4].fill_(value))


def cut(share: float) -> Callable[[Path], object]:
    return lambda folder: os.truncate(
        folder / "model.safetensors", int((folder / "model.safetensors").stat().st_size * share)
    )


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def without(*names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / name).unlink(missing_ok=True) for name in names]


def pickled(folder: Path) -> None:
    """Weights as a pickle only, which makes a folder when it is loaded."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(MakesFolder(folder.parent / PLANTED)))


def pickled_beside(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(MakesFolder(folder.parent / PLANTED)))


def own_code(known: bool) -> Callable[[Path], object]:
    """Python files that the settings name as the architecture, of a model type that transformers knows or not."""

    def changed(folder: Path) -> None:
        code = f"import os\nos.mkdir({str(folder.parent / PLANTED)!r})\n"
        for name in ("modeling_x", "configuration_x", "tokenization_x", "processing_x"):
            (folder / f"{name}.py").write_text(code)
        classes = {"AutoConfig": "configuration_x.X", "AutoModel": "modeling_x.X"}
        classes |= {"AutoModelForImageTextToText": "modeling_x.X"}
        config(lambda it: it.update(auto_map=classes, **({} if known else {"model_type": "x"})))(folder)
        tokenizer = {"auto_map": {"AutoTokenizer": ["tokenization_x.X", "tokenization_x.X"]}}
        config(lambda it: it.update(tokenizer), "tokenizer_config.json")(folder)
        processor = {"auto_map": {"AutoProcessor": "processing_x.X", "AutoImageProcessor": "processing_x.X"}}
        config(lambda it: it.update(processor), "preprocessor_config.json")(folder)

    return changed


def shards(name: str) -> Callable[[Path], object]:
    """An index by which all weights lie in the file `name`; the file of another folder is there."""

    def changed(folder: Path) -> None:
        content = load_file(folder / "model.safetensors")
        save_file(content, folder.parent / "outside.safetensors", metadata={"format": "pt"})
        index = {"metadata": {}, "weight_map": dict.fromkeys(content, name.format(parent=folder.parent))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")

    return changed


NOT_JSON, DOES_NOT_LOAD = "is not JSON", "does not load"

CHECKPOINTS: dict[str, Odd] = {
    "a whole one": Odd(lambda folder: None),
    "an empty folder": Odd(empty, "expected a model's config.json"),
    "no folder": Odd(lambda folder: (empty(folder), folder.rmdir()), "found nothing"),
    "a file": Odd(lambda folder: (empty(folder), folder.rmdir(), folder.write_text("")), "found a file"),
    # config.json
    "settings that are no JSON": Odd(written("config.json", "{model_type: blip"), NOT_JSON),
    "settings that are binary": Odd(written("config.json", bytes(range(256))), NOT_JSON),
    "empty settings": Odd(written("config.json", ""), NOT_JSON),
    "a list of settings": Odd(written("config.json", "[1, 2]"), "expected a JSON object .* found a list"),
    "null for settings": Odd(written("config.json", "null"), "expected a JSON object .* found a NoneType"),
    "settings nested too deep": Odd(written("config.json", "[" * 100_000), NOT_JSON),
    "settings of 300 MB": Odd(lambda folder: os.truncate(folder / "config.json", 300_000_000), "larger than 50 MB"),
    "a folder for settings": Odd(
        lambda folder: ((folder / "config.json").unlink(), (folder / "config.json").mkdir()),
        "config.json .* found none",
    ),
    "another architecture": Odd(config(lambda it: it.update(model_type="git")), "architecture blip .* found git"),
    "no architecture": Odd(config(lambda it: it.pop("model_type")), "found none named in its config.json"),
    "a number for an architecture": Odd(config(lambda it: it.update(model_type=7)), "found 7"),
    "a word for a size": Odd(config(lambda it: it["vision_config"].update(hidden_size="big")), DOES_NOT_LOAD),
    "a negative size": Odd(config(lambda it: it["vision_config"].update(hidden_size=-32)), DOES_NOT_LOAD),
    "shapes that the weights do not have": Odd(
        config(lambda it: it["vision_config"].update(intermediate_size=128)), DOES_NOT_LOAD
    ),
    "more layers than the weights": Odd(config(lambda it: it["vision_config"].update(num_hidden_layers=9)), "missing"),
    # Weights
    "no weights": Odd(without("model.safetensors"), "expected weights .* found none"),
    "empty weights": Odd(written("model.safetensors", b""), DOES_NOT_LOAD),
    "weights cut at 10 %": Odd(cut(0.1), DOES_NOT_LOAD),
    "weights cut at 99 %": Odd(cut(0.99), DOES_NOT_LOAD),
    "weights that claim a header of 2^60 bytes": Odd(
        written("model.safetensors", struct.pack("<Q", 2**60) + b"{}" * 99), DOES_NOT_LOAD
    ),
    "weights whose header is no JSON": Odd(
        written("model.safetensors", struct.pack("<Q", 8) + b"no JSON!" + b"\0" * 99), DOES_NOT_LOAD
    ),
    "weights that claim more than the file": Odd(
        written(
            "model.safetensors",
            struct.pack("<Q", 64) + b'{"a":{"dtype":"F32","shape":[999999],"data_offsets":[0,3999996]}}'.ljust(64),
        ),
        DOES_NOT_LOAD,
    ),
    "a pointer for weights": Odd(
        written("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"), DOES_NOT_LOAD
    ),
    "a weight missing": Odd(weights(lambda it: it.pop("vision_model.post_layernorm.weight")), "1 missing, such as"),
    "weights of another model": Odd(
        lambda folder: save_file({"a": torch.zeros(3)}, folder / "model.safetensors", metadata={"format": "pt"}),
        "missing",
    ),
    "NaN in the weights": Odd(spoiled(float("nan")), r"found NaN or infinity in vision_model\.post_layernorm\.weight"),
    "infinity in the weights": Odd(spoiled(float("-inf")), "found NaN or infinity"),
    # What would run code
    "a pickle that would run code": Odd(pickled, DOES_NOT_LOAD),
    "a pickle beside the weights": Odd(pickled_beside),
    "a pickle called safetensors": Odd(
        lambda folder: (pickled(folder), (folder / "pytorch_model.bin").rename(folder / "model.safetensors")),
        DOES_NOT_LOAD,
    ),
    "code of its own": Odd(own_code(known=True)),
    "code of its own for an unknown architecture": Odd(own_code(known=False), "found x"),
    # Paths
    "weights in another folder": Odd(shards("../outside.safetensors"), "weights that lie beside it, found ../outside"),
    "weights at the root": Odd(shards("{parent}/outside.safetensors"), "weights that lie beside it, found /"),
    "weights in parts, one missing": Odd(shards("model-00002-of-00002.safetensors"), "found model-00002-of-00002"),
    "an index of nothing": Odd(written("model.safetensors.index.json", "{}"), "found no weight_map"),
    "an index that is a list": Odd(written("model.safetensors.index.json", "[]"), "expected a JSON object"),
    # Tokenizer
    "no tokenizer": Odd(without("tokenizer.json", "vocab.txt"), "expected a tokenizer's vocabulary"),
    "a tokenizer that is no JSON": Odd(written("tokenizer.json", "no JSON"), DOES_NOT_LOAD),
    "a tokenizer that is a list": Odd(written("tokenizer.json", "[]"), DOES_NOT_LOAD),
}
"""What it is -> what is done to the folder, and what is to become of it."""

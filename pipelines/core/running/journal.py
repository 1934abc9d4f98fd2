"""Keeps what a run has finished in a file that is whole whenever the run is killed, for the next run to go on from."""

import base64
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from torch import Tensor

from pipelines.core.errors import SuiteError

KEY = "key"
FORMAT = 1
REASONS_SHOWN = 3


class Journal:
    """An append-only file of named values; a line has a checksum, and is on the disk before `put` returns.

    The first line is the run's key: settings, models, inputs, versions. Values are text, numbers, lists, dicts, CPU
    tensors and dataclasses of the `classes`; floats and tensors come back bit for bit, and nothing is unpickled.
    """

    def __init__(self, path: Path, key: Mapping[str, Any], classes: Sequence[type] = (), fresh: bool = False) -> None:
        """Opens or makes the file; an earlier run's lines stay where its key is the same, and `fresh` is not asked for.

        `classes` are the dataclasses among the values. Raises OSError where the file cannot be written.
        """
        self.path = path
        self.classes = {each.__name__: each for each in classes}
        self.why_afresh = ""
        """Why the lines of an earlier run are not used; empty where they are, or where there were none."""
        self._places: dict[str, int] = {}
        self._file: BinaryIO | None = path.open("a+b")
        ours = json.loads(json.dumps({"format": FORMAT, **key}, default=str))
        theirs, whole = self._read()
        if theirs is not None:
            self.why_afresh = "--fresh asks for it" if fresh else difference(theirs, ours)
        if theirs is None or self.why_afresh:
            self._places, whole = {}, 0
        self._file.truncate(whole)
        if not whole:
            self.put(KEY, ours)

    def __len__(self) -> int:
        """How many values there are, the key not among them."""
        return len(self._places) - 1

    def get(self, name: str) -> Any:  # noqa: ANN401 - whatever was put
        """The value that was put last by that name, or None."""
        if name not in self._places or self._file is None:
            return None
        self._file.seek(self._places[name])
        return self._unpacked(json.loads(self._file.readline()[9:])[1])

    def put(self, name: str, value: object) -> None:
        """Appends a value. Where the disk is full it says so once, and the run goes on without a journal."""
        if self._file is None:
            return
        text = json.dumps([name, _packed(value)], ensure_ascii=False, separators=(",", ":")).encode()
        place = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._give_up(error)
        else:
            self._places[name] = place

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """For files that a value names: where they cannot be written, the journal ends as on a full disk."""
        try:
            yield
        except (OSError, SuiteError, SafetensorError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        print(f"{self.path} cannot be written ({error}): from here on the run could not be resumed", file=sys.stderr)
        self._file = None

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> tuple[dict[str, Any] | None, int]:
        """The key of the lines that are there, and the bytes up to the first line that is not whole."""
        assert self._file is not None
        key, whole = None, 0
        self._file.seek(0)
        for line in self._file:
            checksum, _, text = line.partition(b" ")
            if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text[:-1]):
                break
            name, value = json.loads(text)
            if whole == 0:
                key = self._unpacked(value) if name == KEY else None
            self._places[name] = whole
            whole += len(line)
        return key, whole

    def _unpacked(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return [self._unpacked(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            data = bytearray(base64.b64decode(value["tensor"]))
            dtype = getattr(torch, value["dtype"])
            flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            return flat.reshape(value["shape"])
        inner = {name: self._unpacked(each) for name, each in value["values"].items()}
        return self.classes[value["class"]](**inner) if "class" in value else inner


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """What differs between two keys, in words; empty where nothing does."""
    then, now = dict(_flat(theirs)), dict(_flat(ours))
    changed = [name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)]
    shown = [f"{name} was {_short(then.get(name))} and is {_short(now.get(name))}" for name in changed[:REASONS_SHOWN]]
    more = [f"and {len(changed) - REASONS_SHOWN} more"] if len(changed) > REASONS_SHOWN else []
    return "; ".join(shown + more)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> "list[tuple[str, Any]]":
    """(dotted name, leaf) of nested dicts."""
    leaves: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves += _flat(value, f"{prefix}{name}.")
        else:
            leaves.append((f"{prefix}{name}", value))
    return leaves


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _packed(value: Any) -> Any:  # noqa: ANN401 - what a model's result is made of
    """The value as JSON: tensors as their bytes, dataclasses by name, dicts marked as such."""
    if isinstance(value, Tensor):
        dense = value.detach().cpu().clone(memory_format=torch.contiguous_format)  # with strides of its own
        data = dense.reshape(-1).view(torch.uint8).numpy().tobytes() if dense.numel() else b""
        dtype = str(dense.dtype).removeprefix("torch.")
        return {"tensor": base64.b64encode(data).decode(), "dtype": dtype, "shape": list(dense.shape)}
    if is_dataclass(value) and not isinstance(value, type):
        inner = {entry.name: _packed(getattr(value, entry.name)) for entry in fields(value)}
        return {"class": type(value).__name__, "values": inner}
    if isinstance(value, Mapping):
        return {"values": {str(name): _packed(each) for name, each in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_packed(each) for each in value]
    return value

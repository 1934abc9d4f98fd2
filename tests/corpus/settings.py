"""Makes settings files that are odd or none at all: each with what is read, or a part of the sentence."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START = "data: {images: photos}\ncheckpoint: models/a\n"
"""What the settings of a task cannot do without."""


@dataclass(frozen=True)
class Odd:
    """A settings file of the anomaly task, and what is to become of it."""

    make: Callable[[Path], object]
    """Writes it to a path."""
    refused: str = ""
    """A part of the sentence that refuses it; empty where it is read."""
    read: dict[str, Any] = field(default_factory=dict)
    """Where it is read: some of the settings, by name."""


def lines(text: str, refused: str = "", **read: object) -> Odd:
    """Lines behind START."""
    return Odd(lambda path: path.write_text(START + text + "\n", encoding="utf-8"), refused, read)


def data(content: bytes, refused: str) -> Odd:
    return Odd(lambda path: path.write_bytes(content), refused)


def laughs() -> str:
    """A billion laughs: ten levels, each of which names the one before ten times."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(["l0: &l0 [lol]", *levels, "prompts: *l9"])


def huge(path: Path) -> None:
    """A file of 300 MB that takes no room on the disk."""
    path.write_text(START)
    os.truncate(path, 300_000_000)


def code(marker: str) -> str:
    """A tag by which a loader of everything would make a file."""
    return f"checkpoint2: !!python/object/apply:os.mkdir ['{marker}']"


YAML = "is not valid YAML"

SETTINGS: dict[str, Odd] = {
    # Keys.
    "plain": lines("quantile: 0.9", quantile=0.9),
    "an unknown key": lines("quantil: 0.9", "unknown setting `quantil`; did you mean `quantile`?"),
    "an unknown key of a group": lines(
        "fit: {neighbors: 3}", "unknown setting `fit.neighbors`; did you mean `fit.neigh"
    ),
    "a key of another group": lines("batch: 3", "unknown setting `batch`; did you mean `runner.batch`?"),
    "a key twice": lines("quantile: 0.9\nfolds: 3\nquantile: 0.8", r"found the key `quantile` again.* line 5"),
    "a key twice in a group": lines("runner: {batch: 1, batch: 2}", "found the key `batch` again"),
    "a number as key": lines("1: 2", "expected names as keys, found 1"),
    "a truth as key": lines("on: 2", "expected names as keys, found True"),
    "a list as key": lines("[a, b]: 2", YAML),
    "a number as key of a group": lines("runner: {3: 4}", "runner"),
    "a key of 100,000 letters": lines("x" * 100_000 + ": 1", YAML),
    "no data": data(b"checkpoint: a\n", "`data.images` is missing"),
    # Types.
    "a word for a number": lines("quantile: many", "`quantile`: expected a valid number.*found 'many'"),
    "a list for a number": lines("quantile: [0.9]", "`quantile`: expected a valid number"),
    "a number for a list": lines("strides: 8", "`strides`: expected a valid list, found 8"),
    "a map for a text": lines("model: {a: b}", "`model`: expected a valid string, found {'a': 'b'}"),
    "a text for a group": lines("fit: yes please", "`fit`: .*found 'yes please'"),
    "a list for a group": lines("runner: [1, 2]", "`runner`: "),
    "nothing for a group": lines("runner:", "`runner`: "),
    "nothing for a number": lines("folds:", "`folds`: expected a valid integer, found None"),
    "no for a text": lines("model: no", "`model`: expected a valid string, found False"),
    "a date for a text": lines("model: 2026-01-31", r"`model`: expected a valid string, found datetime\.date"),
    "a date that is none": lines("model: 2026-13-45", YAML),
    "a text of 100,000 letters": lines("folds: " + "x" * 100_000, r"found 'xxx.*\.\.\.$"),
    "quoted numbers": lines("folds: '3'", folds=3),
    # Numbers.
    "NaN": lines("quantile: .nan", "`quantile`: expected a finite number, found nan"),
    "infinity": lines("quantile: .inf", "`quantile`: expected a finite number, found inf"),
    "infinity, negative": lines("false_positive_rate: -.inf", "expected a finite number"),
    "a negative size": lines("input_size: -256", "input_size is one or two sides of at least 32 pixels"),
    "no size": lines("input_size: []", "input_size is one or two sides"),
    "a batch of none": lines("runner: {batch: 0}", "batch is at least 1, not 0"),
    "fewer than no workers": lines("runner: {workers: -1}", "workers is at least 0, not -1"),
    "half a fold": lines("folds: 2.5", "`folds`: expected a valid integer"),
    "a share above all": lines("quantile: 1.5", "quantile from 0 to 1"),
    "an integer of 300 digits": lines("quantile: " + "9" * 300, "quantile"),
    "an integer of 5,000 digits": lines("folds: " + "9" * 5_000, YAML),
    "base sixty": lines("checkpoint2: 1:30:00", "unknown setting `checkpoint2`"),
    # What YAML can do besides.
    "a billion laughs": lines(laughs(), r"expected values, found an alias \(\*name\)"),
    "an alias to itself": lines("prompts: &p [*p]", "found an alias"),
    "merged maps": lines("base: &b {batch: 1}\nrunner: {<<: *b}", "found an alias"),
    "nested too deep": lines("strides: " + "[" * 20_000 + "]" * 20_000, "nested too deep"),
    "maps nested too deep": lines("strides: " + "{a: " * 20_000 + "}" * 20_000, "nested too deep"),
    "a Python object": lines(code("planted"), f"{YAML}.*python/object"),
    "a Python name": lines("model: !!python/name:os.system", YAML),
    "a tag that does not fit": lines("folds: !!int many", YAML),
    "a truth that is none": lines("folds: !!bool perhaps", YAML),
    "a date by a tag": lines("folds: !!timestamp never", YAML),
    "bytes": lines("model: !!binary aGk=", model="hi"),
    "a set": lines("model: !!set {a, b}", "`model`"),
    "two documents": lines("---\na: 1", YAML),
    # Text.
    "tabs": lines("runner:\n\tbatch: 1", YAML),
    "an open bracket": lines("strides: [8, 16", YAML),
    "an open quote": lines("model: 'patch", YAML),
    "a BOM": Odd(lambda path: path.write_text(START, encoding="utf-8-sig"), read={"checkpoint": "models/a"}),
    "CRLF": Odd(lambda path: path.write_bytes(START.replace("\n", "\r\n").encode()), read={"checkpoint": "models/a"}),
    "UTF-16": data(START.encode("utf-16"), "YAML, UTF-8.*cannot be read"),
    "cp949": data((START + "model: 강아지\n").encode("cp949"), "YAML, UTF-8.*cannot be read"),
    "NUL bytes": data(START.encode() + b"\0\0", YAML),
    "binary": data(bytes(range(256)), "cannot be read"),
    "JSON": data(b'{"checkpoint": "a"}', "`data.images` is missing"),
    "a list": data(b"- a\n- b\n", "expected `key: value` lines, found a list"),
    "a word": data(b"patchcore", "expected `key: value` lines, found a str"),
    "empty": data(b"", "is missing"),
    "only a remark": data(b"# nothing\n", "is missing"),
    # What is no file.
    "a folder": Odd(Path.mkdir, "found a folder"),
    "a missing file": Odd(lambda path: None, "No such file"),
    "a named pipe": Odd(os.mkfifo, "something that is no file"),
    "a device without end": Odd(lambda path: path.symlink_to("/dev/zero"), "something that is no file"),
    "300 MB": Odd(huge, "it is larger than 1000 KB"),
}
"""What it is -> the settings file and what is to become of it."""

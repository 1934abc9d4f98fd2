"""`python -m pipelines models`: the catalogue of checkpoints as a table, as JSON, or as the page docs/models.md."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import yaml

from pipelines.core.networks.catalogue import MARGIN, Entry, catalogue, gb
from pipelines.core.table import print_table
from pipelines.tasks import TASKS

USES = {
    **{name: task.title[1] for name, task in TASKS.items() if catalogue().of_task(name)},
    "translation": "Translation",
    "rerank": "The second judge of a search",
}
"""What the catalogue's checkpoints are used for, in the page's order: the tasks that it has some for, and parts of
tasks."""
HEAD = ["checkpoint", "licence", "download", "memory, fp16", "languages", "published score", "gated"]
INTRO = f"""# The models

Any checkpoint of these architectures can be named in the settings, by its hub id or as a folder. Here are those that
the settings and documents name, and stronger ones. `python -m pipelines models --task caption` prints them, with
`--json` for programs; `python -m pipelines doctor caption`, with a run's flags, says of that run's checkpoints what is
downloaded, under which licence, and whether it fits into the device's memory.

- `PROFILE=mini`: the bundled small models, nothing to download.
- `PROFILE=base`: any machine (`configs/*.yaml`).
- `PROFILE=gpu`: the strong ones for one card of 16 GB, a T4 counted (`configs/gpu/*.yaml`).

**No score on this page is ours**: each has a link to where it was read. Scores of different metrics or data do not
compare. `-`: no source was found. A download with `about` is what the parameters take in the dtype they are stored in;
the others are as the linked page lists them. Parameters are counted in the architecture that a repository describes.
Memory is by one rule, parameters x 2 bytes x {MARGIN}: a fifth more than the weights, for pictures, what layers hand on
and the words so far. In float32 it is twice that. **NC**: not for commercial use.

A T4 or V100 multiplies no bfloat16, and weights that were trained in it overflow in float16: there chat models run in
float32. `smaller:` names checkpoints to take in turn where one does not fit in the dtype that it would run in; that is
decided before anything is downloaded.

`make models-page` makes this page of `pipelines/core/networks/catalogue.yaml`.
"""


def main(words: Sequence[str]) -> int:
    """Prints the catalogue, or the part of one task."""
    parser = argparse.ArgumentParser(prog="python -m pipelines models", allow_abbrev=False)
    parser.add_argument("--task", choices=list(USES), help="only those of one task")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="all that is known of each, as JSON; bytes, not GB")
    form.add_argument("--markdown", action="store_true", help="the page docs/models.md, of all tasks")
    options = parser.parse_args(words)
    tasks: Sequence[str] = [options.task] if options.task else list(USES)
    if options.json:
        print(json.dumps(as_json(tasks), ensure_ascii=False, indent=2))
    elif options.markdown:
        print(page(), end="")
    else:
        print_table([["task", "model", *HEAD], *table(tasks)])
    return 0


def as_json(tasks: Sequence[str]) -> list[dict[str, Any]]:
    """The entries of these tasks, with what is computed of them."""
    entries = [entry for entry in catalogue().entries if set(tasks) & set(entry.tasks)]
    computed = [{"download_bytes": each.download, "memory_fp16_bytes": each.memory("fp16")} for each in entries]
    return [asdict(entry) | more for entry, more in zip(entries, computed, strict=True)]


def table(tasks: Sequence[str]) -> list[list[str]]:
    """A row for each task and checkpoint, for the terminal."""
    return [
        [
            task, entry.model, entry.id, _licence(entry), _download(entry), _memory(entry),
            ", ".join(entry.languages) or "-", _score(entry, task), "yes" if entry.gated else "no",
        ]
        for task in tasks
        for entry in catalogue().of_task(task)
    ]  # fmt: skip


def page() -> str:
    """The whole of docs/models.md."""
    return "\n".join([INTRO, *(line for task in USES for line in _section(task))])


def settings_of(entry: Entry, task: str) -> dict[str, Any]:
    """What a settings file says to use a checkpoint for a task."""
    if task == "translation":
        return {"translation": {"checkpoint": entry.id, **entry.settings}}
    if task == "rerank":
        return {"rerank": entry.model, "rerank_checkpoint": entry.id}
    named = {} if task in ("search", "classify") else {"model": entry.model}
    return {**named, "checkpoint": entry.id, **entry.settings}


def _section(task: str) -> Iterator[str]:
    yield f"## {USES[task]}\n"
    yield "| " + " | ".join(HEAD) + " |"
    yield "|---" * len(HEAD) + "|"
    entries = catalogue().of_task(task)
    for entry in entries:
        yield "| " + " | ".join(_linked(entry, task)) + " |"
    yield from ("", *(f"- `{entry.id}`: {entry.note}" for entry in entries if entry.note))
    yield "\nSettings to copy, one of:\n\n```yaml"
    yield "\n".join(yaml.safe_dump(settings_of(entry, task), sort_keys=False, width=200) for entry in entries) + "```\n"


def _linked(entry: Entry, task: str) -> list[str]:
    """The cells of a checkpoint's row, each figure with the address of its source."""
    score = entry.score(task)
    download = _download(entry)
    return [
        f"[{entry.id}]({entry.address})",
        f"[{entry.licence}]({entry.licence_source}){'' if entry.commercial else ' **NC**'}",
        f"[{download}]({entry.download_source})" if entry.download_source else download,
        _memory(entry),
        ", ".join(entry.languages) or "-",
        f"{score.value} [{score.metric}]({score.source})" if score else "-",
        "yes" if entry.gated else "no",
    ]


def _licence(entry: Entry) -> str:
    return entry.licence + ("" if entry.commercial else " (NC)")


def _download(entry: Entry) -> str:
    if entry.download is None:
        return "-"
    return f"{'' if entry.download_mb is not None else 'about '}{gb(entry.download)}"


def _memory(entry: Entry) -> str:
    needed = entry.memory("fp16")
    return "-" if needed is None else f"about {gb(needed)}"


def _score(entry: Entry, task: str) -> str:
    score = entry.score(task)
    return "-" if score is None else f"{score.value} {score.metric}"

"""The submissions that the page of runs works on: those that the history knows, and a visitor's CSVs."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import streamlit as st

from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import InputError, SuiteError
from pipelines.core.task import Task
from pipelines.demo.language import plain, say
from pipelines.demo.serving import task_config
from pipelines.demo.settings import demo_config
from pipelines.demo.uploads import Upload, shown_name, visitors_folder
from pipelines.demo.working import show_refused
from pipelines.tasks import TASKS

MEGABYTES = 5
"""Of a CSV; 50,000 captions take 3."""
MOST_COLUMNS = 1000
LONGEST_SENTENCE = 600
"""Letters of a message that are shown: a cell that it quotes may be of any length."""


@dataclass(frozen=True)
class Known:
    """A submission in the folder, as its row of the history tells of it."""

    path: Path
    content: str
    """Hash of its bytes."""
    task: str
    truth: Path | None
    """What it was scored with, else what the profile's evaluate.yaml holds this task against; None without either."""
    images: Path | None
    """Folder of its photos: the run's own, else the profile's of this task."""


@dataclass(frozen=True)
class Taken:
    """What became of uploaded CSVs."""

    tables: dict[str, Path]
    """Name, which can be shown and differs -> where it is kept."""
    refused: dict[str, str]
    """Name -> why it is not among them."""


def known_submissions(folder: Path) -> list[Known]:
    """The files of a folder that are still as a row of its history says, the newest first. Raises InputError."""
    from pipelines.core.submission.writing import content_hash
    from pipelines.runs.history import read_history, settings_of

    found: dict[Path, Known] = {}
    for row in reversed(read_history(folder)):
        path = folder / Path(row["submission"]).name
        if path in found or not path.is_file() or content_hash(path) != row["content_hash"]:
            continue
        truth = settings_of(row["scored_with"]).get("truth")
        images = settings_of(row["settings"]).get("data.images")
        found[path] = Known(
            path,
            row["content_hash"],
            row["task"],
            Path(truth) if truth and Path(truth).is_file() else bundled_truth(row["task"]),
            Path(images) if images and Path(images).is_dir() else bundled_images(row["task"]),
        )
    return list(found.values())


def of_task(name: str) -> tuple[Task, Any]:
    """The Task of that name and its settings in this profile. Raises ConfigError."""
    settings, task = demo_config(), TASKS[name]
    path = getattr(settings, name, settings.caption.with_name(f"{name}.yaml"))
    kind: Any = task.config
    return task, task_config(path, kind)


def bundled_truth(task: str | None) -> Path | None:
    """The truth that the profile's evaluate.yaml, beside its other settings, holds this task against; None without."""
    path = demo_config().caption.with_name("evaluate.yaml")
    if task is None or not path.is_file():
        return None
    try:
        truth: Path = load_config(path, TASKS[task].scoring().settings, part=task).truth
    except SuiteError:  # it has no part for this task
        return None
    return truth if truth.is_file() else None


def bundled_images(name: str | None) -> Path | None:
    """The folder of photos of the profile's settings of a task; None where there is no such folder."""
    if name is None:
        return None
    task, config = of_task(name)
    data = task.data(config)
    return data.folder if data is not None and data.folder.is_dir() else None


@st.cache_data(show_spinner=False, max_entries=100)
def photos_of(images: Path | None, submission: Path, content: str) -> dict[str, Path]:
    """Id (in NFC) -> photo, of the ids of a submission that have one in the folder `images`; kept by its `content`."""
    from pipelines.core.images.samples import read_samples

    if images is None:
        return {}
    try:
        samples = read_samples(DataConfig(images=images, sample_submission=submission))
    except SuiteError:  # none of the ids has a photo there
        return {}
    return {normalize("NFC", sample.id): sample.path for sample in samples if sample.path.is_file()}


def upload_table(label: str, key: str) -> tuple[str, Path] | None:
    """A widget for one CSV: its name and where it is kept, or None."""
    file = st.file_uploader(label, max_upload_size=MEGABYTES, key=key)
    taken = _taken([file] if file else [])
    return next(iter(taken.tables.items()), None)


def upload_tables(label: str, key: str) -> dict[str, Path]:
    """A widget for several CSVs: name -> where it is kept."""
    return _taken(st.file_uploader(label, accept_multiple_files=True, max_upload_size=MEGABYTES, key=key)).tables


def _taken(files: Sequence[Upload]) -> Taken:
    taken = take_tables(files, visitors_folder())
    show_refused(taken.refused, say("받지 않은 파일", "Files that were not taken"))
    return taken


def take_tables(files: Sequence[Upload], folder: Path) -> Taken:
    """Writes the CSVs among the files into `folder`, each under a name of our own."""
    taken = Taken({}, {})
    for file in files:
        name = shown_name(file.name, taken.tables.keys() | taken.refused.keys())
        path = folder / f"{re.sub(r'[^0-9A-Za-z]', '', file.file_id)}.csv"
        reason = _refusal(file, path)
        if reason:
            path.unlink(missing_ok=True)
            taken.refused[name] = reason
        else:
            taken.tables[name] = path
    return taken


def _refusal(file: Upload, path: Path) -> str:
    """Why a file is not taken; empty where it was written to `path` and is text with not too many columns."""
    from pipelines.core.images.samples import read_text

    if file.size > MEGABYTES * 10**6:
        return say(
            f"CSV는 {MEGABYTES} MB까지 올릴 수 있는데 {file.size / 1e6:.0f} MB입니다. 큰 파일은 명령 줄로 보세요.",
            f"Expected at most {MEGABYTES} MB, found {file.size / 1e6:.0f} MB; use the command line for large files.",
        )
    if not path.exists():
        path.write_bytes(file.getbuffer())
    try:
        header = next(csv.reader(io.StringIO(read_text(path), newline="")), [])
    except InputError:
        return say(
            "CSV(글자로 된 파일)가 아닙니다. 이름은 보지 않습니다. CSV(UTF-8)로 다시 저장해 주세요.",
            "Expected text by its content, whatever its name; save it as CSV (UTF-8).",
        )
    except csv.Error:
        return ""  # whoever reads it says in which line
    if len(header) > MOST_COLUMNS:
        return say(
            f"열 {MOST_COLUMNS:,}개까지 볼 수 있는데 {len(header):,}개입니다. 첫 줄을 살펴보세요.",
            f"Expected at most {MOST_COLUMNS:,} columns, found {len(header):,}; look at the first line.",
        )
    return ""


@contextmanager
def sentences(names: Mapping[str, Path]) -> Iterator[None]:
    """A SuiteError of the body is shown, with the names of uploads in place of where they are kept."""
    try:
        yield
    except SuiteError as error:
        st.error(shown(str(error), names), icon=":material/error:")


def shown(message: str, names: Mapping[str, Path]) -> str:
    """A message as Markdown, with the names of files in place of their paths."""
    for name, path in names.items():
        message = message.replace(str(path), name)
    return plain(message if len(message) <= LONGEST_SENTENCE else f"{message[:LONGEST_SENTENCE]}…")


def show_no_history() -> None:
    """What to do where no run has been noted yet."""
    with st.container(border=True):
        st.markdown(say("**아직 실행한 기록이 없습니다.**", "**There are no runs yet.**"))
        st.markdown(
            say(
                "터미널에서 `make submissions`를 실행하면 예시 사진으로 제출 파일을 만들고 점수까지 매기며, 그 기록이 "
                "여기에 나타납니다. 갖고 있는 제출 파일은 **제출 확인**과 **두 제출 비교**에서 바로 볼 수 있습니다.",
                "`make submissions` in a terminal writes submissions for the sample photos and scores them; those runs "
                "are shown here. Submissions that you have can be looked at in **Check** and **Compare** at once.",
            )
        )


def task_name(task: str) -> str:
    """A task as the visitor calls it."""
    return say(*TASKS[task].title) if task in TASKS else task

"""`search index`: makes an album of a folder of photos, or brings it up to date."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import InputError
from pipelines.core.images.folders import list_images
from pipelines.core.images.sets import one_set
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import load_clip
from pipelines.core.notes import by_id, noticing, print_notes
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.table import print_failures
from pipelines.search.album.album import About, Album, Row, make_album, open_album, writing
from pipelines.search.album.approximate import make_index, wants_index
from pipelines.search.album.embedding import PhotoFile, PhotoReader, Reading, photo_id
from pipelines.search.album.nearest import EXACT
from pipelines.search.album.place import Place, place

if TYPE_CHECKING:
    from pipelines.search.settings import SearchConfig

MOST_AT_ONCE, LONGEST = 256, 10.0
"""What was read is written once there are so many files of it, or so many seconds have passed: a kill loses no more."""


@dataclass
class Report:
    """What `index` did."""

    album: Place
    photos: int = 0
    """In the album at the end."""
    new: int = 0
    changed: int = 0
    gone: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Id -> why the file is not in the album; what failed in earlier runs and has not changed since among them."""
    warnings: dict[str, str] = field(default_factory=dict)
    """Id or folder -> what was noticed of a photo that is in the album all the same, or was left out of the folder."""
    left: int = 0
    """Files that were not come to, because the run was stopped."""


def index(
    folder: Path,
    config: "SearchConfig",
    fresh: bool = False,
    runner: Runner | None = None,
    at_once: int = MOST_AT_ONCE,
    exact: int = EXACT,
) -> Report:
    """Brings the album of a folder up to date; what has not changed is not read again.

    `fresh` makes it anew, `at_once` is how many files are written at once, `exact` how many photos an album has before
    it gets an index. Once the `runner` is to stop, what was read is written and the rest is left. Raises InputError
    where the album is of another folder or checkpoint, or is being written.
    """
    runner = runner or Runner(config.runner)
    folder = folder.expanduser().resolve()
    path = place(config.albums) / (config.album or folder.name)
    with writing(path):
        one_set([folder], config.ignore, config.white)
        with noticing() as noticed:
            files, failed = find_files(folder, config.ignore)
        checkpoint = runner.keep(partial(checkpoints.resolve, config.checkpoint))
        about = About(str(folder), config.checkpoint, runner.keep(partial(checkpoints.fingerprint, checkpoint)))
        album = None if fresh else open_album(path)
        if album is not None:
            check_same(album, about)
        due, gone = changes(album, files)
        report = Report(path, gone=len(gone), failed=failed)
        if album is not None:
            album.drop(gone)
        if due or album is None:
            images, _ = runner.load(partial(load_clip, checkpoint))
            album = album or make_album(path, images.width, about)
            add(album, runner.run(PhotoReader(images), due, "photos"), report, at_once)
            album.tidy()
        if wants_index(album, exact) and not runner.stop.due():
            print(f"{path}: the index of {len(album)} photos is made, which takes minutes", file=sys.stderr)
            make_index(album)
        report.failed |= {key: reason for key, (_, reason) in album.refused().items()}
        report.photos = len(album)
        report.warnings = by_id(noticed | runner.notes, files)
    return report


def find_files(folder: Path, ignore: Sequence[str] = ()) -> tuple[list[PhotoFile], dict[str, str]]:
    """The image files of a folder, sorted by id, and those that cannot be in an album, with the reason.

    Raises InputError where there are none: a disk that is not mounted must not empty an album.
    """
    files: dict[str, PhotoFile] = {}
    failed: dict[str, str] = {}
    for path in list_images(folder, ignore):
        key = photo_id(path, folder)
        try:
            key.encode()
            state = path.stat()
        except UnicodeEncodeError:
            failed[key.encode(errors="replace").decode()] = "expected a file name in UTF-8; rename the file"
        except OSError as error:
            failed[key] = f"{path}: cannot be read: {error.strerror}"
        else:
            if key in files:
                failed[f"{key} (again)"] = f"{path}: expected one file of this name, found it in NFC and in NFD"
            files.setdefault(key, PhotoFile(key, path, state.st_size, state.st_mtime_ns))
    return [files[key] for key in sorted(files)], failed


def check_same(album: Album, about: About) -> None:
    """Raises InputError where an album was made of another folder or by another checkpoint."""
    if album.about.fingerprint != about.fingerprint:
        raise InputError(
            f"the album {album.path} was made with the checkpoint {album.about.checkpoint} "
            f"({album.about.fingerprint}), whose vectors do not compare with those of {about.checkpoint} "
            f"({about.fingerprint}); name that checkpoint, another --album, or make the album anew with --fresh"
        )
    if album.about.folder != about.folder:
        raise InputError(
            f"the album {album.path} is of the photos in {album.about.folder}, not {about.folder}; "
            "name another --album, or make it anew with --fresh"
        )


def changes(album: Album | None, files: Sequence[PhotoFile]) -> tuple[list[PhotoFile], list[str]]:
    """The files to look at, new or with another size or time than the album knows, and the ids of those gone."""
    photos = album.known() if album else {}
    refused = {key: state for key, (state, _) in album.refused().items()} if album else {}
    due = []
    for file in files:
        last = photos.get(file.id) or refused.get(file.id)
        if last is None or (file.id in photos and file.id in refused):  # in both: a run was cut off between the two
            due.append(file)
        elif (last.size, last.mtime_ns) != (file.size, file.mtime_ns):
            due.append(replace(file, known_hash=last.hash))
    return due, sorted((photos.keys() | refused.keys()) - {file.id for file in files})


def add(album: Album, outcomes: Iterable[Outcome[PhotoFile, Reading]], report: Report, at_once: int) -> None:
    """Writes what the Runner gives, in batches; a kill loses the last one, which the next run reads again."""
    waiting: list[tuple[PhotoFile, Reading]] = []
    written = time.monotonic()
    for outcome in outcomes:
        if not outcome.reached:
            report.left += 1
            continue
        if outcome.result is None:  # not the photo's fault for certain: tried again in the next run
            report.failed[outcome.item.id] = outcome.error
            continue
        waiting.append((outcome.item, outcome.result))
        if len(waiting) >= at_once or time.monotonic() - written >= LONGEST:
            _write(album, waiting, report)
            waiting, written = [], time.monotonic()
    _write(album, waiting, report)


def _write(album: Album, read: Sequence[tuple[PhotoFile, Reading]], report: Report) -> None:
    """One batch: the photos, what is no photo, and what was only touched."""
    photos = [photo_row(file, reading) for file, reading in read if reading.details is not None]
    refused = [_file_row(file, reading) | {"reason": reading.refusal} for file, reading in read if reading.refusal]
    touched = {file.id: reading.state for file, reading in read if reading.details is None and not reading.refusal}
    album.put(photos, refused)
    album.touch(touched)
    changed = sum(file.known_hash is not None for file, reading in read if reading.details is not None)
    report.changed += changed
    report.new += len(photos) - changed


def photo_row(file: PhotoFile, reading: Reading) -> Row:
    """What an album keeps of a photo that was read."""
    if reading.details is None:
        raise ValueError(f"expected a photo that was read, found {file.id}")
    return _file_row(file, reading) | {
        "vector": reading.vector,
        "thumbnail": reading.thumbnail,
        "caption": None,  # those of the content before, if there was any, are not this one's
        "caption_english": None,
        "counts": None,
        **asdict(reading.details),
    }


def _file_row(file: PhotoFile, reading: Reading) -> dict[str, Any]:
    state = reading.state
    return {"id": file.id, "hash": state.hash, "bytes": state.size, "mtime_ns": state.mtime_ns}


def say(report: Report, seconds: float) -> None:
    """What was done, and the files that are not in the album."""
    print(
        f"{report.album}: {report.photos} photos ({report.new} new, {report.changed} changed, {report.gone} gone) "
        f"in {seconds:.1f} s"
    )
    if report.left:
        print(f"stopped: {report.left} files are left; run it again to go on", file=sys.stderr)
    print_failures(f"{len(report.failed)} files could not be read and are not in the album", report.failed)
    print_notes(report.warnings)

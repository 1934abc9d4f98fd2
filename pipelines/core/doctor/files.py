"""Whether each id has a picture, and each picture an id."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.core.doctor.findings import Finding, doubtful, such_as, wrong
from pipelines.core.doctor.ids import CASE, MISSING_VALUES, SPELLINGS, ZEROS, grouped
from pipelines.core.images.names import normal
from pipelines.core.images.samples import Finder

SEVERAL = "several"


def check_names(folder: Path, images: Sequence[Path]) -> list[Finding]:
    """Whether two files have one name, once in NFC and once in NFD."""
    alike = [same[0] for same in grouped(_names(images, folder), normal).values() if len(same) > 1]
    if not alike:
        return []
    return [
        wrong(
            f"{folder}: expected file names that differ, found {len(alike)} that are there in NFC and in NFD, "
            f"{such_as(alike)}; remove one of each"
        )
    ]


def check_files(
    table: Path, keyed: Mapping[str, Mapping[str, str]], images: Sequence[Path], find: Finder
) -> tuple[list[Finding], list[Path]]:
    """Whether each id of `table` (id -> its row) has one of `images` and each image an id; and the images that have.

    An id whose picture is there under another spelling is an error, for its row would be blank. So are blanks in more
    than half of the rows: no such submission is what was meant.
    """
    folder, listed = find.folder, set(images)
    found = find.all(keyed)
    paths = found.paths
    used = Counter(path for path in paths.values() if path in listed)
    missing = [key for key, path in paths.items() if path not in listed and key.strip()]
    reasons = _reasons(missing, find, set(used))
    explained = {key for of_reason in reasons.values() for key in of_reason}
    near = {find.known[name] for of_reason in reasons.values() for name in of_reason.values()}
    unused = [path for path in images if path not in used and path not in near]
    findings = [wrong(_sentence(table, folder, reason, pairs)) for reason, pairs in reasons.items()]
    findings += _absent(table, len(keyed), [key for key in missing if key not in explained], folder, images, unused)
    if found.loosely:
        key, path = next(iter(found.loosely.items()))
        findings.append(
            doubtful(
                f"{table}: {len(found.loosely)} ids are no path in {folder} and mean the pictures that their last part "
                f"names, such as {key!r} the picture {_names([path], folder)[0]!r}; look whether that is right"
            )
        )
    shared = [path for path, count in used.items() if count > 1]
    if shared:
        findings.append(
            doubtful(f"{table}: {len(shared)} images are named by several ids, {such_as(_names(shared, folder))}")
        )
    if unused and SEVERAL not in reasons:
        findings.append(
            doubtful(
                f"{folder}: {len(unused)} of {len(images)} images have no row in {table}, "
                f"{such_as(_names(unused, folder))}; they are left out"
            )
        )
    return findings, list(used)


def _absent(
    table: Path, rows: int, absent: Sequence[str], folder: Path, images: Sequence[Path], unused: Sequence[Path]
) -> list[Finding]:
    """About ids that have no picture under any spelling."""
    if not absent:
        return []
    many = 2 * len(absent) > rows
    stale = f"; {table} seems to be of another version" if unused or many else ""
    message = (
        f"{table}: expected a picture in {folder} ({len(images)} images) for each of {rows} ids, found none for "
        f"{len(absent)}, {such_as(absent)}; their rows would be blank{stale}"
    )
    findings = [wrong(message) if many else doubtful(message)]
    values = [key for key in absent if key.lower() in MISSING_VALUES]
    if values:
        findings.append(
            doubtful(
                f"{table}: {len(values)} ids without a picture read as programs write a missing value, "
                f"{such_as(values)}; look at how the file was made"
            )
        )
    return findings


def _reasons(missing: Sequence[str], find: Finder, used: set[Path]) -> dict[str, dict[str, str]]:
    """Reason -> (id -> name among the files) of ids that miss a picture which is there and no other id's."""
    if not missing:
        return {}
    free = [name for name, path in find.known.items() if path is not None and path not in used]
    near = {rule: grouped(free, SPELLINGS[rule]) for rule in (CASE, ZEROS)}
    reasons: dict[str, dict[str, str]] = {}
    for key in missing:
        for name in _spelled(key, find.deepest):
            if name in find.known:  # and yet no file was found
                reasons.setdefault(SEVERAL, {})[key] = name
                break
            rule = next((rule for rule in near if SPELLINGS[rule](name) in near[rule]), None)
            if rule is not None:
                reasons.setdefault(rule, {})[key] = near[rule][SPELLINGS[rule](name)][0]
                break
    return reasons


def _spelled(key: str, deepest: int) -> Iterator[str]:
    """An id as the Finder looks for it: with all of its folders, then with fewer."""
    parts = normal(key.strip()).removeprefix("./").split("/")
    return ("/".join(parts[start:]) for start in range(max(0, len(parts) - deepest), len(parts)))


def _sentence(table: Path, folder: Path, reason: str, pairs: Mapping[str, str]) -> str:
    key, name = next(iter(pairs.items()))
    if reason == SEVERAL:
        return (
            f"{table}: expected ids that mean one picture each, found {len(pairs)} that could mean several in "
            f"{folder}, {such_as(list(pairs))}; write their endings or folders, or remove the other files"
        )
    return (
        f"{table}: {len(pairs)} ids find no picture in {folder} because they differ from its name in {reason}, such as "
        f"{key!r} and {name!r}; rename the files"
    )


def _names(paths: Sequence[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]

"""Whether the ids of the CSVs and the names of the files agree."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pipelines.core.doctor.findings import Finding, doubtful, such_as, wrong
from pipelines.core.images.kinds import ENDINGS
from pipelines.core.images.names import normal
from pipelines.core.images.samples import Finder

MISSING_VALUES = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "nat"})
"""What programs write where there is no value, in lower case."""


def _without_zeros(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)


def _without_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending}".lower() in ENDINGS else name


def _without_folder(name: str) -> str:
    return name.rpartition("/")[2]


CASE, ZEROS = "upper and lower case", "leading zeros"
SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "the form of their Hangul (NFC, NFD)": normal,
    "blanks around them": str.strip,
    CASE: str.lower,
    ZEROS: _without_zeros,
    "the file's ending": _without_ending,
    "the folder": _without_folder,
}
"""How one id may be spelled in two ways -> what is the same in both."""


def check_ids(path: Path, ids: Sequence[str]) -> list[Finding]:
    """What is wrong with the ids of one CSV by themselves."""
    repeated = [key for key, count in Counter(ids).items() if count > 1 and key.strip()]
    empty = [row for row, key in enumerate(ids, start=1) if not key.strip()]
    distinct = [key for key in dict.fromkeys(ids) if key.strip()]
    alike = [names[0] for names in grouped(distinct, normal).values() if len(names) > 1]
    padded = [key for key in distinct if key != key.strip()]
    broken = [key for key in distinct if "\n" in key or "\r" in key]
    findings = []
    if repeated:
        findings.append(wrong(f"{path}: expected each id once, found {len(repeated)} repeated, {such_as(repeated)}"))
    if empty:
        findings.append(
            wrong(f"{path}: expected an id in each row, found none in {len(empty)}, first in row {empty[0]}")
        )
    if alike:
        findings.append(doubtful(f"{path}: {len(alike)} ids come twice, in NFC and in NFD, {such_as(alike)}"))
    if padded:
        findings.append(
            doubtful(f"{path}: {len(padded)} ids have blanks around them, {such_as(padded)}; the submission keeps them")
        )
    if broken:
        findings.append(
            doubtful(f"{path}: {len(broken)} ids have line breaks in them, {such_as(broken)}; look at them")
        )
    return findings


def check_same(tables: Mapping[Path, Sequence[str]], find: Finder) -> list[Finding]:
    """Whether the sample submission and the test CSV (path -> ids, in this order) have the same ids."""
    (sample, sample_ids), (test, test_ids) = ((path, dict.fromkeys(ids)) for path, ids in tables.items())
    only_sample = [key for key in sample_ids if key not in test_ids]
    only_test = [key for key in test_ids if key not in sample_ids]
    if not only_sample and not only_test:
        if list(sample_ids) == list(test_ids):
            return []
        return [doubtful(f"{sample} has the ids of {test} in another order; the submission has the sample's")]
    if (rule := rule_between(only_sample, only_test)) is not None:
        return [
            wrong(
                f"expected the same ids in {sample} and {test}, found {len(only_sample)} that differ in {rule} alone, "
                f"such as {only_sample[0]!r} and {only_test[0]!r}; spell them as the contest wants them"
            )
        ]
    extra = {sample: only_sample, test: only_test}
    only = " and ".join(f"{len(keys)} only in {path}, {such_as(keys)}" for path, keys in extra.items() if keys)
    return [
        wrong(
            f"expected the same ids in {sample} ({len(tables[sample])} rows) and {test} ({len(tables[test])} rows), "
            f"found {only}; {_stale(extra, find)} seems to be of another version"
        )
    ]


def rule_between(these: Sequence[str], those: Sequence[str]) -> str | None:
    """In what alone two lists of ids differ, where it is one thing."""
    if not these or not those:
        return None
    same = (rule for rule, fold in SPELLINGS.items() if set(map(fold, these)) == set(map(fold, those)))
    return next(same, None)


def grouped(names: Iterable[str], fold: Callable[[str], str]) -> dict[str, list[str]]:
    """The names that `fold` makes one -> them."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(fold(name), []).append(name)
    return groups


def _stale(extra: Mapping[Path, Sequence[str]], find: Finder) -> str:
    """Which of two CSVs is of another version: of the ids that the other lacks, it has pictures of fewer."""
    (sample, fits_sample), (test, fits_test) = (
        (path, sum(find(key, {}).is_file() for key in keys)) for path, keys in extra.items()
    )
    if fits_sample == fits_test:
        return "one of them"
    return str(sample if fits_sample < fits_test else test)

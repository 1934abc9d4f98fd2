"""Whether the submission can be written where it is to go."""

import os
import shutil
from pathlib import Path

from pipelines.core.config import DataConfig
from pipelines.core.doctor.findings import Finding, doubtful, wrong

BYTES_A_ROW = 4096
"""A row's line in the CSV, its copy while that is written, and its part of the run record: this is plenty."""
BYTES_BESIDE = 16 * 2**20
"""What a run writes besides: settings and models in the record, the history."""


def check_output(data: DataConfig, rows: int) -> list[Finding]:
    """What is wrong with the output's place; nothing is made there. `rows` is how many will be written."""
    output, findings = data.output, []
    if data.folder.is_dir() and output.resolve().is_relative_to(data.folder.resolve()):
        findings.append(doubtful(f"{output} lies in the image folder {data.folder}; name another folder with --output"))
    folder = output.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if output.is_dir():
        findings.append(wrong(f"expected to write the file {output}, found a folder of that name"))
    elif not folder.is_dir():
        findings.append(wrong(f"expected to write {output}, but {folder} is no folder"))
    elif not os.access(folder, os.W_OK):
        findings.append(wrong(f"expected to write {output}, but {folder} is not writable"))
    else:
        findings += check_space(folder, rows, shutil.disk_usage(folder).free)
    return findings


def check_space(folder: Path, rows: int, free: int) -> list[Finding]:
    """Whether `free` bytes are enough: BYTES_BESIDE and BYTES_A_ROW a row, without drawn pictures and saved maps."""
    need = BYTES_BESIDE + BYTES_A_ROW * rows
    if free >= need:
        return []
    return [
        wrong(
            f"{folder}: expected {need / 2**20:.0f} MiB of free disk space for {rows} rows (16 MiB and 4 KiB a row), "
            f"found {free / 2**20:.0f} MiB; make room, or name another folder with --output"
        )
    ]

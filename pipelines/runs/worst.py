"""The rows of a submission that are the farthest from their truth, the worst first."""

from pathlib import Path

from pipelines.core.submission.scores import Wrong
from pipelines.core.submission.truth import read_frame
from pipelines.core.task import Task


def worst(task: Task, submission: Path, truth: Path) -> list[Wrong]:
    """All rows that are wrong, the worst first, and those that are equally wrong in the truth's order.

    Raises InputError where the two files do not belong together.
    """
    found = task.worst.find(read_frame(submission), read_frame(truth))
    return sorted(found, key=lambda row: -row.error)

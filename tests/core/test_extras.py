"""Files beside a submission: what cannot be written costs nothing else."""

import pytest

from pipelines.core.errors import ImageError, SubmissionError
from pipelines.core.extras import Extras


def test_what_can_be_written_is(tmp_path):
    extras = Extras()
    extras.write((tmp_path / "a").touch)
    assert (tmp_path / "a").exists() and extras.failed == 0


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SubmissionError("no"), ImageError("gone")])
def test_the_first_failure_is_told_and_all_are_counted(error, capsys):
    def fail():
        raise error

    extras = Extras()
    for _ in range(3):
        extras.write(fail)
    assert extras.failed == 3
    assert capsys.readouterr().err == f"{error}; the run goes on without it\n"


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Extras().write(lambda: 1 / 0)

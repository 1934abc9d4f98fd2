"""Commands take and show Hangul and emoji in any locale, in arguments, file names and output."""

import os
import subprocess
import sys

import pytest

SHOW = "from pipelines.core.terminal import settle; import sys; settle(); print(*sys.argv[1:])"


def ran(words, **environment):
    """What a Python process prints, in that environment and no other locale."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, *words], env=plain | environment, capture_output=True, timeout=300, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONUTF8": "0", "LC_ALL": "C"}, "강아지 🐶"),
        ({"LC_ALL": "C"}, "강아지 🐶"),
        ({"PYTHONUTF8": "1"}, "강아지 🐶"),
        ({"PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"}, r"\uac15\uc544\uc9c0 \U0001f436"),
        ({"PYTHONUTF8": "1", "PYTHONIOENCODING": "cp949"}, r"강아지 \U0001f436"),
    ],
)
def test_words_are_shown(environment, shown):
    code, out, err = ran(["-c", SHOW, "강아지", "🐶"], **environment)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    assert (code, out.decode(encoding).strip()) == (0, shown), err


def test_a_command_reads_hangul_in_the_locale_c(tmp_path):
    words = ["-m", "pipelines", "doctor", "caption", "--config", "configs/mini/caption.yaml", "--images"]
    code, _, err = ran([*words, str(tmp_path / "없는_사진")], PYTHONUTF8="0", LC_ALL="C")
    assert code == 2 and "없는_사진, found nothing" in err.decode("utf-8")


def test_names_that_no_text_can_be_are_shown():
    code, out, _ = ran(["-c", SHOW, b"\xff.jpg"], PYTHONUTF8="1")
    assert code == 0 and out.strip() == rb"\udcff.jpg"

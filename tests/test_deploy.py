"""The image and the Space hold what the demo needs, as files say it: no Docker is run here."""

import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from streamlit.web.cli import main_run

ROOT = Path(__file__).parents[1]


def instructions(path: Path) -> list[tuple[str, str]]:
    """(instruction, what follows it) of a Dockerfile, a line each."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


IMAGE = instructions(ROOT / "Dockerfile")
COPIED = [source for name, rest in IMAGE if name == "COPY" for source in rest.split()[:-1]]


def last(name: str) -> str:
    return [rest for found, rest in IMAGE if found == name][-1]


@pytest.fixture
def image(tmp_path):
    """A folder with what the image has, and nothing else."""
    for source in COPIED:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / source, tmp_path / source)
    return tmp_path


def test_the_build_is_sent_just_what_it_copies():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(COPIED)
    assert {"**/__pycache__", "**/secrets.toml"} <= set(lines)


def test_all_settings_models_and_samples_of_the_bundled_demo_are_in_the_image(image):
    demo = yaml.safe_load((image / "configs/mini/demo.yaml").read_text(encoding="utf-8"))
    files = [demo[task] for task in ("caption", "detect", "anomaly", "search")]
    texts = [(image / file).read_text(encoding="utf-8") for file in files]
    named = re.findall(r"(?:mini/weights|samples|configs)/[\w./-]+", "\n".join(texts))
    assert len(named) > 10
    assert [path for path in named if not (image / path).exists()] == []


def test_the_demos_first_page_opens_with_what_is_in_the_image(image):
    code = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("streamlit_app.py", default_timeout=300).run()
assert not app.exception and app.title[0].value == "캡션", app
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=image, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_no_network_is_run_by_root():
    user = last("USER")
    assert user not in ("root", "0")
    names = [name for name, _ in IMAGE]
    assert any(name == "RUN" and f" {user} " in rest and "useradd" in rest for name, rest in IMAGE)
    assert names.index("USER") < names.index("CMD")


def test_the_start_commands_flags_are_known_to_streamlit():
    program, option, module, *flags = json.loads(last("CMD"))
    assert (program, option, module) == ("python", "-m", "pipelines.demo")
    assert {"streamlit_app.py", "pipelines"} <= set(COPIED)
    known = {option for parameter in main_run.params for option in parameter.opts}
    assert {flag.split("=")[0] for flag in flags} <= known
    assert "--server.address=0.0.0.0" in flags
    assert f"--server.port={last('EXPOSE')}" in flags


def test_strangers_are_expected_and_the_bundled_models_shown():
    assert "SUITE_PUBLIC=1" in last("ENV").split()
    assert last("ARG") == "PROFILE=mini"
    assert "PROFILE=${PROFILE}" in last("ENV").split()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_the_server(status, healthy):
    asked = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.handle_request, daemon=True).start()
    _, python, *arguments = json.loads(f'["CMD", {last("HEALTHCHECK").split("CMD [")[1]}')
    assert python == "python"
    command = [argument.replace(f":{last('EXPOSE')}/", f":{server.server_port}/") for argument in arguments]
    run = subprocess.run([sys.executable, *command], capture_output=True, check=False)
    server.server_close()
    assert asked == ["/_stcore/health"]
    assert (run.returncode == 0) is healthy


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a Space is pushed from a commit")
def test_the_space_runs_the_image_with_its_uploads_protected_across_sites(tmp_path):
    hf = tmp_path / "hf"
    hf.write_text('#!/bin/sh\necho "$1 $2 $4 $5 $6"\ncp -R "$3" ' + str(tmp_path / "space") + "\n")
    hf.chmod(0o755)
    push = [str(ROOT / "deploy/space/push"), "me/suite"]
    run = subprocess.run(push, env={"PATH": "/usr/bin:/bin", "HF": str(hf)}, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "upload me/suite . --repo-type space"
    space = tmp_path / "space"
    front = yaml.safe_load((space / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert (front["sdk"], str(front["app_port"])) == ("docker", last("EXPOSE"))
    assert [source for source in COPIED if not (space / source).exists()] == []
    assert not (space / "tests").exists()
    name, value = instructions(space / "Dockerfile")[-1][1].split("=")
    option = next(each for each in main_run.params if each.envvar == name)
    assert option.opts == ["--server.xsrfCookieSameSite"]
    assert value == "none"


def test_a_space_without_a_name_is_asked_for():
    run = subprocess.run([str(ROOT / "deploy/space/push")], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "expected the Space" in run.stderr

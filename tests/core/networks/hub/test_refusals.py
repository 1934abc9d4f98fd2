"""Each way in which a checkpoint cannot be had: the sentence that says so, and what to do."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.checkpoints import resolve
from pipelines.core.networks.hub.download import Hub
from pipelines.core.networks.hub.refusals import SENTENCES, Asked, refusal, shown
from tests.published.hub import State, publish, serving

ROOT = Path(__file__).parents[4]
KNOWN = ["google/siglip2-base-patch16-224", "org/name", "Salesforce/blip-image-captioning-base"]
WHOLE = {"config.json": "{}", "model.safetensors": b"w" * 5000}


@dataclass(frozen=True)
class Situation:
    """What is asked for, and how the hub is."""

    message: str
    """A regular expression; CACHE is the cache's folder."""
    checkpoint: str = "org/name"
    states: dict[str, State] = field(default_factory=dict)
    token: str = ""
    downloads: Exception | None = None
    """What the download raises."""
    free: int = 10**12
    cache: Callable[[Path], Path] = lambda folder: folder / "cache"


def a_file(folder):
    (folder / "file").write_text("")
    return folder / "file"


GATED = {"org/name": State(gated=True, granted={"hf_good"})}
PRIVATE = {"org/name": State(private=True, granted={"hf_good"})}
TRY = r"give a local folder, or use the bundled models \(PROFILE=mini\)"
LICENCE = r"accept its licence at https://huggingface.co/org/name"

SITUATIONS = {
    "gated, no token": Situation(
        rf"org/name is gated and no token was sent: {LICENCE}, then set HF_TOKEN \(or run `hf auth login`\)$",
        states=GATED,
    ),
    "gated, a token without access": Situation(
        rf"org/name is gated and the token that was sent has no access to it: {LICENCE} with the account of that token",
        states=GATED, token="hf_other",
    ),
    "a token that the hub does not know": Situation(
        r"does not know the token that was sent .*huggingface.co/settings/tokens, or take it away where .* org/name is",
        token="hf_bad",
    ),
    "misspelt": Situation(
        r"found nothing named google/siglip2-base-patch16-244 \(the nearest known id is google/siglip2-base-patch16-22"
        r"4\): correct the name, or set HF_TOKEN where it is a private one$",
        "google/siglip2-base-patch16-244",
    ),
    "misspelt, with a token": Situation(
        r"nothing named org/nmae that the token .* \(the nearest known id is org/name\): correct", "org/nmae",
        token="hf_other",
    ),
    "without its owner": Situation(
        r"\(the nearest known id is Salesforce/blip-image-captioning-base\)", "blip-image-captioning-bse"
    ),
    "like nothing that is known": Situation(r"found nothing named what/ever: correct the name", "what/ever"),
    "private, no token": Situation(r"found nothing named org/name: .* HF_TOKEN where it is a private", states=PRIVATE),
    "private, a token without access": Situation(
        r"found nothing named org/name that the token .* set HF_TOKEN to a token that may read it", states=PRIVATE,
        token="hf_other",
    ),
    "a revision that is not there": Situation(
        r"after the @ of org/name@v3/x, found none .* listed at https://huggingface.co/org/name/tree/main$",
        "org/name@v3/x",
    ),
    "a file behind a firewall": Situation(
        rf"hub refuses the checkpoint org/name \(.*403.*\): take a token that may read it, {TRY}$",
        states={"org/name": State(refused={"model.safetensors"})},
    ),
    "the connection breaks": Situation(
        rf"hub cannot be reached \(.*disconnected.*\), and its cache CACHE does not hold org/name whole: .*, {TRY}$",
        states={"org/name": State(silent=True)},
    ),
    "a hub in trouble": Situation(
        rf"hub answers 503 when asked for org/name, .* CACHE .*: try again later, {TRY}$",
        states={"org/name": State(status=503)},
    ),
    "a hub with too many visitors": Situation("hub answers 429", states={"org/name": State(status=429)}),
    "no room for it": Situation(
        r"expected 5\.0 kB of room for org/name on the disk of the hub's cache CACHE, found 4\.0 kB; make room, or let "
        "HF_HOME name a folder on a larger disk$",
        free=4000,
    ),
    "the disk fills up": Situation(
        r"disk of the hub's cache CACHE is full, so that org/name is not whole there: make room .* HF_HOME",
        downloads=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ),
    "the disk fills up below hf_xet": Situation(
        "disk of the hub's cache CACHE is full",
        downloads=RuntimeError("Data processing error: I/O error: No space left on device (os error 28)"),
    ),
    "a cache that is a file": Situation(
        r"expected to write org/name into the hub's cache CACHE, but that is not possible \((Not a directory|File "
        r"exists)\): let HF_HOME name a folder that can be written$",
        cache=a_file,
    ),
    "a cache that may not be written": Situation(
        r"cache CACHE, but that is not possible \(Permission denied\): let HF_HOME",
        downloads=PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/cache/models--org--name"),
    ),
    "no name at all": Situation(r"local folder or a hub id \(owner/name\), found or--g/na me: corr", "or--g/na me"),
    "what nobody thought of": Situation(
        rf"org/name could not be had from the hub \(it broke\): run again, {TRY}$", downloads=ValueError("it  broke\n")
    ),
}  # fmt: skip


def no_download(error):
    """The client's download, which fails."""

    def snapshot_download(*_, **__):
        raise error

    return snapshot_download


@pytest.mark.parametrize("name", SITUATIONS)
def test_one_sentence_that_says_what_to_do(tmp_path, name):
    it = SITUATIONS[name]
    publish(tmp_path / "hub", "org/name", WHOLE)
    cache = it.cache(tmp_path)
    with serving(tmp_path / "hub", it.states, tokens={"hf_good", "hf_other"}) as served:
        client = api = served.api(it.token)
        if it.downloads:
            client = SimpleNamespace(model_info=api.model_info, snapshot_download=no_download(it.downloads))
        with pytest.raises(CheckpointError, match=it.message.replace("CACHE", str(cache))) as refused:
            resolve(it.checkpoint, Hub(client, cache, KNOWN, lambda _: it.free))
    message = str(refused.value)
    assert "\n" not in message and "Error" not in message and "Exception" not in message


def test_no_network(tmp_path):
    with serving(tmp_path) as served:
        client = served.api()
    with pytest.raises(
        CheckpointError, match=rf"cannot be reached \(.*refused\), and its cache {tmp_path} .*: run once"
    ):
        resolve("org/name", Hub(client, tmp_path))


def test_offline(tmp_path):
    """In a process of its own: the client reads HF_HUB_OFFLINE when it is imported."""
    command = "from pipelines.core.networks.checkpoints import resolve; resolve('org/name@v2')"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    ended = subprocess.run([sys.executable, "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True)
    said = ended.stderr.strip().splitlines()[-1]
    assert f"HF_HUB_OFFLINE forbids to ask the hub, and its cache {tmp_path / 'hub'} does not hold org/name@v2" in said
    assert said.endswith("give a local folder, or use the bundled models (PROFILE=mini)")


def test_an_error_without_words_still_says_something():
    asked = Asked("org/name", "", Path("/cache"))
    assert "(no answer in time)" in str(refusal(TimeoutError(), asked))
    assert all("{" not in str(refusal(error, asked)) for error in (ValueError("x"), OSError(errno.EROFS, "y")))
    assert all(sentence.count("\n") == 0 for sentence in SENTENCES.values())


def test_the_home_is_said_short():
    assert shown(Path.home() / ".cache" / "x") == "~/.cache/x" and shown(Path("/other")) == "/other"

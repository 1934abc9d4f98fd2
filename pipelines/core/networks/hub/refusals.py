"""Says in one sentence why the hub did not give a checkpoint, and what to do: one table of situations."""

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pipelines.core.errors import CheckpointError

TRANSPORT = HfHubHTTPError.__bases__[0]
"""What all errors of the connection are: the HTTPError of httpx or of httpx2, whichever the client was built on."""
BAD_TOKEN = "Invalid credentials in Authorization header"
FULL = (errno.ENOSPC, errno.EDQUOT)
ELSEWHERE = "give a local folder, or use the bundled models (PROFILE=mini)"
SENTENCES = {
    "gated, no token": (
        "the checkpoint {asked} is gated and no token was sent: accept its licence at {page}, then set HF_TOKEN (or "
        "run `hf auth login`)"
    ),
    "gated, no access": (
        "the checkpoint {asked} is gated and the token that was sent has no access to it: accept its licence at {page} "
        "with the account of that token (its owners may have to agree), and let the token read gated repositories"
    ),
    "bad token": (
        "the hub does not know the token that was sent (HF_TOKEN, or that of `hf auth login`): make a new one at "
        "https://huggingface.co/settings/tokens, or take it away where the checkpoint {asked} is public"
    ),
    "not found, no token": (
        "expected a local folder or a checkpoint of the hub, found nothing named {name}{nearest}: correct the name, or "
        "set HF_TOKEN where it is a private one"
    ),
    "not found": (
        "expected a local folder or a checkpoint of the hub, found nothing named {name} that the token which was sent "
        "may read{nearest}: correct the name, or set HF_TOKEN to a token that may read it"
    ),
    "forbidden": "the hub refuses the checkpoint {asked} ({reason}): take a token that may read it, {or_else}",
    "no revision": (
        "expected a branch, tag, commit or pull request (refs/pr/N) after the @ of {asked}, found none of that name: "
        "those that are there are listed at {page}/tree/main"
    ),
    "offline": (
        "HF_HUB_OFFLINE forbids to ask the hub, and its cache {cache} does not hold {asked} whole{nearest}: unset it "
        "and run once where there is a network, {or_else}"
    ),
    "no network": (
        "the hub cannot be reached ({reason}), and its cache {cache} does not hold {asked} whole{nearest}: run once "
        "where there is a network, {or_else}"
    ),
    "hub in trouble": (
        "the hub answers {status} when asked for {asked}, and its cache {cache} does not hold it whole: try again "
        "later, {or_else}"
    ),
    "disk full": (
        "the disk of the hub's cache {cache} is full, so that {asked} is not whole there: make room on it (`hf cache "
        "ls` says what lies there), or let HF_HOME name a folder on a larger disk, and run again"
    ),
    "cache not writable": (
        "expected to write {asked} into the hub's cache {cache}, but that is not possible ({reason}): let HF_HOME name "
        "a folder that can be written"
    ),
    "no id": "expected a local folder or a hub id (owner/name), found {asked}: correct the name",
    "other": "the checkpoint {asked} could not be had from the hub ({reason}): run again, {or_else}",
}
"""Situation -> the sentence; which one an error is, `situation` says."""


@dataclass(frozen=True)
class Asked:
    """What was asked for, and what is known beside it."""

    name: str
    revision: str
    cache: Path
    known: Iterable[str] = ()
    """Ids among which a misspelt one is looked for."""

    @property
    def checkpoint(self) -> str:
        """As the user writes it."""
        return f"{self.name}@{self.revision}" if self.revision else self.name


def refusal(error: Exception, asked: Asked) -> CheckpointError:
    """The error for the user, made from the one that the hub's client raised."""
    cause = _telling(error)
    status = getattr(getattr(cause, "response", None), "status_code", 0)
    sentence = SENTENCES[situation(error)].format(
        asked=asked.checkpoint,
        name=asked.name,
        page=f"https://huggingface.co/{asked.name}",
        cache=shown(asked.cache),
        nearest=_nearest(asked),
        status=status,
        reason=_reason(cause),
        or_else=ELSEWHERE,
    )
    return CheckpointError(sentence)


def situation(error: Exception) -> str:
    """Which row of SENTENCES an error of the client is."""
    error = _telling(error)
    if isinstance(error, HfHubHTTPError):
        return _answered(error)
    if isinstance(error, OfflineModeIsEnabled):
        return "offline"
    if isinstance(error, TRANSPORT):
        return "no network"
    if isinstance(error, HFValidationError):
        return "no id"
    if getattr(error, "errno", None) in FULL or "os error 28" in str(
        error
    ):  # the latter from hf_xet, in a RuntimeError
        return "disk full"
    if isinstance(error, OSError) and error.errno is not None:
        return "cache not writable"
    return "other"


def shown(folder: Path) -> str:
    """A folder as a person writes it: ~ for the home."""
    return f"~/{folder.relative_to(Path.home())}" if folder.is_relative_to(Path.home()) else str(folder)


def _answered(error: HfHubHTTPError) -> str:
    """The situation where the hub answered; 401 is also how it answers those without a token about what is missing."""
    status, sent = error.response.status_code, "authorization" in error.response.request.headers
    if isinstance(error, GatedRepoError):
        return "gated, no access" if sent else "gated, no token"
    if isinstance(error, RevisionNotFoundError):
        return "no revision"
    if status == 401 and sent and error.response.headers.get("X-Error-Message") == BAD_TOKEN:
        return "bad token"
    if isinstance(error, RepositoryNotFoundError) or status == 401:
        return "not found" if sent else "not found, no token"
    if status == 403:
        return "forbidden"
    return "hub in trouble" if status == 429 or status >= 500 else "other"


def _telling(error: Exception) -> Exception:
    """The error that says most: the client wraps what happened into 'not found in the cache either'."""
    causes = list(_causes(error))
    return next(
        (each for each in causes if isinstance(each, HfHubHTTPError | OfflineModeIsEnabled | TRANSPORT)), causes[0]
    )


def _causes(error: BaseException | None) -> Iterator[Exception]:
    while isinstance(error, Exception):
        yield error
        error = error.__cause__


def _reason(error: Exception) -> str:
    """What an error says, on one line; the system's words alone, where it is the system's."""
    words = (error.strerror if isinstance(error, OSError) else None) or str(error) or "no answer in time"
    return " ".join(words.split())[:200]


def _nearest(asked: Asked) -> str:
    """' (the nearest known id is X)', or nothing; a name without its owner is looked for among the names."""
    owned = "/" in asked.name
    ids = {(each if owned else each.rpartition("/")[2]).lower(): each for each in asked.known}
    found = get_close_matches(asked.name.lower(), ids, n=1, cutoff=0.6)
    return f" (the nearest known id is {ids[found[0]]})" if found and ids[found[0]] != asked.name else ""

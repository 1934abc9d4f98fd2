"""Where albums are: a folder here, or an address in object storage, which LanceDB reads and writes by itself."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from pipelines.core.errors import InputError

OPTIONS = {"allow_http": "true"}
"""LanceDB's storage options: an endpoint that says http:// is meant so. All else comes from the environment."""
QUICK = OPTIONS | {"connect_timeout": "3s", "timeout": "5s", "client_max_retries": "0"}
"""For the question whether there is a table: LanceDB asks six times, so that a silent store costs half a minute."""

GISTS = (
    r"<Message>(.+?)</Message>", r'message: "(.+?)"', r'error: "(.+?)"', r'source: "(.+?)[:"]', r"kind: (Timeout)",
    r"(status: \d+)",
)  # fmt: skip
"""Where in what LanceDB says of a store there is a reason, the best of them first."""


@dataclass(frozen=True)
class Remote:
    """An address in object storage: s3://bucket/albums, gs://bucket/albums, az://container/albums ..."""

    address: str
    """As it was given; what follows the bucket are names, whatever their characters."""

    def __truediv__(self, name: str) -> "Remote":
        return Remote(f"{self.address}/{name}")

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """What follows the last slash."""
        return self.address.rpartition("/")[2]

    @property
    def parent(self) -> "Remote":
        """What comes before the last slash."""
        return Remote(self.address.rpartition("/")[0])

    @property
    def uri(self) -> str:
        """For LanceDB: # and ? in names do not end them."""
        scheme, _, rest = self.address.partition("://")
        bucket, slash, names = rest.partition("/")
        return f"{scheme}://{bucket}{slash}{quote(names)}"


Place: TypeAlias = Path | Remote


def place(given: Path | str) -> Place:
    """What a setting means: an address where it has a scheme (s3://), else a folder, of which ~ is one's own."""
    if isinstance(given, str) and "://" in given:
        return Remote(given.rstrip("/"))
    return Path(given).expanduser()


def unreachable(remote: Remote, error: Exception) -> InputError:
    """What to say where LanceDB could not ask a store, or was refused."""
    return InputError(
        f"expected albums at {remote}, found: {said(error)}; see to the address, the network and the credentials "
        "in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL for s3://, "
        "others in docs/search.md"
    )


def said(error: Exception) -> str:
    """The gist of what LanceDB says, which is whole requests, answers and places in its sources."""
    text = " ".join(str(error).replace("\\", "").split())
    for gist in GISTS:
        if found := re.search(gist, text):
            return found[1]
    return re.sub(r",? /\S+\.rs:\d+:\d+$", "", text.removeprefix("lance error: "))[:300]

"""A model hub for tests: a server on this machine that speaks as much of the hub's protocol as its own client asks for.

What it answers follows the client's code (huggingface_hub 2.4: hf_api.py, file_download.py, utils/_http.py) and the
hub's documents (https://huggingface.co/docs/hub/api). Repositories are folders, `ROOT/OWNER/NAME/REVISION/...`, where
REVISION is `main`, a tag, or `refs/pr/7`; they may be changed while it runs, which moves their commits.

    with serving(root, {"org/closed": State(gated=True, granted={"hf_a"})}, tokens={"hf_a", "hf_b"}) as hub:
        resolve("org/name", Hub(hub.api(), cache))                            # in this process
        subprocess.run(command, env={**os.environ, **hub.environment(home)})  # in one of its own
        assert hub.fetched("org/name") == {"config.json": 2, "model.safetensors": 4}

The client reads HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE once, when it is imported: only a new process can be offline.
"""

import hashlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from huggingface_hub import HfApi

LARGE = (".safetensors", ".bin", ".h5", ".msgpack", ".onnx")
"""Files that the hub keeps apart (LFS), and redirects to."""
CONVERTER = "SFconvertbot"
API = re.compile(
    r"/api/models/((?:[^/]+/)?(?!revision|tree|discussions)[^/]+)(?:/(revision|tree|discussions))?(?:/(.+))?"
)
FILE = re.compile(r"/((?:[^/]+/)?[^/]+)/resolve/([^/]+)/(.+)")
CDN = "/cdn"


@dataclass(frozen=True)
class Pull:
    """A pull request, whose files lie in the folder `refs/pr/NUM`."""

    num: int
    title: str = "Adding `safetensors` variant of this model"
    author: str = CONVERTER
    status: str = "open"


@dataclass(frozen=True)
class State:
    """How a repository answers; one that nothing is said of is public and whole."""

    gated: bool = False
    """Anybody may list its files, as on the hub, but reading one needs a token that was granted."""
    private: bool = False
    """It is not there for those without a token that was granted."""
    granted: Collection[str] = ()
    """The tokens that may read it."""
    status: int = 0
    """With this (500, 503) it answers all requests, unless 0."""
    silent: bool = False
    """The connection ends without an answer."""
    refused: Collection[str] = ()
    """Files that nobody gets (403), as where a firewall is in the way."""
    pulls: Collection[Pull] | None = None
    """Its pull requests; None: one of the converter's for each folder `refs/pr/N`."""


@dataclass(frozen=True)
class Request:
    """One that came, and what was answered."""

    method: str
    path: str
    kind: str
    """`info`, `tree`, `discussions` or `file`."""
    repository: str
    file: str
    """Its path in the repository, for the kind `file`."""
    status: int
    sent: int
    """Bytes of the answer's body."""


@dataclass
class ServedHub:
    """The running server."""

    root: Path
    states: dict[str, State]
    """May be changed while it runs."""
    tokens: Collection[str]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    """All that came, in the order in which they were answered."""

    def forget(self) -> None:
        """Empties `requests`."""
        self.requests.clear()

    def asked(self, kind: str) -> int:
        """How many requests of a kind came."""
        return sum(request.kind == kind for request in self.requests)

    def fetched(self, repository: str) -> dict[str, int]:
        """File -> bytes that were sent of it; what was only asked about (HEAD) is not there."""
        sent: Counter[str] = Counter()
        for each in self.requests:
            if each.repository == repository and each.kind == "file" and each.method == "GET" and each.status < 300:
                sent[each.file] += each.sent
        return dict(sent)

    def sha(self, repository: str, revision: str = "main") -> str:
        """The commit (40 hex digits) of a revision as it is now."""
        return _commit(self.root / repository, revision)

    def api(self, token: str = "") -> HfApi:
        """The hub's own client, which asks here and sends this token or none."""
        return HfApi(endpoint=self.url, token=token or False)

    def environment(self, home: Path, token: str = "") -> dict[str, str]:
        """Variables that send a new process's client here, with its cache in `home`/hub and this token or none."""
        return {
            "HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_TOKEN": token, "HF_HUB_OFFLINE": "",
            "TRANSFORMERS_OFFLINE": "", "HF_HUB_CACHE": str(home / "hub"), "NO_PROXY": "127.0.0.1",
        }  # fmt: skip


def publish(root: Path, repository: str, files: Mapping[str, str | bytes], revision: str = "main") -> Path:
    """Writes files (path in the repository -> content) as a revision; what is there of it stays. Its folder."""
    folder = root / repository / revision
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@contextmanager
def serving(root: Path, states: Mapping[str, State] | None = None, tokens: Collection[str] = ()) -> Iterator[ServedHub]:
    """Serves the repositories in `root` until the end; `tokens` are the hub's accounts, others are refused."""
    hub = ServedHub(root, dict(states or {}), tokens)
    answers = type("Answers", (_Answers,), {"hub": hub, "connections": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for connection in list(answers.connections):  # clients keep them open, and would be answered still
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Answers(BaseHTTPRequestHandler):
    """Answers one connection."""

    hub: ServedHub
    connections: set[socket.socket]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1  # else each answer takes 40 ms

    def setup(self):
        super().setup()
        self.connections.add(self.connection)

    def finish(self):
        self.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self):
        path = urlsplit(self.path).path
        self.kind, self.repository, self.file = "", "", ""
        if match := API.fullmatch(path):
            repository, kind, rest = match.groups()
            revision, self.kind = unquote(rest or "main"), {"revision": "info", None: "info"}.get(kind, kind)
        elif match := FILE.fullmatch(path.removeprefix(CDN)):
            repository, revision, file = match.groups()
            revision, self.kind, self.file = unquote(revision), "file", unquote(file)
        else:
            return self.refuse(404, "", "Not Found")
        self.repository = unquote(repository)
        return self.answer_of(self.hub.states.get(self.repository, State()), revision, path.startswith(CDN))

    def do_HEAD(self):
        self.do_GET()

    def answer_of(self, state, revision, on_cdn):
        """Answers from the repository, or refuses as the hub does."""
        folder = self.hub.root / self.repository
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if state.silent:
            self.close_connection = True
            return None
        if state.status:
            return self.refuse(state.status, "", "Internal Error - We're working hard to fix this as soon as possible!")
        if token and token not in self.hub.tokens:
            return self.refuse(401, "", "Invalid credentials in Authorization header")
        if not folder.is_dir() or (state.private and token not in state.granted):
            return self.refuse(404, "RepoNotFound", "Repository not found") if token else self.unknown()
        if self.kind == "discussions":
            author = parse_qs(urlsplit(self.path).query).get("author", [""])[0]
            return self.send_json(_discussions(folder, self.repository, state, author))
        found = _revision(folder, revision)
        if found is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if self.kind == "info":
            return self.send_json(_info(folder, self.repository, found, state))
        if self.kind == "tree":
            return self.send_json([_entry(path, folder / found) for path in _files(folder / found)])
        return self.answer_file(state, folder, found, token, on_cdn)

    def answer_file(self, state, folder, revision, token, on_cdn):
        path = folder / revision / self.file
        if state.gated and not on_cdn and token not in state.granted:
            why = "you are not in the authorized list" if token else "you must have access to it and be authenticated"
            restricted = f"Access to model {self.repository} is restricted. {why}."
            return self.refuse(403 if token else 401, "GatedRepo", restricted)
        if self.file in state.refused:
            return self.refuse(403, "", "Forbidden")
        if not path.is_file():
            return self.refuse(404, "EntryNotFound", "Entry not found", commit=_commit(folder, revision))
        data, sha256, blob = _facts(path)
        etag = sha256 if path.name.endswith(LARGE) else blob
        about = {"X-Repo-Commit": _commit(folder, revision), "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if path.name.endswith(LARGE) and not on_cdn:
            about |= {"X-Linked-Size": str(data), "X-Linked-ETag": f'"{sha256}"'}
            about |= {"Location": f"{self.hub.url}{CDN}{urlsplit(self.path).path}"}
            return self.send(302, b"", about)
        return self.send_file(path, data, about)

    def send_file(self, path, size, about):
        """The file, or its rest where a Range asks for it."""
        first = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, 0])[1])
        if first:
            about |= {"Content-Range": f"bytes {first}-{size - 1}/{size}"}
        about |= {"Content-Length": str(size - first)}
        if self.command == "HEAD":
            return self.send(200, b"", about)
        with path.open("rb") as file:
            file.seek(first)
            return self.send(206 if first else 200, file.read(), about)

    def unknown(self):
        """To those without a token the hub does not say whether a repository is missing or private."""
        if self.kind == "file":
            return self.refuse(401, "RepoNotFound", "Repository not found")
        return self.refuse(401, "", "Invalid username or password.")

    def refuse(self, status, code, message, commit=""):
        headers = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": commit}
        body = json.dumps({"error": message}).encode()
        return self.send(status, body, {name: value for name, value in headers.items() if value})

    def send_json(self, content):
        return self.send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def send(self, status, body, headers):
        sent = b"" if self.command == "HEAD" else body
        path, kind = self.path, self.kind
        self.hub.requests.append(Request(self.command, path, kind, self.repository, self.file, status, len(sent)))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *said):
        """Nothing on the terminal."""


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _facts(path: Path) -> tuple[int, str, str]:
    """Bytes, SHA-256 and git's blob id of a file."""
    about = path.stat()
    return _hashed(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hashed(path: Path, size: int, mtime_ns: int) -> tuple[int, str, str]:
    data = path.read_bytes()
    return size, hashlib.sha256(data).hexdigest(), hashlib.sha1(b"blob %d\0" % size + data).hexdigest()


def _commit(folder: Path, revision: str) -> str:
    """A commit's 40 hex digits, which follow from the files."""
    said = [(path, _facts(folder / revision / path)) for path in _files(folder / revision)]
    return hashlib.sha1(json.dumps([folder.name, revision, said]).encode()).hexdigest()


def _revision(folder: Path, asked: str) -> str | None:
    """The folder of a revision, which is asked for by its name or its commit."""
    if (folder / asked).is_dir():
        return asked
    holding = {path.parent for path in folder.rglob("*") if path.is_file()}
    names = [path.relative_to(folder).as_posix() for path in holding]
    return next((name for name in names if _commit(folder, name) == asked), None)


def _info(folder: Path, repository: str, revision: str, state: State) -> dict:
    siblings = []
    for path in _files(folder / revision):
        size, sha256, blob = _facts(folder / revision / path)
        lfs = {"lfs": {"sha256": sha256, "size": size, "pointerSize": 134}} if path.endswith(LARGE) else {}
        siblings.append({"rfilename": path, "size": size, "blobId": blob, **lfs})
    return {
        "id": repository, "modelId": repository, "sha": _commit(folder, revision), "private": state.private,
        "gated": "manual" if state.gated else False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
        "siblings": siblings, "createdAt": "2024-01-01T00:00:00.000Z",
    }  # fmt: skip


def _entry(path: str, folder: Path) -> dict:
    size, sha256, blob = _facts(folder / path)
    lfs = {"lfs": {"oid": sha256, "size": size, "pointerSize": 134}} if path.endswith(LARGE) else {}
    return {"type": "file", "path": path, "size": size, "oid": blob, **lfs}


def _discussions(folder: Path, repository: str, state: State, author: str) -> dict:
    pulls = state.pulls
    if pulls is None:
        pulls = [Pull(int(path.name)) for path in (folder / "refs/pr").glob("*")]
    shown = [
        {
            "num": pull.num, "title": pull.title, "author": {"name": pull.author}, "status": pull.status,
            "isPullRequest": True, "createdAt": "2024-01-01T00:00:00.000Z",
            "repo": {"name": repository, "type": "model"},
        }
        for pull in pulls
        if author in ("", pull.author)
    ]  # fmt: skip
    return {"discussions": shown, "count": len(shown), "start": 0}

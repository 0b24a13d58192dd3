"""A small Hugging Face Hub on the loopback: folders served as repositories, with faults on demand.

It speaks as much of the Hub's interface as ``huggingface_hub`` needs to look a model up and to
download it, over real sockets, so that a test sees real time-outs, cut connections and progress.
``huggingface_hub`` reads its settings when it is imported, so the client belongs into a process of
its own, with :meth:`LocalHub.environment`.

>>> with LocalHub({"owner/tiny": folder}) as hub:  # doctest: +SKIP
...     hub.bytes_per_second = 100_000
...     subprocess.run([sys.executable, "-c", code], env=hub.environment(home=tmp_path))
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import struct
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.loopback import Loopback

CHUNK = 16_384
"""Bytes that are sent at once."""

FAULTS = {
    "missing": (404, "RepoNotFound"),
    "unknown": (401, "RepoNotFound"),  # what the Hub says of a missing one to who is not signed in
    "gated": (401, "GatedRepo"),
    "not on the list": (403, "GatedRepo"),
    "forbidden": (403, ""),
    "broken": (500, ""),
    "busy": (429, ""),
}
"""Faults that are an answer: its status and the Hub's own error code. Besides these there are
``hang`` (no answer) and ``cut`` (the connection ends in the middle of the body)."""


class LocalHub(Loopback):
    """The server; a context manager.

    Args:
        repos: ``{"owner/name": folder}``; a folder is read when it is asked for.

    Attributes:
        faults: ``{"owner/name" or "owner/name/file": fault}``, a key of :data:`FAULTS`, ``hang``
            or ``cut``; may be changed at any time.
        bytes_per_second: what a body is slowed to, or None.
        commits: ``{"owner/name": commit}`` where it is not to follow from what the folder holds.
        requests: what was asked for, e.g. ``GET /owner/name/resolve/main/config.json``.
        bytes_sent: of all bodies so far.
    """

    def __init__(self, repos: Mapping[str, Path]) -> None:
        super().__init__(_Handler)
        self.repos = dict(repos)
        self.faults: dict[str, str] = {}
        self.bytes_per_second: float | None = None
        self.commits: dict[str, str] = {}
        self.requests: list[str] = []
        self.bytes_sent = 0
        self.url = self.address

    def environment(self, *, home: Path) -> dict[str, str]:
        """The environment of a client that knows this Hub only, and keeps its cache in ``home``."""
        ours = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "HUGGING_FACE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return clean | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def commit(self, repo: str) -> str:
        """The forty digits that stand for what the folder holds now."""
        if repo in self.commits:
            return self.commits[repo]
        parts = [f"{name} {_etag(path)}" for name, path in sorted(self.files(repo).items())]
        return hashlib.sha1("\n".join(parts).encode()).hexdigest()

    def files(self, repo: str) -> dict[str, Path]:
        """``{path in the repository: file}``."""
        folder = self.repos[repo]
        return {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file()
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> LocalHub:
        return self.server.played_by

    def log_message(self, *_args: object) -> None:
        """Nothing: the tests read :attr:`LocalHub.requests`."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.hub.requests.append(f"{self.command} {unquote(url.path)}")
        with contextlib.suppress(ConnectionError):
            self._route(unquote(url.path), parse_qs(url.query))

    def _route(self, path: str, query: Mapping[str, list[str]]) -> None:
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = api or file
        name = found[3] if file else ""
        if found is None:
            self._refuse(404, "EntryNotFound")
        elif self._fails(found[1], name):
            return
        elif found[1] not in self.hub.repos:
            self._refuse(*FAULTS["unknown"])
        elif (found[2] or "main") not in ("main", self.hub.commit(found[1])):
            self._refuse(404, "RevisionNotFound")
        elif api:
            self._send_json(self._model_info(found[1], with_sizes="blobs" in query))
        elif name not in self.hub.files(found[1]):
            self._refuse(404, "EntryNotFound")
        else:
            self._send_file(found[1], self.hub.files(found[1])[name])

    def _fails(self, repo: str, name: str) -> bool:
        fault = self.hub.faults.get(f"{repo}/{name}") or self.hub.faults.get(repo)
        if fault == "hang":
            self.hub.closing.wait()
            self.close_connection = True
        elif fault in FAULTS:
            self._refuse(*FAULTS[fault])
        return fault == "hang" or fault in FAULTS

    def _refuse(self, status: int, code: str) -> None:
        body = json.dumps({"error": code or "refused"}).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _model_info(self, repo: str, *, with_sizes: bool) -> dict[str, object]:
        files = self.hub.files(repo)
        siblings = [
            {"rfilename": name, **({"size": path.stat().st_size} if with_sizes else {})}
            for name, path in sorted(files.items())
        ]
        info: dict[str, object] = {
            "id": repo,
            "modelId": repo,
            "sha": self.hub.commit(repo),
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": siblings,
        }
        weights = [path for name, path in files.items() if name.endswith(".safetensors")]
        if weights:
            counts: dict[str, int] = {}
            for path in weights:
                for kind, count in _parameters(path).items():
                    counts[kind] = counts.get(kind, 0) + count
            info["safetensors"] = {"parameters": counts, "total": sum(counts.values())}
        return info

    def _send_json(self, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, repo: str, path: Path) -> None:
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = min(int(asked[2]) if asked and asked[2] else size - 1, size - 1)
        if asked and first >= size:
            self._refuse(416, "")
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{_etag(path)}"')
        self.send_header("X-Repo-Commit", self.hub.commit(repo))
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(path, first, last, fault=self._body_fault(repo, path))

    def _body_fault(self, repo: str, path: Path) -> str:
        name = path.relative_to(self.hub.repos[repo]).as_posix()
        return self.hub.faults.get(f"{repo}/{name}") or self.hub.faults.get(repo, "")

    def _send_body(self, path: Path, first: int, last: int, *, fault: str) -> None:
        until = (first + last) // 2 if fault == "cut" else last + 1
        with path.open("rb") as file:
            file.seek(first)
            while (place := file.tell()) < until and not self.hub.closing.is_set():
                part = file.read(min(CHUNK, until - place))
                self.wfile.write(part)
                self.hub.bytes_sent += len(part)
                if self.hub.bytes_per_second:
                    time.sleep(len(part) / self.hub.bytes_per_second)
        if until <= last or self.hub.closing.is_set():
            self.close_connection = True


_etags: dict[tuple[Path, int, int], str] = {}


def _etag(path: Path) -> str:
    stat = path.stat()
    key = (path, stat.st_mtime_ns, stat.st_size)
    if key not in _etags:
        _etags[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _etags[key]


def _parameters(path: Path) -> dict[str, int]:
    """``{dtype: numbers}`` of a safetensors file, from its header: 8 bytes of length, then JSON."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    counts: dict[str, int] = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            numbers = 1
            for side in tensor["shape"]:
                numbers *= side
            counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + numbers
    return counts

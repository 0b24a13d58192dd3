"""A small package index on the loopback, with faults on demand, and a wheel that holds a model.

>>> with LocalIndex(wheel) as index:  # doctest: +SKIP
...     index.fault = "cut"
"""

from __future__ import annotations

import hashlib
import time
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from headroles.models.catalogue import CatalogueEntry, PackageFile
from tests.gguf_writer import tiny_model, write_gguf
from tests.loopback import Loopback

PROJECT, VERSION, INSIDE = "tiny-model", "1.0", "tiny_model/tiny.gguf"


def make_wheel(folder: Path, *, content: bytes | None = None, inside: str = INSIDE) -> Path:
    """A wheel with a tiny Llama (or other content) and the little metadata that pip reads."""
    folder.mkdir(parents=True, exist_ok=True)
    if content is None:
        write_gguf(tiny_model("llama"), "llama", folder / "tiny.gguf", quantization="Q8_0")
        content = (folder / "tiny.gguf").read_bytes()
    wheel, info = (
        folder / f"tiny_model-{VERSION}-py3-none-any.whl",
        f"tiny_model-{VERSION}.dist-info",
    )
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr(inside, content)
        files.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {VERSION}\n"
        )
        files.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        files.writestr(f"{info}/RECORD", "")
    return wheel


def package_in(wheel: Path, **changes: object) -> PackageFile:
    """What the catalogue would say of a wheel, or something else."""
    with zipfile.ZipFile(wheel) as files:
        name = next(name for name in files.namelist() if name.endswith(".gguf"))
        content = files.read(name)
    said = {
        "project": PROJECT,
        "version": VERSION,
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "wheel_bytes": wheel.stat().st_size,
        "path": INSIDE,
        "sha256": hashlib.sha256(content).hexdigest(),
        "file_bytes": len(content),
        "quantization": "Q8_0",
        "config": {
            "model_type": "llama",
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "hidden_size": 64,
            "vocab_size": 296,
        },
    }
    return PackageFile(**{**said, **changes})


def entry_of(package: PackageFile, size: int) -> CatalogueEntry:
    """A catalogue entry of that package."""
    return CatalogueEntry(
        "tiny-package",
        "Tiny package",
        f"{package.project}=={package.version}",
        "Llama",
        size,
        "MIT",
        "For tests.",
        package=package,
    )


class LocalIndex(Loopback):
    """The server; a context manager.

    Attributes:
        fault: ``hang`` (no answer), ``cut`` (the connection ends in the middle of the wheel),
            ``missing`` (no such project) or "".
        bytes_per_second: what the wheel is slowed to, or None.
        downloads: how often the wheel was asked for.
    """

    def __init__(self, wheel: Path) -> None:
        super().__init__(_Handler)
        self.wheel, self.fault, self.downloads = wheel, "", 0
        self.bytes_per_second: float | None = None
        self.url = f"{self.address}/simple"

    def use(self, monkeypatch) -> None:
        """Let pip know this index only."""
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", self.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        index = self.server.played_by
        if index.fault == "hang":
            index.closing.wait(60)
        elif self.path == f"/simple/{PROJECT}/" and index.fault != "missing":
            link = f'<a href="/{index.wheel.name}">{index.wheel.name}</a>'.encode()
            self._head("text/html", len(link))
            self.wfile.write(link)
        elif self.path == f"/{index.wheel.name}":
            index.downloads += 1
            self._send_wheel(index)
        else:
            self.send_error(404)

    def _head(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_wheel(self, index: LocalIndex) -> None:
        content = index.wheel.read_bytes()
        self._head("application/zip", len(content))
        end = len(content) // 2 if index.fault == "cut" else len(content)
        for at in range(0, end, 4096):
            if index.closing.is_set():
                return
            self.wfile.write(content[at : min(at + 4096, end)])
            if index.bytes_per_second:
                time.sleep(4096 / index.bytes_per_second)

"""A Streamlit server on the loopback, and how a Chromium is started to look at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from headroles.models import entry_of
from headroles.paths import ROOT

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

START_SECONDS = 60
"""A server that does not answer by then has failed."""


class Served(NamedTuple):
    """A Streamlit server that runs."""

    address: str
    """``http://127.0.0.1:<port>``."""
    pid: int


def chromium_path() -> str | None:
    """Chromium by the variable CHROMIUM, in its usual place, or on the path."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    usual = Path("/usr/bin/chromium")
    return str(usual) if usual.exists() else shutil.which("chromium") or shutil.which("chrome")


@contextlib.contextmanager
def served(
    script: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    log: Path = Path(os.devnull),
) -> Iterator[Served]:
    """Run a Streamlit script on a free loopback port, and stop it by its process id.

    Args:
        script: what ``streamlit run`` is given.
        options: more options of Streamlit.
        environment: the whole environment of the process; this one's where it is None.
        log: the file for the server's output.

    Raises:
        RuntimeError: with the end of the server's log, if it does not come up.
    """
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    command += ["--browser.gatherUsageStats=false", *options]
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            if not wait_for(f"{address}/_stcore/health", process):
                raise RuntimeError(f"the app did not start:\n{log.read_text()[-2000:]}")
            yield Served(address, process.pid)
        finally:
            stop(process)


def in_place_of_the_hub(model: str, folder: Path, home: Path) -> dict[str, str]:
    """The environment in which a folder counts as the downloaded files of a catalogue model.

    Args:
        model: its key.
        folder: in Hugging Face format.
        home: where the link is kept.
    """
    entry = entry_of(model)
    if not entry.is_bundled:
        cache = home / "hub" / f"models--{entry.source.replace('/', '--')}" / "snapshots"
        cache.mkdir(parents=True)
        (cache / str(entry.revision)).symlink_to(folder.resolve(), target_is_directory=True)
    return {"HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "1"}


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process: subprocess.Popen) -> None:
    """End a process that was started here: asked first, killed if it does not listen."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(address: str, process: subprocess.Popen) -> bool:
    """Whether the address answers while the process lives, within :data:`START_SECONDS`."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=2).close()
            return True
        time.sleep(0.1)
    return False

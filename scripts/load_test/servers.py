"""The servers that are measured, an analysis beside them, and what they take meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import streamlit

from headroles.admin import processes
from headroles.paths import CATEGORIES, ROOT
from scripts.benchmark.server import Served, free_port, served, stop, wait_for

CADDYFILE = ROOT / "deploy" / "Caddyfile"
HEALTH = "/_stcore/health"
NICENESS = 19
"""Of an analysis that the Admin page starts."""
EVERY = 0.5
"""Seconds between two looks at the servers."""
PATIENCE = 30
"""Seconds after which a host takes a server that does not answer for dead."""


class Running(NamedTuple):
    """Servers behind one address."""

    address: str
    addresses: tuple[str, ...]
    """Of each process alone."""
    pids: tuple[int, ...]
    proxy_pid: int | None = None


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    servers: int = 1,
    categories: Path = CATEGORIES,
    hub: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """So many processes of the app with one copy of the data; behind Caddy where they are several.

    Args:
        folder: for the data and the logs.
        servers: how many processes.
        categories: the analyses that the copy begins with.
        hub: the environment in which models are found; by default the bundled ones alone.

    Raises:
        RuntimeError: if one does not come up, or Caddy is needed and missing.
    """
    data = folder / "data"
    data.mkdir()
    shutil.copy(categories, data / CATEGORIES.name)
    hub = {"HF_HUB_OFFLINE": "1"} if hub is None else hub
    with contextlib.ExitStack() as stack:
        started = []
        for number in range(servers):
            environment = {**os.environ, **hub, "HEADROLES_DATA": str(data)}
            if number:
                environment["HEADROLES_RUN_ANALYSES"] = "0"
            server = served(
                ROOT / "streamlit_app.py",
                "--server.fileWatcherType=none",
                environment=environment,
                log=folder / f"server{number}.log",
            )
            started.append(stack.enter_context(server))
        pids = tuple(server.pid for server in started)
        addresses = tuple(server.address for server in started)
        if servers == 1:
            yield Running(addresses[0], addresses, pids)
        else:
            proxy = stack.enter_context(proxied(addresses, folder))
            yield Running(proxy.address, addresses, pids, proxy.pid)


@contextlib.contextmanager
def proxied(servers: Sequence[str], folder: Path) -> Iterator[Served]:
    """Caddy with the recipe of ``deploy/`` on a free loopback port.

    Args:
        servers: the address of each process.
        folder: for the log and what Caddy keeps.

    Raises:
        RuntimeError: if Caddy is missing or does not come up.
    """
    caddy = shutil.which("caddy")
    if caddy is None:
        raise RuntimeError("several servers need Caddy: apt-get install caddy")
    port = free_port()
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HEADROLES_SITE": f"http://127.0.0.1:{port}",
        "HEADROLES_SERVERS": " ".join(server.removeprefix("http://") for server in servers),
        "HEADROLES_STATIC": str(Path(streamlit.__file__).parent / "static"),
    }
    command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    log, address = folder / "caddy.log", f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            if not wait_for(address + HEALTH, process):
                raise RuntimeError(f"Caddy did not start:\n{log.read_text()[-2000:]}")
            yield Served(address, process.pid)
        finally:
            stop(process)


@contextlib.contextmanager
def analysis(folder: Path, model: str) -> Iterator[None]:
    """Analyse a model again and again, with the priority that the Admin page gives an analysis.

    Args:
        folder: for the result.
        model: a catalogue key or a folder.
    """
    over = threading.Event()
    command = [sys.executable, "-m", "scripts.analyze_heads", model, "--force"]
    command += ["--end-with-input", "--out", str(folder / "candidate.json")]

    def repeat() -> None:
        while not over.is_set():
            with subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as child:
                processes.give_way(child.pid, niceness=NICENESS)
                while child.poll() is None and not over.wait(0.2):
                    pass
                child.stdin.close()  # which ends it at once
                stop(child)

    worker = threading.Thread(target=repeat)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


class Sample(NamedTuple):
    """One look at the servers."""

    at: float
    """On the clock of :func:`time.monotonic`."""
    megabytes: float
    """Resident, all server processes together."""
    cpu_seconds: float
    """Processor time since they started, the proxy's included."""
    health_seconds: float
    """Until the health address answered; :data:`PATIENCE` where it did not."""


class Watch:
    """Looks at the servers from time to time, in a thread; a context manager."""

    def __init__(self, servers: Running) -> None:
        self.samples: list[Sample] = []
        self._servers = [psutil.Process(pid) for pid in servers.pids]
        proxy = [psutil.Process(servers.proxy_pid)] if servers.proxy_pid else []
        self._counted = [*self._servers, *proxy]
        self._address = servers.address + HEALTH
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, began: float, ended: float) -> list[Sample]:
        """The looks in a stretch of time."""
        return [sample for sample in self.samples if began <= sample.at <= ended]

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            with contextlib.suppress(psutil.NoSuchProcess):
                memory = sum(process.memory_info().rss for process in self._servers) / 1e6
                cpu = sum(sum(process.cpu_times()[:2]) for process in self._counted)
                at = time.monotonic()
                self.samples.append(Sample(at, memory, cpu, self._health()))

    def _health(self) -> float:
        began = time.monotonic()
        try:
            urllib.request.urlopen(self._address, timeout=PATIENCE).close()
        except OSError:
            return PATIENCE
        return time.monotonic() - began

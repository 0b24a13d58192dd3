"""Child processes that end when they are told to, with everything under them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from pathlib import Path

import psutil

GRACE_SECONDS = 0.5
"""Between asking a process to end and killing it."""
SESSION_NICENESS = 10
"""Of a session of processes that gives way: a tenth of a busy core, so that it ends some time."""

_log = logging.getLogger(__name__)


def stop_tree(pid: int) -> None:
    """End a process and everything under it: asked first, killed after :data:`GRACE_SECONDS`."""
    family = _family(pid)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
    # Whoever did not listen may have started others in the meantime.
    stubborn = {member for process in alive for member in _family(process.pid)}
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=1)


def _family(pid: int) -> list[psutil.Process]:
    """A process with all its descendants; empty if it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def give_way(pid: int, *, niceness: int) -> None:
    """Lower a process's priority, where the system has such a thing (Unix niceness).

    Linux may give every session of processes the same time (*autogroup*), and compare niceness only
    within a session. So the session of a process that leads one is made to give way too.
    """
    try:
        psutil.Process(pid).nice(niceness)
        if (group := Path(f"/proc/{pid}/autogroup")).exists() and os.getsid(pid) == pid:
            group.write_text(str(min(niceness, SESSION_NICENESS)))
    except (psutil.Error, OSError, ValueError):  # it ended already, or this system has no niceness
        _log.debug("the priority of %s could not be lowered", pid)


def stop_group(pid: int) -> None:
    """Kill what is left of the process group that a process led; it may be gone itself."""
    if hasattr(os, "killpg"):  # Windows has no groups
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def stop_started_with(path: Path) -> None:
    """End the Python processes that have a path, or an option with it, on their command line."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if "python" in words[0] and any(word in (str(path), f"--out={path}") for word in words):
            stop_tree(process.pid)

"""The one admin service of this server.

It is kept by the module and not by ``st.cache_resource``: "Clear cache" in the app's menu must not
make a second one, with a second queue and a second lock, while an analysis runs.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import runtime

from headroles import admin, paths
from headroles.errors import HeadrolesError
from headroles.ui.app import caches, keeper

if TYPE_CHECKING:
    from headroles.admin import AdminService, Gate

RUN_ANALYSES = "HEADROLES_RUN_ANALYSES"
"""The environment variable that is 0 for a process that only asks for analyses."""
LOOK_SECONDS = 10.0
"""Between two looks for analyses that wait, while nobody has opened the page here."""

_making = threading.Lock()
_gates: dict[tuple[Path, str | None], Gate] = {}
_offices: dict[Path, AdminService] = {}


def gate() -> Gate:
    """The lock of the page. The first call writes the token into the log where there is no hash.

    Raises:
        HeadrolesError: if the hash in the secrets is not valid, or the secrets cannot be read.
    """
    key = (_folder(), _password_hash())
    # First without the lock: a service may be in the making, which takes seconds.
    return _gates.get(key) or _new_gate(key)


def _new_gate(key: tuple[Path, str | None]) -> Gate:
    with _making:
        if key not in _gates:
            _gates[key] = admin.Gate(key[1])
        return _gates[key]


def print_sign_in_token() -> None:
    """Write the token, where there is one, into the server's log when the first page is opened.

    From then on, this process also takes up analyses that were asked for in another one.
    """
    with contextlib.suppress(HeadrolesError):  # the instructor's page shows it; students go on
        gate()
    if _may_run() and runtime.exists():  # a page under test has no server
        _watcher()


@keeper.once
def _watcher() -> threading.Thread:
    thread = threading.Thread(target=_watch_for_analyses, daemon=True)
    thread.start()
    return thread


def _watch_for_analyses() -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        with contextlib.suppress(HeadrolesError, OSError):  # the instructor's page says why
            take_up_analyses()


def take_up_analyses() -> None:
    """Make the service where there are jobs; without any, nobody needs the libraries it brings."""
    folder = _folder()
    locks = [lock for (place, _), lock in list(_gates.items()) if place == folder]
    if locks and folder not in _offices and any(folder.glob("jobs/*/job.json")):
        _make(folder, locks[-1])


def _may_run() -> bool:
    return os.environ.get(RUN_ANALYSES, "1").strip() != "0"


def _make(folder: Path, lock: Gate) -> AdminService:
    """The service of a folder, made if there is none."""
    caches.import_libraries()  # those of a service too, and a student's page may be importing them
    with _making:
        if folder not in _offices:
            _offices[folder] = admin.AdminService(lock, folder=folder, may_run=_may_run())
        return _offices[folder]


def admin_service() -> admin.AdminService:
    """The instructor's actions on this server's data folder.

    Raises:
        HeadrolesError: if the hash in the secrets is not valid, or the secrets cannot be read.
        OSError: if the records of earlier jobs are in the way.
    """
    lock = gate()
    office = _make(_folder(), lock)
    if office.gate is not lock:  # the password was changed: who came in with another one is out
        with _making:
            office.gate = lock
            for key, other in list(_gates.items()):
                if key[0] == _folder() and other is not lock:
                    del _gates[key]
    return office


def analysis_runs() -> bool:
    """Whether this server process runs an analysis now; makes no service where there is none."""
    office = _offices.get(_folder())
    return office is not None and office.at_work


def close() -> None:
    """Cancel every open analysis and forget what is known; for tests."""
    with _making:
        for office in _offices.values():
            office.close()
        _offices.clear()
        _gates.clear()


def _folder() -> Path:
    return paths.CATEGORIES.parent


def _password_hash() -> str | None:
    """From ``.streamlit/secrets.toml``; None where there is no file, or no such line in it."""
    try:
        section = st.secrets.get("admin", {})
    except FileNotFoundError as error:
        if getattr(error, "error_id", "no-secrets-found") == "no-secrets-found":
            return None
        # There is a file, so somebody may have set a password: a token must not replace it.
        raise HeadrolesError(
            "The secrets file cannot be read, so nobody can sign in.",
            hint="Fix .streamlit/secrets.toml: it must be valid TOML.",
        ) from error
    if not isinstance(section, Mapping) or "password_hash" not in section:
        return None
    return str(section["password_hash"])

"""A running app and a real Chromium; where there is none, the tests are skipped and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from headroles.admin import hash_password
from headroles.paths import CATEGORIES, DEMO_MODEL, ROOT
from scripts.benchmark.server import CHROMIUM_FLAGS, chromium_path, served
from tests.browser.visit import opened


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """One Chromium for all tests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium: set the variable CHROMIUM to its path")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        chromium.new_context()  # shared by the visits; see tests.browser.visit.opened
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, served on a free port of this machine only."""
    _need(DEMO_MODEL / "config.json", CATEGORIES)
    with serve(tmp_path_factory.mktemp("server")) as address:
        yield address


class Classroom(NamedTuple):
    """A server of its own, on which an instructor may change what students see."""

    address: str
    folder: Path
    """Its data folder."""
    password: str


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classroom]:
    """A server with a password and with a copy of the shipped categories."""
    _need(DEMO_MODEL / "config.json", ROOT / "data" / "head_categories.json")
    folder, password = tmp_path_factory.mktemp("classroom"), "four random words here"
    secrets = folder / "secrets.toml"
    secrets.write_text(f'[admin]\npassword_hash = "{hash_password(password)}"\n')
    data = folder / "data"
    data.mkdir()
    shutil.copy(ROOT / "data" / "head_categories.json", data)
    with serve(folder, data=data, secrets=secrets) as address:
        yield Classroom(address, data, password)


def _need(*files: Path) -> None:
    for needed in files:
        if not needed.exists():
            pytest.skip(f"{needed.name} is not there")


@contextmanager
def serve(
    folder: Path,
    *,
    data: Path | None = None,
    secrets: Path | None = None,
    hub: dict[str, str] | None = None,
) -> Iterator[str]:
    """Run the app, with its log in ``folder``, until the end of the block; its address.

    ``hub`` is the environment in which it reaches a Hub; without one it is offline.
    """
    options = ["--server.fileWatcherType=none"]
    options += [f"--secrets.files={secrets}"] if secrets else []
    environment = {**(hub or {**os.environ, "HF_HUB_OFFLINE": "1"}), "OMP_NUM_THREADS": "1"}
    if data is not None:
        environment["HEADROLES_DATA"] = str(data)
    log = folder / "log.txt"
    with served(ROOT / "streamlit_app.py", *options, environment=environment, log=log) as app:
        yield app.address


@pytest.fixture
def visit(browser, server) -> Callable[..., object]:
    """``visit(width=390, scheme="dark")``: a fresh visit; complaints fail the test."""

    return partial(opened, browser, server)

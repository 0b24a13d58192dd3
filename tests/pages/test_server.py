"""What one visitor can do to all the others: nothing."""

from __future__ import annotations

import weakref
from unittest.mock import MagicMock

import pytest
from streamlit.runtime.app_session import AppSession
from streamlit.testing.v1 import AppTest

from headroles import models
from headroles.capture import attention
from headroles.paths import ROOT
from headroles.ui.app import caches, keeper, session


@pytest.fixture
def passes(planted, monkeypatch) -> list[str]:
    """The forward passes, as they are made."""
    made, collect = [], attention.collect
    monkeypatch.setattr(
        attention, "collect", lambda *given: (made.append("pass"), collect(*given))[1]
    )
    return made


def visit() -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    return app


def test_a_browser_that_clears_the_caches_takes_nothing_from_anybody(passes) -> None:
    first = visit()
    pool, fetches, kept = caches.models_in_memory(), caches.fetches(), keeper.results().size
    AppSession._handle_clear_cache_request(MagicMock())
    assert caches.models_in_memory() is pool
    assert caches.fetches() is fetches
    assert keeper.results().size == kept > 0
    first.run()
    visit()
    assert passes == ["pass"]


def test_a_fault_of_the_program_shows_no_path_and_a_way_out(
    planted, monkeypatch, capfd, caplog
) -> None:
    def fail(*_given: object) -> None:
        raise RuntimeError("/srv/secret/place is broken")

    monkeypatch.setattr(attention, "collect", fail)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    (shown,) = app.exception
    assert "Reload the page" in shown.message
    assert "/srv/secret" not in str(shown.proto)
    assert not shown.stack_trace
    logged = capfd.readouterr().out + caplog.text
    assert "RuntimeError" in logged
    assert "test_server.py" in logged


PAGES = (
    "your_prompt", "head_closeup", "head_map", "detector_lab", "knockout_lab", "answer", "circuits",
    "real_text",
)  # fmt: skip


def test_a_visit_that_ends_gives_its_memory_back(planted) -> None:
    """Nothing of the server holds a session's state, nor what only that session knew."""
    ended = []

    def visit_all_pages() -> None:
        app = visit()
        app.session_state["mine"] = own = {"only mine"}
        for page in PAGES:
            app.switch_page(f"pages/{page}.py").run()
            assert not app.exception
        ended.extend([weakref.ref(own), weakref.ref(app.session_state)])

    visit_all_pages()
    models.memory.give_back()  # as the server does now and then: what it had frozen counts too
    assert [reference() for reference in ended] == [None, None]


def test_many_prompts_stay_within_the_bound(planted, monkeypatch) -> None:
    small = keeper.Keeper(150_000)
    monkeypatch.setattr(keeper, "results", lambda: small)
    app, sizes = visit(), []
    for n in range(12):
        app.session_state[session.PROMPT] = f"Story {n}: the cat sat on the mat. " * 2
        app.run()
        assert not app.exception
        sizes.append(small.size)
    assert 0 < max(sizes) <= 150_000
    assert max(sizes[6:]) <= max(sizes[:6]) * 1.05  # it levels off

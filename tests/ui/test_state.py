"""The session: what a click, an example and the way back do to it."""

from __future__ import annotations

import pytest

from headroles.types import Head
from headroles.ui import state
from headroles.ui.examples import DEFAULT_PROMPT


@pytest.fixture
def session(monkeypatch):
    """A plain dict in place of Streamlit's session."""
    store: dict[str, object] = {}
    monkeypatch.setattr(state.st, "session_state", store)
    state.begin()
    return store


def click(session: dict, chart: str, head: tuple[int, int] | None, *, role: str) -> None:
    picked = [{"layer": head[0], "head": head[1]}] if head else []
    session[state.chart_key(chart)] = {"selection": {"head": picked}}
    state.on_click(chart, role)()


def test_it_begins_with_the_default_prompt_and_keeps_what_is_there(session) -> None:
    assert session[state.PROMPT] == session[state.BOX] == DEFAULT_PROMPT
    session[state.PROMPT] = "mine"
    state.begin()
    assert session[state.PROMPT] == "mine"


def test_a_click_opens_the_head_under_the_chart_s_role(session) -> None:
    click(session, "bars_induction", (1, 2), role="induction")
    assert session[state.OPENED] == (Head(1, 2), "induction", "bars_induction")
    assert session[state.PATTERN_HEAD] == "L1H2"
    assert session[state.PATTERN_ROLE] == "induction"


def test_a_click_in_another_chart_clears_the_first_selection(session) -> None:
    before = state.chart_key("bars_induction")
    click(session, "bars_induction", (1, 2), role="induction")
    click(session, "bars_diffuse", (0, 3), role="diffuse")
    assert state.chart_key("bars_induction") != before  # mounted anew: the same bar works again
    assert session[state.OPENED].head == Head(0, 3)


def test_a_second_head_in_the_same_chart_keeps_the_chart(session) -> None:
    before = state.chart_key("bars_induction")
    click(session, "bars_induction", (1, 2), role="induction")
    click(session, "bars_induction", (1, 3), role="induction")
    assert state.chart_key("bars_induction") == before
    assert session[state.OPENED].head == Head(1, 3)


def test_a_click_beside_the_bars_closes_only_what_that_chart_opened(session) -> None:
    click(session, "bars_induction", (1, 2), role="induction")
    click(session, "bars_diffuse", None, role="diffuse")
    assert session[state.OPENED] is not None
    click(session, "bars_induction", None, role="induction")
    assert session[state.OPENED] is None


def test_the_page_scrolls_only_to_a_head_that_was_not_open(session) -> None:
    state.open_pattern(Head(0, 1), "induction")
    assert session[state.SCROLL]
    session[state.SCROLL] = False
    state.open_pattern(Head(0, 1), "diffuse")
    assert not session[state.SCROLL]


def test_examples_and_the_way_back(session) -> None:
    session[state.BOX] = "typed, not run"
    state.take("first")
    state.take("second")
    assert session[state.PROMPT] == session[state.BOX] == "second"
    state.undo()
    assert session[state.PROMPT] == session[state.BOX] == "typed, not run"
    assert session[state.BEFORE] is None


def test_running_one_s_own_text_forgets_the_way_back(session) -> None:
    state.take("example")
    session[state.BOX] = "my own"
    state.run_box()
    assert session[state.BEFORE] is None
    assert session[state.PROMPT] == "my own"


def test_back_to_the_bundled_model_closes_the_pattern(session) -> None:
    session[state.MODEL] = "gpt2"
    state.open_pattern(Head(11, 11), "induction")
    state.use_default_model()
    assert session[state.MODEL] == "demo"
    assert session[state.OPENED] is None

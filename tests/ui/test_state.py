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


def test_a_click_leads_to_the_close_up_with_head_and_role(session) -> None:
    session[state.PROMPT] = "mine"
    click(session, "bars_induction", (1, 2), role="induction")
    assert (session[state.HEAD], session[state.ROLE]) == (Head(1, 2), "induction")
    assert (session[state.MODEL], session[state.PROMPT]) == ("demo", "mine")
    assert state.destination() == state.CLOSEUP
    assert state.destination() is None  # only once: the next run stays where it is


def test_the_same_bar_can_be_clicked_again(session) -> None:
    before = state.chart_key("bars_induction")
    click(session, "bars_induction", (1, 2), role="induction")
    assert state.chart_key("bars_induction") != before  # mounted anew, without the selection


def test_a_click_beside_the_bars_leads_nowhere(session) -> None:
    click(session, "bars_induction", None, role="induction")
    assert session[state.HEAD] is None
    assert state.destination() is None


def test_a_click_on_another_model_takes_that_model_along(session) -> None:
    session[state.chart_key("pair")] = {"selection": {"head": [{"layer": 5, "head": 1}]}}
    state.on_click("pair", "induction", model="gpt2")()
    assert (session[state.MODEL], session[state.HEAD]) == ("gpt2", Head(5, 1))


def test_a_row_leads_to_its_head_and_lets_its_main_role_decide(session) -> None:
    session[state.ROLE] = "diffuse"
    session[state.chart_key("table")] = {"selection": {"rows": [2]}}
    state.on_row("table", [Head(3, 0), Head(1, 1), Head(0, 7)])()
    assert (session[state.HEAD], session[state.ROLE]) == (Head(0, 7), None)
    assert state.destination() == state.CLOSEUP


@pytest.mark.parametrize(
    ("event", "head"),
    [
        ({"selection": {"rows": [1]}}, Head(0, 1)),
        ({"selection": {"rows": []}}, None),
        ({"selection": {"rows": [2]}}, None),  # the table got shorter meanwhile
        ({"selection": {"rows": [-1]}}, None),
        ({"selection": {"rows": ["x"]}}, None),
        ({"selection": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_event_of_a_table_names_a_head_or_none(event: object, head: Head | None) -> None:
    assert state.head_of_row(event, [Head(0, 0), Head(0, 1)]) == head


def test_the_next_head_keeps_the_role(session) -> None:
    state.look_closer(Head(0, 1), "diffuse")
    state.move_to(Head(0, 2))
    assert (session[state.HEAD], session[state.ROLE]) == (Head(0, 2), "diffuse")


def test_the_way_to_all_heads_shows_them_on_the_prompt(session) -> None:
    assert session[state.MAP_SOURCE] == state.STORED
    state.show_all_heads()
    assert session[state.MAP_SOURCE] == state.PROMPTED
    assert state.destination() == state.MAP


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


def test_another_model_forgets_the_head_and_keeps_the_role(session) -> None:
    session[state.MODEL] = "gpt2"
    state.look_closer(Head(11, 11), "induction")
    state.use_default_model()
    assert session[state.MODEL] == "demo"
    assert (session[state.HEAD], session[state.ROLE]) == (None, "induction")

"""The session: what a click, an example and the way back do to it."""

from __future__ import annotations

import pytest

from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import session as app_session


@pytest.fixture
def session(monkeypatch):
    """A plain dict in place of Streamlit's session."""
    store: dict[str, object] = {}
    monkeypatch.setattr(app_session.st, "session_state", store)
    app_session.begin()
    return store


def click(session: dict, chart: str, head: tuple[int, int] | None, *, role: str) -> None:
    picked = [{"layer": head[0], "head": head[1]}] if head else []
    session[app_session.chart_key(chart)] = {"selection": {"head": picked}}
    app_session.on_click(chart, role)()


def test_it_begins_with_the_default_prompt_and_keeps_what_is_there(session) -> None:
    assert session[app_session.PROMPT] == session[app_session.BOX] == DEFAULT_PROMPT
    session[app_session.PROMPT] = "mine"
    app_session.begin()
    assert session[app_session.PROMPT] == "mine"


def test_a_click_leads_to_the_close_up_with_head_and_role(session) -> None:
    session[app_session.PROMPT] = "mine"
    click(session, "bars_induction", (1, 2), role="induction")
    assert (session[app_session.HEAD], session[app_session.ROLE]) == (Head(1, 2), "induction")
    assert (session[app_session.MODEL], session[app_session.PROMPT]) == ("demo", "mine")
    assert app_session.pop_navigation() == app_session.CLOSEUP
    assert app_session.pop_navigation() is None  # only once: the next run stays where it is


def test_the_same_bar_can_be_clicked_again(session) -> None:
    before = app_session.chart_key("bars_induction")
    click(session, "bars_induction", (1, 2), role="induction")
    assert app_session.chart_key("bars_induction") != before  # mounted anew, without the selection


def test_a_click_beside_the_bars_leads_nowhere(session) -> None:
    click(session, "bars_induction", None, role="induction")
    assert session[app_session.HEAD] is None
    assert app_session.pop_navigation() is None


def test_a_click_on_another_model_takes_that_model_along(session) -> None:
    session[app_session.chart_key("pair")] = {"selection": {"head": [{"layer": 5, "head": 1}]}}
    app_session.on_click("pair", "induction", model="gpt2")()
    assert (session[app_session.MODEL], session[app_session.HEAD]) == ("gpt2", Head(5, 1))


def test_a_row_leads_to_its_head_and_lets_its_main_role_decide(session) -> None:
    session[app_session.ROLE] = "diffuse"
    session[app_session.chart_key("table")] = {"selection": {"rows": [2]}}
    app_session.on_row("table", [Head(3, 0), Head(1, 1), Head(0, 7)])()
    assert (session[app_session.HEAD], session[app_session.ROLE]) == (Head(0, 7), None)
    assert app_session.pop_navigation() == app_session.CLOSEUP


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
    assert app_session.head_of_row(event, [Head(0, 0), Head(0, 1)]) == head


def test_the_next_head_keeps_the_role(session) -> None:
    app_session.open_closeup(Head(0, 1), "diffuse")
    app_session.move_to(Head(0, 2))
    assert (session[app_session.HEAD], session[app_session.ROLE]) == (Head(0, 2), "diffuse")


def test_the_way_to_all_heads_shows_them_on_the_prompt(session) -> None:
    assert session[app_session.MAP_SOURCE] == app_session.STORED
    app_session.show_all_heads()
    assert session[app_session.MAP_SOURCE] == app_session.PROMPTED
    assert app_session.pop_navigation() == app_session.MAP


def test_examples_and_the_way_back(session) -> None:
    session[app_session.BOX] = "typed, not run"
    app_session.use_example("first")
    app_session.use_example("second")
    assert session[app_session.PROMPT] == session[app_session.BOX] == "second"
    app_session.undo()
    assert session[app_session.PROMPT] == session[app_session.BOX] == "typed, not run"
    assert session[app_session.PREVIOUS_PROMPT] is None


def test_the_way_back_from_a_tested_prompt_leads_into_the_chat_format(session) -> None:
    for was_chat in (True, False):
        session[app_session.CHAT] = was_chat
        app_session.use_tested("first")
        app_session.use_tested("second")
        assert session[app_session.CHAT] is False
        app_session.undo()
        assert session[app_session.CHAT] is was_chat


def test_running_one_s_own_text_forgets_the_way_back(session) -> None:
    app_session.use_example("example")
    session[app_session.BOX] = "my own"
    app_session.run_box()
    assert session[app_session.PREVIOUS_PROMPT] is None
    assert session[app_session.PROMPT] == "my own"


def test_another_model_forgets_the_head_and_keeps_the_role(session) -> None:
    session[app_session.MODEL] = "gpt2"
    app_session.open_closeup(Head(11, 11), "induction")
    app_session.use_default_model()
    assert session[app_session.MODEL] == "demo"
    assert (session[app_session.HEAD], session[app_session.ROLE]) == (None, "induction")

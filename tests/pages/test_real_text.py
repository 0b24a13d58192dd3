"""The page Real text, without a browser, on the bundled model."""

from __future__ import annotations

import json
import re

import pytest

from headroles import paths, store
from headroles.models import load_model
from headroles.store import read_real_text
from headroles.texts import SOURCES
from headroles.types import Head
from headroles.ui.app import passages as shared
from headroles.ui.app import session
from headroles.ui.head_closeup import state as closeup
from headroles.ui.real_text import state
from headroles.ui.real_text.link import SECTIONS
from headroles.view import real_text as words
from tests.pages.on_page import alts, opened, page_html

PAGE = session.REAL_TEXT


def cards(app, which: str) -> list[str]:
    """The keys of the buttons below the passages of a column."""
    keys = [str(button.key) for button in app.button]
    return [key for key in keys if key.startswith(f"real_text-{which}_open_")]


def headline(app) -> str:
    return re.search(r'<p class="hr-conclusion" role="status">(.*?)</p>', page_html(app))[1]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of the server's own."""
    monkeypatch.setattr(paths, "DATA", tmp_path)
    return store.real_text.path_of("demo", tmp_path)


def shipped() -> dict:
    file = store.real_text.path_of("demo", paths.ROOT / "data")
    return json.loads(store.real_text.plain(file.read_bytes()))


def changed(data, **changes: object) -> None:
    """Store the shipped results of the bundled model with some changes."""
    record = shipped()
    data.parent.mkdir(exist_ok=True)
    data.write_text(json.dumps(record | changes))


def test_the_texts_and_sections_are_those_of_the_engine_and_the_link() -> None:
    assert set(state.TEXTS) == {state.STORED, *SOURCES, state.OWN}
    assert list(SECTIONS.values()) == list(state.SECTION_NAMES)


def test_stored_results_show_at_once() -> None:
    app = opened(PAGE)
    record, entry = read_real_text("demo"), store.read_entry("demo")
    induction = next(one for one in words.wild(record, entry) if one.role.key == "induction")
    assert f"{induction.rate_of_listed * 1000:.0f} times in 1,000" in headline(app)
    assert f"{induction.rows:,} of {record.tokens:,} tokens" in headline(app)
    assert record.revision == load_model("demo").revision
    assert all(alts(app))


def test_heads_that_rest_are_not_said_to_be_at_work() -> None:
    """On SmolLM2 the resting heads are active most often of all, and do nothing there."""
    model = "smollm2-135m-instruct"
    roles = words.wild(read_real_text(model), store.read_entry(model))
    rates = {one.role.key: one.rate_of_listed or 0.0 for one in roles}
    assert max(rates, key=rates.__getitem__) == "positional"
    most = next(one for one in roles if one.role.key == "previous_token")
    said = words.conclusion(roles)
    assert f"{most.role.name} are at work most often ({rates[most.role.key] * 1000:.0f}" in said
    assert next(one for one in roles if one.role.key == "positional").role.name not in said


def test_another_role_has_another_map() -> None:
    app = opened(PAGE, role="previous_token")
    first = alts(app)
    assert app.selectbox(key=state.ROLE_BOX).value == "previous_token"
    app.selectbox(key=state.ROLE_BOX).set_value("diffuse").run()
    assert app.query_params["role"] == "diffuse"
    assert alts(app) != first


def test_the_passages_of_a_head_lead_to_its_close_up_with_the_token_chosen() -> None:
    app = opened(PAGE, section="passages", head="L1H4", role="induction")
    record = read_real_text("demo")
    found = record.evidence.of(Head(1, 4), "induction")
    assert len(cards(app, "strongest")) == len(found.strongest) == 6
    assert len(cards(app, "typical")) == 10
    assert page_html(app).count('class="hr-asks">') >= 16
    app.button(key=cards(app, "strongest")[1]).click().run()
    assert not app.exception
    assert app.title[0].value == "Head close-up"
    place, query, *_ = found.strongest[1]
    assert app.session_state[closeup.TOKEN] == query
    assert app.query_params["position"] == str(query)
    texts = shared.stored("demo").passages
    assert app.session_state[session.PROMPT] == texts[place].text
    assert app.query_params["head"] == "L1H4"


def test_a_head_without_the_role_shows_what_it_looks_at() -> None:
    app = opened(PAGE, section="passages", head="L3H7", role="induction")
    app.selectbox(key=state.ROLE_BOX).set_value(None).run()
    assert "role" not in app.query_params
    assert len(cards(app, "typical")) == 10


def test_a_text_can_be_read_now() -> None:
    app = opened(PAGE, source="stories", length="2000")
    assert not app.error
    html = page_html(app)
    assert "1,217 tokens" in html  # all stories there are
    app.segmented_control(key=state.SECTION).set_value(state.SECTION_NAMES[1]).run()
    assert not app.exception
    assert cards(app, "strongest")


def test_a_text_of_ones_own_is_read_when_it_is_asked_for() -> None:
    app = opened(PAGE, source="own")
    assert not app.get("vega_lite_chart")
    text = "One day the cat sat on the mat and the dog ran home. " * 12
    app.text_area(key=state.OWN_BOX).set_value(text)
    app.button(key="real_text-read").click().run()
    assert not app.exception
    assert "induction" in headline(app).lower()
    app.text_area(key=state.OWN_BOX).set_value("  ")
    app.button(key="real_text-read").click().run()
    assert not app.exception
    assert not app.get("vega_lite_chart")


def test_without_stored_results_a_text_is_read(data, monkeypatch) -> None:
    monkeypatch.setattr(store.real_text, "_stored", lambda model: data)
    app = opened(PAGE)
    assert not app.exception
    assert "1,217 tokens" in page_html(app)
    assert app.selectbox(key=state.MOST).value == 2000


@pytest.mark.parametrize("damage", ["", "{", '{"version": 1}', "[]"])
def test_a_damaged_file_is_told_and_other_texts_can_be_read(data, damage: str) -> None:
    data.parent.mkdir()
    data.write_text(damage)
    app = opened(PAGE)
    assert len(app.error) == 1
    app.segmented_control(key=state.TEXT).set_value("stories").run()
    assert not app.error
    assert app.get("vega_lite_chart")


def test_results_of_other_weights_are_not_shown(data) -> None:
    changed(data, revision="sha256:0000000000000000")
    app = opened(PAGE)
    assert len(app.warning) == 1
    assert not app.get("vega_lite_chart")


def test_passages_of_another_python_are_named(data) -> None:
    record = shipped()
    found = store.RealText.model_validate(record).evidence.of(Head(1, 4), "induction")
    place = found.strongest[0][0]
    record["passages"][place]["digest"] = "0" * 12
    changed(data, passages=record["passages"], python="3.99")
    app = opened(PAGE, section="passages", head="L1H4", role="induction")
    assert not app.exception
    assert len(cards(app, "strongest")) == 5
    assert "Python 3.99" in page_html(app)


def test_the_close_up_has_three_passages_in_a_box() -> None:
    app = opened("pages/head_closeup.py", head="L1H4", role="induction")
    app.session_state["head_closeup-real_text"] = True
    app.run()
    assert not app.exception
    keys = [str(button.key) for button in app.button]
    assert sum(key.startswith("head_closeup-real_text_passage_open_") for key in keys) == 3
    app.button(key="head_closeup-to_real_text").click().run()
    assert app.title[0].value == "Real text"
    assert app.query_params["section"] == "passages"
    assert app.query_params["role"] == "induction"

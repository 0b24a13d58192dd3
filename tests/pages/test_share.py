"""What an address does to a page, and what a page writes into it, without a browser."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.texts import DEFAULT_PROMPT, MAX_CHARACTERS
from headroles.types import Head
from headroles.ui.app import address, session
from headroles.ui.app.link import LONGEST
from headroles.ui.circuits import state
from headroles.ui.knockout_lab import state as knockout_lab_state
from tests.facts import says

pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]

PROMPT = "A dog & a cat. A dog"
CIRCUITS, KNOCKOUT = "pages/circuits.py", "pages/knockout_lab.py"
CLOSEUP, MAP, ADMIN = "pages/head_closeup.py", "pages/head_map.py", "pages/admin.py"


def open_link(page: str | None = None, **query: str | list[str]):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params.update(query)
    if page is not None:
        app.switch_page(page)
    return run(app)


def run(app):
    app.run()
    assert not app.exception
    return app


def warnings(app) -> list[str]:
    return [warning.value.replace("\\", "") for warning in app.warning]


# ------------------------------------------------------------------ good links


def test_a_prompt_and_a_second_one() -> None:
    app = open_link(p=PROMPT, p2="A dog")
    assert app.text_area(key=session.BOX).value == PROMPT
    assert app.text_area(key=session.SECOND_BOX).value == "A dog"
    assert app.query_params == {"m": "demo", "p": PROMPT, "p2": "A dog"}
    assert not warnings(app)


def test_a_head_seen_as_a_role_with_its_resting_column_hidden() -> None:
    app = open_link(CLOSEUP, p=PROMPT, h="L2H2", r="duplicate_token", x="1")
    assert app.title[0].value == "Head close-up"
    assert app.session_state[session.HEAD] == Head(2, 2)
    assert app.selectbox(key=session.ROLE_BOX).value == "duplicate_token"
    assert app.toggle(key=session.HIDE_REST).value is True
    assert app.query_params == {
        "m": "demo",
        "p": PROMPT,
        "r": "duplicate_token",
        "h": "L2H2",
        "x": "1",
    }


def test_a_head_without_a_role_is_seen_as_its_main_one() -> None:
    app = open_link(CLOSEUP, h="L2H2")
    assert app.selectbox(key=session.ROLE_BOX).value == "duplicate_token"
    assert app.query_params["r"] == "duplicate_token"


def test_a_map_of_the_prompt_beside_a_second_model() -> None:
    app = open_link(MAP, v="all", r="diffuse", m2="gpt2")
    assert app.radio(key=session.MAP_SOURCE).value == session.PROMPTED
    assert app.selectbox(key=session.PAIR_ROLE).value == "diffuse"
    assert app.selectbox(key=session.PAIR_MODEL).value == "gpt2"
    assert app.query_params == {"m": "demo", "r": "diffuse", "v": "all", "m2": "gpt2"}


def test_circuits_of_a_head_with_the_norm_left_out() -> None:
    query = {"m": "attn-only-2l-tiny", "h": "L1H2", "n": "none", "o": "biases,mean"}
    app = open_link(CIRCUITS, **query)
    assert not warnings(app)
    assert app.title[0].value == "Circuits"
    assert app.selectbox(key=state.HEAD).value == "L1H2"
    assert app.selectbox(key=state.NORM).value == "none"
    assert [app.toggle(key=key).value for key in state.SWITCHES] == [False, True, False]
    assert app.query_params == query
    assert query.items() <= dict(parse_qsl(copied(app))).items()
    app.selectbox(key=state.HEAD).set_value("L0H1")
    app.selectbox(key=state.NORM).set_value("applied")
    assert run(app).query_params == {"m": "attn-only-2l-tiny", "h": "L0H1", "o": "biases,mean"}


def test_heads_taken_away_in_the_knock_out_lab() -> None:
    app = open_link(KNOCKOUT, p=PROMPT, hs="L1H1,L2H2", w="zero")
    assert not warnings(app)
    assert app.multiselect(key=knockout_lab_state.LAB_HEADS).value == ["L1H1", "L2H2"]
    assert app.selectbox(key=knockout_lab_state.LAB_HOW).value == knockout_lab_state.TO_ZERO
    query = {"m": "demo", "p": PROMPT, "hs": "L1H1,L2H2", "w": "zero"}
    assert app.query_params == query
    assert dict(parse_qsl(copied(app))) == query
    app.multiselect(key=knockout_lab_state.LAB_HEADS).set_value(["L3H0"])
    assert run(app).query_params == {**query, "hs": "L3H0"}


@pytest.mark.parametrize(
    ("section", "query", "key", "value"),
    [
        ("many", {"hs": "L3H1,L0H2"}, knockout_lab_state.MANY_HEADS, ["L3H1", "L0H2"]),
        ("offsets", {"h": "L3H1"}, knockout_lab_state.OFFSET_HEAD, "L3H1"),
        ("components", {"h": "L3H1"}, knockout_lab_state.COMPONENT_HEAD, "L3H1"),
        ("circuit", {}, knockout_lab_state.SECTION, "Two-step circuit"),
    ],
)
def test_the_other_sections_of_the_knock_out_lab(section, query, key, value) -> None:
    app = open_link(KNOCKOUT, s=section, **query)
    assert not warnings(app)
    assert app.session_state[key] == value
    assert app.query_params == {"m": "demo", "s": section, **query}


@pytest.mark.parametrize("section", ["one", "many", "offsets", "components"])
def test_a_head_that_the_lab_s_model_does_not_have(section: str) -> None:
    name = "hs" if section in ("one", "many") else "h"
    app = open_link(KNOCKOUT, s=section, **{name: "L9H9"})
    (warning,) = warnings(app)
    assert "There is no head 'L9H9'." in warning
    assert not app.error
    assert app.query_params[name] != "L9H9"


@pytest.mark.parametrize(
    ("page", "query", "sentence"),
    [
        ("pages/circuits.py", {"n": "<b>"}, "names a way with the layer norm “<b>”"),
        ("pages/circuits.py", {"h": "L9H9"}, "There is no head 'L9H9'."),
        ("pages/circuits.py", {"o": "bias"}, "names a switch “bias”"),
        ("pages/knockout_lab.py", {"s": "all"}, "names a section “all”"),
        ("pages/knockout_lab.py", {"hs": "all"}, "not all of which are heads"),
        ("pages/knockout_lab.py", {"w": "gone"}, "names a way to take heads away “gone”"),
    ],
)
def test_circuits_and_the_lab_go_on_after_a_bad_value(page, query, sentence) -> None:
    app = open_link(page, **query)
    (warning,) = warnings(app)
    assert sentence in warning
    assert not app.error
    assert not query.items() & app.query_params.items()


@pytest.mark.parametrize(
    ("query", "title"), [({"h": "L1H1"}, "Head close-up"), ({"v": "all"}, "Head map")]
)
def test_a_link_to_the_app_itself_leads_to_where_its_picture_is(query, title) -> None:
    assert open_link(**query).title[0].value == title


def test_names_that_are_not_ours_are_left_alone() -> None:
    assert open_link(utm_source="mail", p=PROMPT).query_params == {
        "utm_source": "mail",
        "m": "demo",
        "p": PROMPT,
    }


# ------------------------------------------------------------------ bad links

BAD = {
    "no such model": ({"m": "gpt-9"}, "names a model “gpt-9”"),
    "a folder": ({"m": "/etc"}, "names a model “/etc”"),
    "no prompt": ({"p": " "}, "names a prompt, which is empty"),
    "a long prompt": ({"p": "a" * (MAX_CHARACTERS + 1)}, "200,001 characters"),
    "a control character": ({"p": "a\x07b"}, "control character U+0007"),
    "two prompts": ({"p": ["one", "two"]}, "names a prompt 2 times"),
    "no such role": ({"r": "inducton"}, "Did you mean 'induction'?"),
    "no head": ({"h": "<b>x</b>"}, "“<b>x</b>”, which is no head"),
    "no view": ({"v": "everything"}, "names a view “everything”"),
    "no switch": ({"x": "yes"}, "neither 0 nor 1"),
    "no layer": ({"l": "-1"}, "names a layer “-1”"),
    "no second prompt": ({"p2": ""}, "names a second prompt, which is empty"),
    "no second model": ({"m2": "nobody/none"}, "names a second model “nobody/none”"),
    "a model beside itself": ({"m2": "demo"}, "compares the model “demo” with itself"),
}


@pytest.mark.parametrize(("query", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_value_is_a_sentence_and_the_page_goes_on(query, sentence) -> None:
    app = open_link(**query)
    (warning,) = warnings(app)
    assert sentence in warning
    assert not app.error
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT
    assert app.session_state[session.MODEL] == "demo"
    # The charts of the default stand there, and the address says what is shown.
    assert app.get("vega_lite_chart")
    assert not query.items() & app.query_params.items()


@pytest.mark.parametrize("page", [CLOSEUP, MAP])
def test_the_other_pages_go_on_too(page: str) -> None:
    app = open_link(page, m="x", p=" ", r="y", h="z", v="w", x="2", m2="u")
    assert len(warnings(app)) == 7
    assert not app.error
    assert app.get("vega_lite_chart")


def test_a_head_that_the_model_does_not_have() -> None:
    app = open_link(CLOSEUP, h="L9H9")
    (warning,) = warnings(app)
    assert "There is no head 'L9H9'." in warning
    assert says(warning, "0", "3", "0", "7")
    assert app.session_state[session.HEAD] == Head(1, 1)  # the planted induction head


def test_a_role_without_numbers_has_no_map() -> None:
    app = open_link(MAP, r="other")
    assert "has no number of its own" in warnings(app)[0]
    assert app.selectbox(key=session.PAIR_ROLE).value == "induction"


def test_every_bad_value_is_named_and_the_notes_can_be_dismissed() -> None:
    app = open_link(m="x", r="y", h="z", p=PROMPT)
    assert len(warnings(app)) == 3
    assert app.text_area(key=session.BOX).value == PROMPT  # what is in order is taken
    run(app)
    assert len(warnings(app)) == 3
    app.button(key="dismiss_link_errors").click().run()
    assert not warnings(app)


# ------------------------------------------------------------------ the address of a page


def test_the_address_follows_what_is_shown_and_what_is_typed_is_not_undone_by_it() -> None:
    app = open_link(p=PROMPT)
    app.text_area(key=session.BOX).set_value("Mine")
    app.button(key="run").click()
    app.query_params["p"] = PROMPT  # the browser may still send the address of before
    run(app)
    assert app.session_state[session.PROMPT] == "Mine"
    assert app.query_params == {"m": "demo", "p": "Mine"}


def test_an_unchanged_address_is_not_sent_again(monkeypatch) -> None:
    from streamlit.runtime.state.query_params import QueryParams

    app, sent = open_link(p=PROMPT), []
    monkeypatch.setattr(QueryParams, "_send_query_param_msg", lambda self: sent.append(1))
    run(app)
    assert not sent


def test_moving_on_keeps_the_prompt_and_the_admin_page_does_not_show_it() -> None:
    app = open_link(p=PROMPT)
    app.button(key="all_heads").click()
    assert run(app).query_params == {"m": "demo", "p": PROMPT, "r": "induction", "v": "all"}
    app.switch_page(ADMIN)
    assert run(app).query_params == {}
    app.switch_page(CLOSEUP)
    assert run(app).query_params["p"] == PROMPT


def test_the_admin_page_reads_no_link() -> None:
    app = open_link(ADMIN, p=PROMPT, m="nope")
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT
    assert app.query_params == {}
    assert not warnings(app)


def test_going_back_reads_the_address_again(monkeypatch) -> None:
    app = open_link(p=PROMPT)
    app.text_area(key=session.BOX).set_value("Mine")
    app.button(key="run").click()
    run(app)
    app.query_params.clear()
    app.query_params.update({"m": "demo", "p": PROMPT})
    monkeypatch.setattr(address, "_went_back", lambda: True)
    assert run(app).text_area(key=session.BOX).value == PROMPT


# ------------------------------------------------------------------ too long


def test_a_link_that_is_too_long_says_so() -> None:
    app = open_link(p="word " * 390)
    data = copy_button(app)
    assert f"many programs cut off what is longer than {LONGEST:,}" in data
    assert app.query_params["p"] == "word " * 390


def test_a_prompt_that_no_server_would_take_stays_out_of_the_address() -> None:
    prompt = "a " * address.LONGEST_ADDRESS
    app = open_link(p=prompt)
    assert app.session_state[session.PROMPT] == prompt
    assert app.query_params == {"m": "demo"}


def test_the_button_carries_the_link() -> None:
    data = copy_button(open_link(p=PROMPT))
    assert '"query": "m=demo&p=A%20dog%20%26%20a%20cat.%20A%20dog"' in data
    assert '"problem": ""' in data


def copy_button(app) -> str:
    """What the button is given, as JSON."""
    (found,) = (
        part.proto
        for part in app.main
        if getattr(getattr(part, "proto", None), "component_name", "").endswith("copy_link")
    )
    return found.json.replace('":"', '": "')


def copied(app) -> str:
    """What stands behind the question mark of the copied link."""
    return json.loads(copy_button(app))["query"]

"""What an address does to a page, and what a page writes into it, without a browser."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest

from headroles import limits
from headroles.paths import DEMO_MODEL, ROOT
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import address, session
from headroles.ui.app.link import LONGEST
from headroles.ui.circuits import state
from headroles.ui.head_closeup import state as head_closeup_state
from headroles.ui.head_map import state as head_map_state
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
    app = open_link(prompt=PROMPT, second_prompt="A dog")
    assert app.text_area(key=session.BOX).value == PROMPT
    assert app.text_area(key=session.SECOND_BOX).value == "A dog"
    assert app.query_params == {"model": "demo", "prompt": PROMPT, "second_prompt": "A dog"}
    assert not warnings(app)


def test_a_head_seen_as_a_role_with_its_resting_column_hidden() -> None:
    app = open_link(CLOSEUP, prompt=PROMPT, head="L2H2", role="duplicate_token", hide_resting="1")
    assert app.title[0].value == "Head close-up"
    assert app.session_state[session.HEAD] == Head(2, 2)
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "duplicate_token"
    assert app.toggle(key=session.HIDE_REST).value is True
    assert app.query_params == {
        "model": "demo",
        "prompt": PROMPT,
        "role": "duplicate_token",
        "head": "L2H2",
        "hide_resting": "1",
    }


def test_a_head_without_a_role_is_seen_as_its_main_one() -> None:
    app = open_link(CLOSEUP, head="L2H2")
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "duplicate_token"
    assert app.query_params["role"] == "duplicate_token"


def test_a_second_model_without_scores_gets_a_sentence_beside_scores() -> None:
    app = open_link(MAP, second_model="distilgpt2")
    assert not app.exception
    assert any("DistilGPT" in info.value for info in app.info)
    assert app.session_state[head_map_state.PAIR_MODEL] is None


def test_a_map_of_the_prompt_beside_a_second_model() -> None:
    app = open_link(MAP, view="all", role="diffuse", second_model="gpt2")
    assert app.radio(key=session.MAP_SOURCE).value == session.PROMPTED
    assert app.selectbox(key=session.PAIR_ROLE).value == "diffuse"
    assert app.selectbox(key=head_map_state.PAIR_MODEL).value == "gpt2"
    query = {"role": "diffuse", "view": "all", "second_model": "gpt2"}
    assert app.query_params == {"model": "demo", **query}


def test_circuits_of_a_head_with_the_norm_left_out() -> None:
    query = {"model": "attn-only-2l-tiny", "head": "L1H2", "norm": "none", "without": "biases,mean"}
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
    del query["norm"]
    assert run(app).query_params == {**query, "head": "L0H1"}


def test_circuits_of_bare_embeddings_and_all_tokens() -> None:
    query = {"model": "demo", "head": "L1H2", "embedding": "bare", "tokens": "all"}
    app = open_link(CIRCUITS, **query)
    assert not warnings(app)
    assert app.selectbox(key=state.EMBEDDING).value == "bare"
    assert app.toggle(key=state.FRAGMENTS).value is True
    assert app.query_params == query
    app.selectbox(key=state.HEAD).set_value("L0H1")  # the first layer has no choice, and keeps it
    assert run(app).query_params == {**query, "head": "L0H1"}
    app.selectbox(key=state.HEAD).set_value("L1H2")
    app.toggle(key=state.FRAGMENTS).set_value(False)
    assert run(app).query_params == {"model": "demo", "head": "L1H2", "embedding": "bare"}


def test_heads_taken_away_in_the_knock_out_lab() -> None:
    app = open_link(KNOCKOUT, prompt=PROMPT, heads="L1H1,L2H2", ablation="zero")
    assert not warnings(app)
    assert app.multiselect(key=knockout_lab_state.LAB_HEADS).value == ["L1H1", "L2H2"]
    assert app.selectbox(key=knockout_lab_state.LAB_HOW).value == knockout_lab_state.TO_ZERO
    query = {"model": "demo", "prompt": PROMPT, "heads": "L1H1,L2H2", "ablation": "zero"}
    assert app.query_params == query
    assert dict(parse_qsl(copied(app))) == query
    app.multiselect(key=knockout_lab_state.LAB_HEADS).set_value(["L3H0"])
    assert run(app).query_params == {**query, "heads": "L3H0"}


@pytest.mark.parametrize(
    ("section", "query", "key", "value"),
    [
        ("many", {"heads": "L3H1,L0H2"}, knockout_lab_state.MANY_HEADS, ["L3H1", "L0H2"]),
        (
            "many",
            {"heads": "L1H1", "t": "-3", "ready": "4,17"},
            knockout_lab_state.MANY_PROMPTS,
            [4, 17],
        ),
        (
            "many",
            {"heads": "L1H1", "t": "random", "seed": "9"},
            knockout_lab_state.MANY_T,
            "A random token",
        ),
        (
            "many",
            {"heads": "L1H1", "draws": "0", "ready": "right"},
            knockout_lab_state.MANY_ALL,
            True,
        ),
        ("many", {"heads": "L1H1", "t": "-2"}, knockout_lab_state.MANY_BACK, 1),
        ("offsets", {"head": "L3H1"}, knockout_lab_state.OFFSET_HEAD, "L3H1"),
        ("components", {"head": "L3H1"}, knockout_lab_state.COMPONENT_HEAD, "L3H1"),
        ("circuit", {}, knockout_lab_state.SECTION, "Two-step circuit"),
    ],
)
def test_the_other_sections_of_the_knock_out_lab(section, query, key, value) -> None:
    app = open_link(KNOCKOUT, section=section, **query)
    assert not warnings(app)
    assert app.session_state[key] == value
    assert app.query_params == {"model": "demo", "section": section, **query}


@pytest.mark.parametrize("section", ["one", "many", "offsets", "components"])
def test_a_head_that_the_lab_s_model_does_not_have(section: str) -> None:
    name = "heads" if section in ("one", "many") else "head"
    app = open_link(KNOCKOUT, section=section, **{name: "L9H9"})
    (warning,) = warnings(app)
    assert "There is no head 'L9H9'." in warning
    assert not app.error
    assert app.query_params[name] != "L9H9"


@pytest.mark.parametrize(
    ("page", "query", "sentence"),
    [
        ("pages/circuits.py", {"norm": "<b>"}, "names a way with the layer norm “<b>”"),
        ("pages/circuits.py", {"embedding": "second"}, "names a kind of embedding “second”"),
        ("pages/circuits.py", {"tokens": "some"}, "names a choice of tokens “some”"),
        ("pages/circuits.py", {"head": "L9H9"}, "There is no head 'L9H9'."),
        ("pages/circuits.py", {"without": "bias"}, "names a switch “bias”"),
        ("pages/knockout_lab.py", {"section": "all"}, "names a section “all”"),
        ("pages/knockout_lab.py", {"heads": "all"}, "not all of which are heads"),
        ("pages/knockout_lab.py", {"t": "4"}, "names a position t “4”"),
        ("pages/knockout_lab.py", {"draws": "21"}, "names a number of random others “21”"),
        ("pages/knockout_lab.py", {"seed": "-1"}, "names a seed “-1”"),
        ("pages/knockout_lab.py", {"ready": "3,99"}, "names a list of ready prompts “3,99”"),
        ("pages/knockout_lab.py", {"ablation": "gone"}, "names a way to knock heads out “gone”"),
    ],
)
def test_circuits_and_the_lab_go_on_after_a_bad_value(page, query, sentence) -> None:
    app = open_link(page, **query)
    (warning,) = warnings(app)
    assert sentence in warning
    assert not app.error
    assert not query.items() & app.query_params.items()


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ({"head": "L1H1"}, "Head close-up"),
        ({"view": "all"}, "Head map"),
        ({"view": "reference", "head": "L1H1"}, "Head map"),
        ({"view": "listed"}, "Your Prompt"),
    ],
)
def test_a_link_to_the_app_itself_leads_to_where_its_picture_is(query, title) -> None:
    assert open_link(**query).title[0].value == title


@pytest.mark.parametrize(
    ("page", "old", "new"),
    [
        (None, {"m": "demo", "p2": "A dog"}, {"second_prompt": "A dog"}),
        (
            CLOSEUP,
            {"h": "L2H2", "r": "diffuse", "x": "1"},
            {"head": "L2H2", "role": "diffuse", "hide_resting": "1"},
        ),
        (MAP, {"v": "all", "r": "diffuse", "l": "1"}, {"view": "all", "role": "diffuse"}),
        (
            CIRCUITS,
            {"n": "none", "o": "bos", "h": "L0H1"},
            {"norm": "none", "without": "bos", "head": "L0H1"},
        ),
        (
            KNOCKOUT,
            {"s": "many", "hs": "L3H1,L0H2"},
            {"section": "many", "heads": "L3H1,L0H2"},
        ),
        (KNOCKOUT, {"hs": "L3H1", "w": "even"}, {"heads": "L3H1", "ablation": "even"}),
    ],
)
def test_a_link_of_before_opens_the_same_page_under_its_new_address(page, old, new) -> None:
    app = open_link(page, **old, p=PROMPT)
    assert not warnings(app)
    assert app.query_params == {"model": "demo", "prompt": PROMPT, **new}


def test_a_name_that_no_page_knows_is_said() -> None:
    app = open_link(CLOSEUP, hed="L1H1", prompt=PROMPT, fbclid="x")
    (warning,) = warnings(app)
    assert "“hed”" in warning
    assert "'head'" in warning
    assert app.session_state[session.PROMPT] == PROMPT


def test_names_that_are_not_ours_are_left_alone() -> None:
    assert open_link(utm_source="mail", prompt=PROMPT).query_params == {
        "utm_source": "mail",
        "model": "demo",
        "prompt": PROMPT,
    }


# ------------------------------------------------------------------ bad links

BAD = {
    "no such model": ({"model": "gpt-9"}, "names a model “gpt-9”"),
    "a folder": ({"model": "/etc"}, "names a model “/etc”"),
    "no prompt": ({"prompt": " "}, "names a prompt, which is empty"),
    "a long prompt": ({"prompt": "a" * (limits.PROMPT.most + 1)}, "50,001 characters"),
    "a control character": ({"prompt": "a\x07b"}, "control character U+0007"),
    "two prompts": ({"prompt": ["one", "two"]}, "names a prompt 2 times"),
    "no such role": ({"role": "inducton"}, "Did you mean 'induction'?"),
    "no head": ({"head": "<b>x</b>"}, "names a head “<b>x</b>”"),
    "no view": ({"view": "everything"}, "names a view “everything”"),
    "no switch": ({"hide_resting": "yes"}, "neither 0 nor 1"),
    "no layer": ({"layer": "-1"}, "names a layer “-1”"),
    "no second prompt": ({"second_prompt": ""}, "names a second prompt, which is empty"),
    "no second model": ({"second_model": "nobody/none"}, "names a second model “nobody/none”"),
    "a model beside itself": ({"second_model": "demo"}, "names a second model “demo”"),
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
    query = {"model": "x", "prompt": " ", "role": "y", "head": "z", "view": "w"}
    app = open_link(page, **query, hide_resting="2", second_model="u")
    assert len(warnings(app)) == 7
    assert not app.error
    assert app.get("vega_lite_chart")


def test_a_head_that_the_model_does_not_have() -> None:
    app = open_link(CLOSEUP, head="L9H9")
    (warning,) = warnings(app)
    assert "There is no head 'L9H9'." in warning
    assert says(warning, "0", "3", "0", "7")
    assert app.session_state[session.HEAD] == Head(1, 1)  # the planted induction head


def test_a_role_without_numbers_has_no_map() -> None:
    app = open_link(MAP, role="other")
    assert "has no number of its own" in warnings(app)[0]
    assert app.selectbox(key=session.PAIR_ROLE).value == "induction"


def test_every_bad_value_is_named_and_the_notes_can_be_dismissed() -> None:
    app = open_link(model="x", role="y", head="z", prompt=PROMPT)
    assert len(warnings(app)) == 3
    assert app.text_area(key=session.BOX).value == PROMPT  # what is in order is taken
    run(app)
    assert len(warnings(app)) == 3
    app.button(key="app-dismiss_link_errors").click().run()
    assert not warnings(app)


# ------------------------------------------------------------------ the address of a page


def test_the_address_follows_what_is_shown_and_what_is_typed_is_not_undone_by_it() -> None:
    app = open_link(prompt=PROMPT)
    app.text_area(key=session.BOX).set_value("Mine")
    app.button(key="app-run").click()
    app.query_params["prompt"] = PROMPT  # the browser may still send the address of before
    run(app)
    assert app.session_state[session.PROMPT] == "Mine"
    assert app.query_params == {"model": "demo", "prompt": "Mine"}


def test_an_unchanged_address_is_not_sent_again(monkeypatch) -> None:
    from streamlit.runtime.state.query_params import QueryParams

    app, sent = open_link(prompt=PROMPT), []
    monkeypatch.setattr(QueryParams, "_send_query_param_msg", lambda self: sent.append(1))
    run(app)
    assert not sent


def test_moving_on_keeps_the_prompt_and_the_admin_page_does_not_show_it() -> None:
    app = open_link(prompt=PROMPT)
    app.button(key="your_prompt-all_heads").click()
    assert run(app).query_params == {"model": "demo", "prompt": PROMPT, "view": "all"}
    app.switch_page(ADMIN)
    assert run(app).query_params == {}
    app.switch_page(CLOSEUP)
    assert run(app).query_params["prompt"] == PROMPT


def test_the_admin_page_reads_no_link() -> None:
    app = open_link(ADMIN, prompt=PROMPT, model="nope")
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT
    assert app.query_params == {}
    assert not warnings(app)


def test_going_back_reads_the_address_again(monkeypatch) -> None:
    app = open_link(prompt=PROMPT)
    app.text_area(key=session.BOX).set_value("Mine")
    app.button(key="app-run").click()
    run(app)
    app.query_params.clear()
    app.query_params.update({"model": "demo", "prompt": PROMPT})
    monkeypatch.setattr(address, "_went_back", lambda: True)
    assert run(app).text_area(key=session.BOX).value == PROMPT


def test_going_back_to_your_prompt_leaves_the_map_as_it_is(monkeypatch) -> None:
    app = open_link(MAP, view="all")
    app.switch_page("pages/your_prompt.py")
    app.query_params.clear()
    app.query_params.update({"model": "demo"})
    monkeypatch.setattr(address, "_went_back", lambda: True)
    run(app)
    assert app.title[0].value == "Your Prompt"
    assert app.session_state[session.MAP_SOURCE] == session.PROMPTED


# ------------------------------------------------------------------ too long


def test_a_link_that_is_too_long_says_so() -> None:
    app = open_link(prompt="word " * 390)
    data = copy_button(app)
    assert f"many programs cut off what is longer than {LONGEST:,}" in data
    assert app.query_params["prompt"] == "word " * 390


def test_a_prompt_that_no_server_would_take_stays_out_of_the_address() -> None:
    prompt = "a " * address.LONGEST_ADDRESS
    app = open_link(prompt=prompt)
    assert app.session_state[session.PROMPT] == prompt
    assert app.query_params == {"model": "demo"}


def test_the_button_carries_the_link() -> None:
    data = copy_button(open_link(prompt=PROMPT))
    assert '"query": "model=demo&prompt=A%20dog%20%26%20a%20cat.%20A%20dog"' in data
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

"""What wakes gray heads, and what lists leave out, on the pages, without a browser."""

from __future__ import annotations

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import ROLES
from headroles.store import Hint, RoleHints, WokenHead, categories
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import extended_state, session
from tests.facts import says
from tests.pages.on_page import page_html, run_prompt
from tests.pages.planted import PLANTED, planted_entry
from tests.pages.planted_extended import HEADS, planted_extended_attention, with_extended

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

NO_REPEATS = "The old man walked slowly to the river with his dog."
COUNTING = "one two three four one two three four one two"
LIST = "red, green, blue, yellow, red, green, blue,"
INDUCTION = PLANTED["induction"]


def hints(prompt: str, head: Head, *, in_vain: tuple[Head, ...] = ()) -> RoleHints:
    woken = WokenHead(layer=head.layer, head=head.head, activation=0.98)
    return RoleHints(
        tried=12, prompts=[Hint(prompt=prompt, heads=[woken])], in_vain=[tuple(h) for h in in_vain]
    )


HINTS = {
    "induction": hints(COUNTING, INDUCTION),
    # the induction head is on this list as well, and the planted attention never shows it there
    "duplicate_token": hints(COUNTING, PLANTED["duplicate_token"], in_vain=(INDUCTION,)),
}


@pytest.fixture
def hinted(planted):
    """The path of the file: the planted entry with hints."""
    categories.write_entry(planted_entry(4, 8).model_copy(update={"hints": HINTS}), planted)
    return planted


def open_page(page: str | None = None):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    if page:
        app.switch_page(page)
    app.run()
    assert not app.exception
    return app


def buttons(app) -> set[str]:
    return {button.key for button in app.button if button.key}


def test_a_gray_head_names_the_prompt_that_wakes_it_and_one_click_runs_it(hinted) -> None:
    app = run_prompt(open_page(), NO_REPEATS)
    html = page_html(app)
    assert says(html, f"activates {INDUCTION.label}", COUNTING)
    assert says(html, "12 prompts")
    app.button(key="your_prompt-wake_induction_0").click().run()
    assert app.session_state[session.PROMPT] == COUNTING
    assert "your_prompt-wake_induction_0" not in buttons(app)
    assert any("Induction: 1 of 1" in one.proto.alt for one in app.get("vega_lite_chart"))
    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == NO_REPEATS


def test_a_sleeping_card_offers_what_was_tried_on_this_model(hinted) -> None:
    app = run_prompt(open_page(), NO_REPEATS)
    assert COUNTING[:30] in app.button(key="your_prompt-try_card_induction").label
    app.button(key="your_prompt-try_card_induction").click().run()
    assert app.session_state[session.PROMPT] == COUNTING


def test_what_no_prompt_wakes_is_promised_nothing(hinted) -> None:
    app = open_page()  # the duplicate-token head is active here, the induction head beside it not
    html = page_html(app)
    assert says(html, "12 prompts", "none of them activates", INDUCTION.label)
    assert f"activates {INDUCTION.label}:" not in html
    assert not [key for key in buttons(app) if key.startswith("your_prompt-wake_")]


def test_a_role_that_was_tried_in_vain_has_no_button(planted) -> None:
    entry = planted_entry(4, 8)
    vain = RoleHints(tried=12, prompts=[], in_vain=[tuple(INDUCTION)])
    categories.write_entry(entry.model_copy(update={"hints": {"induction": vain}}), planted)
    app = run_prompt(open_page(), NO_REPEATS)
    assert "your_prompt-try_card_induction" not in buttons(app)
    assert says(page_html(app), "none of them activates", INDUCTION.label)


def test_an_entry_from_before_still_offers_the_role_s_own_prompt(planted) -> None:
    app = run_prompt(open_page(), NO_REPEATS)
    app.button(key="your_prompt-try_card_induction").click().run()
    assert app.session_state[session.PROMPT] == ROLES["induction"].story_hints[0]
    assert "tried on this model" not in page_html(app)


# ------------------------------------------------------------------ close-up


def look_at(app, head: Head, role: str):
    app.session_state[session.HEAD], app.session_state[session.ROLE] = head, role
    app.run()
    assert not app.exception
    return app


def test_the_close_up_of_a_gray_head_wakes_it_and_leads_back(hinted) -> None:
    app = open_page(session.CLOSEUP)
    run_prompt(look_at(app, INDUCTION, "previous_token"), NO_REPEATS)  # seen as something else
    html = page_html(app)
    assert says(html, "Induction", "gray", "98%", COUNTING)
    assert says(html, "Duplicate token", "none of them activates", INDUCTION.label)
    app.button(key="head_closeup-wake_induction").click().run()
    assert app.session_state[session.PROMPT] == COUNTING
    assert app.session_state[session.HEAD] == INDUCTION
    assert app.session_state[session.ROLE] == "induction"
    assert "head_closeup-wake_induction" not in buttons(app)
    app.button(key="app-undo").click().run()
    assert app.session_state[session.PROMPT] == NO_REPEATS


def test_a_head_without_a_list_or_a_model_without_hints_says_nothing(hinted) -> None:
    app = look_at(open_page(session.CLOSEUP), Head(3, 7), "induction")
    assert "gray on this prompt" not in page_html(app)
    categories.write_entry(planted_entry(4, 8), hinted)
    run_prompt(look_at(app, INDUCTION, "induction"), NO_REPEATS)
    assert "gray on this prompt" not in page_html(app)


# ------------------------------------------------------------------ extended roles


@pytest.fixture
def extended(hinted, monkeypatch):
    """The same with extended roles; a delimiter head is woken by a list with commas."""
    from headroles.capture import attention

    planted = attention.collect

    def collect(loaded, encoding):
        found = planted(loaded, encoding)
        weights = planted_extended_attention(found.attention, encoding.tokens)
        return found._replace(attention=weights)

    monkeypatch.setattr(attention, "collect", collect)
    entry = with_extended(planted_entry(4, 8))
    of_marks = {"delimiter": hints(LIST, HEADS["delimiter"][0])}
    categories.write_entry(entry.model_copy(update={"hints": of_marks}), hinted)


def test_extended_roles_that_attention_shows_have_hints_too(extended) -> None:
    app = open_page()
    app.toggle(key=extended_state.SHOWN).set_value(True).run()
    run_prompt(app, COUNTING)
    assert says(page_html(app), f"activates {HEADS['delimiter'][0].label}", LIST)
    app.button(key="your_prompt-wake_delimiter_0").click().run()
    assert app.session_state[session.PROMPT] == LIST
    assert any("Delimiter: 1 of 1" in one.proto.alt for one in app.get("vega_lite_chart"))
    app.switch_page(session.CLOSEUP).run()
    run_prompt(look_at(app, HEADS["delimiter"][0], "induction"), COUNTING)
    assert "head_closeup-wake_delimiter" in buttons(app)


def test_the_way_to_the_heads_that_an_extended_list_leaves_out(extended, hinted) -> None:
    entry = categories.read_entry("demo", hinted)
    scores = {**entry.all_scores, "delimiter": [[0.9] * 8 for _ in range(4)]}
    categories.write_entry(entry.model_copy(update={"all_scores": scores}), hinted)
    app = open_page()
    app.toggle(key=extended_state.SHOWN).set_value(True).run()
    assert says(page_html(app), "1 of the 32 heads", "uncertain")
    app.button(key="your_prompt-over_delimiter").click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Head map"]


# ------------------------------------------------------------------ lists


def test_a_card_says_how_many_heads_its_list_leaves_out_and_leads_to_them(planted) -> None:
    entry = planted_entry(4, 8)
    scores = [[0.7] * 8 for _ in range(4)]  # all 32 heads are over .5, and one of them is listed
    scores = {**entry.all_scores, "positional": scores}
    categories.write_entry(entry.model_copy(update={"all_scores": scores, "cap": 1}), planted)
    app = open_page()
    assert says(page_html(app), "1 of the 32 heads", "1 at most")
    assert "your_prompt-over_induction" not in buttons(app)  # its one head is on the list
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT
    app.button(key="your_prompt-over_positional").click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Head map"]
    assert app.radio(key=session.MAP_SOURCE).value == session.STORED
    (chart,) = [one.proto for one in app.get("vega_lite_chart") if "32 of 32" in one.proto.alt]
    assert chart.alt.startswith(ROLES["positional"].name)
    assert len(app.get("vega_lite_chart")) == 1  # this role alone


def test_the_downloads_hold_the_prompt_of_each_head(hinted) -> None:
    from headroles import export, get_active_head_summary
    from headroles.capture import capture
    from headroles.models import load_model

    run = capture(load_model("demo"), NO_REPEATS)
    rows = export.tables.summary_rows(get_active_head_summary(run, "demo", path=hinted))
    found = {(row["role"], row["label"]): row["hint"] for row in rows}
    assert found["induction", INDUCTION.label] == COUNTING
    assert found["duplicate_token", INDUCTION.label] is None
    stored = export.tables.reference_rows(categories.read_entry("demo", hinted))
    named = {(row["role"], row["label"]) for row in stored if row["hint"] == COUNTING}
    assert named == {
        ("induction", INDUCTION.label),
        ("duplicate_token", PLANTED["duplicate_token"].label),
    }

"""The knock-out lab, without a browser, on the bundled model."""

from __future__ import annotations

import json
import re

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import ROLES
from headroles.ui.app import long_work, session
from headroles.ui.knockout_lab import choose_heads, offset_test, state
from tests.facts import says
from tests.pages.on_page import page_html

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)


@pytest.fixture
def app():
    return open_page()


def open_page(section: str | None = None, **keys):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    for key, value in keys.items():
        app.session_state[key] = value
    if section is not None:
        app.session_state[state.SECTION] = section
    app.switch_page("pages/knockout_lab.py").run()
    assert not app.exception
    return app


def verdict(app) -> str:
    return re.search(r'<p class="hr-verdict">(.*?)</p>', page_html(app))[1]


def concluded(app) -> str:
    return re.search(r'<p class="hr-conclusion" role="status">(.*?)</p>', page_html(app))[1]


def said(app, words: str) -> str:
    """The paragraph that holds these words, without Markdown's escapes."""
    every = [one.value.replace("\\", "") for one in [*app.markdown, *app.caption]]
    return next(one for one in every if words in one)


def beside_chance(app) -> str:
    return said(app, "random draws had")


def test_opening_the_page_takes_the_top_induction_heads_away(app) -> None:
    assert set(app.multiselect(key=state.LAB_HEADS).value) == {"L1H4", "L1H1", "L1H6"}
    assert says(verdict(app), "“·sat”", "1st")
    assert beside_chance(app).startswith("**Larger than chance")
    assert says(concluded(app), "These heads matter", "“·sat”", "none of 10 random groups")
    html = page_html(app)
    vocabulary = json.loads((DEMO_MODEL / "config.json").read_text())["vocab_size"]
    assert f"of {vocabulary:,} tokens" in html
    assert says(html, "nats", "mean of 7")  # the repeated tokens of the default prompt
    assert html.count("▲ +") == html.count("▼ −") == 8
    assert says((one.value for one in app.caption), "positions", "sentences")


def test_zero_everywhere_and_at_one_position(app) -> None:
    app.selectbox(key=state.LAB_HOW).set_value(state.TO_ZERO).run()
    assert says(verdict(app), "“·sat”", "% → ")
    app.multiselect(key=f"{state.LAB_WHERE}_17").set_value([3]).run()
    assert not app.exception
    html = page_html(app)
    assert "<sup>off here</sup>" in html
    assert "<sup>just before</sup>" in html
    assert says(verdict(app), "“·sat”", "first", "% → ")


def test_a_role_takes_all_its_heads_and_can_be_taken_back(app) -> None:
    app.button(key="knockout_lab-role_induction").click().run()
    assert len(app.multiselect(key=state.LAB_HEADS).value) == 7
    assert said(app, "too few in layer 1")
    app.button(key="knockout_lab-undo").click().run()
    assert set(app.multiselect(key=state.LAB_HEADS).value) == {"L1H4", "L1H1", "L1H6"}


def test_the_verdict_of_many_texts_stands_beside_that_of_the_prompt(app) -> None:
    app.button(key="knockout_lab-role_induction").click().run()
    assert says(said(app, "These 7 heads together"), "repeated tokens", "✓ holds up")
    app.multiselect(key=state.LAB_HEADS).set_value(["L0H0"]).run()
    assert "not listed for any role" in said(app, "did not test L0H0")
    app.multiselect(key=state.LAB_HEADS).set_value(["L1H1"]).run()
    app.button(key="knockout_lab-to_many").click().run()
    assert not app.exception
    assert app.session_state[state.SECTION] == "Many at once"
    assert app.multiselect(key=state.MANY_HEADS).value == ["L1H1"]


def test_a_prompt_without_work_for_the_heads_says_that_it_cannot_tell() -> None:
    app = open_page(**{session.PROMPT: "One day a big dog went home", session.BOX: "One day a big"})
    app.multiselect(key=state.LAB_HEADS).set_value(["L1H4", "L1H1"]).run()
    assert not app.exception
    assert "“.”" in verdict(app)
    assert "Larger than chance" not in beside_chance(app)
    assert says(concluded(app), "cannot tell", "none of the 2 heads", "Induction")
    assert says(said(app, "All 7 heads listed"), "yours among them")


def test_no_head_is_said_and_no_error(app) -> None:
    app.multiselect(key=state.LAB_HEADS).set_value([]).run()
    assert not app.exception
    assert any("Choose at least one head" in one.value for one in app.info)


def test_an_expected_answer_is_watched(app) -> None:
    app.text_input(key=state.LAB_ANSWER).set_value("slept").run()
    assert "“·slept”" in verdict(app)
    assert "the token you named" in page_html(app)


def test_one_look_is_cut(app) -> None:
    app.session_state[state.LAB_WHAT] = state.EDGE
    app.run()
    assert not app.exception
    assert page_html(app).count("<sup>cut look</sup>") == 2
    assert verdict(app).startswith("“·sat” is still first")


def test_value_vectors_are_compared_with_other_positions(app) -> None:
    app.session_state[state.LAB_WHAT] = state.VALUES
    app.run()
    app.selectbox(key=state.LAB_VALUES).set_value(state.BACK_ALL).run()
    assert not app.exception
    assert page_html(app).count("<sup>value zero</sup>") == 16
    assert any("no control" in one.value for one in app.caption)  # no other position is left
    app.selectbox(key=state.LAB_VALUES).set_value(state.BACK_ONE).run()
    assert "random draws had" in beside_chance(app)


@pytest.mark.parametrize(
    "prompt", ["🐈 <b>x</b> $5 _a_", "שלום עולם שלום", "a", "The cat sat. " * 60]
)
def test_odd_prompts_run(prompt: str) -> None:
    app = open_page(**{session.PROMPT: prompt})
    assert verdict(app)
    assert "<b>x</b>" not in page_html(app)


def test_stop_keeps_what_there_is(monkeypatch) -> None:
    monkeypatch.setattr(long_work, "MOMENT", 0.0)  # no step is done by itself
    app = open_page()
    assert any(one.key == "app-stop_control" for one in app.button)
    app.button(key="app-stop_control").click().run()
    assert not app.exception
    assert says((one.value for one in app.caption), "stopped", "0 of 2")
    monkeypatch.setattr(long_work, "MOMENT", 300.0)
    app.button(key="app-go_on_control").click().run()
    assert not app.exception
    assert beside_chance(app).startswith("**Larger than chance")


def test_many_at_once() -> None:
    app = open_page("Many at once")
    html = page_html(app)
    assert html.count('hr-conditions"') == 4  # a table per prompt
    assert says(html, "L1H1", "L1H4", "L1H6")
    assert says(concluded(app), "Costliest knock-out of your heads", "of 4 prompts", "5 draws")
    first = app.multiselect(key=state.MANY_PROMPTS)
    assert all(option.startswith("✓") for option in first.options[:26])
    assert {one.label for one in app.get("download_button")} >= {
        "Report as HTML", "Knock-outs as CSV", "Summary as CSV", "Everything as JSON",
    }  # fmt: skip


def test_own_prompts_join_the_table() -> None:
    app = open_page("Many at once")
    app.multiselect(key=state.MANY_PROMPTS).set_value([])
    app.text_area(key=state.MANY_OWN).set_value("The dog ran. The dog => ran")
    app.button(key="knockout_lab-many_run").click().run()
    assert not app.exception
    assert page_html(app).count('hr-conditions"') == 1
    assert any("Own" in one.label for one in app.expander)


def test_the_choices_of_many_at_once_stay_and_are_run_by_the_button() -> None:
    app = open_page("Many at once")
    tables = page_html(app).count('hr-conditions"')
    app.text_area(key=state.MANY_OWN).set_value("The dog ran. The dog => ran")
    app.number_input(key=state.MANY_TOP).set_value(2).run()
    assert says(page_html(app), "hr-draft hr-edited", "Changed, not run yet.")
    assert page_html(app).count('hr-conditions"') == tables
    app.switch_page("pages/head_map.py").run()
    app.switch_page("pages/knockout_lab.py").run()
    assert app.text_area(key=state.MANY_OWN).value == "The dog ran. The dog => ran"
    assert app.number_input(key=state.MANY_TOP).value == 2
    app.button(key="knockout_lab-many_run").click().run()
    assert not app.exception
    assert 'class="hr-draft hr-edited"' not in page_html(app)
    assert page_html(app).count('hr-conditions"') == tables + 1


def _plain(elements) -> list[str]:
    """What they say, without Markdown's escapes."""
    return [one.value.replace("\\", "") for one in elements]


def _pressed(app, key: str = "knockout_lab-many_run"):
    app.button(key=key).click().run()
    assert not app.exception
    return app


def test_a_token_before_the_last_is_t_and_what_follows_is_watched() -> None:
    app = open_page("Many at once", **{state.MANY_DRAWS: 0})
    app.selectbox(key=state.MANY_T).set_value(state.T_BACK).run()
    app.number_input(key=state.MANY_BACK).set_value(2)
    _pressed(app)
    html = page_html(app)
    assert html.count("<sup>comes next</sup>") == 4
    assert (
        len([one for one in _plain(app.caption) if "what really comes next in the prompt" in one])
        == 4
    )
    assert "Random others lose" not in html
    assert app.query_params["t"] == "-3"


def test_a_random_t_changes_with_the_seed_alone() -> None:
    def places(app) -> list[str]:
        return re.findall(r"t = (\d+)", " ".join(_plain(app.caption)))

    app = open_page("Many at once", **{state.MANY_DRAWS: 0, state.MANY_T: state.T_RANDOM})
    first = places(app)
    assert len(first) == 4
    app.number_input(key=state.MANY_SEED).set_value(3)
    third = places(_pressed(app))
    assert third != first
    app.number_input(key=state.MANY_SEED).set_value(0)
    assert places(_pressed(app)) == first


def test_the_conclusion_stands_above_the_form() -> None:
    app = open_page("Many at once")
    html = page_html(app)
    assert html.index("hr-conclusion") < html.index("What the table is made of")


def test_all_heads_of_a_role_and_back() -> None:
    app = open_page("Many at once")
    mine = app.multiselect(key=state.MANY_HEADS).value
    _pressed(app, "knockout_lab-many_role_previous_token")
    taken = app.multiselect(key=state.MANY_HEADS).value
    assert set(taken) != set(mine)
    assert "L0H6" in taken
    assert says(page_html(app), "Changed, not run yet.")
    _pressed(app, "knockout_lab-many_undo")
    assert app.multiselect(key=state.MANY_HEADS).value == mine


def test_prompts_of_a_file_join_the_table_and_stay() -> None:
    app = open_page("Many at once")
    app.multiselect(key=state.MANY_PROMPTS).set_value([])
    raw = b'prompt,answer\n"The dog, he ran. The dog, he",ran\n,x\n'
    app.file_uploader(key=state.MANY_FILE).upload("mine.csv", raw, "text/csv").run()
    assert says(_plain(app.warning), "1 prompt", "Line 3")
    _pressed(app)
    assert page_html(app).count('hr-conditions"') == 1
    app.switch_page("pages/head_map.py").run()
    app.switch_page("pages/knockout_lab.py").run()
    assert page_html(app).count('hr-conditions"') == 1
    assert 'class="hr-draft hr-edited"' not in page_html(app)
    _pressed(app, "knockout_lab-many_unfile")
    assert says(page_html(app), "Changed, not run yet.")


def test_a_file_that_is_no_table_is_said_and_what_was_shown_stays() -> None:
    app = open_page("Many at once")
    app.file_uploader(key=state.MANY_FILE).upload("mine.csv", b"a,b\nc,d", "text/csv").run()
    assert says((one.value for one in app.error), "no column called prompt")
    assert page_html(app).count('hr-conditions"') == 4


def test_a_prompt_that_is_too_short_for_t_is_left_out_by_name() -> None:
    app = open_page("Many at once", **{state.MANY_T: state.T_BACK, state.MANY_BACK: 9})
    assert says(_plain(app.warning), "Left out: “Monday, Tuesday, Wednesday,”", "no position -10")
    assert page_html(app).count('hr-conditions"') == 3


def test_many_tables_are_drawn_when_they_are_opened() -> None:
    app = open_page("Many at once", **{state.MANY_DRAWS: 0, state.MANY_ALL: True})
    for _ in range(20):  # a real browser goes on by itself
        if not app.get("progress"):
            break
        app.run()
    if any(button.key == "knockout_lab-many_run" for button in app.button):
        _pressed(app)
    html = page_html(app)
    assert says(concluded(app), "of 26 prompts")
    assert 'hr-conditions"' not in html
    assert sum(one.label[:1].isdigit() for one in app.expander) == 26


def test_the_previous_token_test_names_its_offset() -> None:
    app = open_page("Previous-token test", **{state.OFFSET_N: 24})
    assert says(concluded(app), "L0H6", "one token back")
    assert f"with {offset_test.OTHERS} other heads of layer 0" in " ".join(
        c.value for c in app.caption
    )
    assert "Redundancy at 1" in page_html(app)


# ------------------------------------------------------------------ the heads to begin with


@pytest.mark.parametrize(
    ("entry", "active", "first"),
    [
        ("listed", [], ["L1H1", "L1H2", "L2H0"]),
        ("listed", ["L3H0", "L2H1", "L2H0"], ["L2H0", "L2H1", "L1H1"]),
        (None, ["L5H0", "L4H1", "L6H0", "L6H1"], ["L5H0", "L4H1", "L6H0"]),
        (None, [], ["L0H0"]),
    ],
)
def test_heads_that_work_on_the_prompt_come_first(monkeypatch, entry, active, first) -> None:
    labels = ["L1H1", "L1H2", "L2H0", "L2H1"]
    roles = {"induction": labels} if entry else {}
    monkeypatch.setattr(choose_heads, "listed", lambda _: roles)
    assert choose_heads.first_heads(entry, active) == first


def test_a_prompt_that_needs_the_heads_is_one_press_away(app) -> None:
    assert not [button for button in app.button if button.key == "knockout_lab-try"]
    app.text_area(key=session.BOX).set_value("The dog saw a cat. The dog")
    app.button(key="app-run").click().run()
    app.button(key="knockout_lab-try").click().run()
    assert not app.exception
    assert app.session_state[session.PROMPT] == ROLES["induction"].story_hints[0]
    assert says(verdict(app), "% → ")
    app.multiselect(key=state.LAB_HEADS).set_value(["L3H7"]).run()
    assert not [button for button in app.button if button.key == "knockout_lab-try"]

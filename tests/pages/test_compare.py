"""Two prompts on Your Prompt, without a browser. Every head does one planted thing."""

from __future__ import annotations

import re

import pytest

from headroles.charts.heads import SELECTION
from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.ui.app import session
from tests.facts import says
from tests.pages.on_page import alts, page_html

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

ONCE = "The cat sat on the mat."
"""The default prompt without its repetition; no token of it occurs twice."""


@pytest.fixture
def app(planted):
    """Your Prompt with the comparison open."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    return press(app, "compare")


def press(app, key: str):
    app.button(key=f"your_prompt-{key}").click().run()
    assert not app.exception
    return app


def run_second(app, prompt: str):
    app.text_area(key=session.SECOND_BOX).set_value(prompt)
    app.button(key="app-run").click().run()
    assert not app.exception
    return app


def said(app) -> str:
    """What the page concludes."""
    (sentence,) = re.findall(r'class="hr-conclusion"[^>]*>([^\n]*)</p>', page_html(app))
    return sentence


def test_it_opens_with_the_sentence_without_its_repetition(app) -> None:
    assert app.text_area(key=session.BOX).value == DEFAULT_PROMPT
    assert app.text_area(key=session.SECOND_BOX).value == ONCE
    # Induction and Duplicate token need a repetition; their planted heads rest without one.
    assert says(said(app), "Induction", "Duplicate token", "become inactive", "3", "active on both")


def test_the_same_heads_stand_in_both_and_each_says_its_change(app) -> None:
    html = page_html(app)
    assert html.count("became inactive") == 2  # one head of each role, in the tables
    assert says(html, "becomes inactive", "1 → 0 of 1 listed head")  # induction
    assert says(html, "becomes inactive", "1 → 0 of 2 listed heads")  # duplicate token
    assert html.count("0 points") == 3  # the planted heads of the other roles
    induction = next(alt for alt in alts(app) if alt.startswith("Induction"))
    assert says(induction, "L1H1", "100%", "active", "nothing to do")


def test_a_sleeping_side_says_why(app) -> None:
    assert f"On the second prompt: {ROLES['induction'].asleep}" in page_html(app)


def test_swapping_wakes_what_fell_asleep(app) -> None:
    press(app, "swap")
    assert app.text_area(key=session.BOX).value == ONCE
    assert app.text_area(key=session.SECOND_BOX).value == DEFAULT_PROMPT
    assert says(said(app), "Induction", "Duplicate token", "become active")
    assert says(page_html(app), "becomes active", "0 → 1 of 1 listed head")


def test_the_same_prompt_twice_changes_nothing(app) -> None:
    press(app, "same_second")
    assert says(said(app), "No role becomes active")
    assert "became inactive" not in page_html(app)


def test_stopping_gives_the_single_cards_back(app) -> None:
    press(app, "stop_comparing")
    assert says(said(app), "All 5 roles", "active")
    assert app.session_state[session.SECOND] is None
    assert not any(alt.startswith("Induction: becomes") for alt in alts(app))


def test_both_prompts_are_shown_as_the_model_reads_them(app) -> None:
    html = page_html(app)
    assert html.count('class="hr-token hr-start"') == 2
    assert says(html, "None", "repeats")


def test_an_empty_second_prompt_is_a_sentence_and_the_first_stays(app) -> None:
    run_second(app, "  ")
    assert "The prompt is empty" in app.error[0].value
    assert says(said(app), "All 5 roles", "active")
    assert app.text_area(key=session.SECOND_BOX).value == "  "


def test_html_in_the_second_prompt_stays_text(app) -> None:
    run_second(app, "<b>x</b> & <script>y</script>")
    html = page_html(app)
    assert "<script>y" not in html
    assert "&lt;" in html


def test_without_an_analysis_both_strips_are_shown_and_no_cards(app, planted) -> None:
    planted.unlink()
    app.run()
    assert not app.exception
    assert page_html(app).count('class="hr-token hr-start"') == 2
    assert not alts(app)
    assert says(page_html(app), "● → ○", "Duplicate token", "→ 0 of 32")
    assert says(said(app), "5 of 5 roles", "first", "3", "second")


def test_one_run_takes_both_boxes(app) -> None:
    app.text_area(key=session.BOX).set_value("One dog ran.")
    run_second(app, "One dog ran. One dog ran.")
    assert app.session_state[session.PROMPT] == "One dog ran."
    assert app.session_state[session.SECOND] == "One dog ran. One dog ran."


def test_swapping_swaps_what_was_typed_too(app) -> None:
    app.text_area(key=session.SECOND_BOX).set_value("typed, not run")
    press(app, "swap")
    assert app.text_area(key=session.BOX).value == "typed, not run"
    assert app.session_state[session.PROMPT] == ONCE


def test_a_pair_of_bars_can_be_clicked(app) -> None:
    charts = [element.proto for element in app.get("vega_lite_chart")]
    assert len(charts) == 5
    assert all(list(chart.selection_mode) == [SELECTION] for chart in charts)

"""What else a knock-out changes, in the Knock-out lab, without a browser, on the bundled model."""

from __future__ import annotations

import pytest

from headroles.paths import DEMO_MODEL
from headroles.ui.app import long_work, session
from headroles.ui.knockout_lab import state
from tests.facts import says
from tests.pages.on_page import alts, opened

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)
PAGE = "pages/knockout_lab.py"


def shown(app) -> str:
    """All paragraphs, without Markdown's escapes."""
    return "\n".join(one.value.replace("\\", "") for one in [*app.markdown, *app.caption])


def labels(app) -> list[str]:
    """The files that are offered."""
    return [one.label for one in app.get("download_button")]


def test_the_cliff_of_the_repeat_is_shown_first() -> None:
    app = opened(PAGE, heads="L0H6")
    assert says(shown(app), "From “·sat” on", "79%", "without L0H6", "46%", "random others")
    assert any(says(alt, "probability of every token", "79%", "46%") for alt in alts(app))
    assert not any(button.key == "knockout_lab-try_repeating" for button in app.button)
    assert "Tokens as CSV" in labels(app)
    assert "more" not in app.query_params


def test_a_text_that_repeats_is_offered_where_nothing_does() -> None:
    app = opened(PAGE, heads="L0H6", prompt="The fox ran into the forest.")
    assert "Nothing repeats" in shown(app)
    assert says(shown(app), "loses most without L0H6", "random others knocked out")
    app.button(key="knockout_lab-try_repeating").click().run()
    assert not app.exception
    assert says(shown(app), "From “·sat” on", "79%")


def test_the_head_whose_look_changes_most_is_shown_before_and_after() -> None:
    app = opened(PAGE, heads="L0H6", more="looks")
    box = app.selectbox(key=state.LAB_WATCHED)
    assert box.value == state.CHANGES_MOST
    assert says(
        shown(app), "From “·cat”, L1H1", "“·sat”", "59%", "without L0H6", "<1%", "more than"
    )
    assert says(shown(app), "48 places in other texts", "L1H1", "start token", "28%", "51%")
    assert {"Attention as CSV", "Mean attention as JSON", "Attention as PNG"} <= set(labels(app))
    box.set_value("L0H2").run()
    assert not app.exception
    assert says(shown(app), "L0H2 looks exactly as before", "layer 0")
    assert app.query_params["watched"] == "L0H2"
    app.segmented_control(key=state.LAB_VIEW).set_value(state.DIFFERENCE).run()
    assert not app.exception
    assert app.query_params["look"] == "difference"


def test_a_link_opens_the_difference_of_a_head() -> None:
    app = opened(PAGE, heads="L0H6", more="looks", watched="L1H4", look="difference")
    assert says(shown(app), "From “·cat”, L1H4")
    assert app.segmented_control(key=state.LAB_VIEW).value == state.DIFFERENCE


def test_a_head_that_the_model_lacks_is_said() -> None:
    app = opened(PAGE, heads="L0H6", more="looks", watched="L7H1")
    assert any("L7H1" in one.value for one in app.warning)
    assert says(shown(app), "From “·cat”, L1H1")


def test_the_roles_that_other_heads_lose() -> None:
    app = opened(PAGE, heads="L0H6", more="roles")
    assert says(shown(app), "Without L0H6", "9 of 24 later heads", "L1H6 is no longer", "78% → 5%")
    assert any(says(alt, "activation as Induction", "9 of 24") for alt in alts(app))
    app.selectbox(key=state.LAB_ROLE).set_value("positional").run()
    assert not app.exception
    assert app.query_params["changed"] == "positional"
    assert any(says(alt, "First token") for alt in alts(app))
    assert "Roles as JSON" in labels(app)


def test_nothing_changes_after_the_last_layer() -> None:
    for more in ("looks", "roles"):
        app = opened(PAGE, heads="L3H4", more=more)
        assert any(says(one.value, "layer 3 is the last one") for one in app.info)


def test_places_of_this_prompt_are_counted_back_or_not_averaged() -> None:
    app = opened(PAGE, heads="L0H6", more="looks")
    app.multiselect(key=f"{state.LAB_WHERE}_17").set_value([3]).run()
    assert not app.exception
    assert "48 places in other texts" in shown(app)
    app.multiselect(key=f"{state.LAB_WHERE}_17").set_value([2, 15]).run()
    assert says(shown(app), "not averaged", "8 tokens")


@pytest.mark.parametrize("what", [state.EDGE, state.VALUES])
@pytest.mark.parametrize("more", state.MORES)
def test_looks_and_values_have_what_else_too(what: str, more: str) -> None:
    app = opened(PAGE, heads="L0H6")
    app.session_state[state.LAB_WHAT] = what
    app.session_state[state.LAB_MORE] = more
    app.run()
    assert not app.exception
    assert says(shown(app), "without")


@pytest.mark.parametrize("more", ["tokens", "looks", "roles"])
@pytest.mark.parametrize(
    "prompt", ["a", "שלום עולם שלום", "🐈 <b>x</b> $5 _a_", "The cat sat. " * 60]
)
def test_odd_prompts_are_shown(more: str, prompt: str) -> None:
    app = opened(PAGE, heads="L0H6", more=more, prompt=prompt)
    assert not app.error


def test_stop_leaves_the_numbers_without_a_control(monkeypatch) -> None:
    app = opened(PAGE, heads="L0H6", more="roles", prompt="The dog ran. The dog sat. The dog")
    control = shown(app)
    assert says(control, "draws", "t test")
    monkeypatch.setattr(long_work, "MOMENT", 0.0)
    app.session_state[session.PROMPT] = "The fox ran. The fox sat. The fox"
    app.run()
    assert not app.exception
    assert any(one.key == "app-stop_looks" for one in app.button)

"""The page Head close-up, without a browser."""

from __future__ import annotations

import dataclasses

import pytest

from headroles import paths
from headroles.models import catalogue
from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import BASIC_ROLES, ROLES, SCORED_ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.head_closeup import state as head_closeup_state
from tests.facts import says
from tests.pages.on_page import alts, page_html, run_prompt
from tests.pages.planted import PLANTED

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

NO_REPEATS = "The old man walked slowly to the river with his dog."


def open_page():
    """The close-up, opened from the navigation."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.switch_page("pages/head_closeup.py").run()
    assert not app.exception
    return app


def look_at(app, head: Head, role: str | None = None):
    app.session_state[session.HEAD] = head
    app.session_state[session.ROLE] = role
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def app(planted):
    return open_page()


def test_opened_from_the_navigation_it_shows_the_listed_induction_head(app) -> None:
    assert app.selectbox(key=head_closeup_state.HEAD_BOX).value == PLANTED["induction"].label
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "induction"
    html = page_html(app)
    assert "<h2>L1H1</h2>" in html
    assert "Its role: induction." in html
    assert says(html, "L1H1", "looks at", "earlier copy")
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT


@pytest.mark.parametrize("key", PLANTED)
def test_a_planted_head_is_told_by_its_only_role(app, key: str) -> None:
    look_at(app, PLANTED[key])
    name = ROLES[key].name
    assert f"Its role: {name[0].lower()}{name[1:]}." in page_html(app)
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == key  # its main role


def test_the_passport_has_every_role_with_rank_and_listing(app) -> None:
    html = page_html(app)
    passport = html[html.index("hr-one-line") :]
    for role in SCORED_ROLES:
        assert f'<th scope="row">{role.name}</th>' in passport
    # Planted: score 1 of 1 for induction, 0 for the rest; duplicate token lists it too.
    cells = passport[passport.index("Induction") :].split("</tr>")[0]
    assert "● 1.000 ± 0.000" in cells
    assert "1st of 32, 1st in its layer" in cells
    assert cells.endswith("<td>listed</td>")
    cells = passport[passport.index("Duplicate token") :].split("</tr>")[0]
    assert "○ 0.000 ± 0.000" in cells
    assert "2nd of 32" in cells
    assert cells.endswith("<td>listed</td>")


def test_a_head_that_fits_nothing_says_so(app) -> None:
    look_at(app, Head(3, 7))
    assert says(page_html(app), "none of the five")


def test_every_head_as_every_role(app) -> None:
    for key in BASIC_ROLES:
        look_at(app, Head(3, 7), key)
        assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == key


def test_previous_and_next_stop_at_the_ends_of_the_model(app) -> None:
    look_at(app, Head(0, 7), "diffuse")
    app.button(key="head_closeup-next_head").click().run()
    assert app.session_state[session.HEAD] == Head(1, 0)
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "diffuse"
    app.button(key="head_closeup-previous_head").click().run()
    assert app.session_state[session.HEAD] == Head(0, 7)
    look_at(app, Head(0, 0))
    assert app.button(key="head_closeup-previous_head").disabled
    look_at(app, Head(3, 7))
    assert app.button(key="head_closeup-next_head").disabled


def test_another_head_of_the_role(app) -> None:
    look_at(app, PLANTED["duplicate_token"], "duplicate_token")  # it lists L2H2 and L1H1
    app.button(key="head_closeup-another_head").click().run()
    assert app.session_state[session.HEAD] == PLANTED["induction"]
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "duplicate_token"
    look_at(app, PLANTED["diffuse"], "diffuse")
    assert app.button(key="head_closeup-another_head").disabled


def test_head_and_role_can_be_chosen_from_the_lists(app) -> None:
    app.selectbox(key=head_closeup_state.HEAD_BOX).set_value("L2H2").run()
    assert app.session_state[session.HEAD] == Head(2, 2)
    app.selectbox(key=head_closeup_state.ROLE_BOX).set_value("duplicate_token").run()
    assert app.session_state[session.ROLE] == "duplicate_token"
    assert says(page_html(app), "100%", "earlier copies")


def test_the_hidden_rest_is_said_in_the_chart_and_beside_it(app) -> None:
    assert not any("Resting column hidden" in spec for spec in specs(app))
    app.toggle(key=session.HIDE_REST).set_value(True).run()
    assert sum("Resting column hidden" in spec for spec in specs(app)) == 1
    assert any("resting column is hidden" in alt for alt in alts(app))
    html = page_html(app)
    assert says(html, "resting column", "hidden")
    assert says(html, "rescaled", "100%")


def specs(app) -> list[str]:
    return [element.proto.spec for element in app.get("vega_lite_chart")]


def test_a_resting_head_has_nothing_left_without_its_rest(app) -> None:
    look_at(app, PLANTED["positional"])
    app.toggle(key=session.HIDE_REST).set_value(True).run()
    assert not app.exception
    # All 17 rows have everything on the first token.
    assert says(page_html(app), "16 rows", "blank")
    assert says(page_html(app), "nothing", "left")


def test_a_chosen_token_has_its_links_in_a_table(app) -> None:
    # In "start The cat sat on the mat . The cat sat ...", position 9 is the second " cat":
    # the planted induction head looks at what followed the first one, " sat" at 3, alone.
    app.session_state[head_closeup_state.TOKEN] = 9
    app.run()
    assert says(page_html(app), "“·cat”", "9", "“·sat”", "3", "100%")
    # It followed the second " The" (8), so the third one (15) looks at it, and no other does.
    assert says(page_html(app), "“·The”", "15", "100%")
    app.session_state[head_closeup_state.TOKEN] = 3
    app.run()
    # Both later copies look at it: 9 with all its attention, 16 with half (the other at 10).
    assert says(page_html(app), "“·cat”", "9", "100%", "“·cat”", "16", "50%")


def test_a_chosen_token_that_the_next_prompt_lacks_is_forgotten(app) -> None:
    app.session_state[head_closeup_state.TOKEN] = 16
    run_prompt(app, "one two one two one two")
    assert "(16)" not in page_html(app)


def test_the_offset_profile_of_a_previous_token_head(app) -> None:
    look_at(app, PLANTED["previous_token"])
    (alt,) = [alt for alt in alts(app) if "by distance" in alt]
    assert says(alt, "L0H0", "distance")
    assert says(alt, "1 token back", "100%")


def test_no_paper_names_heads_of_the_bundled_model(app) -> None:
    assert says(page_html(app), "No paper", "Headroles demo (bundled)")


def test_a_model_that_shares_nothing_says_so(app) -> None:
    assert says(page_html(app), "keys and values", "own")


def test_grouped_heads_lead_to_their_partners(tmp_path, model_folders, monkeypatch) -> None:
    """A tiny Llama with 4 heads over 2 key/value heads stands in for the bundled model."""
    folder = model_folders("llama")
    entry = dataclasses.replace(catalogue.CATALOGUE["demo"], source=str(folder))
    monkeypatch.setitem(catalogue.CATALOGUE, "demo", entry)
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "none.json")
    app = look_at(open_page(), Head(0, 3))
    partners = [b.key for b in app.button if b.key and b.key.startswith("head_closeup-partner_")]
    assert partners == ["head_closeup-partner_L0H2"]
    app.button(key="head_closeup-partner_L0H2").click().run()
    assert app.session_state[session.HEAD] == Head(0, 2)


@pytest.mark.parametrize("prompt", ["", "  \n "])
def test_an_empty_prompt_is_a_sentence(app, prompt: str) -> None:
    run_prompt(app, prompt)
    assert "The prompt is empty" in app.error[0].value
    assert not app.get("vega_lite_chart")
    run_prompt(app, NO_REPEATS)
    assert app.selectbox(key=head_closeup_state.HEAD_BOX).value == "L1H1"


def test_one_token_is_too_little_to_tell(app) -> None:
    run_prompt(app, "cat")
    assert says(page_html(app), "Too little", "L1H1")


def test_a_long_prompt_is_cut_and_said_and_can_be_zoomed(app) -> None:
    run_prompt(app, "The cat sat on the mat. " * 120)
    assert any("Only the first" in warning.value for warning in app.warning)
    assert any("Each square stands for" in caption.value for caption in app.caption)
    (slider,) = app.slider
    slider.set_range(100, 140).run()
    assert not app.exception
    assert not any("Each square stands for" in caption.value for caption in app.caption)
    assert says((caption.value for caption in app.caption), "before position 100")


def test_more_characters_than_are_read(app) -> None:
    app.session_state[session.PROMPT] = "river " * 40_000  # more than the box takes
    app.run()
    assert "240,000 characters" in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize("prompt", ["😀 👩‍👩‍👧 😀 😀", "שלום עולם שלום", "\u202eevil", "a\x00b"])
def test_any_unicode_is_drawn(app, prompt: str) -> None:
    run_prompt(app, prompt)
    assert not app.error


def test_markup_stays_text(app) -> None:
    run_prompt(app, "<script>alert(1)</script> <b>bold</b> **stars** <b>bold</b>")
    html = page_html(app)
    assert "<script>alert" not in html
    assert "<b>bold" not in html


def test_without_a_file_a_head_can_still_be_looked_at(planted) -> None:
    planted.unlink()
    app = open_page()
    assert "Nobody has analysed this model" in app.warning[0].value
    html = page_html(app)
    assert says(html, "no analysis")
    assert "Provisional threshold" in html
    # The planted induction head has the highest activation of all.
    assert app.selectbox(key=head_closeup_state.HEAD_BOX).value == "L1H1"
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "induction"


@pytest.mark.parametrize("key", PLANTED)
def test_without_a_file_a_head_is_seen_as_what_it_does_here(planted, key: str) -> None:
    planted.unlink()
    app = look_at(open_page(), PLANTED[key])
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == key


def test_a_model_that_cannot_be_reached_leads_back(app) -> None:
    look_at(app, Head(2, 2))
    app.sidebar.selectbox(key=session.MODEL).set_value("gpt2").run()
    assert "gpt2" in app.error[0].value
    app.button(key="app-use_default_model").click().run()
    assert not app.error
    assert app.selectbox(key=head_closeup_state.ROLE_BOX).value == "duplicate_token"
    # The head was another model's; the most active listed one of the role takes its place.
    assert app.selectbox(key=head_closeup_state.HEAD_BOX).value == "L2H2"


def test_a_head_that_the_model_lacks_is_replaced(app) -> None:
    look_at(app, Head(11, 11), "induction")
    assert app.session_state[session.HEAD] == PLANTED["induction"]


def test_the_random_repeats_of_a_seed_are_drawn_and_stand_in_the_link(app) -> None:
    """The planted induction head fills its stripe on whatever repeats."""
    before = app.query_params
    assert "text" not in before
    app.segmented_control(key=head_closeup_state.TEXT).set_value(head_closeup_state.REPEATS).run()
    app.number_input(key=head_closeup_state.SEED).set_value(3).run()
    assert not app.exception
    html = page_html(app)
    assert says(html, "random tokens, then the same again", "seed 3")
    assert says(html, "L1H1", "100%", "stripe of an induction head")
    assert app.query_params["text"] == "repeats"
    assert app.query_params["text_seed"] == "3"
    app.segmented_control(key=head_closeup_state.TEXT).set_value(head_closeup_state.PROMPT).run()
    assert "text_seed" not in app.query_params


def test_the_largest_weight_stands_beside_evenness(app) -> None:
    look_at(app, PLANTED["diffuse"], "diffuse")
    assert says(page_html(app), "largest weight", "No token stands out")
    look_at(app, PLANTED["previous_token"], "diffuse")
    assert says(page_html(app), "largest weight of a row is 100%", "One token takes most")

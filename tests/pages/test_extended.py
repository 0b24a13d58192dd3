"""The extended roles and the random-token control on the pages, without a browser."""

from __future__ import annotations

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import EXTENDED_ROLES, ROLES
from headroles.store import Control
from headroles.types import Head
from headroles.ui.app import extended_state, session
from headroles.ui.app.extended_switch import NOT_MEASURED
from headroles.ui.head_map import state as head_map_state
from headroles.view.extended_roles import not_on_a_prompt
from tests.facts import says
from tests.pages.on_page import page_html
from tests.pages.planted import PLANTED, planted_attention, planted_entry
from tests.pages.planted_extended import (
    HEADS,
    OFFSET,
    planted_extended_attention,
    with_extended,
)

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

NO_MARKS = "one two three four one two three four one two"


@pytest.fixture
def entry():
    """The planted entry, with a section and with controls for two roles."""
    zeros = [[0.0] * 8 for _ in range(4)]
    same = planted_entry(4, 8).all_scores["previous_token"]
    controls = {
        "previous_token": Control(name="random tokens", scores=same, standard_errors=zeros),
        "positional": Control(name="random tokens", scores=zeros, standard_errors=zeros),
    }
    return with_extended(planted_entry(4, 8).model_copy(update={"controls": controls}))


@pytest.fixture
def written(monkeypatch, tmp_path, entry):
    """The path of the file that holds it; the model's attention is planted to match."""
    from headroles import paths
    from headroles.capture import attention
    from headroles.store import categories

    real = attention.collect

    def collect(loaded, encoding):
        planted = planted_attention(encoding.token_ids, loaded.num_layers, loaded.num_heads)
        planted = planted_extended_attention(planted, encoding.tokens)
        return real(loaded, encoding)._replace(attention=planted, output_change=None)

    path = tmp_path / "head_categories.json"
    monkeypatch.setattr(attention, "collect", collect)
    monkeypatch.setattr(paths, "CATEGORIES", path)
    categories.write_entry(entry, path)
    return path


def open_page(page: str | None = None, *, on: bool = True):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    if page:
        app.switch_page(page)
    app.run()
    if on:
        app.toggle(key=extended_state.SHOWN).set_value(True).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("page", [None, session.MAP, session.CLOSEUP])
def test_they_are_off_for_beginners(written, page) -> None:
    app = open_page(page, on=False)
    assert not app.toggle(key=extended_state.SHOWN).value
    html = page_html(app)
    assert not [role.name for role in EXTENDED_ROLES.values() if f"<h3>{role.name}</h3>" in html]


def test_the_switch_is_kept_from_page_to_page(written) -> None:
    app = open_page(session.MAP)
    app.switch_page(session.CLOSEUP).run()
    assert app.toggle(key=extended_state.SHOWN).value


def test_an_older_file_says_that_they_were_not_measured(planted) -> None:
    for page in (None, session.MAP, session.CLOSEUP):
        app = open_page(page)
        assert NOT_MEASURED in [caption.value for caption in app.caption]


# ------------------------------------------------------------------ head map


def charts(app, title: str) -> list[dict[str, dict]]:
    """{label: row} of what is drawn by each chart whose alt text begins so."""
    from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

    found = [one.proto for one in app.get("vega_lite_chart") if one.proto.alt.startswith(title)]
    frames = [convert_arrow_bytes_to_pandas_df(one.datasets[0].data.data) for one in found]
    return [{row["label"]: row for row in frame.to_dict("records")} for frame in frames]


def test_the_map_shows_every_role_and_says_the_sign_in_words(written, entry) -> None:
    app = open_page(session.MAP)
    html = page_html(app)
    assert list(entry.extended) == list(EXTENDED_ROLES)
    for stored in entry.extended.values():
        assert f"<h3>{stored.role.name}</h3>" in html
    assert "<h3>S-inhibition (direct effect)</h3>" in html  # as version 1 measured it
    assert says(html, "Not measured", "days")
    assert says(html, "1 of 32", "Copy suppression")
    assert says(html, "L1H1", "−0.75 logits", "against")
    (drawn,) = charts(app, "Copy suppression")
    assert drawn["L1H1"]["number"] == "−0.8"
    assert "against the token" in drawn["L1H1"]["shown"]


def test_the_map_of_a_prompt_judges_what_attention_shows_and_says_why_not_the_others(
    written,
) -> None:
    app = open_page(session.MAP)
    app.radio(key=session.MAP_SOURCE).set_value(session.PROMPTED).run()
    assert not app.exception
    html = page_html(app)
    assert says(html, "active", "Delimiter")
    # S-inhibition, name mover and copy suppression; retrieval has another reason
    assert html.count(not_on_a_prompt(ROLES["name_mover"])) == 3
    assert html.count(not_on_a_prompt(ROLES["retrieval"])) == 1
    assert says(html, "Not measured", "days")
    (offset,) = charts(app, "Fixed offset: 1 of 32 heads")
    label = HEADS["fixed_offset"][0].label
    assert offset[label]["value"] == 1
    assert offset[label]["active"]
    assert f"{OFFSET} tokens back" in offset[label]["shown"]


def every_head(app):
    """The table of every head; the page has others."""
    return next(one.value for one in app.dataframe if "roles" in one.value)


def test_the_table_of_every_head_has_them_only_while_the_switch_is_on(written) -> None:
    app = open_page(session.MAP)
    frame = every_head(app).set_index("head")
    assert frame.loc["L1H1", "copy_suppression"] == -0.75
    assert "Copy suppression" in frame.loc["L1H1", "roles"]
    app.text_input(key=head_map_state.SEARCH).set_value("name mover").run()
    assert list(every_head(app)["head"]) == ["L2H0"]
    app.toggle(key=extended_state.SHOWN).set_value(False).run()
    assert all("copy_suppression" not in one.value for one in app.dataframe)
    app.text_input(key=head_map_state.SEARCH).set_value("").run()
    assert "copy_suppression" not in every_head(app)


def test_heads_that_papers_name_are_marked_with_their_source(written, monkeypatch) -> None:
    from headroles.roles.known_heads import KnownHead
    from headroles.view import extended_roles

    def known(model, *, role):
        named = KnownHead(Head(3, 7), "name_mover", "function", "Somebody 2022")
        return [named] if role == "name_mover" else []

    monkeypatch.setattr(extended_roles, "named_heads", known)
    app = open_page(session.MAP)
    assert says(page_html(app), "named", "papers")
    (drawn,) = charts(app, "Name mover: ")
    assert drawn["L3H7"]["papers"]
    assert "named for it by papers" in drawn["L3H7"]["shown"]
    assert says((one.value for one in app.caption), "L3H7", "Somebody 2022")


def test_a_signed_map_says_how_many_heads_do_the_opposite(written, entry) -> None:
    from headroles.store import categories

    scores = {key: [list(row) for row in rows] for key, rows in entry.all_scores.items()}
    scores["copy_suppression"][2][3] = 0.9
    categories.write_entry(entry.model_copy(update={"all_scores": scores}), written)
    html = page_html(open_page(session.MAP))
    assert says(html, "1 head", "for", "L2H3", "+0.90")


def test_sentences_stand_beside_random_tokens_and_their_difference(written) -> None:
    app = open_page(session.MAP, on=False)
    head = PLANTED["previous_token"]
    html = page_html(app)
    assert says(html, "1 of 32", "Previous token", "sentences", "1")
    (difference,) = charts(app, "Difference")
    assert difference[head.label]["value"] == 0
    app.segmented_control(key=head_map_state.PLACE_ROLE).set_value("positional").run()
    assert says(page_html(app), "1", "content-driven")
    (difference,) = charts(app, "Difference")
    planted = difference[PLANTED["positional"].label]
    assert (planted["value"], planted["number"]) == (1, "+100")


def test_extended_roles_by_attention_join_the_comparison_when_they_are_on(written) -> None:
    def names(app) -> list[str]:
        return app.segmented_control(key=head_map_state.PLACE_ROLE).options

    assert names(open_page(session.MAP, on=False)) == ["Previous token", "First token (resting)"]
    app = open_page(session.MAP)
    assert names(app)[2:] == ["Delimiter", "Fixed offset", "Subword merge"]
    app.segmented_control(key=head_map_state.PLACE_ROLE).set_value("fixed_offset").run()
    app.toggle(key=extended_state.SHOWN).set_value(False).run()
    assert not app.exception


# ------------------------------------------------------------------ close-up


def closeup_of(head: Head):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.session_state[session.HEAD] = head
    app.switch_page(session.CLOSEUP).run()
    app.toggle(key=extended_state.SHOWN).set_value(True).run()
    assert not app.exception
    return app


def test_the_passport_of_an_induction_head_that_suppresses_says_so(written) -> None:
    html = page_html(closeup_of(HEADS["copy_suppression"][0]))
    assert "● −0.750 ± 0.010" in html
    assert says(html, "Copy suppression", "−0.75")
    assert says(html, "Successor", "not measured")


def test_the_passport_of_a_fixed_offset_head_names_its_distance_and_calls_it_positional(
    written,
) -> None:
    app = closeup_of(HEADS["fixed_offset"][0])
    html = page_html(app)
    assert says(html, "Fixed offset", "70%", f"{OFFSET} tokens back")
    assert says(html, "random", "positional")
    charts = [one.proto.alt for one in app.get("vega_lite_chart")]
    assert any(says(alt, "L0H2", "by distance", "stands out", "3 back") for alt in charts)


def test_place_or_content_stands_in_every_passport(written) -> None:
    app = closeup_of(PLANTED["positional"])
    app.toggle(key=extended_state.SHOWN).set_value(False).run()
    html = page_html(app)
    assert "<b>Place or content?</b>" in html
    assert "1.000 ± 0.000" in html
    assert says(html, "Only", "content-driven")


def test_place_or_content_can_be_downloaded_on_both_pages(written) -> None:
    for app in (closeup_of(PLANTED["positional"]), open_page(session.MAP)):
        labels = [button.proto.label for button in app.get("download_button")]
        assert labels.count("Place or content as CSV") == 1
        assert labels.count("Place or content as JSON") == 1


# ------------------------------------------------------------------ your prompt


def test_cards_for_what_attention_can_show_on_a_prompt(written) -> None:
    app = open_page()
    html = page_html(app)
    (offset,) = charts(app, "Fixed offset: 1 of 1 listed head active.")
    bar = offset[HEADS["fixed_offset"][0].label]
    assert bar["note"] == f"{OFFSET} back"
    assert bar["value"] == 1
    assert 0 < bar["chance"] < 0.3
    (delimiter,) = charts(app, "Delimiter: 1 of 1 listed head active.")
    assert delimiter[HEADS["delimiter"][0].label]["value"] == 1
    assert says(html, "cannot show")
    assert says(html, "+1.50 logits", "for")
    assert "Knock-out lab" in html


def test_a_prompt_without_marks_has_nothing_to_do_for_a_delimiter_head(written) -> None:
    app = open_page()
    app.text_area(key=session.BOX).set_value(NO_MARKS)
    app.button(key="app-run").click().run()
    (delimiter,) = charts(app, "Delimiter: 0 of 1 listed head active.")
    assert delimiter[HEADS["delimiter"][0].label]["state"] == "not_applicable"


def test_a_prompt_of_two_tokens_is_no_error(written) -> None:
    app = open_page()
    app.text_area(key=session.BOX).set_value("Hi.")
    app.button(key="app-run").click().run()
    assert not app.exception

"""The page Head map, without a browser."""

from __future__ import annotations

import json

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import map_marks, session
from headroles.ui.head_map import state as head_map_state
from headroles.view import head_maps
from headroles.view.html import plain
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html
from tests.pages.planted import PLANTED, planted_entry

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

NO_REPEATS = "The old man walked slowly to the river with his dog."


def open_page():
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.switch_page("pages/head_map.py").run()
    assert not app.exception
    return app


def on_this_prompt(app):
    app.radio(key=session.MAP_SOURCE).set_value(session.PROMPTED).run()
    assert not app.exception
    return app


@pytest.fixture
def app(planted):
    return open_page()


def test_a_map_for_every_scored_role_on_one_scale(app) -> None:
    charts = app.get("vega_lite_chart")
    assert len(charts) == len(SCORED_ROLES) + 1  # and the heads that fit nothing
    for chart in charts:
        cells = json.loads(chart.proto.spec)["layer"][0]
        assert cells["encoding"]["fillOpacity"]["scale"]["domain"] == [0, 1]
    html = page_html(app)
    for role in SCORED_ROLES:
        assert f"<h3>{role.name}</h3>" in html
    assert says(html, "1 of 32", "Induction", "0.40", "L1H1")
    assert "threshold 40%" in html


def test_other_names_the_heads_that_fit_nothing(app) -> None:
    assert says(page_html(app), "27 of 32 heads")
    others = app.selectbox(key=session.OTHER_HEAD)
    assert len(others.options) == 27
    others.set_value("L3H7").run()
    assert [title.value for title in app.title] == ["Head close-up"]
    assert app.session_state[session.HEAD] == Head(3, 7)


def test_other_on_a_map_has_a_number_for_its_heads_only(app) -> None:
    spec = json.loads(app.get("vega_lite_chart")[-1].proto.spec)
    assert spec["layer"][0]["encoding"]["x"]["field"] == "layer"
    thresholds = {role.key: 0.4 for role in SCORED_ROLES}
    other = head_maps.of_entry(planted_entry(4, 8), thresholds).other_map()
    marked = {record["label"] for record in other.records if record["listed"]}
    assert len(marked) == 27
    assert all(bool(record["number"]) == (record["label"] in marked) for record in other.records)
    assert "Induction" in next(r["shown"] for r in other.records if r["label"] == "L1H1")


@pytest.mark.parametrize("key", ["induction", "other"])
def test_one_role_alone_is_larger(app, key: str) -> None:
    heights = [json.loads(chart.proto.spec)["height"] for chart in app.get("vega_lite_chart")]
    (pills,) = [group for group in app.get("button_group") if group.key == session.LARGE_ROLE]
    pills.set_value(key).run()
    assert not app.exception
    (chart,) = app.get("vega_lite_chart")
    assert json.loads(chart.proto.spec)["height"] > max(heights)
    assert f"<h3>{ROLES[key].name}</h3>" in page_html(app)


def test_the_switch_shows_the_prompt(app) -> None:
    on_this_prompt(app)
    html = page_html(app)
    assert says(html, "1 of 32", "active", "Induction", "it is listed")
    app.text_area(key=session.BOX).set_value(NO_REPEATS)
    app.button(key="app-run").click().run()
    assert ROLES["induction"].asleep in page_html(app)


def test_the_table_has_every_head_with_every_role_and_other(app) -> None:
    table = app.dataframe[0].value
    assert len(table) == 32
    assert list(table) == ["head", "layer", "roles", *(r.key for r in SCORED_ROLES), "other"]
    row = table.set_index("head").loc["L1H1"]
    assert row["roles"] == "Induction and Duplicate token"  # which list it
    assert (row["induction"], row["diffuse"]) == (1.0, 0.0)
    other = table.set_index("head").loc["L3H7"]
    assert (other["roles"], other["other"]) == ("Other", 0.0)
    assert table["other"].notna().sum() == 27


def test_the_table_on_the_prompt_has_the_activations(app) -> None:
    on_this_prompt(app)
    row = app.dataframe[0].value.set_index("head").loc["L1H1"]
    assert row["induction"] == 1.0
    assert "Induction" in row["roles"]


@pytest.mark.parametrize(
    ("wanted", "heads"),
    [
        ("L1H1", ["L1H1"]),
        ("induction", ["L1H1"]),
        ("DIFF", ["L0H7"]),
        ("layer 2 duplicate", ["L2H2"]),
        ("layer 1 other", ["L1H0", "L1H2", "L1H3", "L1H4", "L1H5", "L1H6", "L1H7"]),
        ("nothing at all", []),
    ],
)
def test_the_table_can_be_searched(app, wanted: str, heads: list[str]) -> None:
    app.text_input(key=head_map_state.SEARCH).set_value(wanted).run()
    shown = [list(table.value["head"]) for table in app.dataframe]
    assert shown == ([heads] if heads else [])
    assert any(f"{len(heads)} of 32 heads." in caption.value for caption in app.caption)


def test_a_click_on_a_cell_is_a_click_on_its_head_and_role(app) -> None:
    """The event itself needs a browser; here the callback's two halves meet on the page."""
    app.session_state[session.HEAD] = Head(2, 2)
    app.session_state[session.ROLE] = "duplicate_token"
    app.session_state[session.NAVIGATE_TO] = session.CLOSEUP
    app.run()
    assert [title.value for title in app.title] == ["Head close-up"]
    assert "<h2>L2H2</h2>" in page_html(app)


def test_two_models_on_one_role(app, planted) -> None:
    from headroles.store import categories

    categories.write_entry(planted_entry(12, 12, model="gpt2"), planted)
    app.run()  # only a model with scores can be chosen
    app.selectbox(key=head_map_state.PAIR_MODEL).set_value("gpt2").run()
    app.selectbox(key=session.PAIR_ROLE).set_value("diffuse").run()
    assert not app.exception
    assert not app.warning
    names = [text.value for text in app.markdown]
    assert f"**{plain('Headroles demo (bundled)')}**" in names
    assert f"**{plain('GPT-2 small')}**" in names
    assert says(page_html(app), "1 of 144", "Diffuse")
    assert len(app.get("vega_lite_chart")) == 8


def test_a_second_model_without_scores_is_not_offered_beside_scores(app) -> None:
    names = app.selectbox(key=head_map_state.PAIR_MODEL).options
    assert "DistilGPT-2" not in names
    on_this_prompt(app)
    assert "DistilGPT-2" in app.selectbox(key=head_map_state.PAIR_MODEL).options


def test_a_second_model_that_cannot_be_reached_gets_its_sentence(app) -> None:
    on_this_prompt(app)
    app.selectbox(key=head_map_state.PAIR_MODEL).set_value("gpt2").run()
    assert not app.exception
    assert "gpt2" in app.warning[0].value


def test_the_second_model_is_never_the_first(app, planted) -> None:
    from headroles.store import categories

    categories.write_entry(planted_entry(12, 12, model="gpt2"), planted)
    app.run()  # only a model with scores can be chosen
    app.selectbox(key=head_map_state.PAIR_MODEL).set_value("gpt2").run()
    app.sidebar.selectbox(key=session.MODEL).set_value("gpt2").run()
    assert not app.exception
    assert app.session_state[head_map_state.PAIR_MODEL] is None


def test_without_a_file_the_prompt_s_map_remains(planted) -> None:
    planted.unlink()
    app = open_page()
    assert "Nobody has analysed this model" in app.warning[0].value
    html = page_html(app)
    assert "(provisional)" in html
    assert says(html, "1 of 32", "active", "Induction")
    assert not app.radio
    assert len(app.dataframe[0].value) == 32


def test_an_empty_prompt_is_a_sentence(app) -> None:
    on_this_prompt(app)
    app.text_area(key=session.BOX).set_value(" ")
    app.button(key="app-run").click().run()
    assert "The prompt is empty" in app.error[0].value


def test_an_analysis_of_another_shape_is_not_used_on_the_prompt(planted) -> None:
    from headroles.store import categories

    categories.write_entry(planted_entry(5, 8), planted)
    app = on_this_prompt(open_page())
    assert "(provisional)" in page_html(app)
    assert len(app.dataframe[0].value) == 32


def test_every_planted_head_is_in_its_map(app) -> None:
    alts = {element.proto.alt for element in app.get("vega_lite_chart")}
    for key, head in PLANTED.items():
        name = ROLES[key].name
        assert any(alt.startswith(f"{name}:") and f"highest is {head.label}" in alt for alt in alts)


# ------------------------------------------------------------------ own marks, and distances


def marks_of(app) -> list[str]:
    """The marks on the map of induction, by kind."""
    chart = next(
        one for one in app.get("vega_lite_chart") if one.proto.alt.startswith("Induction:")
    )
    names = [
        step["filter"]
        for layer in json.loads(chart.proto.spec)["layer"]
        for step in layer.get("transform", [])
    ]
    return [name for name in names if name in ("datum.own", "datum.listed")]


def test_the_highest_of_each_map_are_marked_in_table_and_link(app) -> None:
    assert marks_of(app) == ["datum.listed"]
    app.segmented_control(key=map_marks.WAY).set_value("top").run()
    app.number_input(key=map_marks.MOST).set_value(1).run()
    assert not app.exception
    assert marks_of(app) == ["datum.own"]
    assert says(alts(app), "Induction", "1 of 32 heads", "L1H1")
    assert app.query_params["mark"] == "top"
    assert app.query_params["mark_top"] == "1"
    table = app.dataframe[0].value
    marked = table[table["marked"] != "–"].set_index("head")["marked"]
    assert "Induction" in marked["L1H1"]
    assert set(table["head"][: len(marked)]) == set(marked.index)  # they come first


def test_a_link_opens_the_marks_and_a_bad_number_is_said(planted) -> None:
    app = opened("pages/head_map.py", mark="over", mark_share="0.95", mark_top="0")
    assert app.session_state[map_marks.WAY] == "over"
    assert app.session_state[map_marks.PERCENT] == 95
    assert app.session_state[map_marks.MOST] == 5
    assert any("number of heads" in warning.value for warning in app.warning)


def test_every_heads_distances_on_the_prompt(app) -> None:
    """The planted previous-token head looks one token back; the others at themselves."""
    assert not any("by distance" in alt for alt in alts(app))  # the planted file has no profiles
    on_this_prompt(app)
    assert says(alts(app), "by distance", "32 heads")
    table = next(one for one in app.dataframe if "best distance" in one.value.columns).value
    row = table.set_index("head").loc["L0H0"]
    assert row["best distance"] == 1
    assert row["share there"] == pytest.approx(1.0)
    app.selectbox(key=head_map_state.PROFILE_LAYER).set_value(2).run()
    table = next(one for one in app.dataframe if "best distance" in one.value.columns).value
    assert set(table["layer"]) == {2}
    assert len(table) == 8
    assert app.query_params["profile_layer"] == "2"


def test_the_largest_weight_of_a_planted_head_in_the_table(app) -> None:
    on_this_prompt(app)
    table = app.dataframe[0].value.set_index("head")
    assert table.loc["L0H0"]["largest"] == pytest.approx(1.0)
    assert table.loc["L0H7"]["largest"] < 0.3

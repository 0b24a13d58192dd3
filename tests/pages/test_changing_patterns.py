"""The section When the pattern changes of the page Find heads, without a browser."""

from __future__ import annotations

import json

import pytest

from headroles import models
from headroles.errors import LinkError
from headroles.texts.sequences import KINDS, PERIODS
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.find_heads import sequence_files, sequence_link
from headroles.ui.find_heads import sequence_state as state
from headroles.verdicts.changing_patterns import changing_patterns
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html

PAGE = "pages/find_heads.py"


@pytest.fixture(scope="module")
def found():
    return changing_patterns(models.load_model("demo"), "names")


@pytest.fixture
def app():
    return opened(PAGE, section="periods", sequence="names", head="L1H4")


def test_the_link_names_the_kinds() -> None:
    assert tuple(KINDS) == state.KIND_NAMES
    assert PERIODS == state.FIRST_PERIODS


def test_a_lane_per_period_the_map_and_the_table(app, found) -> None:
    shown = alts(app)
    assert len(shown) == len(PERIODS) + 1
    for period, alt in zip(PERIODS, shown, strict=False):
        assert says(alt, f"Period {period}", f"{period - 1} back")
    kinds = [verdict.kind for verdict in found.verdicts.values()]
    assert says(page_html(app), f"{kinds.count('follows')} of 32", f"{kinds.count('keeps')} keep")
    table = app.dataframe[0].value
    assert len(table) == 32
    assert list(table["verdict"])[: kinds.count("follows")] == ["follows the period"] * kinds.count(
        "follows"
    )
    row = table[table["head"] == "L1H4"].iloc[0]
    assert [row[f"period {period}"] for period in PERIODS] == [2, 3, 4]
    assert says(page_html(app), "From numbers at earlier numbers")


def test_another_head_and_the_close_up_with_the_text(app, found) -> None:
    app.selectbox(key=state.HEAD_BOX).set_value("L0H0").run()
    assert not app.exception
    assert app.session_state[session.HEAD] == Head(0, 0)
    assert says(alts(app)[0], "2 back")
    app.button(key="find_heads-try_4").click().run()
    assert not app.exception
    assert app.session_state[session.PROMPT] == found.by_period[4].texts[0].text


def test_another_sequence_is_another_answer(app) -> None:
    app.selectbox(key=state.KIND).set_value("letters").run()
    assert not app.exception
    assert KINDS["letters"].about in page_html(app)
    assert "at earlier numbers" not in page_html(app)


def test_other_periods_are_chosen_and_stand_in_the_link(app) -> None:
    assert "periods" not in app.query_params
    app.multiselect(key=state.PERIODS).set_value([6, 3]).run()
    assert not app.exception
    assert "".join(app.query_params["periods"]) == "3,6"
    first, second, *_ = alts(app)
    assert says(first, "Period 3", "2 back")
    assert says(second, "Period 6", "5 back")
    app.multiselect(key=state.PERIODS).set_value([6]).run()
    assert not app.exception
    assert len(alts(app)) == 0
    assert app.info
    again = opened(PAGE, section="periods", sequence="names", head="L1H4", periods="6,3,6")
    assert again.multiselect(key=state.PERIODS).value == [3, 6]
    assert alts(again)[:2] == [first, second]


@pytest.mark.parametrize("periods", ["3", "2,3", "3,9", "3,x", "3,,4", ""])
def test_periods_that_cannot_be_compared_are_named(periods: str) -> None:
    row = next(row for row in sequence_link.ROWS if row.name == "periods")
    with pytest.raises(LinkError):
        row.value_in({"periods": periods})


def test_the_files_hold_every_head_and_period(found) -> None:
    made = {file.label: file for file in sequence_files.of_sequences("demo", found, Head(1, 4))}
    table = json.loads(made["All heads as JSON"].make())
    assert len(table["rows"]) == 32 * len(PERIODS)
    mine = [row for row in table["rows"] if row["label"] == "L1H4"]
    assert [row["pattern_distance"] for row in mine] == [2, 3, 4]
    assert len(table["provenance"]["texts"]["4"]) == 8
    slots = json.loads(made["Names and numbers as JSON"].make())
    assert {row["slot"] for row in slots["rows"]} == {"name", "number"}
    assert made["Chart as PNG"].make()[:4] == b"\x89PNG"

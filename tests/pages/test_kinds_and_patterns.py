"""Real text: the sections on kinds of tokens and on patterns, with a small planted record."""

from __future__ import annotations

import pytest

from headroles import models, store
from headroles.store.real_text import ReadSource, RealText
from headroles.store.token_kinds import KindTable, Proposal, Proposals
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.detector_lab import state as lab
from tests.pages.on_page import opened, page_html

PAGE = "pages/real_text.py"
PATTERN = 'kind(q) == "comma" and last(t[k] == "(")'


@pytest.fixture
def record(tmp_path, monkeypatch) -> RealText:
    monkeypatch.setattr("headroles.paths.DATA", tmp_path)
    one = Proposal(pattern=0, fit=620, share=610, error=10, chance=30, gain=598)
    heads = [[[one] if (layer, head) == (2, 0) else [] for head in range(8)] for layer in range(4)]
    found = RealText(
        model_name="demo",
        revision=models.model_revision(models.resolve_source("demo")),
        num_layers=4,
        num_heads=8,
        date="2026-11-27",
        seed=0,
        python="3.11",
        sources=[ReadSource(key="manual", name="Manual", licence="PSF", tokens=500)],
        passages=[],
        kinds=KindTable(
            queries=["number", "word"],
            keys=["start", "number", "itself"],
            rows=[100, 300],
            even=[[[300, 60, 640], [300, 50, 650]]],
            mean=[[[[500, 410, 90], [600, 50, 350]]] * 8] * 4,
        ),
        proposals=Proposals(
            tried=2160, chosen_on=250, held_out=250, patterns=[PATTERN],
            free=[[0.5] * 8] * 4, heads=heads,
        ),
    )  # fmt: skip
    store.write_real_text(found)
    return found


def test_kinds_of_tokens_of_a_head(record) -> None:
    app = opened(PAGE, section="kinds", head="L2H0")
    assert not app.exception
    said = page_html(app)
    assert "numbers look at numbers with 41%" in said
    assert "<td>41%</td><td>6%</td>" in said.replace("</td> <td>", "</td><td>")
    charts = app.get("vega_lite_chart")
    assert len(charts) == 1
    app.selectbox(key="real_text-head_box").set_value("L1H1").run()
    assert app.session_state[session.HEAD] == Head(1, 1)


def test_a_pattern_opens_the_detector_lab(record) -> None:
    app = opened(PAGE, section="pattern", head="L2H0")
    assert not app.exception
    assert "61% ± 1.0" in page_html(app)
    app.button(key="real_text-lab_1").click().run()
    assert not app.exception
    assert [one.key for one in app.session_state[lab.CHOSEN]] == [f"expression:{PATTERN}"]
    assert app.query_params["pattern"] in (PATTERN, [PATTERN])


def test_a_head_that_only_rests_has_nothing_to_explain(record) -> None:
    app = opened(PAGE, section="pattern", head="L0H0")
    assert not app.exception
    assert "nothing to explain" in page_html(app)
    assert not [one for one in app.button if one.key == "real_text-lab_1"]


def test_a_record_without_these_parts_says_what_to_do(record) -> None:
    store.write_real_text(record.model_copy(update={"kinds": None, "proposals": None}))
    for section in ("kinds", "pattern"):
        app = opened(PAGE, section=section, head="L0H0")
        assert "read_texts" in "".join(one.value for one in app.info)

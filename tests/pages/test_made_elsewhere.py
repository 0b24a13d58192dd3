"""Every page works from a file that another dashboard made, and says whose lists these are."""

from __future__ import annotations

import json

import pytest

from headroles import export, store, verdicts
from headroles.paths import DEMO_MODEL
from headroles.types import Head
from headroles.ui.app import session
from headroles.view import head_maps
from tests import elsewhere
from tests.pages.on_page import opened, page_html, run_prompt

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

PROMPT = "The cat sat on the mat. The cat sat on the mat."
MARK = "made elsewhere"


@pytest.fixture(params=[False, True], ids=["lists alone", "with scores"])
def file(request, planted):
    """The file of the server, in the form of the example."""
    entry = elsewhere.plain(whole=request.param)
    planted.write_text(json.dumps({"demo": entry}))
    return planted


def captions(app) -> str:
    return " ".join(element.value for element in app.caption)


def everything(app) -> str:
    return page_html(app) + captions(app) + " ".join(element.value for element in app.markdown)


def test_the_cards_work_from_it(file) -> None:
    app = run_prompt(opened(), PROMPT)
    html = page_html(app)
    assert MARK in captions(app)
    assert "provisional" in captions(app)
    assert "1 of 2 listed heads active" in html  # L1H1 is planted, L2H2 does something else
    assert "None" not in everything(app)
    assert "nan" not in everything(app).lower().replace("resonan", "")


@pytest.mark.parametrize("prompted", [False, True])
def test_the_map_works_from_it(file, prompted: bool) -> None:
    app = opened("pages/head_map.py")
    if prompted:
        app.radio(key=session.MAP_SOURCE).set_value(session.PROMPTED).run()
        assert not app.exception
    assert MARK in captions(app)
    assert "(provisional)" in page_html(app)
    assert "None" not in everything(app)


@pytest.mark.parametrize("head", ["L1H1", "L2H2", "L3H7"])
def test_the_close_up_works_from_it(file, head: str) -> None:
    app = opened("pages/head_closeup.py", head=head)
    html = page_html(app)
    assert MARK in html
    assert "None" not in everything(app)
    assert "Control" not in html  # a column of dashes
    listed = {"L1H1": "Its role: induction", "L2H2": "Listed for induction", "L3H7": ""}[head]
    assert listed in html or "duplicate" in html


@pytest.mark.parametrize(
    "page", ["knockout_lab", "detector_lab", "answer", "circuits", "glossary", "admin"]
)
def test_the_other_pages_open(file, page: str) -> None:
    app = opened(f"pages/{page}.py")
    assert "None" not in page_html(app)


def test_the_files_say_whose_scores_they_are(file) -> None:
    entry = store.read_entry("demo")
    origin = export.provenance.reference_provenance(entry)
    assert origin["analysis"] == {"made_elsewhere": True, "date": "2026-02-16"}
    rows = export.tables.reference_rows(entry)
    (known,) = [row for row in rows if (row["role"], row["label"]) == ("induction", "L1H1")]
    assert (known["score"], known["standard_error"], known["n"]) == (0.95, None, None)
    assert known["over_threshold"] is True
    (other,) = [row for row in rows if (row["role"], row["label"]) == ("diffuse", "L0H1")]
    assert other["score"] in (None, 0.125)
    assert other["over_threshold"] is (None if other["score"] is None else False)
    text = export.tables.heads_csv(rows, origin)
    assert "None" not in text
    assert "made_elsewhere" in text


def test_heads_without_a_score_are_not_said_to_have_none_of_the_roles(planted) -> None:
    planted.write_text(json.dumps({"demo": elsewhere.plain()}))
    entry = store.read_entry("demo")
    model = head_maps.of_entry(entry, verdicts.DEFAULT_THRESHOLDS)
    assert not model.other
    assert not model.calibrated
    induction = dict(zip(model.heads, model.roles["induction"].records, strict=True))
    assert induction[Head(1, 1)]["value"] == 0.95
    assert induction[Head(0, 0)]["value"] is None

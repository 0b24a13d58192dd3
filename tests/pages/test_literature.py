"""A model without an analysis on the map and in close-up: what papers name, and the way to more."""

from __future__ import annotations

import pytest

from headroles.paths import ROOT
from headroles.roles import known_heads
from headroles.types import Head
from headroles.ui.app import session
from headroles.view.glossary import unmarked
from tests.facts import says

NAMED = [
    known_heads.KnownHead(Head(1, 1), "induction", "pattern", "Somebody <b>et al.</b> 2026"),
    known_heads.KnownHead(Head(3, 6), "induction", "function", "Somebody else 2025"),
    known_heads.KnownHead(Head(3, 6), "name_mover", "function", "Somebody else 2025"),
]
# The planted head L1H1 does the role on the first prompt, L3H6 does not.


@pytest.fixture
def app(planted, monkeypatch):
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr(known_heads, "_read", lambda: {"demo": NAMED})
    planted.unlink()
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def opened(app, page: str):
    app.run()
    app.switch_page(page).run()
    assert not app.exception
    return app


def html(app) -> str:
    return unmarked("\n".join(element.proto.body for element in app.get("html")))


def test_the_map_marks_the_named_heads_and_cites_them(app) -> None:
    text = html(opened(app, session.MAP))
    assert says(text, "papers", "literature")
    assert says(text, "1 of 32", "Induction", "it is")
    assert says(text, "Somebody &lt;b&gt;et al.&lt;/b&gt; 2026")


def test_a_chip_leads_to_the_close_up_of_a_named_head(app) -> None:
    opened(app, session.MAP)
    pills = next(group for group in app.button_group if group.key == "app-head_of_papers")
    assert list(pills.options) == ["L1H1 · Induction", "L3H6 · Induction"]
    pills.set_value("L3H6 · Induction").run()
    assert not app.exception
    text = html(app)
    assert "<h2>L3H6</h2>" in text
    assert says(text, "literature", "not measured", "Induction", "Name mover")
    assert "Somebody else 2025" in text
    others = next(group for group in app.button_group if group.key == "app-head_of_papers")
    assert list(others.options) == ["L1H1 · Induction"]


def test_the_close_up_opens_with_a_head_that_papers_name(app) -> None:
    text = html(opened(app, session.CLOSEUP))
    assert "<h2>L1H1</h2>" in text
    assert says(text, "literature", "not measured", "Induction")


@pytest.mark.parametrize("page", [session.YOUR_PROMPT, session.CLOSEUP, session.MAP])
def test_every_page_tells_how_to_get_the_analysis(app, page: str) -> None:
    opened(app, page)
    assert "scripts.analyze_heads --model demo" in app.warning[0].value.replace("\\", "")
    links = [link.proto.page for link in app.get("page_link")]
    assert links == [*(["lessons"] if page == session.YOUR_PROMPT else []), "admin"]


def test_with_an_analysis_nothing_of_it_shows(app, planted) -> None:
    from headroles.store import categories
    from tests.pages.planted import planted_entry

    categories.write_entry(planted_entry(4, 8), planted)
    opened(app, session.MAP)
    assert "literature" not in html(app)
    assert not app.get("page_link")

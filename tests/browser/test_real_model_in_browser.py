"""A walk through the pages with SmolLM2: 270 heads, and everything in its place on both screens."""

from __future__ import annotations

import pytest

from tests.browser.visit import opened

pytestmark = pytest.mark.real
PAGES = [
    "Head close-up",
    "Head map",
    "Detector lab",
    "Knock-out lab",
    "Answer",
    "Circuits",
    "Components",
    "Real text",
]
PATIENCE = 300_000
"""Milliseconds that a busy machine may take for the first page."""


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_a_walk(browser, server, real_model, width: int, scheme: str) -> None:
    with opened(browser, f"{server}/?model={real_model}", width=width, scheme=scheme) as visit:
        visit.page.get_by_role("heading", name="What it expects next").wait_for(timeout=PATIENCE)
        visit.settle()
        visit.run("The capital of France is")
        assert visit.page.get_by_text("Paris").count() > 0
        for page in PAGES:
            visit.go(page)
            assert visit.overflow() <= 0, page
            assert visit.sticking_out() == [], page


def test_the_head_map_of_thirty_layers_fits_on_a_screen(browser, server, real_model) -> None:
    with opened(browser, f"{server}/?model={real_model}") as visit:
        visit.go("Head map")
        drawings = visit.page.locator("[data-testid=stMain] svg.marks, [data-testid=stMain] canvas")
        drawings.first.wait_for()
        heights = [drawing.bounding_box()["height"] for drawing in drawings.all()]
        assert heights
        assert max(heights) <= 900


def test_a_button_that_leads_to_another_page_keeps_the_model(browser, server, real_model) -> None:
    with opened(browser, f"{server}/?model={real_model}") as visit:
        visit.page.get_by_role("button", name="All heads on this prompt").click(timeout=PATIENCE)
        visit.page.get_by_role("heading", name="Head map").wait_for()
        visit.settle()
        assert f"model={real_model}" in visit.page.url

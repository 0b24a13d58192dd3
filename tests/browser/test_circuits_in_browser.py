"""The page Circuits as a student meets it."""

from __future__ import annotations


def open_circuits(page) -> None:
    page.go("Circuits")
    page.page.get_by_role("heading", name="All heads").wait_for(timeout=60_000)
    page.settle()


def test_table_positions_and_composition_are_drawn_within_the_window(visit) -> None:
    with visit() as page:
        open_circuits(page)
        for heading in ("What position alone does", "Which heads work together", "All heads"):
            page.page.get_by_role("heading", name=heading).scroll_into_view_if_needed()
        marks = page.page.locator("svg.marks")
        marks.nth(1).wait_for(timeout=30_000)
        assert marks.count() == 2  # positions and composition
        assert marks.nth(1).locator("path").count() > 384  # a square a pair
        for width in (1400, 390):
            page.resize(width)
            assert page.overflow() <= 0, width
            assert page.sticking_out() == [], width


def test_a_key_leads_to_the_close_up_and_back(visit) -> None:
    with visit() as page:
        open_circuits(page)
        key = page.page.locator("div.hr-small > b").first.inner_text().replace("·", " ").strip()
        page.press("See L0H6 on a prompt with this key")
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        assert page.heading() == "Head close-up"
        assert page.head() == "L0H6"
        page.go("Your Prompt")
        assert key in page.page.get_by_label("Your sentence").input_value()


def test_a_token_of_ones_own_stays_text(visit) -> None:
    with visit() as page:
        open_circuits(page)
        box = page.page.get_by_role("textbox", name="Or look up a token of your own")
        box.fill(" cat")
        box.press("Enter")
        page.settle()
        assert "·cat" in page.page.locator("div.hr-small > b").first.inner_text()

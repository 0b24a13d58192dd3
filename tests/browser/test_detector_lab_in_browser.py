"""The detector lab as a student meets it: an answer at once, a click, and a phone."""

from __future__ import annotations


def lab(page):
    page.go("Detector lab")
    page.page.get_by_text("Ranking", exact=True).wait_for(timeout=60_000)
    page.settle()
    return page.page


def test_a_cell_of_the_map_leads_to_its_head(visit) -> None:
    with visit() as page:
        inside = lab(page)
        assert inside.get_by_label("an orange cell").first.count() == 1  # the picture's alt text
        cell = inside.locator(".st-key-detector_lab-map_0 svg.marks .mark-rect path").nth(
            13
        )  # L1H5
        cell.scroll_into_view_if_needed()
        cell.click(force=True)
        inside.locator(".hr-head").wait_for(timeout=30_000)
        page.settle()
        assert page.heading() == "Head close-up"
        assert page.head() == "L1H5"
        assert page.seen_as().startswith("Induction")


def test_a_pattern_of_ones_is_seen_through(visit) -> None:
    with visit() as page:
        inside = lab(page)
        inside.get_by_text("Make your own pattern").click()
        box = inside.get_by_label("Cells where this holds")
        box.fill("1")
        box.press("Enter")
        page.settle()
        page.press("Add this pattern")
        inside.get_by_text("mul", exact=True).first.click()
        page.settle()
        inside.get_by_text("A pattern that predicts nearly everything is always right").wait_for()


def test_a_phone_shows_it_without_sideways_scrolling(visit) -> None:
    with visit(width=390, scheme="dark") as page:
        lab(page)
        assert page.overflow() <= 0

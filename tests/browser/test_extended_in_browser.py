"""The extended roles as a student meets them: off, then on, and a click on a signed map."""

from __future__ import annotations


def switch_on(page) -> None:
    page.page.get_by_text("Extended roles", exact=True).first.click()
    page.page.get_by_role("heading", name="Extended roles").wait_for(timeout=20_000)
    page.settle()


def test_they_appear_on_a_click_and_a_cell_leads_to_its_head(visit) -> None:
    with visit() as page:
        assert page.page.locator(".st-key-your_prompt-extended_cards").count() == 0
        switch_on(page)
        assert page.card("fixed_offset").locator("svg.marks").count() == 1
        page.go("Head map")
        drawing = page.page.locator(".st-key-app-map_card_name_mover svg.marks")
        drawing.scroll_into_view_if_needed()
        numbers = drawing.locator("text").all_text_contents()
        assert any(number.startswith("+") for number in numbers)
        box = drawing.locator(".mark-rect path").nth(9).bounding_box()
        page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        page.settle()
        assert page.head() == "L1H1"
        assert page.page.get_by_text("Place or content?").count() == 1


def test_nothing_sticks_out_on_a_phone_or_a_screen(visit) -> None:
    with visit(width=390) as page:
        switch_on(page)
        for name in ("Head map", "Head close-up"):
            page.resize(390)
            page.go(name)
            for width in (390, 1400):
                page.resize(width)
                assert page.overflow() == 0, width
                assert page.sticking_out() == [], width

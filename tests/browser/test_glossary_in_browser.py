"""Words that explain themselves, as a student meets them: by mouse, keyboard and finger."""

from __future__ import annotations

import pytest

OPEN = ".hr-tip:visible"


def open_glossary(page) -> None:
    page.go("Glossary")
    page.page.locator(".hr-entry").first.wait_for(timeout=30_000)


def inside(page) -> bool:
    """Whether the definition that is open lies within the window."""
    box, window = page.page.locator(OPEN).bounding_box(), page.page.viewport_size
    return (
        min(box["x"], box["y"]) >= 0
        and box["x"] + box["width"] <= window["width"]
        and box["y"] + box["height"] <= window["height"]
    )


def test_a_word_explains_itself_on_hover_and_on_focus(visit) -> None:
    with visit() as page:
        word = page.page.locator(".hr-lead .hr-term").first
        assert page.page.locator(OPEN).count() == 0
        word.hover()
        assert page.page.locator(OPEN).count() == 1
        assert inside(page)
        box = page.page.locator(OPEN).bounding_box()  # the sidebar is beside it, not over it
        corners = [(box["x"] + 4, y) for y in (box["y"] + 12, box["y"] + box["height"] - 12)]
        over = "([x, y]) => !!document.elementFromPoint(x, y).closest('.hr-tip')"
        assert all(page.page.evaluate(over, corner) for corner in corners)
        page.page.mouse.move(5, 700)
        assert page.page.locator(OPEN).count() == 0
        page.page.keyboard.press("Tab")  # from now on, focus is shown
        word.focus()
        assert page.page.locator(OPEN).count() == 1
        assert word.get_attribute("aria-describedby") == page.page.locator(OPEN).get_attribute("id")


@pytest.mark.parametrize("width", [1400, 390])
def test_every_marked_word_opens_within_the_window_and_escape_closes_it(visit, width) -> None:
    with visit(width=width) as page:
        words = page.page.locator(".hr-term:visible")
        assert words.count() > 0
        for place in range(words.count()):
            words.nth(place).click()
            opened = page.page.locator(".hr-tip:popover-open")
            assert opened.count() == 1
            assert inside(page), words.nth(place).inner_text()
            page.page.keyboard.press("Escape")
            assert opened.count() == 0
        assert page.overflow() <= 0


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_the_page_draws_its_pictures_and_finds_a_word(visit, width, scheme) -> None:
    with visit(width=width, scheme=scheme) as page:
        open_glossary(page)
        assert page.overflow() <= 0
        masks = page.page.locator(".hr-entry .hr-picture").evaluate_all(
            "all => all.map(e => getComputedStyle(e).maskImage.startsWith('url(\"data:image/svg'))"
        )
        assert masks
        assert all(masks)
        box = page.page.get_by_role("textbox", name="Search")
        box.fill("nats")
        box.press("Enter")
        page.settle()
        names = page.page.locator(".hr-entry dt").all_inner_texts()
        assert names[0] == "Nats"
        assert len(names) < len(masks)

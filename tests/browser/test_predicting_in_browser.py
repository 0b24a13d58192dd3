"""Predicting in a real browser: by keyboard alone, and a prompt that is typed and tried at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.browser.visit import Visit, opened

PHONE = 390
STEP = "{}/lessons?lesson=induction&step={}&free=1"


@contextmanager
def visit(browser, server: str, step: str) -> Iterator[Visit]:
    """A visit that goes to a step once the model is loaded; its address has a part that Streamlit
    asks for in vain."""
    with opened(browser, server, width=PHONE) as page:
        page.page.goto(STEP.format(server, step), timeout=90_000)
        page.page.locator(".hr-question").wait_for(timeout=90_000)
        page.settle()
        assert len(page.complaints) == len(page.missing)
        page.complaints.clear()
        yield page


def test_words_are_chosen_by_keyboard_and_are_whole_on_a_phone(browser, server) -> None:
    with visit(browser, server, "where") as page:
        chips = page.page.locator("[class*=_chips] button")
        chips.first.focus()
        for _ in range(2):
            page.page.keyboard.press("ArrowRight")
        page.page.keyboard.press("Space")
        page.settle()
        pressed = [chip.get_attribute("aria-checked") for chip in chips.all()]
        assert pressed.index("true") == 2
        assert pressed.count("true") == 1
        page.page.get_by_text("certain", exact=True).click()
        page.settle()
        page.press("Reveal")
        laid = page.page.locator(".hr-laid-word")
        laid.first.wait_for()
        assert laid.count() == len(pressed)
        assert page.page.locator(".hr-laid-words .hr-laid-hit").count() == 1  # “sat” it is
        assert page.overflow() <= 0


def test_a_prompt_is_tried_by_a_click_right_after_typing_and_by_ctrl_enter(browser, server) -> None:
    with visit(browser, server, "wake") as page:
        box = page.page.locator("[class*=_box_draft] textarea")
        box.fill("A dog ran to the river.")
        page.press("Try it")
        tried = page.page.locator(".hr-asleep .hr-prompt")
        tried.wait_for()
        assert "A dog ran to the river." in tried.inner_text()
        box.fill("Tom has a cat. Anna has a dog. Tom has a cat. Anna has a")
        box.press("Control+Enter")
        page.page.locator(".hr-conclusion").wait_for()
        assert page.page.locator(".hr-table tbody tr").count() == 1  # the try before

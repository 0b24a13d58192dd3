"""The knock-out lab as a student meets it: the sentence at once, and work that can be stopped."""

from __future__ import annotations

import re

import pytest

from tests.browser.visit import Visit

pytestmark = pytest.mark.browser

VERDICT = ".hr-verdict"


@pytest.fixture
def lab(browser, server):
    """``lab(width=...)``: the page, reached through the navigation."""
    from contextlib import contextmanager

    from tests.browser.visit import opened

    class Lab(Visit):
        def __init__(self, page, address: str) -> None:
            super().__init__(page, address)
            self.go("Knock-out lab")
            page.locator(VERDICT).wait_for(timeout=60_000)
            self.settle()

    @contextmanager
    def open_lab(**settings):
        with opened(browser, server, Lab, **settings) as visit:
            yield visit

    return open_lab


def test_the_sentence_and_its_control_come_by_themselves(lab) -> None:
    with lab() as visit:
        assert re.match(r"“ sat” falls from 1st to \d", visit.page.locator(VERDICT).inner_text())
        visit.page.get_by_text("This is special").wait_for(timeout=30_000)
        visit.page.locator("svg.marks").first.wait_for()
        assert visit.page.locator(".st-key-stop_control").count() == 0  # it is done


def test_the_test_of_offsets_can_be_stopped_and_goes_on(lab) -> None:
    with lab() as visit:
        visit.page.get_by_text("Previous-token test", exact=True).click()
        stop = visit.page.locator(".st-key-stop_offsets").get_by_role("button")
        stop.wait_for(timeout=30_000)
        stop.click()
        visit.page.get_by_text(re.compile(r"Stopped after \d+ of 48 steps")).wait_for(
            timeout=30_000
        )
        visit.page.locator(".st-key-go_on_offsets").get_by_role("button").click()
        visit.page.get_by_text("Mean of 48 samples").wait_for(timeout=90_000)
        said = visit.page.get_by_text("L0H6 carries most from one token back")
        assert said.first.is_visible()


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_sticks_out(lab, width: int) -> None:
    with lab(width=width, scheme="dark") as visit:
        assert visit.overflow() <= 0
        visit.page.get_by_text("Many at once", exact=True).click()
        visit.page.get_by_text("stays first in").wait_for(timeout=60_000)
        visit.settle()
        assert visit.overflow() <= 0

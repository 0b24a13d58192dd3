"""The knock-out lab as a student meets it: the sentence at once, and work that can be stopped."""

from __future__ import annotations

import re

import pytest

from tests.browser.visit import Visit

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
        assert re.match(r"“·sat” falls from 1st to \d", visit.page.locator(VERDICT).inner_text())
        visit.page.get_by_text("Larger than chance: +").wait_for(timeout=30_000)
        visit.page.locator("svg.marks").first.wait_for()
        assert visit.page.locator(".st-key-app-stop_control").count() == 0  # it is done


def begin(visit, part: str, begun) -> None:
    """Start a part's work where this machine takes long enough for it to need a click."""
    button = visit.page.locator(f".st-key-app-begin_{part}").get_by_role("button")
    button.or_(begun).first.wait_for(timeout=90_000)
    if button.count():
        button.click()
    begun.first.wait_for(timeout=90_000)


def test_the_test_of_offsets_can_be_stopped_and_goes_on(lab) -> None:
    with lab() as visit:
        visit.page.get_by_text("Previous-token test", exact=True).click()
        # The shipped number of samples takes a second or two, too short to stop for certain.
        begin(visit, "offsets", visit.page.get_by_text("Mean of 48 samples"))
        visit.page.get_by_role("slider", name="Samples").press("End")
        begin(visit, "offsets", visit.page.locator(".st-key-app-stop_offsets"))
        stop = visit.page.get_by_role("button", name="Stop", exact=True)
        assert stop.count() == 1  # the header has none beside it
        stop.click(timeout=30_000)
        visit.page.get_by_text(re.compile(r"Stopped after \d+ of 200 steps")).wait_for(
            timeout=30_000
        )
        visit.page.locator(".st-key-app-go_on_offsets").get_by_role("button").click()
        visit.page.get_by_text("Mean of 200 samples").wait_for(timeout=120_000)
        said = " ".join(visit.page.locator(".hr-conclusion").first.inner_text().split())
        assert "L0H6 carries most from one token back" in said


@pytest.mark.parametrize(
    ("section", "result", "numbers"),
    [
        ("Two-step circuit", "induction heads clearly need them", "The picture as a table"),
        ("Inside a head", "the most of 8 components", "The numbers"),
    ],
)
def test_a_section_draws_and_fits_a_phone(lab, section: str, result: str, numbers: str) -> None:
    with lab(width=390) as visit:
        visit.page.get_by_role("radio", name=section, exact=True).click()
        visit.page.get_by_text(result).first.wait_for(timeout=90_000)
        visit.settle()
        assert visit.page.locator("svg.marks").first.is_visible()
        assert visit.overflow() <= 0
        visit.page.get_by_text(numbers, exact=True).first.click()
        table = visit.page.locator("[data-testid=stExpander] table:visible").first
        table.wait_for(timeout=30_000)
        assert table.locator("tbody tr").count() >= 2
        assert visit.overflow() <= 0


def test_nothing_sticks_out(lab) -> None:
    with lab(width=390, scheme="dark") as visit:
        assert visit.overflow() <= 0
        visit.page.get_by_text("Many at once", exact=True).click()
        visit.page.get_by_text("1. ", exact=False).first.wait_for(timeout=60_000)
        visit.settle()
        for width in (390, 1400):
            visit.resize(width)
            assert visit.overflow() <= 0, width

"""The page Your Prompt as a student meets it: in a browser, by mouse and keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from headroles.ui.examples import DEFAULT_PROMPT

pytestmark = pytest.mark.browser

NO_REPEATS = "The old man walked slowly to the river with his dog."


class Visit:
    """One visit to the page, and everything that the browser complained about."""

    def __init__(self, page, address: str) -> None:
        self.page, self.complaints, self.outside = page, [], []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)
        page.goto(address)
        page.get_by_role("heading", name="What the heads are doing").wait_for(timeout=90_000)
        self.settle()

    def _console(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _request(self, request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.outside.append(request.url)

    def settle(self) -> None:
        """Wait until the script has run to its end, and the charts have been drawn."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp]')"
            "?.getAttribute('data-test-script-state') === 'notRunning'",
            timeout=60_000,
        )
        self.page.wait_for_timeout(300)

    def run(self, prompt: str) -> None:
        box = self.page.get_by_label("Your sentence")
        box.fill(prompt)
        box.press("Control+Enter")
        self.settle()

    def press(self, name: str | re.Pattern[str], *, within: str = ".stApp") -> None:
        self.page.locator(within).get_by_role("button", name=name).first.click()
        self.settle()

    def card(self, role: str):
        return self.page.locator(f".st-key-card_{role}")

    def awake(self, role: str) -> bool:
        return self.card(role).get_by_label("awake", exact=True).count() == 1

    def click_bar(self, role: str, *, row: int = 0) -> str:
        """Click a bar of a card; returns the label of its head."""
        drawing = self.card(role).locator("svg.marks")
        drawing.scroll_into_view_if_needed()
        box = drawing.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 2 + 42 * row + 21)
        self.settle()
        labels = drawing.locator("text").all_text_contents()
        return [label for label in labels if re.fullmatch(r"L\d+H\d+", label)][row]

    def pattern_title(self) -> str:
        return self.page.locator(".st-key-pattern h3").inner_text()

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]');"
            "return Math.max(main.scrollWidth - main.clientWidth,"
            "document.documentElement.scrollWidth - innerWidth); }"
        )

    def sticking_out(self) -> list[str]:
        """Charts and cards that reach over the right edge of the window."""
        return self.page.evaluate(
            "() => [...document.querySelectorAll('svg.marks, canvas, [class*=st-key-]')]"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.getAttribute('class'))"
        )


@pytest.fixture
def visit(browser, server) -> Iterator[Callable[..., object]]:
    """``visit(width=390, scheme="dark")``: a fresh visit; complaints fail the test."""

    @contextmanager
    def open_page(*, width: int = 1400, scheme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        try:
            found = Visit(context.new_page(), server)
            yield found
            assert found.page.get_by_test_id("stException").count() == 0
            assert found.complaints == []
            assert found.outside == []
        finally:
            context.close()

    return open_page


def test_the_default_prompt_is_answered(visit) -> None:
    with visit() as page:
        assert page.page.get_by_label("Your sentence").input_value() == DEFAULT_PROMPT
        assert page.awake("induction")
        assert page.awake("previous_token")
        assert page.card("induction").locator("svg.marks").count() == 1


def test_a_typed_prompt_is_run_with_the_keyboard(visit) -> None:
    with visit() as page:
        page.run(NO_REPEATS)
        strip = page.page.locator(".hr-strip").inner_text()
        assert "river" in strip
        assert "cat" not in strip
        assert not page.awake("induction")


def test_a_click_on_a_bar_opens_its_head_as_often_as_one_likes(visit) -> None:
    with visit() as page:
        label = page.click_bar("induction")
        assert page.pattern_title() == f"Where {label} looks"
        page.press("Close", within=".st-key-pattern")
        assert page.pattern_title() == "Look inside a head"
        page.click_bar("induction")
        assert page.pattern_title() == f"Where {label} looks"
        other = page.click_bar("previous_token")
        assert page.pattern_title() == f"Where {other} looks"
        page.click_bar("induction")
        assert page.pattern_title() == f"Where {label} looks"


def test_an_opened_pattern_is_brought_into_view(visit) -> None:
    with visit() as page:
        page.click_bar("previous_token")
        page.page.wait_for_timeout(500)
        box = page.page.locator(".st-key-pattern h3").bounding_box()
        assert 0 <= box["y"] < 900


def test_a_cell_of_the_map_opens_its_head(visit) -> None:
    with visit() as page:
        page.page.get_by_text("All heads on this prompt").click()
        page.settle()
        cell = page.page.locator("svg.marks .mark-rect path").nth(9)
        cell.scroll_into_view_if_needed()
        cell.click(force=True)
        page.settle()
        assert re.fullmatch(r"Where L\d+H\d+ looks", page.pattern_title())


def test_try_this_wakes_the_role_and_leads_back(visit) -> None:
    with visit() as page:
        page.run(NO_REPEATS)
        page.press(re.compile("^.*Try this"), within=".st-key-card_induction")
        assert page.awake("induction")
        page.press(re.compile("Back to my prompt"))
        assert page.page.get_by_label("Your sentence").input_value() == NO_REPEATS
        assert not page.awake("induction")


def test_markup_in_a_prompt_stays_text(visit) -> None:
    with visit() as page:
        page.run("<img src=x onerror=alert(1)> **bold** <b>b</b>")
        strip = page.page.locator(".hr-strip")
        assert strip.locator("img, b").count() == 0
        assert "<" in strip.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_sideways_scrolling(visit, scheme: str) -> None:
    with visit(width=390, scheme=scheme) as page:
        assert page.overflow() <= 0
        page.click_bar("induction")
        assert page.overflow() <= 0
        assert page.sticking_out() == []
        page.page.get_by_text("All heads on this prompt").click()
        page.settle()
        assert page.overflow() <= 0
        assert page.sticking_out() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_browser(visit, scheme: str) -> None:
    with visit(scheme=scheme) as page:
        colour = page.page.evaluate(
            "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
        brightness = sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3
        assert (brightness > 128) == (scheme == "light")

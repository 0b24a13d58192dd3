"""Every page for everybody: contrasts and names, text size, the keyboard, and a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.test_admin_in_browser import InstructorVisit
from tests.browser.visit import Visit, opened

SMALLEST = 12
"""Pixels of the smallest text."""
FINGER = 40
"""Pixels of what a finger presses."""

SMALL_TEXTS = """smallest => [...document.querySelectorAll('.stMain *, .stSidebar *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    && e.getClientRects().length && parseFloat(getComputedStyle(e).fontSize) < smallest)
  .map(e => `${getComputedStyle(e).fontSize} ${e.tagName} ${e.textContent.trim().slice(0, 30)}`)"""
LOW = """finger => [...document.querySelectorAll('.stMain :is(button, summary, [role=radio])')]
  .filter(e => e.getClientRects().length && e.closest('.stMarkdown, label') === null
    && !e.matches('[kind=elementToolbar], [tabindex="-1"], .stTooltipIcon *, .hr-term')
    && e.getBoundingClientRect().height < finger - .5)
  .map(e => `${e.getBoundingClientRect().height} ${e.textContent.trim().slice(0, 30)}`)"""
CUT_OFF = """() => [...document.querySelectorAll('.stMain *')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && e.getClientRects().length
    && !e.closest('[data-more*=right], [data-more*=left]'))
  .map(e => `${e.tagName} ${e.textContent.trim().slice(0, 30)}`)"""


@pytest.fixture(scope="module")
def axe() -> object:
    sync_api = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    return sync_api.Axe()


def findings(axe, page, within: str = "html") -> list[str]:
    """What axe calls serious or critical."""
    found = axe.run(page, context=within).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node.get('failureSummary')}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def every_page(visit: Visit) -> Iterator[str]:
    """Each page of the navigation in turn, with all its boxes opened."""
    names = visit.page.get_by_test_id("stSidebarNavLink").all_text_contents()
    assert len(names) >= 7
    for name in names:
        visit.go(name.removeprefix(_icon(name)))
        open_boxes(visit)
        yield name


def _icon(text: str) -> str:
    """A link's text begins with the name of its icon: small letters and underscores."""
    return text[: next(place for place, letter in enumerate(text) if letter.isupper())]


def open_boxes(visit: Visit) -> None:
    visit.page.evaluate(
        "() => document.querySelectorAll('.stMain details:not([open]) > summary')"
        ".forEach(box => box.click())"
    )
    visit.settle()


def with_popovers(visit: Visit) -> Iterator[str]:
    """The page as it is, then each of its popovers: what to look at."""
    yield "html"
    for button in visit.page.get_by_test_id("stPopoverButton").all():
        if button.is_visible():
            button.click()
            visit.page.wait_for_timeout(300)
            yield "[data-testid=stPopoverBody]"
            visit.page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_serious(visit, axe, scheme: str, width: int) -> None:
    with visit(width=width, scheme=scheme) as page:
        for name in every_page(page):
            for part in with_popovers(page):
                assert findings(axe, page.page, part) == [], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_serious_behind_the_sign_in(
    browser, classroom, axe, scheme: str, width: int
) -> None:
    with opened(browser, classroom.address, InstructorVisit, width=width, scheme=scheme) as page:
        page.sign_in(classroom.password)
        sections = page.page.locator(".st-key-admin-section [role=radio]").all_inner_texts()
        assert len(sections) == 8
        for section in sections:
            page.open(section)
            open_boxes(page)
            assert findings(axe, page.page) == [], section
            assert page.page.evaluate(SMALL_TEXTS, SMALLEST) == [], section
            if width == 390:
                assert page.page.evaluate(CUT_OFF) == [], section


def test_no_text_is_too_small_and_nothing_is_out_of_reach_on_a_phone(visit) -> None:
    with visit(width=390) as page:
        for name in every_page(page):
            assert page.page.evaluate(SMALL_TEXTS, SMALLEST) == [], name
            assert page.page.evaluate(LOW, FINGER) == [], name
            page.page.wait_for_timeout(1_000)  # a row that scrolls is marked once it is measured
            assert page.page.evaluate(CUT_OFF) == [], name
            assert page.overflow() == 0, name


def test_the_menu_of_a_phone_makes_way_for_what_was_chosen(visit) -> None:
    with visit(width=390) as page:
        side = page.page.get_by_test_id("stSidebar")
        assert side.get_attribute("data-collapsed") == "true"
        page.go("Head map")
        assert side.get_attribute("data-collapsed") == "true"
        page.page.get_by_test_id("stExpandSidebarButton").click()
        page.page.wait_for_timeout(600)
        assert side.get_attribute("data-collapsed") == "false"
        side.get_by_role("combobox").click()
        page.page.get_by_role("option", name="Attention only, 2 layers · ready").click()
        page.settle()
        assert side.get_attribute("data-collapsed") == "true"
        assert side.get_by_role("combobox").input_value().startswith("Attention only, 2")


def test_the_menu_of_a_screen_stays(visit) -> None:
    with visit() as page:
        page.go("Head map")
        assert page.page.get_by_test_id("stSidebar").get_attribute("data-collapsed") == "false"


def focused(page) -> str:
    return page.page.evaluate("() => document.activeElement.getAttribute('aria-label') ?? ''")


def test_a_chart_of_bars_is_one_stop_and_its_bars_open_with_the_keyboard(visit) -> None:
    with visit() as page:
        marks = page.card("induction").locator("svg [role=button]")
        labels = [mark.get_attribute("aria-label") for mark in marks.all()]
        assert len(labels) == 7
        assert all("%, " in label for label in labels)
        page.card("induction").get_by_label("Fullscreen").focus()
        page.page.keyboard.press("Tab")
        assert focused(page) == labels[0]
        page.page.keyboard.press("ArrowDown")
        page.page.keyboard.press("ArrowRight")
        assert focused(page) == labels[2]
        page.page.keyboard.press("End")
        page.page.keyboard.press("ArrowDown")
        assert focused(page) == labels[-1]
        outline = "() => getComputedStyle(document.activeElement).outlineWidth"
        assert page.page.evaluate(outline) == "3px"
        page.page.keyboard.press("Tab")
        assert focused(page) not in labels
        page.page.keyboard.press("Shift+Tab")
        assert focused(page) == labels[-1]  # where it was left
        page.page.keyboard.press("Enter")
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        page.settle()
        assert page.head() == labels[-1].partition(",")[0]


def test_the_arrow_keys_go_over_a_map_as_over_a_sheet(visit) -> None:
    with visit() as page:
        page.go("Head map")
        page.page.locator("svg [role=button]").first.focus()
        assert focused(page).startswith("L0H0, ")
        for key, head in (
            ("ArrowRight", "L1H0"),
            ("ArrowDown", "L1H1"),
            ("ArrowDown", "L1H2"),
            ("ArrowLeft", "L0H2"),
            ("ArrowLeft", "L0H2"),
            ("ArrowUp", "L0H1"),
        ):
            page.page.keyboard.press(key)
            assert focused(page).startswith(f"{head}, "), key
        page.page.keyboard.press(" ")
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        assert page.head() == "L0H1"


def test_a_chart_that_is_only_looked_at_is_no_stop(visit) -> None:
    with visit() as page:
        guesses = page.page.locator('.stVegaLiteChart[aria-label^="The most probable next token"]')
        guesses.first.wait_for()
        assert guesses.count() == 1
        assert guesses.locator("[tabindex], [role=button]").count() == 0
        shown = page.page.get_by_role("button", name="Show data")
        assert shown.count() > 0
        assert {button.get_attribute("tabindex") for button in shown.all()} == {"-1"}


def test_a_wide_table_is_a_card_per_row_on_a_phone_and_a_table_on_a_screen(visit) -> None:
    with visit(width=390) as page:
        page.go("Head close-up")
        cell = page.page.locator(".hr-cards td").first
        assert cell.get_attribute("data-label") == "On this prompt"
        row = cell.locator("xpath=..")
        tops = [one.bounding_box()["y"] for one in row.locator("td").all()]
        assert tops == sorted(set(tops))  # one below the other
        page.resize(1400)
        assert page.page.locator(".hr-cards").count() == 0


def test_what_is_scrolled_sideways_says_so_and_takes_the_keyboard(visit) -> None:
    with visit(width=390) as page:
        page.go("Knock-out lab")
        page.page.get_by_text("All numbers of this knock-out").click()
        box = page.page.locator(".hr-table", has=page.page.locator(".hr-logits"))
        box.wait_for()
        page.page.wait_for_timeout(600)
        assert box.get_attribute("data-more") == "right"
        box.focus()
        for _ in range(40):
            page.page.keyboard.press("ArrowRight")
        page.page.wait_for_timeout(600)
        assert box.get_attribute("data-more") == "left"  # its end was reached


def test_a_table_of_many_words_is_a_card_per_row_on_a_phone(visit) -> None:
    with visit(width=390) as page:
        page.go("Components")
        page.page.get_by_test_id("stButtonGroup").get_by_text("Errors", exact=True).click()
        page.settle()
        cards = page.page.locator(".hr-wide .hr-cards")
        cards.wait_for()
        assert cards.locator("td").first.get_attribute("data-label") == "On the right ones"
        page.resize(1400)
        assert page.page.locator(".hr-cards").count() == 0

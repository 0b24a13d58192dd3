"""Nothing jumps: how far a page moves while it is opened, and where it stands after a click."""

from __future__ import annotations

import pytest

from tests.browser.visit import Visit, opened

MOST = 0.1
"""A layout shift under this is good by the measure of web vitals."""
PAGES = {
    "": "Your Prompt",
    "lessons": "Lessons",
    "head_closeup": "Head close-up",
    "head_map": "Head map",
    "find_heads": "Find heads",
    "detector_lab": "Detector lab",
    "knockout_lab": "Knock-out lab",
    "answer": "Answer",
    "circuits": "Circuits",
    "components": "Components",
    "real_text": "Real text",
    "admin": "Admin",
}
"""{path of a page: its title}."""
SIZES = [(1400, 900), (1024, 768), (390, 844)]

WATCH = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) {
    if (!shift.hadRecentInput) {
      const what = shift.sources.map(({ node }) => (node?.className ?? node?.nodeName ?? "gone"));
      window.shifts.push([shift.value, what]);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
TOP = "() => Math.round(document.querySelector('[data-testid=stMain]').scrollTop)"


def shift_of(browser, address: str, title: str, size: tuple[int, int], scheme: str) -> list:
    """Every shift of a page while it is opened, with what moved."""
    page = browser.contexts[0].new_page()
    page.add_init_script("localStorage.clear()")
    page.add_init_script(WATCH)
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    try:
        Visit(page, address, ready=title, drawn=False)
        page.wait_for_timeout(1_500)
        return page.evaluate("window.shifts")
    finally:
        page.close()


@pytest.fixture(scope="module")
def warm(browser, server) -> str:
    """A server that every page was asked for once: the first one imports libraries."""
    for path, title in PAGES.items():
        shift_of(browser, f"{server}/{path}", title, SIZES[0], "light")
    return server


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("path", PAGES, ids=PAGES.get)
def test_a_page_hardly_moves_while_it_is_opened(browser, warm, path: str, size) -> None:
    scheme = "dark" if size[0] == 1024 else "light"
    shifts = shift_of(browser, f"{warm}/{path}", PAGES[path], size, scheme)
    assert sum(value for value, _ in shifts) < MOST, shifts


@pytest.mark.parametrize(("width", "is_open"), [(1400, True), (390, False)])
def test_the_sidebar_is_open_where_there_is_room(visit, width: int, is_open: bool) -> None:
    with visit(width=width) as found:
        sidebar = found.page.get_by_test_id("stSidebar")
        assert sidebar.get_attribute("data-collapsed") == str(not is_open).lower()
        assert (
            found.page.locator(".stMain").evaluate("main => getComputedStyle(main).opacity") == "1"
        )
        if is_open:  # it stays open, also where the window changes, and closes for a phone
            found.resize(1200)
            assert sidebar.get_attribute("data-collapsed") == "false"
            found.resize(390)
            assert sidebar.get_attribute("data-collapsed") == "true"
            found.resize(1400)
            assert sidebar.get_attribute("data-collapsed") == "false"


def test_a_sidebar_that_the_reader_closed_stays_closed(browser, server) -> None:
    page = browser.contexts[0].new_page()
    try:
        page.set_viewport_size({"width": 1400, "height": 900})
        Visit(page, server)
        page.evaluate("localStorage.clear()")
        page.get_by_test_id("stSidebar").hover()
        page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
        Visit(page, server)
        assert page.get_by_test_id("stSidebar").get_attribute("data-collapsed") == "true"
    finally:
        page.evaluate("localStorage.clear()")
        page.close()


def test_a_click_keeps_the_place_and_another_page_starts_at_its_top(browser, server) -> None:
    with opened(browser, server) as found:
        page = found.page
        found.go("Detector lab")

        def scroll(to: int) -> int:
            page.evaluate(f"document.querySelector('[data-testid=stMain]').scrollTop = {to}")
            page.wait_for_timeout(300)
            return page.evaluate(TOP)

        answer = page.locator(".st-key-detector_lab-answer .hr-conclusion")
        answer.wait_for(timeout=60_000)
        before, said = scroll(220), answer.inner_text()
        found.press("Duplicate token", within=".st-key-detector_lab-chosen")
        assert page.evaluate(TOP) == before > 0
        assert answer.inner_text() != said
        assert 0 <= answer.bounding_box()["y"] < 200  # in view, however far the page is scrolled
        drawing = page.locator(".st-key-detector_lab-maps svg.marks").first
        drawing.scroll_into_view_if_needed()
        box = drawing.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.locator(".hr-head").wait_for(timeout=30_000)
        found.settle()
        assert (found.heading(), page.evaluate(TOP)) == ("Head close-up", 0)
        page.locator(".st-key-head_closeup-pattern svg.marks").wait_for(timeout=60_000)
        found.settle()
        assert scroll(400) > 0
        found.go("Head map")
        assert page.evaluate(TOP) == 0

"""The close-up and the head map as a student meets them: clicks, hovering, keys and fingers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.browser.visit import Visit, opened

LONG = "The cat sat on the mat. The dog lay by the fire. Tom has a red ball and a blue hat. " * 8


def strip(page):
    """The strip of tokens, once it is drawn."""
    found = page.page.locator(".strip")
    found.locator(".token").first.wait_for(timeout=20_000)
    return found


@pytest.fixture(scope="module")
def closeup(browser, server) -> Iterator[Visit]:
    """One visit to the close-up of an induction head, for tests that choose tokens there."""
    with opened(browser, server) as page:
        page.click_bar("induction")
        yield page


def choose(page, place: int):
    """Click a token of the strip; the token."""
    token = strip(page).locator(".token").nth(place)
    token.click()
    page.settle()
    return token


def said(page) -> str:
    return page.page.locator("p.said").inner_text()


def tinted(page) -> dict[int, str]:
    """{position: what stands under it} of every tinted token."""
    return {
        place: word
        for place, word in enumerate(strip(page).locator(".token small").all_inner_texts())
        if word
    }


def test_a_token_that_is_chosen_tints_what_it_looks_at(closeup) -> None:
    choose(closeup, 9)
    assert said(closeup).startswith("“·cat” (9) ")
    words = tinted(closeup)
    # Attention is causal: what it looks at stands at or before it, what looks at it after it.
    assert {word.split()[0] for place, word in words.items() if place <= 9} == {"to"}
    assert {word.split()[0] for place, word in words.items() if place > 9} <= {"from"}
    shares = [int(re.search(r"\d+", word)[0]) for place, word in words.items() if place <= 9]
    assert 95 <= sum(shares) <= 102  # a row sums to 100%, but for what is under 1%
    # The choice came back to the server: the table below is that token's.
    assert "(9)" in closeup.page.locator(".st-key-head_closeup-links summary").inner_text()


def test_direction_is_told_by_a_word_and_by_the_border(closeup) -> None:
    choose(closeup, 3)
    style = "e => getComputedStyle(e).borderTopStyle"
    solid = strip(closeup).locator(".token.to").first.evaluate(style)
    dashed = strip(closeup).locator(".token.from").first.evaluate(style)
    assert (solid, dashed) == ("solid", "dashed")


def test_hovering_previews_and_leaving_goes_back(closeup) -> None:
    choose(closeup, 9)
    chosen = said(closeup)
    strip(closeup).locator(".token").nth(5).hover()
    assert said(closeup).startswith("“·the” (5) ")
    closeup.page.mouse.move(5, 5)
    assert said(closeup) == chosen


def test_the_strip_works_by_keyboard(closeup) -> None:
    choose(closeup, 9)
    closeup.page.keyboard.press("ArrowRight")
    closeup.settle()
    assert said(closeup).startswith("“·sat” (10)")
    closeup.page.keyboard.press("Home")
    closeup.settle()
    assert said(closeup).startswith("“start” (0)")
    checked = strip(closeup).locator("[aria-checked=true]")
    assert checked.count() == 1
    assert checked.inner_text().startswith("start")


def test_the_chosen_token_stays_on_the_next_head(closeup) -> None:
    before = closeup.head()
    choose(closeup, 12)
    closeup.press(re.compile("^.*Next: "))
    assert closeup.head() != before
    assert said(closeup).startswith("“·the” (12)")


def test_the_switch_is_said_in_the_title_of_the_chart(visit) -> None:
    with visit() as page:
        page.click_bar("induction")
        assert (
            "Resting column hidden"
            not in page.page.locator(".st-key-head_closeup-pattern").inner_text()
        )
        page.page.get_by_text("Hide the resting column (rows rescaled)").click()
        page.settle()
        assert (
            "Resting column hidden"
            in page.page.locator(".st-key-head_closeup-pattern").inner_text()
        )


def test_a_cell_of_the_map_leads_to_its_head(visit) -> None:
    with visit() as page:
        page.go("Head map")
        card = page.page.locator(".st-key-head_map-map_card_diffuse")
        cell = card.locator("svg.marks .mark-rect path").nth(11)  # 8 heads a layer: L1H3
        cell.scroll_into_view_if_needed()
        cell.click(force=True)
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        page.settle()
        assert page.heading() == "Head close-up"
        assert page.head() == "L1H3"
        assert page.seen_as() == "Diffuse (no cells)"


def test_a_row_of_the_table_leads_to_its_head(visit) -> None:
    with visit() as page:
        page.go("Head map")
        box = page.page.get_by_role("textbox", name="Search")
        box.fill("L2H5")
        box.press("Enter")
        page.settle()
        table = page.page.get_by_test_id("stDataFrame").first
        table.scroll_into_view_if_needed()
        place = table.bounding_box()
        page.page.mouse.click(place["x"] + 16, place["y"] + 54)  # the box of the first row
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        page.settle()
        assert page.heading() == "Head close-up"
        assert page.head() == "L2H5"


def test_two_hundred_tokens_can_be_zoomed_by_keyboard(visit) -> None:
    with visit() as page:
        page.run(LONG)
        page.click_bar("induction")
        assert "3 × 3" in page.page.locator(".stApp").inner_text()
        ends = page.page.get_by_role("slider")
        ends.nth(1).wait_for()
        assert ends.count() == 2
        ends.nth(1).focus()
        for _ in range(13):
            page.page.keyboard.press("PageDown")
        page.settle()
        last = int(ends.nth(1).input_value())
        assert last < 193
        page.page.keyboard.press("Home")
        page.settle()
        assert page.page.get_by_test_id("stException").all_inner_texts() == []


def test_the_chosen_token_of_a_long_prompt_is_in_sight(visit) -> None:
    with visit() as page:
        page.run(LONG * 2)
        page.click_bar("induction")
        choose(page, strip(page).locator(".token").count() - 1)
        page.go("Head map")
        page.go("Head close-up")
        chosen = strip(page).locator(".token").last
        assert "here" in chosen.get_attribute("class")
        box, token = strip(page).bounding_box(), chosen.bounding_box()
        assert box["y"] <= token["y"] <= box["y"] + box["height"] - token["height"]


def test_a_phone_shows_both_pages_without_sideways_scrolling(visit) -> None:
    with visit(width=390, scheme="dark") as page:
        page.click_bar("induction")
        strip(page)
        assert page.overflow() <= 0
        assert page.sticking_out() == []
        page.go("Head map")
        assert page.overflow() <= 0
        assert page.sticking_out() == []


def test_markup_in_a_token_stays_text(visit) -> None:
    with visit() as page:
        page.run("<img src=x onerror=alert(1)> <b>b</b> <img src=x onerror=alert(1)> <b>b</b>")
        page.click_bar("induction")
        assert strip(page).locator("img, b").count() == 0
        assert "<" in strip(page).inner_text()


def test_a_letter_that_is_read_from_the_right_stands_before_its_part(visit) -> None:
    """A label reads "X 1/2" from left to right, whatever the letter."""
    with visit() as page:
        page.run("\u05e9 \u05e9 \u05e9 \u05e9")
        page.click_bar("previous_token")
        ends = strip(page).locator(".token").nth(1).evaluate(
            """button => {
                const text = button.querySelector("bdi").firstChild;
                const box = (at) => {
                    const range = document.createRange();
                    range.setStart(text, at); range.setEnd(text, at + 1);
                    return range.getBoundingClientRect().x;
                };
                return [text.data, box(text.data.indexOf("\u05e9")), box(text.data.indexOf("1"))];
            }"""
        )  # fmt: skip
        label, letter, part = ends
        assert label.strip("\u2068").startswith("\u05e9")
        assert label.endswith("1/2")
        assert letter < part

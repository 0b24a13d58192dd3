"""Links, the comparison and downloads as a student meets them, in a real browser."""

from __future__ import annotations

import re

import pytest

from headroles.texts import DEFAULT_PROMPT
from tests.browser.visit import Visit

PROMPT = "A dog & a cat, a dog & a cat. =1+1 #5 ?x=y"
"""Holds what an address has to escape."""


@pytest.fixture
def clean(browser):
    """``clean(address)``: a visit with nothing left from any other, by an address."""
    contexts = []

    def open_address(address: str, *, ready: str) -> Visit:
        contexts.append(browser.new_context(viewport={"width": 1400, "height": 900}))
        return Visit(contexts[-1].new_page(), address, ready=ready)

    yield open_address
    for context in contexts:
        context.close()


def copy_link(page) -> str:
    """Press the button; what is on the clipboard then."""
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.page.get_by_role("button", name="Copy link").click()
    page.page.get_by_text("Copied").wait_for()
    return page.page.evaluate("navigator.clipboard.readText()")


def alt_of_pattern(page) -> str:
    """What the pattern's alt text says, numbers included."""
    pattern = page.page.locator(".st-key-head_closeup-pattern [aria-label^='Attention of']").first
    return pattern.get_attribute("aria-label")


def test_a_copied_link_reopens_the_same_picture_in_a_clean_browser(visit, clean) -> None:
    with visit() as page:
        page.run(PROMPT)
        head = page.click_bar("induction", row=1)
        page.page.get_by_text("Hide the resting column").click()
        page.settle()
        role, picture = page.seen_as(), alt_of_pattern(page)
        link = copy_link(page)
    assert f"head={head}" in link
    other = clean(link, ready="Where it looks")
    assert other.heading() == "Head close-up"
    assert other.head() == head
    assert other.seen_as() == role
    assert picture
    assert alt_of_pattern(other) == picture
    assert other.page.get_by_role("switch", name="Hide the resting column").is_checked()
    assert other.page.get_by_text("A dog & a cat").first.is_visible()
    # On a page's own address Streamlit looks for its server below the page first, then at the root.
    assert all("_stcore" in address for address in other.missing)
    assert len(other.complaints) == len(other.missing)


def test_a_bad_link_shows_sentences_and_the_page_works(clean, server) -> None:
    page = clean(f"{server}/?m=nope&h=L99&p=A%20dog", ready="What the heads are doing")
    notes = page.page.get_by_test_id("stAlert")
    assert notes.count() == 2
    assert "nope" in notes.first.inner_text()
    page.press("Dismiss these 2 notes")
    assert notes.count() == 0
    page.run("The cat sat. The cat sat.")
    assert page.awake("induction")
    assert "prompt=The+cat+sat" in page.page.url
    assert not page.complaints


def wait_for_prompt(page, prompt: str) -> None:
    """Wait until the box says a prompt, and the page has answered it."""
    page.page.wait_for_function(
        "prompt => document.querySelector('textarea').value === prompt", arg=prompt, timeout=60_000
    )
    page.settle()


def run(page, prompt: str) -> None:
    """Run a prompt, and wait until the address says so."""
    page.run(prompt)
    page.page.wait_for_function(
        "prompt => new URLSearchParams(location.search).get('prompt') === prompt",
        arg=prompt,
        timeout=60_000,
    )


def test_going_back_brings_the_prompt_before_back(visit) -> None:
    with visit() as page:
        run(page, "The first one.")
        run(page, "The second one.")
        page.page.go_back()
        wait_for_prompt(page, "The first one.")
        page.page.go_forward()
        wait_for_prompt(page, "The second one.")


def entries(page) -> int:
    """Entries in the browser's history."""
    return page.page.evaluate("window.history.length")


def back(page, name: str) -> None:
    """Press Back once, and be on the page of that name."""
    page.page.go_back()
    page.page.get_by_role("heading", name=name, exact=True).wait_for(timeout=60_000)
    page.settle()


def test_back_leads_one_page_back_after_every_way_to_a_page(visit) -> None:
    with visit() as page:
        opened = entries(page)
        page.go("Head map")  # by the navigation
        page.page.get_by_text("This prompt", exact=True).click()
        page.settle()
        page.go("Your Prompt")
        page.click_bar("induction")  # by a click that leads to another page
        page.page.get_by_text("Hide the resting column").click()
        page.settle()
        assert entries(page) == opened + 3
        assert page.heading() == "Head close-up"
        back(page, "Your Prompt")
        back(page, "Head map")
        chosen = page.page.get_by_role("radio", name="This prompt", checked=True)
        chosen.wait_for(state="attached", timeout=30_000)
        back(page, "Your Prompt")
        page.page.go_forward()
        page.page.get_by_role("heading", name="Head map", exact=True).wait_for(timeout=30_000)


def test_a_prompt_that_was_run_is_one_step_back(visit) -> None:
    with visit() as page:
        page.go("Head close-up")
        before = entries(page)
        page.go("Your Prompt")
        run(page, "A dog. A dog.")
        assert entries(page) == before + 2
        page.page.go_back()
        wait_for_prompt(page, DEFAULT_PROMPT)
        back(page, "Head close-up")


def test_where_the_clipboard_is_refused_the_link_stands_in_a_box(visit) -> None:
    with visit() as page:
        page.page.evaluate(
            "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no'));"
            "document.execCommand = () => false; }"
        )
        page.page.get_by_role("button", name="Copy link").click()
        page.page.get_by_text("Press Ctrl+C").wait_for()
        box = page.page.get_by_label("What was copied")
        assert box.is_visible()
        assert box.input_value() == page.page.url


@pytest.mark.parametrize("width", [1400, 390])
def test_two_prompts_side_by_side_or_one_below_the_other(visit, width: int) -> None:
    with visit(width=width) as page:
        page.press("Compare with a second prompt")
        first = page.page.get_by_label("Your sentence").bounding_box()
        second = page.page.get_by_label("Second sentence").bounding_box()
        if width > 1000:
            assert second["x"] > first["x"] + first["width"]
        else:
            assert second["y"] > first["y"] + first["height"]
        assert page.overflow() <= 0
        assert not page.sticking_out()
        summary = page.page.get_by_text("From the first prompt to the second, Induction")
        assert summary.first.is_visible()


def test_text_that_was_not_run_stays_when_the_second_box_opens(visit) -> None:
    with visit() as page:
        page.page.get_by_label("Your sentence").fill("not run yet")
        page.press("Compare with a second prompt")
        assert page.page.get_by_label("Your sentence").input_value() == "not run yet"


def test_a_click_on_a_pair_leads_to_its_head(visit) -> None:
    with visit() as page:
        page.press("Compare with a second prompt")
        drawing = page.page.locator(".st-key-your_prompt-pair_card_induction svg.marks")
        drawing.scroll_into_view_if_needed()
        labels = [
            text
            for text in drawing.locator("text").all_text_contents()
            if re.fullmatch(r"L\d+H\d+", text)
        ]
        box = drawing.bounding_box()
        page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 62 + 31)
        page.page.locator(".hr-head").wait_for(timeout=30_000)
        page.settle()
        assert page.head() == labels[1]
        assert page.seen_as() == "Induction"


def test_files_are_named_and_hold_what_they_say(visit) -> None:
    with visit() as page:
        page.page.get_by_role("button", name="Download", exact=True).click()
        with page.page.expect_download() as waiting:
            page.page.get_by_role("button", name="Heads as CSV").click()
        assert waiting.value.suggested_filename == "headroles_demo_listed-heads.csv"
        assert waiting.value.path().read_text("utf-8-sig").startswith("# headroles_version")
        page.page.keyboard.press("Escape")
        page.click_bar("induction")
        page.page.get_by_role("button", name="Download", exact=True).click()
        with page.page.expect_download() as waiting:
            page.page.get_by_role("button", name="Chart as PNG").click()
        assert waiting.value.suggested_filename.endswith("attention.png")
        assert waiting.value.path().read_bytes().startswith(b"\x89PNG")

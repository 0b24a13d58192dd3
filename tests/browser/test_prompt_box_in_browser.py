"""The prompt box in a browser: what is typed is run by one click, or kept until it is."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from headroles.texts import DEFAULT_PROMPT

PUT_BACK = "Put it back"


def box(page):
    return page.page.get_by_label("Your sentence")


def type_in(page, text: str, *, place=None) -> None:
    """Key by key, as people do; the mouse then leaves the box."""
    (place or box(page)).click()
    page.page.keyboard.press("Control+A")
    page.page.keyboard.type(text, delay=5)


def run_button(page):
    return page.page.locator(".st-key-app-run button >> visible=true")


def shown(page) -> str:
    """The prompt that the page shows, by its address."""
    return parse_qs(urlsplit(page.page.url).query).get("prompt", [DEFAULT_PROMPT])[0]


def wait_for_mark(page, *, edited: bool) -> None:
    page.page.wait_for_function(
        "edited => (document.querySelectorAll('.hr-edited').length > 0) === edited",
        arg=edited,
        timeout=20_000,
    )


def wait_for_prompt(page, text: str) -> None:
    """Until the address holds a prompt, and the tokens on the page are those of it."""
    page.page.wait_for_function(
        "text => new URL(location).searchParams.get('prompt') === text", arg=text, timeout=30_000
    )
    page.page.wait_for_function(
        """text => {
          const strip = document.querySelector('.hr-strip');
          const tokens = strip?.querySelectorAll('.hr-token:not(.hr-start)') ?? [];
          const read = [...tokens].map((token) => {
            const bare = token.cloneNode(true);
            bare.querySelectorAll('sup, small').forEach((mark) => mark.remove());
            return bare.textContent;
          });
          return read.join('').replaceAll('·', ' ').trim() === text.trim();
        }""",
        arg=text,
        timeout=30_000,
    )


def look_of_answer(page) -> tuple[str, float]:
    """Filter and opacity of the place where the answer stands."""
    return tuple(
        page.page.evaluate(
            "() => { const all = document.querySelectorAll("
            "'.stMainBlockContainer > .stVerticalBlock > *');"
            "const place = [...all].find(one => one.querySelector('.hr-strip'));"
            "const look = getComputedStyle(place); return [look.filter, +look.opacity]; }"
        )
    )


@pytest.mark.parametrize("hold", [0, 300, 900])
def test_the_first_click_on_run_runs_what_was_typed(visit, hold: int) -> None:
    """However long the button is held: nothing moves between pressing and letting go."""
    with visit() as page:
        for number in range(4):
            text = f"one dog ran to the river {'x' * number}"
            type_in(page, text)
            place = run_button(page).bounding_box()
            page.page.mouse.move(place["x"] + 20, place["y"] + 15)
            page.page.mouse.down()
            page.page.wait_for_timeout(hold)
            page.page.mouse.up()
            wait_for_prompt(page, text)
            assert run_button(page).bounding_box()["y"] == pytest.approx(place["y"], abs=1)
        page.settle()
        wait_for_mark(page, edited=False)


def test_ctrl_enter_runs_even_while_an_earlier_prompt_runs(visit) -> None:
    with visit() as page:
        for number in range(4):
            type_in(page, f"first {number}")
            run_button(page).click()
            page.page.wait_for_timeout(100 * number)
            type_in(page, f"second {number}")
            page.page.keyboard.press("Control+Enter")
            wait_for_prompt(page, f"second {number}")
        page.settle()
        wait_for_mark(page, edited=False)
        assert "second" in page.page.locator(".hr-strip").first.inner_text()


def test_an_edited_text_fades_the_answer_and_says_so_while_it_is_typed(visit) -> None:
    with visit() as page:
        before, heights = look_of_answer(page), box(page).bounding_box()
        type_in(page, "one dog ran")
        wait_for_mark(page, edited=True)  # the box is not left
        page.page.get_by_text("Edited, not run yet.").wait_for()
        assert before == ("none", 1)
        assert look_of_answer(page) == ("grayscale(1)", 0.86)
        assert box(page).bounding_box() == heights
        assert shown(page) == DEFAULT_PROMPT
        page.press(PUT_BACK)
        wait_for_mark(page, edited=False)
        assert box(page).input_value() == DEFAULT_PROMPT
        assert look_of_answer(page) == ("none", 1)


def test_the_boxes_of_another_page_hold_what_was_run(visit) -> None:
    with visit() as page:
        for name, form in (("Answer", "answer"), ("Knock-out lab", "knockout_lab")):
            page.go(name)
            page.page.locator(f".st-key-{form}-prompt summary").click()
            page.settle()
            assert box(page).input_value() == DEFAULT_PROMPT
            wait_for_mark(page, edited=False)


@pytest.mark.parametrize("wait", [0, 900])
def test_typed_text_survives_other_pages(visit, wait: int) -> None:
    with visit() as page:
        type_in(page, "typed, not run")
        page.page.wait_for_timeout(wait)
        link = page.page.get_by_test_id("stSidebarNavLink").filter(has_text="Head close-up")
        link.click(delay=100)  # as long as a hand takes
        page.page.get_by_role("heading", name="Head close-up", exact=True).wait_for()
        page.settle()
        page.page.locator(".st-key-head_closeup-prompt summary").click()
        page.settle()
        assert box(page).input_value() == "typed, not run"
        page.go("Your Prompt")
        assert box(page).input_value() == "typed, not run"
        wait_for_mark(page, edited=True)


def test_one_run_for_two_sentences(visit) -> None:
    with visit() as page:
        page.press("Compare with a second prompt")
        second = page.page.get_by_label("Second sentence, to compare with")
        type_in(page, "one dog ran")
        type_in(page, "one cat sat", place=second)
        wait_for_mark(page, edited=True)
        assert page.page.locator(".st-key-app-run").count() == 1
        second.press("Control+Enter")
        wait_for_prompt(page, "one dog ran")
        page.settle()
        strips = page.page.locator(".hr-strip")
        assert "dog" in strips.nth(0).inner_text()
        assert "cat" in strips.nth(1).inner_text()
        wait_for_mark(page, edited=False)


def test_an_earlier_prompt_is_run_again_from_the_list(visit) -> None:
    with visit() as page:
        page.run("one dog ran")
        page.press(re.compile("Recent prompts"))
        page.page.get_by_role("menuitem").filter(has_text="The cat sat").click()
        page.page.wait_for_function(
            "() => !new URL(location).searchParams.get('prompt')", timeout=30_000
        )
        page.settle()
        assert box(page).input_value() == DEFAULT_PROMPT


@pytest.mark.parametrize(("width", "lowest"), [(1400, 372), (390, 430)])
def test_the_box_leaves_room_for_the_answer_and_is_large_enough_to_touch(
    visit, width: int, lowest: int
) -> None:
    with visit(width=width) as page:
        row = page.page.locator(".st-key-app-examples")
        row.get_by_role("button").nth(3).wait_for()
        chips = row.get_by_role("button").all()
        assert len(chips) > 3
        assert row.bounding_box()["y"] + row.bounding_box()["height"] <= lowest
        assert min(chip.bounding_box()["height"] for chip in chips) >= 40
        assert len({round(chip.bounding_box()["y"]) for chip in chips}) == 1
        assert page.overflow() <= 0

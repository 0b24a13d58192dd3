"""The page Your Prompt as a student meets it: in a browser, by mouse and keyboard."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from headroles.texts import DEFAULT_PROMPT
from tests.browser.visit import opened

NO_REPEATS = "The old man walked slowly to the river with his dog."


def test_the_default_prompt_is_answered(visit) -> None:
    with visit() as page:
        assert page.page.get_by_label("Your sentence").input_value() == DEFAULT_PROMPT
        assert page.awake("induction")
        assert page.awake("previous_token")
        assert page.card("induction").locator("svg.marks").count() == 1


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (1024, 768), (390, 844)])
def test_the_answer_is_in_the_window_on_opening_and_after_run(visit, width, height) -> None:
    with visit(width=width) as page:
        page.page.set_viewport_size({"width": width, "height": height})
        for prompt in (DEFAULT_PROMPT, NO_REPEATS):
            page.run(prompt)
            lamps = page.page.locator(".hr-lamps").bounding_box()
            assert 0 < lamps["y"] < lamps["y"] + lamps["height"] < height
        if width == 1400:
            bars = page.card("previous_token").locator("svg.marks").bounding_box()
            assert bars["y"] + 42 < height  # the first bar


def test_a_lamp_leads_to_its_card(visit) -> None:
    with visit() as page:
        page.page.locator(".hr-lamps a", has_text="Diffuse").click()
        page.settle()
        assert 0 <= page.card("diffuse").bounding_box()["y"] < 200
        assert page.heading() == "Your Prompt"


def test_a_typed_prompt_is_run_with_the_keyboard(visit) -> None:
    with visit() as page:
        page.run(NO_REPEATS)
        strip = page.page.locator(".hr-strip").inner_text()
        assert "river" in strip
        assert "cat" not in strip
        assert not page.awake("induction")


def drawn(page) -> list[list[str]]:
    """The words of every chart; the browser changes the data of a chart that stays."""
    page.page.locator("svg.marks").nth(5).wait_for(timeout=30_000)
    charts = page.page.locator("svg.marks").all()
    return [chart.locator("text").all_text_contents() for chart in charts]


def test_the_charts_of_a_second_prompt_are_those_of_a_first_one(browser, server) -> None:
    with opened(browser, server) as page:
        before = drawn(page)
        page.run(NO_REPEATS)
        second = drawn(page)
        assert page.click_bar("previous_token") == page.head()
    with opened(browser, f"{server}?prompt={quote(NO_REPEATS)}") as page:
        assert before != second == drawn(page)


def test_a_click_on_a_bar_leads_to_its_head_as_often_as_one_likes(visit) -> None:
    with visit() as page:
        for role, name in (
            ("induction", "Induction"),
            ("previous_token", "Previous token"),
            ("induction", "Induction"),
        ):
            label = page.click_bar(role)
            assert page.heading() == "Head close-up"
            assert page.head() == label
            assert page.seen_as() == name
            page.go("Your Prompt")
            assert page.page.get_by_label("Your sentence").input_value() == DEFAULT_PROMPT


def test_the_way_to_all_heads_keeps_the_prompt(visit) -> None:
    with visit() as page:
        page.run(NO_REPEATS)
        page.press("All heads on this prompt")
        page.page.get_by_role("heading", name="Head map", exact=True).wait_for(timeout=30_000)
        page.settle()
        assert page.page.get_by_role("radio", name="This prompt").is_checked()
        assert "The old man walked" in page.page.locator(".st-key-head_map-prompt").inner_text()


def test_try_this_wakes_the_role_and_leads_back(visit) -> None:
    with visit() as page:
        page.run(NO_REPEATS)
        page.press(re.compile("^.*Try this"), within=".st-key-your_prompt-card_induction")
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
def test_a_phone_shows_everything_in_its_colours_without_sideways_scrolling(visit, scheme) -> None:
    with visit(width=390, scheme=scheme) as page:
        assert page.overflow() <= 0
        assert page.sticking_out() == []
        colour = page.page.evaluate(
            "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
        brightness = sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3
        assert (brightness > 128) == (scheme == "light")

"""A class link as a student meets it, and the QR code as a phone does."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.browser.visit import Visit
from tests.qr_reader import read

CLASS = "class=your_prompt,head_map"
LISTED = ["Your Prompt", "Head map", "Glossary"]


@pytest.fixture
def visit_class(browser, server):
    """``visit_class(path)``: a page of the class, by its own address."""
    contexts = []

    def open_path(path: str = "", *, ready: str = "What the heads are doing", **settings) -> Visit:
        contexts.append(browser.new_context(viewport={"width": 1400, "height": 900}, **settings))
        return Visit(contexts[-1].new_page(), f"{server}/{path}?{CLASS}&model=demo", ready=ready)

    yield open_path
    for context in contexts:
        context.close()


def listed(page: Visit) -> list[str]:
    return page.page.get_by_test_id("stSidebarNavLink").all_inner_texts()


def pickers(page: Visit) -> int:
    return page.page.get_by_test_id("stSidebar").get_by_role("combobox").count()


def in_class(page: Visit) -> bool:
    """Whether the page lists the class alone, with a fixed model, under an address that says so."""
    page.page.wait_for_function("location.search.includes('class=')", timeout=10_000)
    titles = [text.split("\n")[-1] for text in listed(page)]
    assert "your_prompt%2Chead_map" in page.page.url or CLASS in page.page.url
    return titles == LISTED and not pickers(page)


def test_a_class_lasts_from_page_to_page_over_reloads_and_the_way_back(visit_class) -> None:
    page = visit_class()
    assert in_class(page)
    page.go("Head map")
    assert in_class(page)
    page.page.reload()
    page.page.get_by_role("heading", name="Head map", exact=True).wait_for(timeout=60_000)
    page.settle()
    assert in_class(page)
    page.page.go_back()
    page.page.get_by_role("heading", name="Your Prompt", exact=True).wait_for(timeout=60_000)
    page.settle()
    assert in_class(page)
    page.go("Head map")
    page.press("Open the whole app")
    assert page.heading() == "Head map"
    assert "Admin" in " ".join(listed(page))
    assert pickers(page) == 1
    assert "class=" not in page.page.url


def test_a_page_outside_is_not_opened_by_its_path(visit_class) -> None:
    page = visit_class("admin", ready="Admin")
    assert page.page.get_by_test_id("stTextInput").count() == 0
    assert in_class(page)
    page.page.get_by_test_id("stMain").get_by_role("link", name="Back to Your Prompt").click()
    page.page.get_by_role("heading", name="Your Prompt", exact=True).wait_for(timeout=60_000)
    page.settle()
    assert in_class(page)


def test_the_code_on_the_screen_says_the_address_in_the_dark_too(visit_class, server) -> None:
    page = visit_class(color_scheme="dark")
    page.press("QR code, class link")
    picture = page.page.locator("img.hr-qr")
    picture.wait_for(timeout=30_000)
    page.settle()
    box = picture.bounding_box()
    assert box["height"] > 500  # of 900: it is for the back of a room
    assert box["y"] + box["height"] < 900
    image = Image.open(io.BytesIO(picture.screenshot())).convert("L")
    shown = picture.get_attribute("alt").rpartition(" ")[2]
    assert shown == f"{server.rstrip('/')}/?{CLASS}&model=demo"
    assert read(squares(image)) == ("4M", shown)
    assert page.page.get_by_text(shown).first.is_visible()


def squares(image: Image.Image) -> list[list[int]]:
    """[row column] 1 for each black square of a picture with four white ones on each side.

    The upper left finder begins with seven black squares in a row, which tell their size.
    """
    edge = image.width // 40  # the corners are round
    image = image.crop((edge, edge, image.width - edge, image.height - edge))
    dark = image.point(lambda value: 255 * (value < 128))
    left, top, right, _ = dark.getbbox()
    row = [image.getpixel((x, top + 2)) < 128 for x in range(left, right)]
    size = (row.index(False)) / 7
    side = round((right - left) / size)
    size = (right - left) / side
    at = [int(left + (place + 0.5) * size) - left for place in range(side)]
    return [[int(image.getpixel((left + x, top + y)) < 128) for x in at] for y in at]

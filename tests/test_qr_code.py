"""The QR code of a link: read back by an independent reader, and as small as the link allows."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from headroles.errors import LinkError
from headroles.export import qr_code
from tests.facts import says
from tests.qr_reader import read

LINK = "http://10.0.0.7:8501/?model=demo&x=1"
CLASS = (
    "https://headroles.example.org/lessons?class=lessons,your_prompt,head_closeup,head_map"
    "&model=demo&lesson=induction&step=3"
)


def longest(characters: int) -> str:
    start = "https://headroles.example.org/?model=demo&prompt="
    return start + "a" * (characters - len(start))


@pytest.mark.parametrize(
    ("link", "name"),
    [(LINK, "3M"), (CLASS, "7M"), (longest(520), "15L")],
    ids=["short", "class", "longest"],
)
def test_a_code_says_its_link(link: str, name: str) -> None:
    code = qr_code.make(link)
    assert read(code.rows) == (name, link)
    assert code.level == name[-1]
    assert code.side == len(code.rows) <= qr_code.MOST_SIDE


def test_correction_is_raised_where_it_costs_no_square() -> None:
    code = qr_code.make("http://10.0.0.7:8501/?model=demo")
    assert (code.side, code.level) == (29, "Q")
    assert read(code.rows) == ("3Q", "http://10.0.0.7:8501/?model=demo")


def test_a_square_that_is_turned_is_noticed_by_the_reader() -> None:
    rows = [bytearray(row) for row in qr_code.make(LINK).rows]
    rows[15][15] ^= 1
    with pytest.raises(AssertionError):
        read(rows)


def test_the_picture_is_black_on_white_with_four_white_squares_around() -> None:
    code = qr_code.make(LINK)
    image = Image.open(io.BytesIO(code.png())).convert("L")
    scale, rest = divmod(image.width, code.side + 8)
    assert rest == 0
    assert image.width == image.height >= 1_200
    seen = [
        [int(image.getpixel((scale * x + scale // 2, scale * y + scale // 2)) < 128)
         for x in range(code.side + 8)]
        for y in range(code.side + 8)
    ]  # fmt: skip
    white = [0] * (code.side + 8)
    assert seen[:4] == seen[-4:] == [white] * 4
    assert all(row[:4] == row[-4:] == [0] * 4 for row in seen)
    assert read([row[4:-4] for row in seen[4:-4]])[1] == LINK


def test_the_svg_fills_its_place_and_brings_its_own_white() -> None:
    svg = qr_code.make(LINK).svg().decode()
    assert 'viewBox="0 0 37 37"' in svg
    assert "width=" not in svg.partition(">")[0]
    assert '<path fill="#fff" d="M0 0h37v37h-37z"/>' in svg


@pytest.mark.parametrize("characters", [521, 6_000])
def test_a_link_that_is_too_long_says_what_to_shorten(characters: int) -> None:
    with pytest.raises(LinkError) as caught:
        qr_code.make(longest(characters) + "&head=L1H1")
    assert says(caught.value.message, f"{characters + 10:,}")
    assert says(caught.value.hint, "prompt", f"{characters - 49:,}")


def test_the_part_with_most_characters_as_they_are_sent_is_named() -> None:
    link = "https://x.org/?second_prompt=" + "%D7%A9" * 100 + "&prompt=" + "a" * 300
    with pytest.raises(LinkError) as caught:
        qr_code.make(link)
    assert says(caught.value.hint, "second prompt", "600")

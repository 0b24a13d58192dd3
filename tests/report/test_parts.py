"""The parts of a document: a map by hand, escapes, and what a passage looks like."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroles.charts import plain_map
from headroles.charts.base import STRONGEST
from headroles.export.document_html import MOST_SHADE, to_html
from headroles.export.document_markdown import literal, to_markdown
from headroles.export.documents import (
    Bullets,
    Document,
    Folded,
    Picture,
    Section,
    Shaded,
    Strip,
    Table,
    Text,
    clean,
)
from headroles.types import Head
from headroles.view.head_records import head_record
from headroles.view.report import roles
from tests.report.reading import Page, cells, markdown_says, markdown_tables, plain


def _document(*blocks) -> Document:
    return Document("T", "a", (), (Section("S", blocks, anchor="s"),), "end")


def test_a_map_by_hand() -> None:
    records = [
        head_record(Head(0, 0), 1.0, number="100", active=True, mark="listed", shown="a & b"),
        head_record(Head(1, 0), None, shown="no score"),
        head_record(Head(0, 1), -0.5, most=1.0, number="−0.5"),
        head_record(Head(1, 1), 0.0, number="0", papers=True),
    ]
    svg = plain_map.head_map(records, 'A "map"')
    assert 'aria-label="A &quot;map&quot;"' in svg
    assert "<title>L0H0: a &amp; b, listed</title>" in svg
    rects = re.findall(r'<rect class="(\w)" x="(\d+)" y="(\d+)" [^>]*fill-opacity="([\d.]+)"', svg)
    wide = plain_map.WIDEST  # two layers have room for the widest cells
    left, top, row = plain_map.LEFT, plain_map.TOP, plain_map.ROW
    assert [(kind, int(x), int(y)) for kind, x, y, _ in rects] == [
        ("u", left + 1, top + 1),
        ("a", left + 1, top + row + 1),
        ("u", left + wide + 1, top + row + 1),
    ]
    shades = [float(shade) for *_, shade in rects]
    assert shades == pytest.approx([STRONGEST, 0.03 + 0.5 * (STRONGEST - 0.03), 0.03], abs=6e-3)
    assert svg.count("stroke-dasharray") == 1  # the head without a number
    assert svg.count("stroke-width") == 1  # the active one
    assert svg.count("<path") == 1  # the one of the papers
    assert f'viewBox="0 0 {left + 2 * wide + 4} {top + 2 * row + 4}"' in svg


def test_markdown_has_the_map_cell_by_cell() -> None:
    records = [
        head_record(Head(0, 0), 1.0, number="100", active=True, mark="listed"),
        head_record(Head(1, 0), None),
        head_record(Head(0, 1), -0.5, most=1.0, number="−0.5", papers=True),
        head_record(Head(1, 1), 0.0, number="0"),
    ]
    drawn = Picture("<svg></svg>", "two layers", roles.map_table(records))
    tables = markdown_tables(to_markdown(_document(drawn)))
    assert tables == [
        [["head", "layer 0", "layer 1"], ["0", "[100] ■", "–"], ["1", "−0.5 ◇", "0"]],
    ]
    assert "<table" not in to_html(_document(drawn))  # there the drawing says it


@pytest.mark.parametrize("layers", [1, 4, 30, 96])
def test_a_map_keeps_room_for_its_numbers(layers: int) -> None:
    records = [head_record(Head(layer, 0), 0.5, number="50") for layer in range(layers)]
    width = int(re.search(r'width="(\d+)"', plain_map.head_map(records, "x"))[1])
    each = (width - plain_map.LEFT - 4) / layers
    assert plain_map.NARROWEST <= each <= plain_map.WIDEST


@given(st.text())
def test_markdown_gives_any_text_back(text: str) -> None:
    line = " ".join(clean(text).split())
    assert plain(literal(text)) == line
    assert "\n" not in literal(text)
    if line:
        assert cells(f"| {literal(text)} | x |") == [line, "x"]


@given(st.lists(st.text(), min_size=2, max_size=2), st.text())
def test_both_spellings_give_a_table_back(row: list[str], caption: str) -> None:
    document = _document(Table(caption, ("a", "b"), (tuple(row),)), Bullets((caption,)))
    wanted = [" ".join(clean(cell).split()) for cell in row]
    (table,) = Page(to_html(document)).tables
    assert [" ".join(cell.split()) for cell in table[1]] == wanted
    (table,) = markdown_tables(to_markdown(document))
    assert table[1] == wanted


def test_a_row_must_fit_its_headers() -> None:
    with pytest.raises(ValueError, match="1 cells under 2"):
        Table("x", ("a", "b"), (("only one",),))


def test_a_passage_is_shaded_by_its_shares() -> None:
    tokens = (
        Shaded("A", 0.0),
        Shaded(" <b>", 0.5),
        Shaded("\n", 0.0),
        Shaded(" cat", 1.0),
        Shaded(" sat", 0.0, is_query=True),
    )
    document = _document(Strip("L1H4, here", tokens), Folded("More", (Text("inside"),)))
    page = to_html(document)
    shades = re.findall(r"background:rgb\(46 127 208/([\d.]+)\)", page)
    assert [float(shade) for shade in shades] == pytest.approx(
        [0.5 * MOST_SHADE, MOST_SHADE], abs=6e-3
    )
    assert 'title="50%"' in page
    assert 'class="q"' in page
    assert "<b>" not in page
    assert "A <b>\n cat sat" in "".join(_texts(page))
    text = to_markdown(document)
    assert r"A<b> \<b\></b> <b> cat</b>→ sat←" in text
    assert "L1H4, here" in markdown_says(text)


def _texts(page: str) -> list[str]:
    class Whole(Page):
        def handle_data(self, data: str) -> None:
            self.said.append(data)

    return Whole(page).said


def test_what_no_file_can_hold_is_replaced() -> None:
    document = _document(Text("a\0b\ud800c\x1bd"))
    for text in (to_html(document), to_markdown(document)):
        text.encode()
        assert "a\ufffdb\ufffdc\ufffdd" in text

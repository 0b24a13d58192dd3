"""The report stands alone and lets nothing typed become HTML or a formula."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import pandas as pd
import pytest

from headroles.ablation import Condition, HeadOutput, Moved, PromptTable, tabulate
from headroles.export.ablation_report import marked_strip, moved_cells, provenance, to_csv, to_html
from headroles.models import load_model
from headroles.types import Head

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

NASTY = '<script>alert("x")</script> =1+1 🐈'


@pytest.fixture(scope="module")
def tables() -> list[PromptTable]:
    loaded = load_model("demo")
    conditions = [
        Condition("L1H4 <b>to zero</b>", (HeadOutput((Head(1, 4),)),)),
        Condition("L0H6 to zero", (HeadOutput((Head(0, 6),)),)),
    ]
    return [
        tabulate(loaded, prompt, conditions, top=4, kind="Own")
        for prompt in (NASTY, "=The cat sat. The cat")
    ]


def _strip_text(table: PromptTable) -> list[str]:
    parser = _Parser()
    parser.feed(marked_strip(table.encoding, {1}, word="t"))
    return parser.text


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_loads_nothing_and_escapes_everything(tables: list[PromptTable]) -> None:
    parser = _Parser()
    parser.feed(to_html(tables, model="demo <x>", note="<i>n</i>"))
    names = {tag for tag, _ in parser.tags}
    assert not names & {"script", "link", "img", "iframe", "b", "i", "x"} - {"bdi"}
    assert not any(set(attrs) & {"src", "href", "onclick"} for _, attrs in parser.tags)
    rows = [tag for tag, _ in parser.tags].count("tr")
    assert rows == 3 * (1 + 2)  # a header and two conditions: the summary, and two prompts
    text = "".join(parser.text)
    assert tables[0].rows[0].verdict in text
    assert "</script>" in "".join(_strip_text(tables[0]))


def test_a_cell_says_its_direction_in_sign_and_arrow() -> None:
    up, down, empty = moved_cells((Moved(" a<b", 1.25), Moved("c", -0.5)), width=3)
    assert "·a&lt;b" in up
    assert "▲ +1.25" in up
    assert "hr-up" in up
    assert "▼ −0.50" in down
    assert "hr-down" in down
    assert empty == "<td></td>"


def test_the_strip_tells_three_kinds_apart_in_words(tables: list[PromptTable]) -> None:
    encoding = tables[1].encoding
    strip = marked_strip(encoding, {3}, word="off here")
    assert strip.count("hr-cut") == strip.count("hr-prev") == 1
    assert strip.count("<span") == len(encoding.tokens)
    assert "<sup>off here</sup>" in strip
    assert "<sup>just before</sup>" in strip
    assert "hr-off" not in strip
    assert marked_strip(encoding, {3}, word="x", struck=True).count("hr-off") == 1
    assert "hr-prev" not in marked_strip(encoding, {3}, word="x", before=False)
    assert "<script" not in marked_strip(tables[0].encoding, {1}, word="<script>")


def test_the_csv_reads_back(tables: list[PromptTable]) -> None:
    text = to_csv(tables, provenance=provenance("demo", revision="r", heads=["L1H4"]))
    frame = pd.read_csv(io.StringIO(text), comment="#")
    assert len(frame) == 4
    first = tables[0].rows[0]
    assert frame.loc[0, "kl_nats"] == pytest.approx(first.comparison.kl, abs=1e-6)
    assert frame.loc[0, "rose_1_logits"] == pytest.approx(first.rose[0].change, abs=1e-5)
    assert frame.loc[2, "prompt"] == "'=The cat sat. The cat"  # no spreadsheet computes it
    assert text.startswith("# headroles_version")

"""What each section of the page Components offers to download, and what is in the files."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest

from headroles import models
from headroles.ui.app import download_button, files, long_work
from headroles.ui.components import carriers, state, tested
from tests.pages.on_page import opened, page_html

PAGE, MODEL = state.PAGE, "attn-only-2l-tiny"
TABLES = {
    "list": ["Components"],
    "one": ["Tokens", "Text", "Effects", "Importances"],
    "role": ["Components", "Taken together"],
    "test": ["Tests"],
    "by_offset": ["Pairs"],
    "together": ["Couples", "Importances"],
    "reconstruction": ["Errors", "Heads"],
    "wrong_cells": ["Wrong cells"],
}
"""{section: its tables}."""
CHARTS = {
    "list": ["Chart"],
    "one": ["Heads", "Chart", "Importance"],
    "role": ["Chart"],
    "test": ["Chart"],
    "by_offset": ["Lines", "Squares", "Heads"],
    "together": ["Chart"],
    "reconstruction": ["Matrix", "Sum", "Difference"],
    "wrong_cells": ["Where it looks", "Pushes"],
}
"""{section: its pictures}."""


@pytest.fixture
def offered(monkeypatch) -> list[files.File]:
    """The files of the section that is opened."""
    found: list[files.File] = []

    def keep(given, **_: object) -> None:
        found[:] = given

    monkeypatch.setattr(download_button, "buttons", keep)
    monkeypatch.setattr(long_work, "MOMENT", 120.0)
    monkeypatch.setattr(long_work, "LIGHT", 1e6)
    for module in (carriers, tested):
        monkeypatch.setattr(module, "TEXTS", 2)
        monkeypatch.setattr(module, "DRAWS", 2)
    monkeypatch.setattr(carriers, "SIZES", (1, 2))
    monkeypatch.setattr(tested, "SAMPLES", 3)
    return found


def conclusion(app) -> str:
    (said,) = re.findall(r'<p class="hr-conclusion"[^>]*>(.*?)</p>', page_html(app))
    return html.unescape(re.sub("<[^>]+>", "", said))


def read_csv(data: bytes) -> tuple[dict[str, object], list[dict[str, str]]]:
    """Origin and rows."""
    lines = data.decode("utf-8-sig").splitlines(keepends=True)
    told = [line[2:].strip().partition(": ") for line in lines if line.startswith("# ")]
    body = "".join(line for line in lines if not line.startswith("#"))
    return {name: json.loads(value) for name, _, value in told}, list(
        csv.DictReader(io.StringIO(body))
    )


@pytest.mark.parametrize("section", TABLES)
def test_a_section_offers_its_tables_its_page_and_its_pictures(section: str, offered) -> None:
    query = {"sets": "L0Q21"} if section == "test" else {}
    app = opened(PAGE, model=MODEL, section=section, matrix="k", role="previous_token", **query)
    assert not app.error
    by_label = {file.label: file for file in offered}
    for what in ("key", "name"):
        assert len({getattr(file, what) for file in offered}) == len(offered)
    tables = [f"{what} as {kind}" for what in TABLES[section] for kind in ("CSV", "JSON")]
    pictures = [f"{what} as {kind}" for what in CHARTS[section] for kind in ("PNG", "SVG")]
    page = "List as HTML" if section == "list" else "Report as HTML"
    assert set(by_label) == {*tables, *(pictures if files.can_draw() else ()), page}
    revision = models.model_revision(models.resolve_source(MODEL))
    assert revision
    for what in TABLES[section]:
        origin, rows = read_csv(by_label[f"{what} as CSV"].make())
        assert rows
        assert origin["model"] == MODEL
        assert revision in origin["revision"]
        told = json.loads(by_label[f"{what} as JSON"].make())
        (name,) = told.keys() - {"provenance"}
        assert len(told[name]) == len(rows)
    made = by_label[page].make().decode()
    text = html.unescape(re.sub("<[^>]+>", "", made))
    assert conclusion(app) in text
    assert models.name_of(MODEL) in text
    assert "<table" in made
    assert "src=" not in made
    if section != "list":
        assert revision in text
    if files.can_draw():
        drawn = by_label[pictures[-1]].make().decode()
        assert drawn.startswith("<svg")


def test_the_page_of_a_section_has_the_rows_that_the_section_shows(offered) -> None:
    app = opened(PAGE, model=MODEL, section="wrong_cells", wrong_cell="2")
    (page,) = (file for file in offered if file.label == "Report as HTML")
    made = html.unescape(re.sub("<[^>]+>", "|", page.make().decode()))
    assert not re.search(r"\d\.\d{9}", made)  # numbers are rounded in the last line, too
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page_html(app))
    assert len(cells) > 40
    assert all(html.unescape(re.sub("<[^>]+>", "", cell)) in made for cell in cells)


def test_importances_of_one_component_are_those_of_every_token_of_text(offered) -> None:
    opened(PAGE, model=MODEL, section="one", component="L0K10")
    (file,) = (file for file in offered if file.label == "Importances as CSV")
    _, rows = read_csv(file.make())
    assert {row["component"] for row in rows} == {"L0K10"}
    assert [int(row["token_number"]) for row in rows] == list(range(len(rows)))
    assert len(rows) > 1_000
    opened(PAGE, model=MODEL, section="one", component="L0K10", decomposition="svd")
    assert not any("Importance" in file.label for file in offered)


def test_what_is_left_of_a_role_is_in_a_file_as_it_is_in_the_table(offered) -> None:
    app = opened(PAGE, model=MODEL, section="role", role="previous_token")
    (file,) = (file for file in offered if file.label == "Taken together as CSV")
    origin, rows = read_csv(file.make())
    assert [row["taken_away"] for row in rows] == ["0", "1", "2"]
    for row in rows:
        assert f"{float(row['activation_left']):.2f}" in page_html(app)
    low, mean, high = (float(rows[1][f"random_others{end}"]) for end in ("_low", "", "_high"))
    assert low <= mean <= high
    assert origin["role"] == "previous_token"

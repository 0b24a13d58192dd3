"""The report of a model: both files say the same, and it is what the stored analysis says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest

from headroles import paths, store, view
from headroles.errors import CategoriesMissingError
from headroles.export.documents import Section
from headroles.formatting import signed
from headroles.paths import ROOT
from headroles.roles import BASIC_ROLES, EXTENDED_ROLES, ROLES, SCORED_ROLES
from headroles.store import ModelEntry
from headroles.store.categories import read_all
from headroles.store.schema import validate
from headroles.types import Head
from headroles.view.report import Gathered, document, gather, html, markdown, of_entry
from tests.elsewhere import EXAMPLE
from tests.elsewhere import plain as plain_elsewhere
from tests.entries import entry as small_entry
from tests.entries import plain_entry
from tests.report.reading import Page, is_map, markdown_says, markdown_tables, without_maps
from tests.test_version_1 import MODEL as OLD_MODEL
from tests.test_version_1 import OLD

SHIPPED = sorted(json.loads((ROOT / "data" / "head_categories.json").read_text()))
NASTY = 'x<script>alert(1)</script>|`*_[a](http://b) \n# $&amp; \u202e"'


@pytest.fixture
def raw() -> dict:
    """The shipped file as it lies there."""
    return json.loads((ROOT / "data" / "head_categories.json").read_text())


def _elsewhere(plain: dict, model: str) -> ModelEntry:
    return validate(json.dumps({model: plain}), "a file")[model]


def _entries() -> dict[str, ModelEntry]:
    plain = plain_entry()
    plain["categories"]["induction"]["unseen_layers"] = [0]
    return {
        "shipped": store.read_entry("demo"),
        "attention only": store.read_entry("attn-only-1l-tiny"),
        "version 1": read_all(OLD)[OLD_MODEL],
        "small": small_entry(),
        "unseen": ModelEntry.model_validate(plain),
        "lists made elsewhere": _elsewhere(plain_elsewhere("demo"), "demo"),
        "scores made elsewhere": _elsewhere(plain_elsewhere("other", whole=True), "other"),
        "the handoff's example": _elsewhere(EXAMPLE["gpt2"], "gpt2"),
        "names of anybody": small_entry(NASTY, notes=[NASTY], source=NASTY, revision=NASTY),
    }


@pytest.fixture(scope="module")
def entries() -> dict[str, ModelEntry]:
    return _entries()


KINDS = (
    "shipped", "attention only", "version 1", "small", "unseen", "lists made elsewhere",
    "scores made elsewhere", "the handoff's example", "names of anybody",
)  # fmt: skip


# ------------------------------------------------------------------ two files, one report


@pytest.mark.parametrize("kind", KINDS)
def test_html_and_markdown_have_the_same_tables_cell_by_cell(entries, kind: str) -> None:
    gathered = of_entry(entries[kind])
    page, tables = Page(html(gathered)), without_maps(markdown_tables(markdown(gathered)))
    assert len(page.tables) == len(tables) > 2
    for first, second in zip(page.tables, tables, strict=True):
        assert [[" ".join(cell.split()) for cell in row] for row in first] == second


@pytest.mark.parametrize("kind", KINDS)
def test_every_map_is_a_table_of_the_markdown_number_by_number(entries, kind: str) -> None:
    gathered = of_entry(entries[kind])
    drawings = re.findall(r"<svg.*?</svg>", html(gathered), re.DOTALL)
    maps = [table for table in markdown_tables(markdown(gathered)) if is_map(table)]
    assert len(drawings) == len(maps) > 0
    for drawing, (_, *rows) in zip(drawings, maps, strict=True):
        drawn = re.findall(r"</title><rect[^>]*/><text[^>]*>(.*?)</text>", drawing)
        shown = [re.sub(r"[\[\] ■◇]", "", cell) for _, *cells in rows for cell in cells]
        assert sorted(cell for cell in shown if cell not in "–·") == sorted(drawn)
        assert sum("[" in cell for _, *cells in rows for cell in cells) == drawing.count(
            'stroke-width="2"'
        )


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_of_the_html_stands_in_the_markdown(entries, kind: str) -> None:
    gathered = of_entry(entries[kind])
    page, words = Page(html(gathered)), markdown_says(markdown(gathered))
    missing = [said for said in page.said if said not in words]
    assert not missing
    assert len(page.said) > 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_html_stands_alone_and_leads_nowhere_else(entries, kind: str) -> None:
    text = html(of_entry(entries[kind]))
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert "url(" not in text
    assert "@import" not in text
    anchors = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    for tag, attrs in page.tags:
        assert not {name for name in attrs if name.startswith("on")} | (attrs.keys() & {"src"})
        if "href" in attrs:
            assert tag == "a"
            assert attrs["href"][1:] in anchors
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))


def test_drawings_have_a_name_and_tables_have_headers(entries) -> None:
    page = Page(html(of_entry(entries["shipped"])))
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    measured = [one for one in entries["shipped"].extended.values() if one.is_measured]
    assert len(drawings) == len(BASIC_ROLES) + len(measured)
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 20 for attrs in drawings)
    for tag, attrs in page.tags:
        if tag == "th":
            assert attrs["scope"] in ("col", "row")
    assert all(len({len(row) for row in table}) == 1 for table in page.tables)


def test_the_same_analysis_gives_the_same_file_and_no_time_of_day(entries) -> None:
    first, second = (of_entry(_entries()["shipped"]) for _ in range(2))
    for write in (html, markdown):
        assert write(first) == write(second)
        assert not re.search(r"(?<![0-9a-z])\d\d:\d\d", write(first))
        assert entries["shipped"].analysis_date in write(first)


def test_markdown_reads_nothing_of_a_name_as_its_own(entries) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    text = markdown(of_entry(entries["names of anybody"]))
    rendered = markdown_it.MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text)
    page = Page(rendered)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "em", "code", "s", "img"}
    assert all(attrs["href"].startswith("#") for tag, attrs in page.tags if "href" in attrs)
    assert "<script>alert(1)</script>|`*_[a](http://b)" in " ".join(page.said)
    assert len(page.tables) == len(markdown_tables(text))


# ------------------------------------------------------------------ and the numbers are the file's


@pytest.mark.parametrize("model", SHIPPED)
def test_every_listed_head_stands_there_with_its_score_and_verdicts(raw, model: str) -> None:
    tables = by_caption(gather(model))
    for key, category in raw[model]["categories"].items():
        if not category["top_heads"]:
            continue
        header, *rows = tables[f"Heads listed as {ROLES[key].name}"]
        assert [row[0] for row in rows] == [
            f"L{top['layer']}H{top['head']}" for top in category["top_heads"]
        ]
        for row, top in zip(rows, category["top_heads"], strict=True):
            assert _number(row[1]) == pytest.approx(top["score"], abs=6e-4)
            if top.get("control") is not None:
                assert _number(row[header.index("Control")]) == pytest.approx(
                    top["control"], abs=6e-4
                )
        for head in raw[model]["causal"].get(key, {}).get("heads", ()):
            row = next(row for row in rows if row[0] == f"L{head['layer']}H{head['head']}")
            assert any(cell.startswith(signed(head["change"], digits=3)) for cell in row)
            assert any(view.causal.LABELS[head["verdict"]] in cell for cell in row)


@pytest.mark.parametrize("model", SHIPPED)
def test_the_table_of_all_heads_holds_every_score(raw, model: str) -> None:
    plain = raw[model]
    header, *rows = by_caption(gather(model))["Every head in every role"]
    assert len(rows) == plain["num_layers"] * plain["num_heads"]
    columns = {name.split(" (logits)")[0].split(" (fall")[0]: at for at, name in enumerate(header)}
    seen = 0
    for key, matrix in plain["all_scores"].items():
        at = columns.get(ROLES[key].name)
        if plain["categories"][key].get("not_measured"):
            assert at is None
            continue
        for row in rows:
            head = Head.parse(row[0])
            assert _number(row[at].rstrip("*")) == pytest.approx(
                matrix[head.layer][head.head], abs=6e-4
            )
            seen += 1
    assert seen >= len(SCORED_ROLES) * len(rows)


def test_thresholds_stand_there_with_their_reasons(raw) -> None:
    header, *rows = by_caption(gather("demo"))["Thresholds"]
    by_role = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    for key, category in raw["demo"]["categories"].items():
        if category.get("threshold") is None:
            continue
        row = by_role[ROLES[key].name]
        sign = ROLES[key].sign or 1
        assert _number(row["A head has it from"]) == pytest.approx(
            sign * category["threshold"], abs=6e-4
        )
        assert row["Why this threshold"] == category["threshold_reason"]
        assert row["n"] == str(category["n"])


def test_the_paragraph_in_front_counts_right() -> None:
    gathered = gather("demo")
    entry, words = gathered.entry, document(gathered).lead[0].words
    assert "4 layers of 8 attention heads, 32 heads in all" in words
    for key in ("previous_token", "induction", "duplicate_token", "diffuse"):
        has = entry.heads_over(key)
        name, verb = ROLES[key].name, "looks" if has == 1 else "look"
        assert f"{has} {verb} at {ROLES[key].looks_at} ({name})" in words
    none = len(entry.listed("other"))
    assert f"{none} of 32 do none of these" in words
    tested = {
        (key, head.layer, head.head): set()
        for key, role in entry.causal.items() for one in role.everywhere for head in one.heads
    }  # fmt: skip
    for key, role in entry.causal.items():
        for one in role.everywhere:
            for head in one.heads:
                tested[key, head.layer, head.head].add(head.verdict)
    holds = sum("holds_up" in verdicts for verdicts in tested.values())
    assert f"in {holds} of {len(tested)} cases" in words


def test_every_role_of_the_registry_has_its_part(entries) -> None:
    for kind in ("shipped", "version 1", "small"):
        entry = entries[kind]
        titles = {section.title for section in every(document(of_entry(entry)).sections)}
        wanted = {*BASIC_ROLES} | ({*EXTENDED_ROLES} if entry.extended else set())
        known = {key: entry.role(key).role for key in entry.categories}  # as it was measured then
        assert {known.get(key, ROLES[key]).name for key in wanted} <= titles


def test_verdicts_are_counted_out_of_all_tests(raw) -> None:
    _, *rows = by_caption(gather("demo"))["Verdicts on single heads, per role and kind of text"]
    every = [
        head["verdict"]
        for role in raw["demo"]["causal"].values()
        for one in (role, *role.get("also", ()))
        for head in one["heads"]
    ]
    assert sum(int(row[1].split()[0]) for row in rows) == len(every)
    assert all(row[1].endswith(f" of {len(every)}") for row in rows)


# ------------------------------------------------------------------ what is not there


def test_what_is_missing_is_said(entries) -> None:
    said = missing(of_entry(entries["attention only"]))
    assert any("S-inhibition" in one and "name movers" in one for one in said)
    said = missing(of_entry(entries["unseen"]))
    assert any(one.startswith("Induction, in part") and "layer 0" in one for one in said)
    said = missing(of_entry(entries["lists made elsewhere"]))
    assert any("Diffuse" in one and "Duplicate token" in one for one in said)
    assert any("not listed as Previous token or Induction" in one for one in said)
    said = missing(of_entry(entries["small"]))
    assert any("knocked out" in one for one in said)
    assert any(one.startswith("Circuits:") for one in said)


def test_roles_that_are_younger_than_the_analysis_are_named() -> None:
    plain = json.loads((ROOT / "data" / "head_categories.json").read_text())["demo"]
    for part in ("categories", "all_scores", "standard_errors", "controls", "factors", "hints"):
        plain[part].pop("delimiter", None)
    entry = ModelEntry.model_validate(plain)
    assert any("Delimiter" in one and "older" in one for one in missing(of_entry(entry)))
    section = next(
        one for one in every(document(of_entry(entry)).sections) if one.title == "Delimiter"
    )
    assert any("Not measured" in getattr(block, "words", "") for block in section.blocks)


def test_a_damaged_file_of_real_text_costs_only_its_part(entries, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    (tmp_path / "real_text").mkdir()
    file = store.real_text.path_of("demo")
    file.write_text('{"version": 1, "model')
    text = html(of_entry(entries["shipped"]))
    assert "cannot be read" in text
    assert "Every head in every role" in text
    assert any(
        "Real text: " in one and "cannot be read" in one
        for one in missing(of_entry(entries["shipped"]))
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_layers": 9}, "of 9 layers of 8 heads"),
        ({"revision": "sha256:0123456789abcdef"}, "other weights"),
    ],
)
def test_real_text_of_another_model_is_not_shown(
    entries, tmp_path, monkeypatch, changes: dict, said: str
) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    entry = entries["shipped"]
    store.write_real_text(store.RealText(**(_real_text(entry) | changes)))
    gathered = of_entry(entry)
    assert gathered.real_text is None
    assert said in html(gathered)
    store.write_real_text(store.RealText(**_real_text(entry)))
    assert of_entry(entry).real_text is not None


def test_passages_that_this_machine_lacks_are_counted(entries, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    store.write_real_text(store.RealText(**_real_text(entries["shipped"])))
    assert any("1 of 1 passage" in one for one in missing(of_entry(entries["shipped"])))


def test_a_damaged_file_of_scores_is_said(tmp_path) -> None:
    path = tmp_path / "head_categories.json"
    store.write_entry(store.read_entry("demo"), path)
    assert gather("demo", path=path).backup_since is None
    store.write_entry(store.read_entry("attn-only-1l-tiny"), path)
    path.write_text("{")
    gathered = gather("demo", path=path)
    assert gathered.backup_since is not None
    assert "file of reference scores is damaged" in html(gathered)


def test_a_model_without_an_analysis_is_an_error() -> None:
    with pytest.raises(CategoriesMissingError):
        gather("gpt2")


def test_scores_of_other_weights_are_said(entries) -> None:
    entry = entries["shipped"].model_copy(update={"revision": "sha256:0123456789abcdef"})
    gathered = of_entry(entry)
    assert gathered.other_weights is not None
    assert gathered.facts is None
    assert "measured on other weights" in html(gathered)


def test_a_report_of_a_real_model_is_bounded() -> None:
    gathered = gather("smollm2-135m-instruct")
    assert len(html(gathered).encode()) < 3_000_000
    assert len(markdown(gathered).encode()) < 1_000_000


def _real_text(entry: ModelEntry) -> dict[str, object]:
    return {
        "model_name": "demo",
        "revision": entry.revision,
        "num_layers": entry.num_layers,
        "num_heads": entry.num_heads,
        "date": "2026-11-27",
        "seed": 0,
        "python": "3.11",
        "sources": [{"key": "manual", "name": "A manual", "licence": "PSF", "tokens": 12}],
        "passages": [{"digest": "0" * 12, "source": "manual", "document": "x", "place": 0}],
    }


def missing(gathered: Gathered) -> list[str]:
    """What the last section says is not there."""
    return list(document(gathered).sections[-1].blocks[-1].items)


def every(sections: Iterable[Section]) -> Iterator[Section]:
    """Every section and those within it."""
    for section in sections:
        yield section
        yield from every(section.sections)


def by_caption(gathered: Gathered) -> dict[str, list[list[str]]]:
    """{caption: header and rows} of the HTML's tables."""
    text = html(gathered)
    captions = re.findall(r"<table><caption>(.*?)</caption>", text)
    tables = Page(text).tables
    assert len(captions) == len(tables)
    return dict(zip(captions, tables, strict=True))


def _number(cell: str) -> float:
    return float(cell.split()[0].replace("−", "-").replace("+", ""))

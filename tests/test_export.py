"""What is taken away from a page: read back with other tools, run, and looked at."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

import headroles
from headroles.charts import attention as charts_attention
from headroles.charts import heads
from headroles.errors import ExportError
from headroles.export import pictures, tables
from headroles.export import provenance as export_provenance
from headroles.export.notebook import notebook, script
from headroles.export.pictures import chart_image
from headroles.export.provenance import provenance
from headroles.export.tables import (
    attention_csv,
    csv_bytes,
    guarded,
    heads_csv,
    heads_json,
    prompt_rows,
    summary_rows,
)
from headroles.head_detection import get_active_head_summary
from headroles.models import load_model, model_revision
from headroles.paths import ROOT
from headroles.roles import DEFINITIONS_VERSION, ROLES, SCORED_ROLES
from headroles.scoring import evidence
from headroles.store import categories
from headroles.types import Encoding, Head, PromptRun
from headroles.verdicts import DEFAULT_THRESHOLDS, score_prompt
from tests.entries import HEADS, LAYERS, entry
from tests.facts import says
from tests.test_scoring import even, perfect, repeats, sink

IDS = repeats(2)
TOKENS = ("<|endoftext|>", "A", " =B", "#C", "A", " =B", "#C")
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
NASTY = 'He said, "=1+1", then;=2+2\n=3+3 # and\t@x, -4 |+5, ＝6 \u2028=7'
"""A prompt of which every piece would be a formula of its own."""


def planted(prompt: str = "A =B#C A =B#C", model: str = "tiny") -> PromptRun:
    """L1H2 is a perfect induction head, L0H1 spreads evenly, every other head rests."""
    attention = sink(len(IDS)).repeat(LAYERS, HEADS, 1, 1)
    attention[1, 2] = perfect("induction", IDS)
    attention[0, 1] = even(len(IDS))
    encoding = Encoding(tuple(IDS), TOKENS, "<|endoftext|>", False, len(IDS) + 2)
    return PromptRun(model, prompt, encoding, attention, ())


def origin(run: PromptRun | None = None, **settings: object) -> dict[str, object]:
    return provenance(run or planted(), entry(), **{"revision": "abc", "when": NOON, **settings})


def rows_of(run: PromptRun) -> list[dict[str, object]]:
    scores = score_prompt(run.attention, run.token_ids)
    return prompt_rows(scores, thresholds=DEFAULT_THRESHOLDS, entry=entry())


def read(text: str) -> pd.DataFrame:
    """As somebody opens the downloaded file with pandas."""
    return pd.read_csv(io.BytesIO(csv_bytes(text)), comment="#", keep_default_na=False)


def comments(text: str) -> dict[str, object]:
    """The provenance, read back from the comment lines."""
    lines = [line for line in text.split("\n") if line.startswith("# ")]
    return {name: json.loads(value) for name, value in (line[2:].split(": ", 1) for line in lines)}


# ------------------------------------------------------------------ where it comes from


def test_provenance_says_all_that_it_takes_to_repeat_the_numbers() -> None:
    found = origin()
    assert found["headroles_version"] == headroles.__version__
    assert found["definitions_version"] == DEFINITIONS_VERSION
    assert found["date"] == "2026-01-31T12:00:00+00:00"
    assert (found["model"], found["revision"]) == ("tiny", "abc")
    assert found["prompt"] == "A =B#C A =B#C"
    assert found["tokens"] == list(TOKENS)
    assert found["token_ids"] == IDS
    assert found["tokens_left_out"] == 2
    assert found["thresholds"] == {role.key: 0.5 for role in SCORED_ROLES}  # the entry's
    assert found["thresholds_are_calibrated"] is True
    assert found["analysis"]["revision"] == "sha256:0"
    assert (found["analysis"]["date"], found["analysis"]["seed"]) == ("2026-01-31", 0)
    assert found["libraries"]["torch"].startswith(torch.__version__.partition("+")[0])
    json.dumps(found, allow_nan=False)


def test_without_an_analysis_the_thresholds_are_said_to_be_provisional() -> None:
    found = provenance(planted(), None, revision="abc")
    assert found["thresholds"] == DEFAULT_THRESHOLDS
    assert found["thresholds_are_calibrated"] is False
    assert found["analysis"] is None
    assert origin(thresholds={"induction": 0.3})["thresholds"] == {"induction": 0.3}
    assert abs(datetime.fromisoformat(found["date"]) - datetime.now(UTC)).total_seconds() < 600


def test_no_path_of_the_machine_is_told() -> None:
    assert origin(planted(model="demo"))["source"] == "bundled with headroles"
    assert origin(planted(model="gpt2"))["source"] == "openai-community/gpt2"
    assert origin(planted(model="owner/name"))["source"] == "owner/name"
    assert str(ROOT) not in json.dumps(origin(planted(model="demo")))


# ------------------------------------------------------------------ tables


def test_every_head_has_a_row_in_every_role() -> None:
    rows = rows_of(planted())
    assert len(rows) == LAYERS * HEADS * len(SCORED_ROLES)
    by_place = {(row["role"], row["label"]): row for row in rows}
    induction = by_place["induction", "L1H2"]
    assert induction["activation_score"] == pytest.approx(1, abs=1e-6)
    # rows 4, 5 and 6, as a share of all but column 0
    chance = (1 / 5 + 1 / 6 + 1 / 7) / (4 / 5 + 5 / 6 + 6 / 7)
    assert induction["chance"] == pytest.approx(chance)
    assert (induction["rows"], induction["state"], induction["threshold"]) == (3, "active", 0.4)
    assert (induction["listed"], induction["score"]) == (True, 1.0)  # of tests/entries.py
    assert (induction["standard_error"], induction["kind_error"]) == (1.0, None)  # one kind
    assert by_place["diffuse", "L0H1"]["activation_score"] == pytest.approx(1, abs=1e-6)
    resting = by_place["positional", "L0H0"]
    assert (resting["activation_score"], resting["listed"], resting["score"]) == (1, False, 0.125)


def test_without_an_analysis_there_are_numbers_of_the_prompt_only() -> None:
    run = planted()
    scores = score_prompt(run.attention, run.token_ids)
    row = prompt_rows(scores, thresholds=DEFAULT_THRESHOLDS)[0]
    unknown = ("score", "standard_error", "kind_error", "listed")
    assert [row[name] for name in unknown] == [None, None, None, False]


def test_a_summary_becomes_one_row_a_listed_head(tmp_path: Path) -> None:
    path = tmp_path / "head_categories.json"
    categories.write_entry(entry("tiny"), path)
    rows = summary_rows(get_active_head_summary(planted(), "tiny", path=path))
    assert [(row["role"], row["label"]) for row in rows[:3]] == [
        ("previous_token", "L1H2"),
        ("previous_token", "L1H1"),
        ("induction", "L1H2"),
    ]
    table = read(heads_csv(rows, origin()))
    assert len(table) == len(rows) == 11  # two a scored role, and one that fits nothing
    assert table["roles"][0] == "; ".join(role.key for role in SCORED_ROLES)


def test_pandas_reads_the_numbers_back() -> None:
    rows = rows_of(planted(NASTY))
    table = read(heads_csv(rows, origin(planted(NASTY))))
    assert list(table.columns) == list(dict.fromkeys(name for row in rows for name in row))
    assert len(table) == len(rows)
    is_diffuse = [row["role"] == "diffuse" for row in rows]
    assert table["largest_weight"].ne("").tolist() == is_diffuse
    for name in ("activation_score", "chance", "threshold", "needed", "resting_share", "score"):
        expected = [row[name] for row in rows]
        assert table[name].tolist() == pytest.approx(expected, abs=1e-8)
    assert table["label"].tolist() == [row["label"] for row in rows]
    assert table["listed"].tolist() == [row["listed"] for row in rows]


def test_the_comments_are_the_provenance_to_the_letter() -> None:
    found = origin(planted(NASTY))
    assert comments(heads_csv(rows_of(planted()), found)) == found


def test_json_holds_the_same() -> None:
    found, rows = origin(planted(NASTY)), rows_of(planted())
    loaded = json.loads(heads_json(rows, found))
    assert loaded["provenance"] == found
    assert [row["label"] for row in loaded["heads"]] == [row["label"] for row in rows]
    for got, row in zip(loaded["heads"], rows, strict=True):
        assert got["activation_score"] == pytest.approx(row["activation_score"], abs=1e-8)
    none = json.loads(heads_json([{"score": math.nan}], {}))["heads"]
    assert none == [{"score": None}]  # no reader but Python's would take NaN


def test_an_attention_pattern_has_a_line_for_every_cell() -> None:
    run = planted()
    pattern = run.attention[1, 2]
    targets = evidence(pattern, run.token_ids, "induction")
    text = attention_csv(pattern, run.tokens, provenance={"head": "L1H2"}, targets=targets)
    table = read(text)
    assert comments(text) == {"head": "L1H2"}
    assert len(table) == 7 * 8 / 2
    for line in table.itertuples():
        assert line.attention == pytest.approx(float(pattern[line.query, line.key]), abs=1e-8)
        assert line.query_token.removeprefix("'") == run.tokens[line.query]
        assert line.key_token.removeprefix("'") == run.tokens[line.key]
    # The follower of the earlier copy, by hand: A at 1 and 4, B at 2 and 5, C at 3 and 6
    outlined = table[table.outlined]
    assert [*zip(outlined["query"], outlined["key"], strict=True)] == [(4, 2), (5, 3), (6, 4)]


def test_a_token_that_looks_like_a_comment_stays_a_token() -> None:
    text = attention_csv(even(2), ["start", "#C"], provenance={})
    assert read(text)["query_token"].tolist() == ["start", "#C", "#C"]
    text = attention_csv(even(2), ["start", 'a "quoted", one\n'], provenance={})
    assert read(text)["query_token"].tolist()[1] == 'a "quoted", one\n'


# ------------------------------------------------------------------ formulas


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =B", "＝1", "'=1"]
)
def test_what_could_be_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", " ", "cat", " cat", "#", "1=1", "a-b", "“"])
def test_what_cannot_be_one_is_left_alone(text: str) -> None:
    assert guarded(text) == text


@given(st.text(st.characters(exclude_characters="\0") | st.sampled_from("=+-@'\t ")))
def test_taking_one_apostrophe_away_gives_the_text_back(text: str) -> None:
    assert guarded(text).removeprefix("'") == text


def formulas(text: str, delimiter: str) -> list[str]:
    """The cells of a file that a spreadsheet would compute, however it takes quotes and spaces."""
    cells = [
        cell
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        for cell in line
    ]
    return [cell for cell in cells if re.match(r"[\s\"]*[=+\-@＝＋－＠]", cell)]


@given(st.text(st.sampled_from("=+-@＝,;|\t\"' \n\r\u2028ab1"), max_size=30))
@example(NASTY)
@example("a,=HYPERLINK(1)")
def test_no_prompt_becomes_a_formula_in_a_spreadsheet(prompt: str) -> None:
    found = {"prompt": prompt, "tokens": [prompt, "=1"]}
    text = heads_csv([{"label": "L1H1", "token": prompt, "tokens": [prompt]}], found)
    assert not formulas(text, ",")
    above = text[: text.index('"label"')]  # the comments are not quoted, so nothing may split them
    for delimiter in (";", "\t", "|"):  # what a spreadsheet may be set to
        assert not formulas(above, delimiter)
    assert comments(text) == found


def test_the_check_for_formulas_finds_one() -> None:
    assert formulas("# prompt: hi,=1+1\n", ",") == ["=1+1"]
    assert formulas('"a"," =1+1"\n', ",") == [" =1+1"]


def test_a_file_can_always_be_written() -> None:
    raw = csv_bytes(heads_csv([{"token": "half \ud83d and \0"}], {"prompt": "\ud83d"}))
    assert raw.startswith(b"\xef\xbb\xbf# prompt")
    assert pd.read_csv(io.BytesIO(raw), comment="#")["token"][0] == "half ? and ␀"


# ------------------------------------------------------------------ code


@pytest.fixture(scope="module")
def exported():
    """A run of the bundled model, the rows of two heads in all roles, and where they come from."""
    from headroles.capture.attention import capture

    loaded = load_model("demo")
    prompt = "Tom's \"red\" ball\nand a\\n blue hat. 'Tom' has a red ball 👩‍🚀 שלום {x} %s"
    run = capture(loaded, prompt)
    scores = score_prompt(run.attention, run.token_ids)
    rows = prompt_rows(scores, thresholds=DEFAULT_THRESHOLDS)
    rows = [row for row in rows if row["label"] in ("L1H3", "L3H7")]
    origin = provenance(run, None, revision=model_revision(loaded.source), when=NOON)
    return run, rows, origin


def python(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a file in a process of its own, as somebody would who downloaded it."""
    path = folder / "reproduce.py"
    path.write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def python_file(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A file, run from its own folder without the project on the path."""
    return subprocess.run(
        [sys.executable, str(file), *arguments],
        cwd=file.parent,
        env={"HF_HUB_OFFLINE": "1", "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def assert_prints(result: subprocess.CompletedProcess[str], rows: list[dict[str, object]]) -> None:
    """The numbers that a fresh process finds are those of the page, to 1e-6."""
    assert result.returncode == 0, result.stderr
    head, *lines, last = result.stdout.splitlines()
    assert head.split("\t") == ["role", "head", "now", "page"]
    assert says(last, "10 numbers", "largest difference")
    assert len(lines) == len(rows) == 10
    for line, row in zip(lines, rows, strict=True):
        role, label, now, page = line.split("\t")
        assert (role, label) == (row["role"], row["label"])
        assert float(now) == pytest.approx(row["activation_score"], abs=1e-6)
        assert float(page) == pytest.approx(row["activation_score"], abs=1e-7)
    assert any(float(line.split("\t")[2]) > 0.01 for line in lines)


@pytest.mark.slow
def test_the_script_makes_the_numbers_of_the_page_again(exported, tmp_path: Path) -> None:
    run, rows, origin = exported
    source = script(run, rows, provenance=origin)
    assert source.isascii()  # whatever an editor makes of other scripts and direction marks
    assert max(map(len, source.splitlines())) < 1_000
    assert_prints(python(source, tmp_path), rows)


@pytest.mark.slow
def test_the_script_stands_alone_and_says_what_it_needs(exported, tmp_path: Path) -> None:
    run, rows, origin = exported
    file = tmp_path / "again.py"
    file.write_text(script(run, rows, provenance=origin), encoding="ascii")
    without = python_file(file)
    assert without.returncode == 1
    assert says(without.stderr, "headroles was not found", "again", "folder of the project")
    assert "Traceback" not in without.stderr
    assert_prints(python_file(file, str(ROOT)), rows)
    (tmp_path / "headroles").mkdir()  # a folder of that name is not the project
    assert says(python_file(file).stderr, "headroles was not found")


def test_the_notebook_says_what_it_needs(exported, tmp_path: Path) -> None:
    run, rows, origin = exported
    document = json.loads(notebook(run, rows, provenance=origin))
    assert says("".join(document["cells"][0]["source"]), "pip install -r PROJECT/requirements.txt")
    (tmp_path / "cell.py").write_text("".join(document["cells"][2]["source"]), encoding="ascii")
    assert says(python_file(tmp_path / "cell.py").stderr, "headroles was not found", "project")


@pytest.mark.slow
def test_the_notebook_makes_them_too(exported, tmp_path: Path) -> None:
    run, rows, origin = exported
    document = json.loads(notebook(run, rows, provenance=origin))
    code = ["".join(one["source"]) for one in document["cells"] if one["cell_type"] == "code"]
    # As a kernel does: one cell after the other in one namespace.
    runner = f"space = {{}}\nfor cell in {code!a}:\n    exec(cell, space)\n"
    assert_prints(python(runner, tmp_path), rows)


@pytest.mark.slow
def test_the_script_notices_other_weights_and_other_tokens(exported, tmp_path: Path) -> None:
    run, rows, origin = exported
    other = script(run, rows[:1], provenance={**origin, "revision": "sha256:other"})
    shown = python(other, tmp_path).stdout
    assert says(shown.splitlines()[0], "note", "weights", "not")
    moved = Encoding((*run.token_ids[:-1], 7), run.tokens, "x", False, len(run.tokens))
    changed = PromptRun("demo", run.prompt, moved, run.attention, ())
    result = python(script(changed, rows[:1], provenance=origin), tmp_path)
    assert result.returncode == 1
    assert "The tokens differ" in result.stderr


def test_the_notebook_is_of_the_format(exported) -> None:
    """The rules of nbformat 4.5 that its schema demands of such a notebook."""
    run, rows, origin = exported
    document = json.loads(notebook(run, rows, provenance=origin))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert set(document) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    ids = [cell["id"] for cell in document["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", one) for one in ids)
    for cell in document["cells"]:
        needed = {"id", "cell_type", "metadata", "source"}
        if cell["cell_type"] == "code":
            needed |= {"execution_count", "outputs"}
            compile("".join(cell["source"]), "a cell", "exec")
        assert set(cell) == needed
        assert all(isinstance(line, str) for line in cell["source"])
    assert {cell["cell_type"] for cell in document["cells"]} == {"markdown", "code"}


@pytest.mark.slow
@given(st.text())
@example('"""\nimport os\n"""')
@example("'); print('x")
@example("\\' \ud83d {} %s")
def test_a_prompt_is_never_code(prompt: str) -> None:
    run = planted(prompt, model="owner/name")
    source = script(run, rows_of(planted())[:1], provenance=origin(run))
    import ast

    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and node.targets[0].id.isupper()
    }
    assert assigned["PROMPT"] == prompt
    assert assigned["MODEL"] == "owner/name"
    assert assigned["TOKEN_IDS"] == IDS


# ------------------------------------------------------------------ pictures

SVG = "{http://www.w3.org/2000/svg}"


def pattern_chart(labels: list[str]) -> dict[str, object]:
    cells = charts_attention.pattern_cells(even(len(labels)).tolist())
    return charts_attention.attention_pattern(cells, labels, ROLES["induction"]).to_dict()


def bars() -> dict[str, object]:
    record = {
        "order": 0,
        "layer": 1,
        "head": 2,
        "label": "L1H2",
        "note": "also Previous token",
        "value": 0.8,
        "chance": 0.1,
        "needed": 0.4,
        "needs": "40%",
        "state": "active",
        "applies": True,
        "shown": "80% · active",
        "reason": "Active.",
    }
    return heads.head_bars([record], ROLES["induction"]).to_dict()


def parse(raw: bytes) -> ElementTree.Element:
    root = ElementTree.fromstring(raw)
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_png_is_as_large_as_it_should_be_and_not_blank(theme: str) -> None:
    spec = pattern_chart(["start", "cat", "sat"])
    size = parse(chart_image(spec, "svg", theme=theme, width=400)).attrib
    assert float(size["width"]) == 400
    for scale in (1.0, 2.0):
        raw = chart_image(spec, "png", theme=theme, width=400, scale=scale)
        picture = Image.open(io.BytesIO(raw)).convert("RGB")
        assert picture.size == (400 * scale, float(size["height"]) * scale)
        background, _ = pictures.THEMES[theme]
        corner = "#{:02x}{:02x}{:02x}".format(*picture.getpixel((1, 1)))
        assert corner == background
        other = sum(
            count
            for count, colour in picture.getcolors(1 << 24)
            if colour != picture.getpixel((1, 1))
        )
        assert other > 0.05 * picture.width * picture.height  # the cells of the pattern


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_svg_holds_its_labels_in_the_ink_of_the_theme(theme: str) -> None:
    root = parse(chart_image(bars(), "svg", theme=theme))
    found = texts(root)
    for text in ("L1H2", "also Previous token", "80% · active", "50%"):
        assert text in found
    background, ink = pictures.THEMES[theme]
    assert {one.get("fill") for one in root.iter(f"{SVG}text")} == {ink}
    assert root.find(f"{SVG}rect").get("fill") == background
    assert float(root.get("width")) == pictures.WIDTH


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", pictures.THEMES)
def test_text_can_be_read_on_its_background(theme: str) -> None:
    assert _contrast(*pictures.THEMES[theme]) > 12


def test_the_themes_are_those_of_the_pages() -> None:
    import tomllib

    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    for theme, colours in pictures.THEMES.items():
        page = config["theme"][theme]
        assert colours == (page["backgroundColor"], page["textColor"])


def test_nothing_of_a_page_is_left_in_a_picture() -> None:
    raw = chart_image(bars(), "svg")
    assert b"currentColor" not in raw
    assert b"container" in json.dumps(bars()).encode()  # the chart does come with both
    assert b"currentColor" in json.dumps(bars()).encode()


def test_what_a_chart_does_not_colour_takes_the_ink_too() -> None:
    spec = {
        "title": "Plain",
        "data": {"values": [{"a": 1, "b": "word"}]},
        "mark": "text",
        "encoding": {"text": {"field": "b"}, "x": {"field": "a"}},
    }
    root = parse(chart_image(spec, "svg", theme="dark"))
    assert {"Plain", "word", "a"} <= set(texts(root))
    assert {one.get("fill") for one in root.iter(f"{SVG}text")} == {pictures.THEMES["dark"][1]}


def test_words_of_a_prompt_are_never_taken_for_settings() -> None:
    root = parse(chart_image(pattern_chart(["start", "currentColor", "container"]), "svg"))
    assert {"currentColor", "container"} <= set(texts(root))


def test_markup_in_a_token_stays_text() -> None:
    root = parse(chart_image(pattern_chart(["start", "<b>&", "שלום"]), "svg"))
    assert {"<b>&", "שלום"} <= set(texts(root))


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_token_that_svg_cannot_hold_does_not_end_the_process(kind: str) -> None:
    odd = ["start", "bell \x07", "half \ud83d", "end \x17\ufffe", "👩‍🚀"]
    raw = chart_image(pattern_chart(odd), kind, title="half \ud83d")
    if kind == "svg":
        assert {"bell \ufffd", "half \ufffd", "end \ufffd\ufffd", "👩‍🚀"} <= set(texts(parse(raw)))


def test_a_title_says_what_the_picture_is_of() -> None:
    title = "Induction on “The cat sat on the mat. The cat”, Headroles demo, " * 3
    root = parse(chart_image(bars(), "svg", title=title))
    assert all(any(word in text for text in texts(root)) for word in title.split())
    plain = parse(chart_image(bars(), "svg"))
    assert float(root.get("height")) > float(plain.get("height"))
    assert "Induction on" not in " ".join(texts(plain))


def test_the_chart_that_was_given_stays_as_it_is() -> None:
    spec = bars()
    before = json.dumps(spec)
    chart_image(spec, "svg", title="A title")
    assert json.dumps(spec) == before


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ExportError, match=r"no picture format 'gif'\. Choose png or svg"):
        chart_image(bars(), "gif")
    with pytest.raises(ExportError, match="no theme 'pink'"):
        chart_image(bars(), "png", theme="pink")
    with pytest.raises(ExportError, match="could not be made"):
        chart_image({"mark": "no such mark", "encoding": 3}, "png")


def test_a_picture_fetches_nothing(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,word\n")
    # A process of its own: the converter lets no other thread of this one answer it.
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            port = re.search(r"port (\d+)", server.stdout.readline())[1]
            url = f"http://127.0.0.1:{port}/data.csv"
            with urllib.request.urlopen(url, timeout=30) as reply:  # it could be reached
                assert b"word" in reply.read()
            spec = {"data": {"url": url}, "mark": "text", "encoding": {"text": {"field": "b"}}}
            with pytest.raises(ExportError, match=r"not allowed: http://127.0.0.1"):
                chart_image(spec, "svg")
        finally:
            server.terminate()


def test_the_heads_of_a_row_are_written_as_people_read_them() -> None:
    assert {row["label"] for row in rows_of(planted())} == {
        Head(layer, head).label for layer in range(LAYERS) for head in range(HEADS)
    }


# ------------------------------------------------------------------ reference scores


def test_reference_scores_are_those_of_the_stored_analysis() -> None:
    stored = entry()
    rows = tables.reference_rows(stored)
    assert len(rows) == len(SCORED_ROLES) * LAYERS * HEADS
    for row in rows:
        place = row["layer"], row["head"]
        assert row["score"] == stored.all_scores[row["role"]][place[0]][place[1]]
        listed = [(top.layer, top.head) for top in stored.categories[row["role"]].top_heads]
        assert row["listed"] is (place in listed)
        assert row["over_threshold"] is (row["score"] >= row["threshold"])


def test_the_provenance_of_reference_scores_names_no_prompt() -> None:
    stored = entry()
    found = export_provenance.reference_provenance(stored, when=NOON)
    assert found["date"] == "2026-01-31T12:00:00+00:00"
    assert found["analysis"]["revision"] == stored.revision
    assert found["analysis"]["definitions_version"] == stored.definitions_version
    assert "prompt" not in found

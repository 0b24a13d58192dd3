"""What the download buttons offer: which files a page has, and what is in them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from headroles import store
from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import ROLES, SCORED_ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import caches, files, session
from headroles.ui.head_closeup import files as head_closeup_files
from headroles.ui.head_map import files as head_map_files
from headroles.ui.your_prompt import files as your_prompt_files
from headroles.verdicts import thresholds_in
from headroles.view import head_maps, map_marks, two_texts
from headroles.view.map_marks import OVER, TOP, Marks
from tests.facts import says
from tests.pages.planted import PLANTED
from tests.pages.planted_extended import with_extended

pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]

CODE = ["Python script", "Jupyter notebook"]
PICTURES = ["Chart as PNG", "Chart as SVG"]


def open_page(page: str = session.YOUR_PROMPT):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.switch_page(page).run()
    assert not app.exception
    return app


def offered(app) -> list[str]:
    return [button.proto.label for button in app.get("download_button")]


def made(found: list[files.File], label: str) -> bytes:
    (file,) = (file for file in found if file.label == label)
    return file.make()


def read_csv(data: bytes) -> tuple[dict[str, object], list[dict[str, str]]]:
    """Provenance and rows."""
    lines = data.decode("utf-8-sig").splitlines(keepends=True)
    comments = [line[2:].partition(": ") for line in lines if line.startswith("# ")]
    rows = csv.DictReader(io.StringIO("".join(line for line in lines if line[0] != "#")))
    return {name: json.loads(value) for name, _, value in comments}, list(rows)


@pytest.fixture
def answered():
    """The default prompt's answer, and the planted analysis."""
    found = caches.answer("demo", DEFAULT_PROMPT)
    return found, caches.stored("demo")


# ------------------------------------------------------------------ what is offered


def test_your_prompt_offers_numbers_and_code() -> None:
    app = open_page()
    assert offered(app) == ["Heads as CSV", "Heads as JSON", *CODE]
    app.button(key="your_prompt-compare").click().run()
    assert offered(app) == ["Heads as CSV", "Heads as JSON", *CODE, "Both prompts as CSV"]


def test_the_other_pages_offer_numbers_and_pictures() -> None:
    roles = ["Roles as CSV", "Roles as JSON"]
    assert offered(open_page(session.CLOSEUP)) == ["Attention as CSV", *roles, *PICTURES]
    tables, reports = ["Table as CSV", "Table as JSON"], ["Report as HTML", "Report as Markdown"]
    assert offered(open_page(session.MAP)) == [*tables, *reports, *PICTURES]


@pytest.mark.parametrize("page", [session.CLOSEUP, session.MAP])
def test_without_the_library_for_pictures_a_sentence_says_so(monkeypatch, page: str) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    app = open_page(page)
    assert not set(PICTURES) & set(offered(app))
    assert any("pip install vl-convert-python" in caption.value for caption in app.caption)


def test_nothing_is_made_before_it_is_asked_for(monkeypatch) -> None:
    from headroles.export import notebook, pictures, provenance, tables

    def never(*args: object, **settings: object) -> None:
        raise AssertionError("made too early")

    for module, name in (
        *((tables, name) for name in ("heads_csv", "heads_json", "attention_csv")),
        *((provenance, "provenance"), (notebook, "script"), (pictures, "chart_image")),
    ):
        monkeypatch.setattr(module, name, never)
    for page in (session.YOUR_PROMPT, session.CLOSEUP, session.MAP):
        open_page(page)


# ------------------------------------------------------------------ what is in them


def test_the_heads_of_the_prompt_with_their_provenance(answered) -> None:
    origin, rows = read_csv(made(your_prompt_files.of_prompt(*answered), "Heads as CSV"))
    assert origin["model"] == "demo"
    assert origin["prompt"] == DEFAULT_PROMPT
    assert origin["revision"].startswith("sha256:")
    assert origin["tokens"] == list(answered[0].run.tokens)
    (induction,) = (row for row in rows if row["role"] == "induction")
    assert induction["label"] == PLANTED["induction"].label
    assert float(induction["activation_score"]) == 1.0


def test_csv_and_json_say_the_same(answered) -> None:
    _, rows = read_csv(made(your_prompt_files.of_prompt(*answered), "Heads as CSV"))
    document = json.loads(made(your_prompt_files.of_prompt(*answered), "Heads as JSON"))
    assert [row["label"] for row in rows] == [head["label"] for head in document["heads"]]
    assert document["provenance"]["prompt"] == DEFAULT_PROMPT


def test_without_an_analysis_every_head_is_in_the_file(answered) -> None:
    _, rows = read_csv(
        made(your_prompt_files.of_prompt(answered[0], caches.provisional()), "Heads as CSV")
    )
    assert len(rows) == 5 * 32


def test_the_code_is_python_and_a_notebook(answered) -> None:
    script = made(your_prompt_files.of_prompt(*answered), "Python script").decode()
    compile(script, "again.py", "exec")
    assert repr(DEFAULT_PROMPT) in script
    notebook = json.loads(made(your_prompt_files.of_prompt(*answered), "Jupyter notebook"))
    assert notebook["nbformat"] == 4


def test_both_prompts_in_one_table(answered) -> None:
    from headroles.verdicts import summarize
    from headroles.view import role_cards
    from headroles.view.two_prompts import role_pairs

    found, reference = answered
    second = caches.answer("demo", "The cat sat on the mat.")
    pairs = role_pairs(
        *(role_cards.role_cards(summarize(reference.entry, one.scores)) for one in (found, second))
    )
    offer = your_prompt_files.of_comparison(found, second, reference=reference, pairs=pairs)
    origin, rows = read_csv(made(offer, "Both prompts as CSV"))
    assert (origin["prompt"], origin["second_prompt"]) == (found.run.prompt, second.run.prompt)
    (induction,) = (row for row in rows if row["role"] == "induction")
    assert (induction["first_state"], induction["second_state"]) == ("active", "not_applicable")
    assert induction["change"] == "became inactive"


def closeup_files(answered, *, rest_hidden: bool) -> list[files.File]:
    """The files of the planted induction head's close-up."""
    from headroles.roles.registry import ROLES
    from headroles.ui.head_closeup import pattern
    from headroles.ui.head_closeup.subject import Subject
    from headroles.verdicts.head import passport
    from headroles.view.html import token_labels

    found, reference = answered
    one = Subject(
        found,
        reference,
        passport(reference.entry, Head(1, 1), known=(), thresholds=reference.thresholds),
        ROLES["induction"],
        tuple(token_labels(found.run.encoding)),
    )
    return head_closeup_files.of_closeup(
        one, pattern.shown(one, rest_hidden=rest_hidden), extended=False
    )


@pytest.mark.parametrize("rest_hidden", [False, True])
def test_the_attention_as_it_is_shown(answered, rest_hidden: bool) -> None:
    offer = closeup_files(answered, rest_hidden=rest_hidden)
    assert offer[0].name == "headroles_demo_L1H1-induction-attention.csv"
    origin, rows = read_csv(made(offer, "Attention as CSV"))
    assert (origin["head"], origin["role"]) == ("L1H1", "induction")
    assert origin["resting_column_hidden"] is rest_hidden
    assert len(rows) == 17 * 18 // 2  # 16 tokens after the start token
    first_row = next(row for row in rows if row["query"] == "1" and row["key"] == "0")
    assert float(first_row["attention"]) == (0.0 if rest_hidden else 1.0)  # there it rests
    # The second "cat" (9) looks at "sat" (3), which followed the first.
    evidence = next(row for row in rows if row["query"] == "9" and row["key"] == "3")
    assert (float(evidence["attention"]), evidence["outlined"]) == (1.0, "True")


def test_pictures_of_the_pattern(answered) -> None:
    offer = closeup_files(answered, rest_hidden=False)
    assert made(offer, "Chart as PNG").startswith(b"\x89PNG")
    drawn = made(offer, "Chart as SVG").decode()
    assert drawn.startswith("<svg")
    assert "L1H1 as Induction" in drawn
    assert says(drawn, "Headroles demo (bundled) · prompt: “The cat sat")


@pytest.mark.parametrize("prompt", [None, DEFAULT_PROMPT])
def test_the_table_of_the_map_is_that_of_its_source(answered, prompt: str | None) -> None:
    offer = head_map_files.of_map("demo", prompt, answered[1], extended=False)
    origin, rows = read_csv(made(offer, "Table as CSV"))
    assert len(rows) == 5 * 32
    assert ("prompt" in origin) is (prompt is not None)
    (planted,) = (row for row in rows if (row["role"], row["label"]) == ("induction", "L1H1"))
    assert float(planted["score"]) == 1.0
    assert planted["listed"] == "True"
    assert ("activation_score" in planted) is (prompt is not None)
    document = json.loads(made(offer, "Table as JSON"))
    assert len(document["heads"]) == len(rows)


@pytest.mark.parametrize("prompt", [None, DEFAULT_PROMPT])
def test_the_table_of_the_map_has_the_extended_roles_where_they_are_on(answered, prompt) -> None:
    entry = with_extended(answered[1].entry)
    offer = head_map_files.of_map("demo", prompt, answered[1]._replace(entry=entry), extended=True)
    _, rows = read_csv(made(offer, "Table as CSV"))
    assert len(rows) == 15 * 32  # all roles with a number but one
    mover = next(row for row in rows if (row["role"], row["label"]) == ("name_mover", "L2H0"))
    assert (float(mover["score"]), mover["unit"], mover["listed"]) == (1.5, "logits", "True")
    assert float(mover["control"]) == pytest.approx(0.15)
    if prompt is not None:
        assert mover["state"] == "not_from_one_prompt"
        assert mover["activation_score"] == ""
        back = next(row for row in rows if (row["role"], row["label"]) == ("fixed_offset", "L0H2"))
        assert 0 <= float(back["activation_score"]) <= 1
        assert back["peak_distance"] == "3"
    json.loads(made(offer, "Table as JSON"))


@pytest.mark.parametrize("marks", [Marks(TOP, most=3), Marks(OVER, share=0.5)])
def test_the_table_of_the_map_holds_the_marks_of_the_page(answered, marks: Marks) -> None:
    reference = answered[1]
    model = head_maps.of_entry(reference.entry, reference.thresholds)
    offer = head_map_files.of_map("demo", None, reference, extended=False, marked=(model, marks))
    document = json.loads(made(offer, "Table as JSON"))
    assert document["provenance"]["marks"]["way"] == marks.way
    for key, role_map in model.roles.items():
        rows = [row for row in document["heads"] if row["role"] == key]
        ranks = {row["label"]: row["mark_rank"] for row in rows if row["marked"]}
        drawn = map_marks.applied(role_map.records, marks, role_map.role)
        assert set(ranks) == {record["label"] for record in drawn if record["own"]}
        scores = {row["label"]: row["score"] for row in rows}
        if marks.way == TOP:
            assert sorted(ranks.values()) == [1, 2, 3]
        else:
            assert set(ranks) == {label for label, score in scores.items() if score >= 0.5}
        in_order = sorted(ranks, key=ranks.__getitem__)
        assert [scores[label] for label in in_order] == sorted(
            (scores[label] for label in in_order), reverse=True
        )
    _, lines = read_csv(made(offer, "Table as CSV"))
    assert {line["marked"] for line in lines} == {"True", "False"}


def test_without_marks_of_ones_own_the_table_is_as_it_was(answered) -> None:
    reference = answered[1]
    model = head_maps.of_entry(reference.entry, reference.thresholds)
    plain = head_map_files.of_map("demo", None, reference, extended=False)
    usual = head_map_files.of_map("demo", None, reference, extended=False, marked=(model, Marks()))
    first, second = (json.loads(made(one, "Table as JSON")) for one in (plain, usual))
    assert first["heads"] == second["heads"]
    assert "marks" not in second["provenance"]


def test_place_or_content_can_be_downloaded_of_all_heads_or_one() -> None:
    entry = store.read_entry("demo", ROOT / "data" / "head_categories.json")
    by_role = two_texts.two_texts(entry, thresholds_in(entry), extended=False)
    assert set(by_role) == {"previous_token", "positional", "diffuse"}
    origin, rows = read_csv(made(files.place_or_content(entry, by_role), "Place or content as CSV"))
    assert origin["model"] == "demo"
    assert len(rows) == 32 * len(by_role)
    head = Head(1, 1)
    alone = files.place_or_content(entry, by_role, only=head)
    document = json.loads(made(alone, "Place or content as JSON"))
    assert document["provenance"]["analysis"]
    assert [row["role"] for row in document["heads"]] == list(by_role)
    for row in document["heads"]:
        texts = by_role[row["role"]]
        assert row["label"] == head.label
        assert row["on_sentences"] == pytest.approx(texts.sentences[1][1], abs=1e-7)
        assert row["on_random_tokens"] == pytest.approx(texts.random[1][1], abs=1e-7)
        assert row["kind"] == texts.verdict(head).kind


def test_the_close_up_gives_the_heads_number_in_every_role(answered) -> None:
    offer = closeup_files(answered, rest_hidden=False)
    origin, rows = read_csv(made(offer, "Roles as CSV"))
    assert origin["head"] == "L1H1"
    assert [row["role"] for row in rows] == [role.key for role in SCORED_ROLES]
    assert {row["label"] for row in rows} == {"L1H1"}
    assert json.loads(made(offer, "Roles as JSON"))["heads"][0]["label"] == "L1H1"


def test_the_map_of_a_role_as_a_picture(answered) -> None:

    found, reference = answered
    model = head_maps.of_prompt(found.scores, reference.thresholds, reference.entry)
    offer = head_map_files.of_role_map("demo", model.roles["induction"], about="Headroles demo")
    assert [file.name for file in offer] == [
        "headroles_demo_map-induction.png",
        "headroles_demo_map-induction.svg",
    ]
    drawn = made(offer, "Chart as SVG").decode()
    assert "Induction" in drawn
    assert ">Headroles demo<" in drawn


def test_names_of_files_are_taken_by_every_system() -> None:
    assert (
        files.file_name("org/Mo:del*", "L1H3 ../x", "csv") == "headroles_org-Mo-del_L1H3-..-x.csv"
    )


# ------------------------------------------------------------------ the Knock-out lab


def lab(section: str):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.query_params["section"] = section
    app.switch_page("pages/knockout_lab.py").run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("section", "labels"),
    [
        ("one", {"Knock-out as CSV", "Knock-out as JSON", "Report as HTML", *PICTURES}),
        ("components", {"Components as CSV", "Components as JSON"}),
    ],
)
def test_a_section_of_the_knock_out_lab_can_be_downloaded(section: str, labels) -> None:
    assert labels <= set(offered(lab(section)))


def test_a_knock_out_with_the_random_heads_beside_it(answered) -> None:
    from headroles.ablation import Condition, HeadOutput, tabulate
    from headroles.ui.knockout_lab import caches as lab_caches
    from headroles.ui.knockout_lab import choose_heads
    from headroles.ui.knockout_lab import files as lab_files

    heads = (Head(1, 1), Head(1, 4))
    condition, other = (Condition(name, (HeadOutput(heads),)) for name in ("ours", "random"))
    with lab_caches.model("demo") as loaded:
        table = tabulate(loaded, DEFAULT_PROMPT, [condition, other])
    chosen = choose_heads.Chosen(condition, "L1H1 and L1H4 now output nothing.", (), "off here", 17)
    draws = [("random", table.rows[1].comparison)]
    found = lab_files.of_one(*answered, table, chosen, draws)
    origin, rows = read_csv(made(found, "Knock-out as CSV"))
    assert origin["prompt"] == DEFAULT_PROMPT
    assert origin["knocked_out"] == "L1H1 and L1H4 now output nothing."
    assert [(row["knocked_out"], row["random"]) for row in rows] == [
        ("ours", "False"),
        ("random", "True"),
    ]
    assert float(rows[0]["kl_nats"]) == pytest.approx(table.rows[0].comparison.kl, abs=1e-7)
    document = json.loads(made(found, "Knock-out as JSON"))
    assert len(document["knock_outs"]) == 2
    assert "now output nothing" in made(found, "Report as HTML").decode()


def test_components_and_the_circuit_have_a_row_each() -> None:
    from headroles.ui.knockout_lab import component_caches, components, induction_circuit
    from headroles.ui.knockout_lab import files as lab_files

    split = component_caches.split("demo", Head(0, 6), "OV")
    asked = components.Asked("demo", Head(0, 6), "OV", 2)
    origin, rows = read_csv(
        made(lab_files.of_components(asked, split, None, [], None), "Components as CSV")
    )
    assert (origin["head"], origin["map"]) == ("L0H6", "OV")
    shares = [float(row["share_of_weight"]) for row in rows[1:]]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    circuit = induction_circuit.Circuit("demo", (Head(0, 6),), (Head(1, 4), Head(0, 1)))
    row = component_caches.repeated_rows("demo")[0]
    drops = induction_circuit._drops(circuit, [induction_circuit._measure(circuit, row)])
    origin, rows = read_csv(made(lab_files.of_circuit(circuit, drops, [], None), "Circuit as CSV"))
    assert origin["knocked_out"] == ["L0H6"]
    assert [(row["head"], row["reachable"]) for row in rows] == [
        ("L1H4", "True"),
        ("L0H1", "False"),
    ]
    assert float(rows[0]["drop"]) == pytest.approx(drops[0].drop, abs=1e-7)


def test_the_head_map_has_the_report_of_the_model(answered) -> None:
    from functools import partial

    from headroles import view

    offer = files.reports("demo", partial(view.report.gather, "demo"))
    assert [file.name for file in offer] == [
        "headroles_demo_report.html",
        "headroles_demo_report.md",
    ]
    page, text = (file.make().decode() for file in offer)
    assert page.startswith("<!doctype html>")
    for key, head in PLANTED.items():
        assert says(text, "Heads listed as", ROLES[key].name)
        assert f"| {head.label} |" in text
    assert says(text, "4 layers of 8", "32 heads")

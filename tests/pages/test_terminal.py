"""The commands about a prompt give the page's numbers: each is held to the file of its page."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from headroles import roles, verdicts
from headroles.paths import DEMO_MODEL, ROOT
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import caches, files
from headroles.ui.head_closeup import files as closeup_files
from headroles.ui.head_closeup import pattern
from headroles.ui.head_closeup.subject import Subject
from headroles.ui.head_map import files as map_files
from headroles.ui.your_prompt import files as prompt_files
from headroles.view import role_cards, token_labels, two_prompts, two_texts
from scripts import closeup, command_line, compare, head_map, on_prompt, prompt

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

OTHER = "A dog ran to the river. The cat sat on the mat."
SHORT = "One day"
COMMANDS = (prompt, closeup, head_map, compare)


@pytest.fixture
def answered():
    """The default prompt's answer, and the stored analysis."""
    return caches.answer("demo", DEFAULT_PROMPT), caches.stored("demo")


@pytest.fixture
def run(capsys):
    """``run(main, ...)``: what a command prints; it must end well."""

    def ran(main, *argv: str) -> str:
        assert main(argv) == command_line.DONE
        return capsys.readouterr().out

    return ran


def made(offer: list[files.File], label: str) -> bytes:
    (file,) = (file for file in offer if file.label == label)
    return file.make()


def table(text: bytes | str) -> list[dict[str, str]]:
    text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    lines = [line for line in text.splitlines(keepends=True) if line[0] != "#"]
    return list(csv.DictReader(io.StringIO("".join(lines))))


def comparable(origin: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in origin.items() if not name.endswith("date")}


# ------------------------------------------------------------------ the heads of a prompt


def test_the_heads_of_a_prompt_are_those_of_the_page(answered, run) -> None:
    page = json.loads(made(prompt_files.of_prompt(*answered), "Heads as JSON"))
    told = json.loads(run(prompt.main, "demo", DEFAULT_PROMPT, "--format", "json"))
    assert told["rows"] == page["heads"]
    assert comparable(told["provenance"]) == comparable(page["provenance"])
    page_csv = made(prompt_files.of_prompt(*answered), "Heads as CSV")
    assert table(run(prompt.main, "demo", DEFAULT_PROMPT, "--format", "csv")) == table(page_csv)


def test_the_text_says_what_the_cards_say(answered, run) -> None:
    summary = verdicts.summarize(answered[1].entry, answered[0].scores)
    cards = role_cards.role_cards(summary, answered[1].entry)
    told = run(prompt.main, "demo", DEFAULT_PROMPT)
    assert role_cards.overall(cards) in told
    assert role_cards.why_gray(cards) in told
    for card in cards:
        assert f"{'●' if card.awake else '○'} {card.role.name}: {card.headline}" in told
        for row in card.rows:
            (line,) = re.findall(
                rf"^  {row['label']} +([●○]) .*{re.escape(role_cards.shown(row))}", told, re.M
            )
            assert line == ("●" if row["is_active"] else "○")
        for wake in card.wake_ups(DEFAULT_PROMPT):
            assert f"{wake.sentence} “{wake.prompt}”" in told


def test_gray_heads_of_a_short_prompt_have_their_reason(run) -> None:
    told = run(prompt.main, "demo", SHORT)
    answer = caches.answer("demo", SHORT)
    summary = verdicts.summarize(caches.stored("demo").entry, answer.scores)
    for rows in (summary[role.key] for role in roles.SCORED_ROLES):
        assert not any(row["is_active"] for row in rows)
        assert all(str(row["reason"]) in told for row in rows)
    assert "activates" in told


def test_a_role_and_the_extended_ones_can_be_asked_for(run) -> None:
    rows = table(run(prompt.main, "demo", DEFAULT_PROMPT, "--role", "induction", "--format", "csv"))
    assert {row["role"] for row in rows} == {"induction"}
    told = json.loads(run(prompt.main, "demo", DEFAULT_PROMPT, "--extended", "--format", "json"))
    entry = caches.stored("demo").entry
    for key, stored in entry.extended.items():
        of_role = [row for row in told["rows"] if row["role"] == key]
        assert {row["label"] for row in of_role} == {head.label for head in stored.listed}
        if of_role and not stored.role.from_attention:
            assert {row["state"] for row in of_role} == {"not_from_one_prompt"}


def test_many_prompts_of_a_file_in_one_table(run, tmp_path, capsys) -> None:
    file = tmp_path / "prompts.csv"
    file.write_text(f'prompt,answer\n"{DEFAULT_PROMPT}",\n,x\n"{OTHER}",\n')
    assert prompt.main(["demo", SHORT, "--file", str(file), "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert "prompts.csv, line 3: Its prompt is empty." in printed.err
    told = json.loads(printed.out)
    asked = [SHORT, DEFAULT_PROMPT, OTHER]
    assert [one["prompt"] for one in told["provenance"]["prompts"]] == asked
    for number, text in enumerate(asked, start=1):
        alone = json.loads(run(prompt.main, "demo", text, "--format", "json"))["rows"]
        which = {"prompt_number": number, "prompt": text}
        assert [row for row in told["rows"] if row["prompt_number"] == number] == [
            which | row for row in alone
        ]


def test_a_model_that_nobody_analysed(model_folders, run, capsys) -> None:
    folder = str(model_folders("gpt2"))
    assert prompt.main([folder, DEFAULT_PROMPT, "--format", "json"]) == command_line.DONE
    printed = capsys.readouterr()
    assert "provisional thresholds" in printed.err
    told = json.loads(printed.out)
    assert told["provenance"]["thresholds_are_calibrated"] is False
    assert len(told["rows"]) == 5 * 2 * 4  # every head in every role
    text = run(prompt.main, folder, DEFAULT_PROMPT)
    active = sum(row["state"] == "active" for row in told["rows"] if row["role"] == "diffuse")
    assert re.search(rf"Diffuse +[●○◌] {active} of 8 active", text)
    assert "Provisional threshold" in run(closeup.main, folder, DEFAULT_PROMPT, "--head", "L1H1")
    assert "8 heads" in run(head_map.main, folder, DEFAULT_PROMPT)
    rows = table(run(compare.main, folder, "--second-prompt", OTHER, "--format", "csv"))
    assert len(rows) == 5 * 8
    assert head_map.main([folder]) == command_line.UNUSABLE  # nothing was measured


# ------------------------------------------------------------------ a head


@pytest.mark.parametrize("hidden", [False, True])
def test_the_close_up_is_that_of_the_page(answered, run, tmp_path, hidden: bool) -> None:
    answer, reference = answered
    head = Head(1, 6)
    passport = verdicts.passport(reference.entry, head, known=(), thresholds=reference.thresholds)
    labels = tuple(token_labels(answer.run.encoding))
    subject = Subject(answer, reference, passport, roles.ROLES["induction"], labels)
    drawn = pattern.shown(subject, rest_hidden=hidden)
    offer = closeup_files.of_closeup(subject, drawn, extended=True)
    cells, svg = tmp_path / "cells.csv", tmp_path / "drawn.svg"
    options = ["--head", "L1H6", "--role", "induction", "--extended", "--pattern", str(cells)]
    options += ["--hide-resting"] * hidden + ["--format", "json", "--out", str(svg)]
    told = json.loads(run(closeup.main, "demo", DEFAULT_PROMPT, *options))
    assert told["rows"] == json.loads(made(offer, "Roles as JSON"))["heads"]
    assert table(cells.read_bytes()) == table(made(offer, "Attention as CSV"))
    assert svg.read_bytes() == made(offer, "Chart as SVG")
    assert [(row["query"], row["key"]) for row in told["evidence"]] == [
        (cell.query, cell.key) for cell in drawn.targets
    ]
    attention = answer.run.attention[head]
    for row in told["evidence"]:
        assert row["attention"] == pytest.approx(float(attention[row["query"], row["key"]]))


def test_the_close_up_opens_with_the_pages_head(answered, run) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.switch_page("pages/head_closeup.py").run()
    told = json.loads(run(closeup.main, "demo", DEFAULT_PROMPT, "--format", "json"))
    head = app.session_state["app-head"]
    assert told["provenance"]["head"] == head.label
    assert told["provenance"]["role"] == app.session_state["app-role"]
    answer, reference = caches.answer("demo", DEFAULT_PROMPT), caches.stored("demo")
    assert told["provenance"]["in_words"] == verdicts.describe(
        head,
        answer.scores,
        attention=answer.run.attention[head],
        token_ids=answer.run.copy_ids,
        labels=token_labels(answer.run.encoding),
        thresholds=reference.thresholds,
    )


def test_a_head_that_is_not_there(capsys) -> None:
    assert closeup.main(["demo", "--head", "L9H0"]) == command_line.UNUSABLE
    assert "There is no head 'L9H0'" in capsys.readouterr().err


# ------------------------------------------------------------------ maps


@pytest.mark.parametrize("text", [None, DEFAULT_PROMPT])
def test_the_map_has_the_pages_table(answered, run, text: str | None) -> None:
    offer = map_files.of_map("demo", text, answered[1], extended=True)
    page = json.loads(made(offer, "Table as JSON"))
    argv = ["demo", *([text] if text else []), "--extended", "--format", "json"]
    told = json.loads(run(head_map.main, *argv))
    assert told["rows"] == page["heads"]
    assert comparable(told["provenance"]) == comparable(page["provenance"])
    basic = json.loads(run(head_map.main, *argv[:-3], "--format", "json"))["rows"]
    assert basic == page["heads"][: len(basic)]
    assert len(basic) == 5 * 32


def test_the_picture_of_a_map_is_the_pages(answered, run, tmp_path) -> None:
    from headroles.view import head_maps

    answer, reference = answered
    model = head_maps.of_prompt(answer.scores, reference.thresholds, reference.entry)
    about = files.about_picture("demo", prompt=DEFAULT_PROMPT)
    page = made(
        map_files.of_role_map("demo", model.roles["induction"], about=about), "Chart as SVG"
    )
    alone, every = tmp_path / "one.svg", tmp_path / "all.svg"
    run(head_map.main, "demo", DEFAULT_PROMPT, "--role", "induction", "--out", str(alone))
    assert alone.read_bytes() == page
    png = tmp_path / "all.png"
    run(head_map.main, "demo", DEFAULT_PROMPT, "--out", str(every), "--out", str(png))
    drawn = every.read_text()
    assert drawn.count("<svg") == 1 + 5
    names = re.findall(r'\bid="([^"]+)"', drawn)
    assert len(names) == len(set(names))
    assert set(re.findall(r"url\(#([^)]+)\)", drawn)) <= set(names)
    assert png.read_bytes().startswith(b"\x89PNG")


def test_place_or_content_is_the_pages(answered, run) -> None:
    entry, thresholds = answered[1].entry, answered[1].thresholds
    told = json.loads(run(head_map.main, "demo", "--place-or-content", "--format", "json"))["rows"]
    page = two_texts.two_texts(entry, thresholds, extended=False)
    assert {row["role"] for row in told} == set(page)
    for row in told:
        texts, head = page[row["role"]], Head.parse(row["label"])
        assert row["on_sentences"] == pytest.approx(
            entry.all_scores[row["role"]][head.layer][head.head]
        )
        assert row["difference"] == pytest.approx(row["on_sentences"] - row["on_random_tokens"])
        assert row["kind"] == texts.verdict(head).kind
    text = run(head_map.main, "demo", "--place-or-content")
    assert all(two_texts.two_texts_sentence(texts) in text for texts in page.values())


# ------------------------------------------------------------------ two prompts, two models


def test_two_prompts_are_those_of_the_page(answered, run, tmp_path) -> None:
    answer, reference = answered
    second = caches.answer("demo", OTHER)
    cards = [
        role_cards.role_cards(verdicts.summarize(reference.entry, one.scores), reference.entry)
        for one in (answer, second)
    ]
    pairs = two_prompts.role_pairs(*cards)
    offer = prompt_files.of_comparison(answer, second, reference=reference, pairs=pairs)
    argv = ["demo", DEFAULT_PROMPT, "--second-prompt", OTHER]
    svg = tmp_path / "bars.svg"
    told = run(compare.main, *argv, "--format", "csv", "--out", str(svg))
    assert table(told) == table(made(offer, "Both prompts as CSV"))
    assert svg.read_text().count("<svg") == 1 + sum(bool(pair.heads) for pair in pairs)
    text = run(compare.main, *argv)
    assert two_prompts.summary(pairs) in text
    every = table(run(compare.main, *argv, "--all-heads", "--format", "csv"))
    assert len(every) == 5 * 32
    listed = {(row["role"], row["label"]): row for row in every if row["listed"] == "True"}
    for row in table(told):
        assert (
            listed[row["role"], row["label"]]["second_activation_score"]
            == row["second_activation_score"]
        )


def test_two_models_are_those_of_the_page(answered, run, tmp_path) -> None:
    second = "attn-only-2l-tiny"
    other = caches.answer(second, DEFAULT_PROMPT), caches.stored(second)
    page = json.loads(made(prompt_files.of_models(answered, other), "Both models as JSON"))
    png = tmp_path / "both.png"
    argv = ["demo", DEFAULT_PROMPT, "--second-model", second]
    told = json.loads(run(compare.main, *argv, "--format", "json", "--out", str(png)))
    assert told["rows"] == page["heads"]
    assert comparable(told["provenance"]) == comparable(page["provenance"])
    assert png.read_bytes().startswith(b"\x89PNG")


# ------------------------------------------------------------------ mistakes


@pytest.mark.parametrize("main", [module.main for module in COMMANDS])
def test_a_file_whose_kind_is_unknown_is_refused_before_any_work(main, capsys) -> None:
    extra = ["--second-prompt", "x"] if main is compare.main else []
    assert main(["demo", "x", *extra, "--out", "numbers.xlsx"]) == command_line.UNUSABLE
    assert "does not end in .csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("main", "argv", "says"),
    [
        (compare.main, ["demo", "x"], "--second-prompt --second-model is required"),
        (compare.main, ["demo", "x", "--second-model", "demo"], "too"),
        (head_map.main, ["demo", "x", "--place-or-content"], "not a prompt's"),
        (head_map.main, ["demo", "--chat"], "for a prompt, which is missing"),
        (prompt.main, ["demo", " "], "it is empty"),
        (prompt.main, ["demo", "--file", "no/such.txt"], "there is no such file"),
        (closeup.main, ["demo", "a b", "--head", "x"], "There is no head 'x'"),
    ],
)
def test_a_mistake_is_one_line(main, argv, says, capsys) -> None:
    assert main(argv) == command_line.UNUSABLE
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told


def test_a_role_without_a_picture_says_so(tmp_path, capsys) -> None:
    """An extended role that this model has no numbers for has no map to draw."""
    argv = ["demo", DEFAULT_PROMPT, "--role", "name_mover", "--out", str(tmp_path / "x.png")]
    assert head_map.main(argv) == command_line.UNUSABLE
    assert "no picture" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_shared_options_are_documented_for_each_command() -> None:
    document = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        (about,) = (
            part
            for part in re.split(r"^(?=## )", document, flags=re.M)
            if f"python -m scripts.{name} " in part
        )
        for option in ("--format", "--out", "--chat"):
            assert f"`{option}" in about, (name, option)


def test_aligned_columns() -> None:
    assert on_prompt.aligned([["a", "bb"], ["ccc", "d"]]) == ["  a    bb", "  ccc  d"]

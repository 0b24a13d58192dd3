"""Many prompts under many knock-outs: t, the watched token's own logit, random others, one truth
in every output."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch

from headroles import ablation, export
from headroles.ablation import Comparison, Condition, HeadOutput, PromptTable, Settings
from headroles.ablation.many_prompts import (
    LeftOut,
    assemble,
    draw_others,
    headline,
    of_logit,
    place_of_t,
    summarise,
    tabulate_prompt,
)
from headroles.ablation.outcomes import compare
from headroles.ablation.run import Outcome
from headroles.errors import EmptyPromptError, UnknownPositionError
from headroles.models import load_model
from headroles.scoring import effect_of
from headroles.scoring import judge as judged_by_rule
from headroles.texts import READY, ReadyPrompt
from headroles.types import Encoding, Head
from headroles.ui.knockout_lab import state
from scripts import ablate_heads

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

HEADS = (Head(1, 1), Head(1, 4))
PROMPT = ReadyPrompt("Own", "The cat sat on the mat. The cat sat on the mat. The cat", "")
OTHER = ReadyPrompt("Own", "Once upon a time there was a little", "girl")


@pytest.fixture(scope="module")
def loaded():
    return load_model("demo")


@pytest.fixture(scope="module")
def made(loaded) -> tuple[list[PromptTable], Settings]:
    settings = Settings(HEADS, draws=4, seed=7, top=3)
    parts = []
    for ready in (PROMPT, OTHER):
        parts.append(tabulate_prompt(loaded, ready, settings))
        parts += [draw_others(loaded, ready, settings, part=part, parts=3) for part in range(3)]
    tables, left_out = assemble(parts)
    assert not left_out
    return tables, settings


# ------------------------------------------------------------------ the watched token's logit


def test_the_change_of_the_own_logit_by_hand() -> None:
    clean = Outcome(Condition("untouched"), torch.tensor([1.0, 3.0, 2.0]), torch.tensor([]))
    other = Outcome(Condition("x"), torch.tensor([1.0, 0.5, 2.5]), torch.tensor([]))
    compared = compare(clean, other, answer=1)
    assert (compared.logit_before, compared.logit, compared.logit_change) == (3.0, 0.5, -2.5)
    assert (compared.rank_before, compared.rank) == (1, 3)
    assert of_logit(compared) == "3.00 → 0.50 (−2.50)"
    # All logits up by one: the token is as likely as before, though its own logit rose.
    up = compare(clean, Outcome(Condition("x"), clean.logits + 1, torch.tensor([])), answer=1)
    assert up.logit_change == pytest.approx(1.0)
    assert up.surprise == pytest.approx(0.0, abs=1e-7)


def test_the_own_logit_is_the_model_s(made, loaded) -> None:
    tables, _ = made
    with torch.no_grad():
        logits = loaded.model(torch.tensor([tables[0].encoding.token_ids])).logits[0, -1]
    for row in tables[0].rows:
        expected = float(logits[tables[0].answer.token_id])
        assert row.comparison.logit_before == pytest.approx(expected, abs=1e-4)


# ------------------------------------------------------------------ where t is


def _tokens(*ids: int) -> Encoding:
    return Encoding(ids, tuple(map(str, ids)), "0", start_is_stand_in=False, full_length=len(ids))


def test_where_t_is() -> None:
    five = _tokens(0, 3, 4, 5, 6)
    assert [place_of_t(five, t) for t in (-1, -2, 0, 3)] == [4, 3, 0, 3]
    for t in (5, -6):
        with pytest.raises(UnknownPositionError):
            place_of_t(five, t)


def test_a_random_t_depends_on_seed_and_prompt_alone() -> None:
    ten = _tokens(*range(10))
    drawn = [place_of_t(ten, "random", seed=seed) for seed in range(200)]
    assert set(drawn) == set(range(1, 9))  # never the start, nor the last: a token follows
    assert drawn == [place_of_t(ten, "random", seed=seed) for seed in range(200)]
    assert {place_of_t(_tokens(0, other, 5, 6, 7), "random") for other in range(20)} == {1, 2, 3}
    assert place_of_t(_tokens(0, 5), "random") == 1
    assert state.RANDOM == ablation.many_prompts.RANDOM


def test_the_guess_is_read_at_t_as_if_the_prompt_ended_there(loaded) -> None:
    whole = tabulate_prompt(loaded, PROMPT, Settings(HEADS, position=-4))
    t = whole.position
    assert t == len(whole.encoding.token_ids) - 4 == whole.read_at
    assert (whole.answer.token_id, whole.answer.follows) == (whole.encoding.token_ids[t + 1], True)
    cut = replace(
        whole.encoding,
        token_ids=whole.encoding.token_ids[: t + 1],
        tokens=whole.encoding.tokens[: t + 1],
    )
    clean, *others = ablation.ablate(loaded, cut, ablation.standard_conditions(HEADS, cut))
    assert [other.condition.name for other in others] == [row.name for row in whole.rows]
    for row, other in zip(whole.rows, others, strict=True):
        expected = compare(clean, other, answer=whole.answer.token_id)
        assert row.comparison.logit == pytest.approx(expected.logit, abs=1e-4)
        assert row.comparison.surprise == pytest.approx(expected.surprise, abs=1e-4)
        assert row.comparison.rank == expected.rank


@pytest.mark.parametrize(
    ("ready", "position", "origin"),
    [
        (PROMPT, -1, "the model's own guess"),
        (PROMPT, -3, "what really comes next in the prompt"),
        (OTHER, -1, "named beforehand"),
        (OTHER, -3, "what really comes next in the prompt"),
        (OTHER, "random", "what really comes next in the prompt"),
        (READY[0], -1, "named beforehand"),
        (READY[0], -2, "what really comes next in the prompt"),
    ],
)
def test_who_chose_the_watched_token(loaded, ready, position, origin) -> None:
    table = tabulate_prompt(loaded, ready, Settings(HEADS[:1], position=position))
    assert table.answer.origin == origin
    assert f"({origin};" in export.watched(table)
    assert export.watched(table).startswith(f"t = {table.position}")


def test_an_answer_may_be_named_for_t(loaded) -> None:
    settings = Settings(HEADS[:1], position=-3, named_at_t=True)
    table = tabulate_prompt(loaded, OTHER._replace(answer=" girl"), settings)
    assert (table.answer.origin, table.answer.text) == ("named beforehand", " girl")


def test_a_prompt_that_cannot_be_run_is_named_and_the_others_stay(loaded) -> None:
    settings = Settings(HEADS, position=-8, draws=2)
    parts = []
    for ready in (ReadyPrompt("Own", "Hi", ""), ReadyPrompt("Own", " ", ""), PROMPT):
        parts += [tabulate_prompt(loaded, ready, settings), draw_others(loaded, ready, settings)]
    tables, left_out = assemble(parts)
    assert [table.prompt for table in tables] == [PROMPT.prompt]
    assert all(row.control for row in tables[0].rows)
    assert [type(one.error) for one in left_out] == [UnknownPositionError, EmptyPromptError]
    said = export.many_prompts.left_out_sentences(left_out)
    assert "“Hi”" in said[0]
    assert "no position -8" in said[0]


# ------------------------------------------------------------------ random others


@pytest.mark.parametrize("position", [-1, -5])
def test_the_draws_are_those_of_direct_calls(loaded, position) -> None:
    settings = Settings(HEADS, position=position, draws=3, seed=11)
    table = tabulate_prompt(loaded, PROMPT, settings)
    (table,), _ = assemble([table, draw_others(loaded, PROMPT, settings)])
    t, whole = table.position, table.encoding
    conditions = ablation.standard_conditions(HEADS, whole, position=t)
    for condition, row in zip(conditions, table.rows, strict=True):
        control = ablation.random_others(
            condition, num_layers=4, num_heads=8, length=t + 1, draws=3, seed=11
        )
        assert row.control == control.note
        clean, *others = ablation.ablate(loaded, whole, control.conditions, read_at=t)
        direct = [compare(clean, one, answer=table.answer.token_id).surprise for one in others]
        assert row.others == pytest.approx(direct, abs=1e-4)
        assert not set(condition.heads) & {head for one in others for head in one.condition.heads}


def test_a_draw_knocks_out_the_same_heads_on_every_prompt(loaded) -> None:
    settings = Settings(HEADS, draws=3, seed=2)
    condition = Condition("x", (HeadOutput(HEADS),))
    names = {
        tuple(
            one.name
            for one in ablation.random_others(
                condition, num_layers=4, num_heads=8, length=length, draws=3, seed=settings.seed
            ).conditions
        )
        for length in (5, 9, 30)
    }
    assert len(names) == 1


def _table(lost: list[float], others: list[list[float]]) -> list[PromptTable]:
    """Tables of one condition that loses so much, beside such others."""
    encoding = _tokens(0, 1, 2)
    return [
        PromptTable(
            "p", encoding, ablation.tables.Answer(1, "a", named=True), "a", 0.5, 2,
            rows=(
                ablation.Row(
                    "L0H0 to zero",
                    Comparison(1, 1, 2.718281828459045**-nats, 1.0, 0.0, None, None, 1.0, 2.0),
                    "a", 0.5, "", (), (), heads=(Head(0, 0),), others=tuple(drawn), control="x",
                ),
            ),
        )
        for nats, drawn in zip(lost, others, strict=True)
    ]  # fmt: skip


def test_over_prompts_it_is_the_project_s_rule_on_paired_means() -> None:
    lost, others = [1.0, 1.2, 1.4], [[0.1, 0.3], [0.2, 0.2], [0.0, 0.4]]
    (row,) = summarise(_table(lost, others))
    assert row.lost == pytest.approx(1.2)
    assert row.spread == pytest.approx(0.2)
    assert (row.fell, row.prompts, row.controlled) == (3, 3, 3)
    assert row.logit_change == pytest.approx(-1.0)
    assert row.beside.mean == pytest.approx(0.2)  # draws: .1 and .3 on average
    assert row.beside.spread == pytest.approx(0.2**0.5 * 0.1 * 10**0.5)
    effect = effect_of(1.2, [0.1, 0.3], standard_error=0.2 / 3**0.5, texts=3)
    assert row.beside.verdict == judged_by_rule(effect) == "holds_up"


def test_a_mean_over_prompts_that_differ_too_much_is_not_clear() -> None:
    (row,) = summarise(_table([4.0, -2.0, 0.5], [[0.1, 0.2, 0.15]] * 3))
    assert ablation.many_prompts.of_chance(row) == "not clear"
    assert "not clear, because the prompts differ so much" in headline([row])
    assert "2 of 3 prompts" in headline([row])


def test_prompts_without_others_do_not_count_beside_chance() -> None:
    (row,) = summarise(_table([1.0, 1.1, 9.0], [[0.1, 0.2, 0.15], [0.1, 0.2, 0.15], []]))
    assert row.controlled == 2
    assert row.beside.effect == pytest.approx(1.05)
    assert row.lost == pytest.approx(11.1 / 3)
    assert "too few others" in export.many_prompts.about_summary([row])


def test_what_to_conclude() -> None:
    assert headline([]) == "No prompt could be run."
    (row,) = summarise(_table([0.5], [[]]))
    alone = replace(row, beside=None)
    assert headline([alone]) == (
        "Costliest knock-out of your heads: “L0H0 to zero”. The watched token gets less likely on "
        "1 of 1 prompt and loses 0.50 nats."
    )
    values = replace(alone, name="values at t-1, all layers", of_heads=False, lost=2.0)
    assert headline([alone, values]).endswith(
        "With “values at t-1, all layers” at zero it loses more still: 2.00 nats."
    )
    clear = replace(
        alone, name="L0H0 to mean", lost=0.3, beside=ablation.judge(0.3, [0.01, 0.02, 0.03])
    )
    chance = replace(alone, beside=ablation.judge(0.5, [0.1, 0.9, 0.2]))
    said = headline([chance, clear])
    assert said.endswith("Larger than chance: 1 of 2 ways, most of all “L0H0 to mean” (0.30 nats).")
    assert headline([chance, chance]).endswith("None of 2 ways is larger than chance.")
    gains = replace(alone, lost=-0.25, fell=0)
    assert headline([gains]).startswith("No knock-out of your heads costs anything.")


# ------------------------------------------------------------------ one truth in every output


class _Tables(HTMLParser):
    """Every table as rows of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._open = True
        elif tag == "small":
            self.tables[-1][-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.tables[-1][-1][-1] += data


def _records(table: list[list[str]]) -> dict[str, dict[str, str]]:
    names, *rows = table
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def _number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


def test_page_report_csv_json_and_command_say_the_same(loaded, tmp_path, capsys) -> None:
    """Number by number: a table as the page draws it, against all that the command gives."""
    settings = Settings(HEADS, position=-2, draws=3, seed=5, top=2)
    prompts = tmp_path / "mine.csv"
    lines = [("prompt", "answer"), *((one.prompt, one.answer) for one in (PROMPT, OTHER))]
    with prompts.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    files = {name: tmp_path / f"out.{name}" for name in ("html", "csv", "json")}
    given = ["--heads", "L1H1,L1H4", "--prompts", str(prompts), "--position", "-2", "--control"]
    given += ["3", "--seed", "5", "--top", "2"]
    for name, path in files.items():
        given += [f"--{name}", str(path)]
    assert ablate_heads.main(given) == 0
    printed = capsys.readouterr().out

    parts = []
    for ready in (PROMPT, OTHER):
        parts += [tabulate_prompt(loaded, ready, settings), draw_others(loaded, ready, settings)]
    tables, _ = assemble(parts)
    summary = summarise(tables)
    page = [export.many_prompts.summary_table(summary), *map(export.condition_table, tables)]
    on_page = [_records(table) for html in page for table in _Tables(html).tables]

    report = files["html"].read_text()
    in_report = [_records(table) for table in _Tables(report).tables[:3]]
    assert in_report == on_page
    told = json.loads(files["json"].read_text())
    assert headline(summary) in printed
    assert headline(summary) in report
    assert headline(summary) == told["conclusion"]

    rows = list(csv.DictReader(re.sub("(?m)^#.*\n", "", files["csv"].read_text()).splitlines()))
    assert len(rows) == len(told["knock_outs"]) == sum(len(table.rows) for table in tables)
    assert told["provenance"]["seed"] == 5
    assert (told["provenance"]["position"], told["provenance"]["control_draws"]) == (-2, 3)
    shown = [(table, name, cells) for table, cells_of in zip(tables, on_page[1:], strict=True)
             for name, cells in cells_of.items()]  # fmt: skip
    lines = printed.splitlines()
    for (table, name, cells), row, twin in zip(shown, rows, told["knock_outs"], strict=True):
        assert row["condition"] == twin["condition"] == name
        assert int(row["t"]) == table.position
        numbers = {
            "logit": r"→ (\S+) ", "logit_before": r"^(\S+) →", "logit_change": r"\((\S+)\)",
        }  # fmt: skip
        for column, pattern in numbers.items():
            on = _number(re.search(pattern, cells["Its logit"])[1])
            assert on == pytest.approx(float(row[column]), abs=0.00501)
        lost = _number(cells["Loses (nats)"])
        assert lost == pytest.approx(float(row["log_probability_lost_nats"]), abs=0.00501)
        assert float(row["log_probability_lost_nats"]) == pytest.approx(
            twin["log_probability_lost_nats"], abs=1e-7
        )
        assert cells["Beside chance"] == row["beside_chance"] == twin["beside_chance"]
        if row["control_mean_nats"]:
            mean, spread = cells["Random others lose"].split(" ± ")
            assert _number(mean) == pytest.approx(float(row["control_mean_nats"]), abs=0.00501)
            assert _number(spread.split()[0]) == pytest.approx(
                float(row["control_spread_nats"]), abs=0.00501
            )
            assert f"({row['control_draws']} draws)" in spread
        said = f"Its logit: {cells['Its logit']}; Loses (nats): {cells['Loses (nats)']}; "
        said += f"Random others lose: {cells['Random others lose']}; "
        said += f"Beside chance: {cells['Beside chance']}"
        place = next(k for k, line in enumerate(lines) if line.strip() == said)
        assert name in lines[place - 1]
        assert cells["What happens"] in lines[place - 1]
    for name, cells in on_page[0].items():
        line = next(
            line for line in lines[lines.index("Over 2 prompts:") :] if f"  {name} " in line
        )
        assert all(
            f"{column}: {value}" in line for column, value in cells.items() if column in line
        )
        assert line.count(": ") == len(cells) - 1  # all but the name
    for row, twin in zip(summary, told["summary"], strict=True):
        assert (twin["less_likely_on"], twin["prompts"]) == (row.fell, row.prompts)
        assert twin["log_probability_lost_nats"] == pytest.approx(row.lost, abs=1e-7)


def test_the_report_says_where_it_comes_from(made) -> None:
    tables, settings = made
    origin = export.ablation_report.provenance(
        "demo", revision="r1", **export.many_prompts.settings_of(settings)
    )
    left = [LeftOut("<b>", EmptyPromptError())]
    html = export.to_html(tables, model="demo", left_out=left, provenance=origin)
    assert "<h2>1. Own</h2>" in html
    assert "<h2></h2>" not in html
    assert ">r1<" in html
    assert ">7<" in html  # the seed
    assert "Left out: “&lt;b&gt;”." in html
    rows = list(
        csv.DictReader(
            io.StringIO(re.sub("(?m)^#.*\n", "", export.to_csv(tables, provenance=origin)))
        )
    )
    assert {row["answer_is"] for row in rows} == {"the model's own guess", "named beforehand"}


def test_the_strip_marks_t_and_what_comes_next(loaded) -> None:
    strip = export.strip(tabulate_prompt(loaded, PROMPT, Settings(HEADS[:1], position=-3)))
    assert strip.count("hr-cut") == strip.count("hr-prev") == strip.count("hr-next") == 1
    assert "<sup>comes next</sup>" in strip
    last = export.strip(tabulate_prompt(loaded, PROMPT, Settings(HEADS[:1])))
    assert "hr-next" not in last

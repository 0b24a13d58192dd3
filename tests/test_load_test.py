"""A small class on a real server, and whether a wrong answer would be noticed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts import warm_up
from scripts.benchmark.server import free_port
from scripts.load_test import __main__ as load_test
from scripts.load_test import servers, table
from scripts.load_test.activities import MIXED, Question, prompt_of
from scripts.load_test.answers import Checker
from scripts.load_test.visitor import Visitor
from scripts.load_test.visitors import Class, Outcome, Report
from tests.loops import apart


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Running]:
    with servers.running(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker("demo")


def visited(plan: Class) -> Report:
    """The class in a process of its own, as the command has it."""
    with load_test.class_room() as attend:
        return attend(plan)


@pytest.mark.slow
def test_ten_visitors_get_the_answers_to_their_own_prompts(running, checker):
    plan = Class(running.address, 10, "prompt", 300, think=0.5, arrive=2, prompts=2, timeout=240)
    report = visited(plan)
    assert [o.error or o.refused for o in report.outcomes if o.error or o.refused] == []
    answers = [outcome for outcome in report.outcomes if outcome.question]
    assert len(answers) == 20
    assert len({answer.question.prompt for answer in answers}) == 20
    assert [load_test.fault_of(checker, answer) for answer in answers] == [""] * 20


@pytest.mark.slow
@pytest.mark.parametrize("activity", ["prompt", *sorted({*MIXED} - {"prompt"})])
def test_an_answer_to_another_prompt_is_noticed(running, checker, activity):
    report = visited(
        Class(running.address, 2, activity, 300, think=0, arrive=0, prompts=1, timeout=240)
    )
    first, second = (outcome for outcome in report.outcomes if outcome.question)
    assert first.question.prompt != second.question.prompt
    assert load_test.fault_of(checker, first) == ""
    assert load_test.fault_of(checker, second) == ""
    swapped = first._replace(page=second.page)
    assert load_test.fault_of(checker, swapped) != ""


@pytest.mark.slow
def test_a_control_of_one_part_redraws_that_part_alone(running):
    """The search box of the head map: the table is another one, the maps are not sent again."""

    async def search() -> tuple[dict, set, Visitor]:
        visitor = Visitor(running.address, query="")
        await visitor.open(files=False)
        await visitor.turn_to("head_map")
        before = dict(visitor._shown)
        await visitor.change("head_map-search", string_value="L1H1")
        changed = {place for place in before if visitor._shown.get(place) is not before[place]}
        await visitor.close()
        return before, changed, visitor

    before, changed, visitor = apart(search)
    kinds = {before[place].WhichOneof("type") for place in changed}
    assert "dataframe" in kinds
    assert "vega_lite_chart" not in kinds
    assert len(visitor.page().charts) >= 5
    assert any("1 of 32 heads" in text for text in visitor.page().texts)


@pytest.mark.slow
def test_a_server_is_warmed_up_and_one_that_is_not_there_is_named(running, capsys):
    assert apart(warm_up.main, [running.address]) == 0
    assert f"{running.address} is warm" in capsys.readouterr().out
    nobody = f"http://127.0.0.1:{free_port()}"
    assert apart(warm_up.main, [nobody, "--patience", "0"]) == 1
    assert nobody in capsys.readouterr().err


def test_prompts_differ_between_visitors():
    prompts = {prompt_of(random.Random(f"0 {visitor}")) for visitor in range(150)}
    assert len(prompts) == 150


def outcome(began: float, seconds: float, *, asked: bool = True, **more: object) -> Outcome:
    question = Question("prompt", "text", 0) if asked else None
    page = ("page",) if asked and not more else None
    return Outcome(0, question, began, seconds, page, **more)


def test_the_figures_of_a_run_worked_out_by_hand():
    report = Report(
        [
            outcome(0, 3, asked=False),
            *(outcome(10 + n, 1 + n) for n in range(4)),  # the last one ends at 17
            outcome(10, 9, error="lost"),
            outcome(11, 1, refused="full"),
        ],
        cpu_seconds=5,
        wall_seconds=20,
    )
    samples = [
        servers.Sample(at, 100 + at, cpu, 0.1)
        for at, cpu in ((5, 1.0), (10, 2.0), (15, 7.0), (20, 9.0))
    ]
    row = table.figures(Class("", 7, "prompt"), report, ["a fault"], samples)
    assert row.opened == (3, 3, 3)
    assert row.answered == (2.5, 4, 4)
    assert row.per_second == pytest.approx(4 / 7)
    assert (row.answers, row.wrong, row.errors, row.refused) == (4, 1, 1, 1)
    assert row.cores == pytest.approx(1.0)  # 5 s of processor time between 10 and 15
    assert row.megabytes == 120
    assert row.client_cores == 0.25
    assert len(table.row(row).split("|")) == len(table.HEAD.splitlines()[0].split("|"))


def test_a_run_without_any_answer_is_a_row_too():
    report = Report([outcome(0, 60, asked=False, error="late")], wall_seconds=1)
    row = table.figures(Class("", 1, "opening"), report, [], [servers.Sample(1, 1, 1, 30)])
    assert (row.errors, row.answers, str(row.answered)) == (1, 0, "–")


def test_the_command_fails_where_an_answer_is_wrong(monkeypatch, capsys):
    plans = []

    def measure(plan, checker, **options):
        plans.append((plan, options))
        report = Report([outcome(0, 1)], wall_seconds=1)
        faults = ["swapped"] if plan.visitors == 2 else []
        return table.figures(plan, report, faults, [servers.Sample(1, 1, 1, 0.1)])

    monkeypatch.setattr(load_test, "measure", measure)
    monkeypatch.setattr(load_test, "Checker", lambda model, **_: model)
    assert load_test.main(["--visitors", "1", "2", "--json", "--servers", "3"]) == 1
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["wrong"] for row in shown] == [0, 1]
    assert [options["count"] for _, options in plans] == [3, 3]
    assert load_test.main(["--visitors", "1"]) == 0


@pytest.mark.parametrize("bad", [["--visitors", "401"], ["--servers", "0"], ["--seconds", "9999"]])
def test_what_is_asked_for_has_bounds(bad, capsys):
    with pytest.raises(SystemExit):
        load_test.parse_arguments(bad)
    assert "is not a whole number from 1 to" in capsys.readouterr().err


@pytest.mark.slow
def test_an_analysis_beside_the_servers_gives_way_and_ends_with_them(tmp_path: Path):
    before = set(psutil.Process().children())
    with servers.analysis(tmp_path, "demo"):
        deadline = time.monotonic() + 30
        while not (started := set(psutil.Process().children()) - before):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (child,) = started
        while child.nice() != servers.NICENESS:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "scripts.analyze_heads" in child.cmdline()
    assert not child.is_running()

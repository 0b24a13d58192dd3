"""Bad inputs of every kind, a few hundred with a fixed seed; and the runner itself."""

from __future__ import annotations

import importlib
import pkgutil
import random
import time
from types import SimpleNamespace

import pytest

from headroles.errors import EmptyPromptError
from scripts.fuzz import __main__ as fuzz
from scripts.fuzz import cases, kinds
from scripts.fuzz.cases import Case, Outcome, tried
from scripts.fuzz.kinds import arguments

KINDS = [found.name for found in pkgutil.iter_modules(kinds.__path__)]
INPUTS = 300


@pytest.mark.parametrize("kind", KINDS)
def test_bad_inputs_end_in_a_result_or_in_a_sentence(kind: str) -> None:
    module = importlib.import_module(f"{kinds.__name__}.{kind}")
    seen = [
        tried(kind, module, seed=1, number=number, seconds=fuzz.SECONDS)
        for number in range(INPUTS // len(KINDS))
    ]
    assert not (found := fuzz.failures(seen, 1)), "\n".join(found)


def test_command_lines_leave_nothing_where_they_are_started(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments._ended("circuits", ["--out", "new.csv"])
    assert not list(tmp_path.iterdir())


def test_lines_of_the_components_command_end_in_a_result_or_in_its_usage(monkeypatch) -> None:
    assert "components" in arguments.RUN
    script, ends = arguments._module("components"), {}
    main = script.main

    def kept(words: list[str]) -> int:
        code = main(words)
        for name in set(words) & set(script.DO):
            ends.setdefault(name, set()).add(code)
        return code

    monkeypatch.setattr(script, "main", kept)
    rng = random.Random(3)
    for _ in range(60):
        words = arguments._words(rng, arguments._parser("components"))
        arguments._ended("components", [word.replace("\0", "") for word in words])
    assert ends.keys() == script.DO.keys()
    assert set().union(*ends.values()) == {0, 2}


def made(call) -> SimpleNamespace:
    return SimpleNamespace(case=lambda rng: Case(f"case {rng.random()}", call))


def refuse() -> None:
    raise EmptyPromptError


def break_down() -> None:
    {}["missing"]


def wait() -> None:
    while True:
        time.sleep(0.01)


def test_the_runner_tells_the_ends_apart() -> None:
    ends = {
        call: tried("some", made(call), seed=0, number=3, seconds=0.2)
        for call in (dict, refuse, break_down, wait)
    }
    assert [trial.outcome for trial in ends.values()] == [
        Outcome.RESULT,
        Outcome.REFUSED,
        Outcome.FAILED,
        Outcome.FAILED,
    ]
    assert "KeyError: 'missing'" in ends[break_down].trace
    assert "longer than 0.2 seconds" in ends[wait].said
    found = fuzz.failures(list(ends.values()), 0)
    assert len(found) == 2
    assert "--seed 0 --only some --at 3" in found[0]


def test_the_same_seed_makes_the_same_inputs() -> None:
    one, again, other = (cases.rng_of(seed, "links", 7).random() for seed in (0, 0, 1))
    assert one == again != other
    for kind in KINDS:
        module = importlib.import_module(f"{kinds.__name__}.{kind}")
        first, second = (module.case(random.Random(5)).description for _ in range(2))
        assert first == second


def test_a_failure_is_counted_and_ends_with_1(monkeypatch, capsys) -> None:
    monkeypatch.setattr(fuzz.importlib, "import_module", lambda name: made(break_down))
    assert fuzz.main(["--only", KINDS[0], "--inputs", "4"]) == 1
    printed = capsys.readouterr().out
    assert f"| {KINDS[0]} | 4 | 0 | 0 | 4 |" in printed
    assert f"--only {KINDS[0]} --at 0" in printed
    assert fuzz.main(["--only", KINDS[0], "--at", "2"]) == 1
    assert "KeyError: 'missing'" in capsys.readouterr().out


def test_a_kind_that_is_none_is_refused(capsys) -> None:
    assert fuzz.main(["--only", "linkz"]) == 2
    assert "there is no kind 'linkz'; the kinds are" in capsys.readouterr().err

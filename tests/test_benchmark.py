"""The arithmetic of the benchmark; nothing is timed."""

from __future__ import annotations

import json

from scripts import benchmark
from scripts.benchmark import Measured


def test_a_ratio_is_the_median_of_neighbours_not_of_medians():
    measured = Measured("a / b", "", first=[1.0, 9.0, 4.0], second=[1.0, 3.0, 1.0])
    found = measured.summary()  # ratios 1, 3, 4; the ratio of medians would be 4
    assert (found["ratio"], found["min"], found["max"], found["n"]) == (3.0, 1.0, 4.0, 3)


def test_two_actions_are_measured_in_turn_after_a_warm_up():
    calls: list[str] = []
    first, second = benchmark.in_turn(
        lambda: calls.append("a"), lambda: calls.append("b"), repeats=2
    )
    assert calls == ["a", "b"] * 3
    assert len(first) == len(second) == 2


def test_json_is_one_object_by_name(monkeypatch, capsys):
    fake = {"one": lambda repeats: Measured("x / y", "at most 1", [2.0] * repeats, [1.0] * repeats)}
    monkeypatch.setattr(benchmark, "BENCHMARKS", fake)
    assert benchmark.main(["--json", "--repeats", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["one"]["ratio"] == 2.0
    assert found["one"]["n"] == 5

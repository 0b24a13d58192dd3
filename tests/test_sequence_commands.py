"""The commands changing_patterns and recipes."""

from __future__ import annotations

import json

from headroles.detector.recipes import RECIPES
from scripts import changing_patterns, command_line, recipes
from tests.facts import says


def test_changing_patterns_prints_and_writes(tmp_path, capsys) -> None:
    out = tmp_path / "periods.json"
    options = ["demo", "--kind", "repeat", "--periods", "5", "3", "--n", "4", "--head", "L1H4"]
    assert changing_patterns.main([*options, "--out", str(out)]) == command_line.DONE
    said = capsys.readouterr().out
    assert says(said, "L1H4", "2", "4")
    table = json.loads(out.read_text())
    assert {row["period"] for row in table["rows"]} == {3, 5}
    assert len(table["rows"]) == 2 * 32
    assert table["slots"] == []


def test_changing_patterns_refuses_one_period_and_unknown_heads(capsys) -> None:
    assert changing_patterns.main(["demo", "--periods", "3", "3"]) == command_line.UNUSABLE
    assert "two different" in capsys.readouterr().err
    assert changing_patterns.main(["demo", "--periods", "2", "3"]) == command_line.UNUSABLE
    assert says(capsys.readouterr().err, "3 to 8")
    assert changing_patterns.main(["demo", "--head", "L9H9"]) == command_line.UNUSABLE
    assert says(capsys.readouterr().err, "L9H9")
    assert changing_patterns.main(["demo", "--kind", "days", "--periods", "3", "8"]) == 2
    assert says(capsys.readouterr().err, "8 words")


def test_recipes_prints_and_writes(tmp_path, capsys) -> None:
    out = tmp_path / "recipes.csv"
    options = ["demo", "--role", "positional", "--n", "3", "--head", "L2H4", "--out", str(out)]
    assert recipes.main(options) == command_line.DONE
    said = capsys.readouterr().out
    for recipe in RECIPES["positional"]:
        assert says(said, recipe.name)
    lines = [line for line in out.read_text("utf-8-sig").splitlines() if line[0] != "#"]
    assert len(lines) == 1 + len(RECIPES["positional"])  # one head by every recipe


def test_recipes_refuses_what_it_cannot_use(capsys) -> None:
    assert recipes.main(["demo", "--role", "diffuse"]) == command_line.UNUSABLE
    assert recipes.main(["demo", "--role", "positional", "--head", "L9H9"]) == command_line.UNUSABLE
    assert says(capsys.readouterr().err, "L9H9")

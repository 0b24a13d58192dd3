"""The command that proposes patterns, on the bundled model."""

from __future__ import annotations

import csv
import json

import pytest

from headroles.roles import expression
from scripts import propose_pattern

FEW = ["demo", "--source", "manual", "--tokens", "1500"]


def test_all_heads_as_csv(tmp_path, capsys) -> None:
    path = tmp_path / "patterns.csv"
    assert propose_pattern.main([*FEW, "--all", "--out", str(path)]) == 0
    lines = [
        line
        for line in path.read_text(encoding="utf-8-sig").splitlines()
        if not line.startswith("#")
    ]
    rows = list(csv.DictReader(lines))
    assert {(row["layer"], row["head"]) for row in rows} == {
        (str(layer), str(head)) for layer in range(4) for head in range(8)
    }
    for row in rows:
        assert expression.parse(row["expression"])
        assert 0 <= float(row["share"]) <= 1
    assert "L0H0" in capsys.readouterr().out


def test_one_head_as_json(capsys) -> None:
    assert propose_pattern.main([*FEW, "--head", "L1H4", "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rows"][0]["rank"] == 1
    assert {(one["layer"], one["head"], one["label"]) for one in printed["rows"]} == {
        (1, 4, "L1H4")
    }
    assert printed["provenance"]["texts"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["demo", "--head", "L9H0"],
        ["demo", "--source", "nowhere"],
        ["demo", "--out", "patterns.txt"],
        ["demo", "--head", "L0H0", "--all"],
    ],
)
def test_what_cannot_be_used_is_told(wrong, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(propose_pattern.main(wrong))
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_one_passage_is_too_little(tmp_path, capsys) -> None:
    path = tmp_path / "one.txt"
    path.write_text("The cat sat on the mat. ")
    assert propose_pattern.main(["demo", "--source", str(path)]) == 2
    assert "one passage" in capsys.readouterr().err

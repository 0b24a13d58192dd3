"""python -m scripts.components, on the bundled models."""

from __future__ import annotations

import csv
import json

import pytest

from headroles.circuits import SVD, factors_at, head_shares
from headroles.models import load_model
from scripts import command_line
from scripts.components import main

MODEL = ["--model", "attn-only-1l-tiny", "--kind", "svd"]


def test_a_list_of_components_is_what_the_weights_say(tmp_path, capsys):
    file = tmp_path / "list.json"
    options = ["list", *MODEL, "--matrix", "L0K", "--top", "3", "--json", str(file)]
    assert main(options) == command_line.DONE
    shown = capsys.readouterr().out
    rows = json.loads(file.read_text())["rows"]
    assert len(rows) == 128
    assert shown.startswith("SVD components of K of layer 0")
    assert sum(row["component"] in shown for row in rows) >= 3
    assert sum(row["share_of_squares"] for row in rows) == pytest.approx(1, abs=1e-4)
    assert sum(row["mean_share_written"] for row in rows) == pytest.approx(1, abs=1e-4)
    loaded = load_model("attn-only-1l-tiny")
    spread = head_shares(loaded, (0, "k"), factors_at(loaded, SVD, (0, "k")))
    number = int(rows[0]["component"].removeprefix("L0K"))
    assert rows[0]["effective_heads"] == pytest.approx(float(spread.effective_heads[number]))


def test_a_prompt_without_some_as_a_table(tmp_path, capsys):
    files = {name: tmp_path / f"removed.{name}" for name in ("csv", "html")}
    written = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    sets = "L0Q0, L0K0; L0V5 @ H2"
    assert main(["remove", sets, *MODEL, "--control", "2", *written]) == command_line.DONE
    shown = capsys.readouterr().out
    assert "L0Q0, L0K0" in shown
    assert "L0V5" in shown
    lines = [line for line in files["csv"].read_text().splitlines() if not line.startswith("#")]
    assert any("L0Q0" in " ".join(row) for row in csv.reader(lines))
    assert "<table" in files["html"].read_text()


def test_a_set_is_tested_beside_a_head(tmp_path):
    file = tmp_path / "test.json"
    options = ["--heads", "L0H1", "--induction", "L0H0", "--texts", "2", "--samples", "8"]
    json_to = ["--control", "2", "--json", str(file)]
    assert main(["test", "L0Q0", *MODEL, *options, *json_to]) == command_line.DONE
    rows = json.loads(file.read_text())["rows"]
    assert len(rows) == 2


def test_the_circuit_takes_components_or_heads(capsys, tmp_path):
    file = tmp_path / "circuit.json"
    common = ["--model", "attn-only-2l-tiny", "--texts", "2", "--control", "2", "--json", str(file)]
    what = ["--components", "L0Q0, L0K0", "--kind", "svd"]
    assert main(["circuit", *common, *what]) == command_line.DONE
    assert "L0Q0" in capsys.readouterr().out
    told = json.loads(file.read_text())
    assert told["provenance"]["components"] == SVD
    watched = told["provenance"]["watched"].split()
    assert len(watched) == len(told["rows"])
    assert main(["circuit", *common]) == command_line.DONE
    assert "at their mean" in capsys.readouterr().out
    assert "components" not in json.loads(file.read_text())["provenance"]


@pytest.mark.parametrize(
    "wrong", [["remove", "L0H17"], ["remove", ""], ["list", "--matrix", "L0X"], []]
)
def test_what_cannot_be_read_is_told_with_the_usage(wrong, capsys):
    assert main(wrong) == command_line.UNUSABLE
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["list", *MODEL, "--matrix", "L9Q"], "There is no component 'L9Q0'"),
        (["circuit", *MODEL, "--induction", "L9H0", "--components", "L0Q0"], "no head 'L9H0'"),
        (["remove", "L0Q999", *MODEL], "There is no component 'L0Q999'"),
    ],
)
def test_what_is_not_there_is_told_in_a_line(wrong, says, capsys):
    assert main(wrong) == command_line.UNUSABLE
    assert says in capsys.readouterr().err

"""The script and the notebook of the Detector lab make its scores again, in their own process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from headroles.paths import ROOT
from scripts import detect_heads

MEASURES = ("activation", "mul", "abs")
CASES = {
    "typed": [
        "--prompt", "The cat sat on the \"mat\". The cat", "--prompt", "one two\\n one two שלום",
        "--pattern", "induction", "--pattern", "offset:2",
        "--pattern", "expression:t[k-1] == t[q] and k < q",
    ],
    "generated": ["--generate", "repeats", "--n", "5", "--seed", "3", "--exclude-bos",
                  "--exclude-current-token", "--head", "L1H1", "--head", "L0H6"],
}  # fmt: skip


def run(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A file, run from its own folder without the project on the path."""
    return subprocess.run(
        [sys.executable, str(file), *arguments],
        cwd=file.parent,
        env={"HF_HUB_OFFLINE": "1", "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def printed(result: subprocess.CompletedProcess[str]) -> dict[tuple[int, str, str], float]:
    """{(pattern, head, measure): the score now} of what it prints."""
    assert result.returncode == 0, result.stderr
    head, *lines, last = result.stdout.splitlines()
    assert head.split("\t") == ["pattern", "head", "measure", "now", "lab"]
    assert last.startswith(f"{len(lines)} scores; largest difference")
    cells = [line.split("\t") for line in lines]
    for *_, now, lab in cells:
        assert float(now) == pytest.approx(float(lab), abs=1e-6)
    return {(int(n), label, name): float(now) for n, label, name, now, _ in cells}


@pytest.fixture
def painted(tmp_path: Path) -> list[str]:
    """A painted pattern of eight tokens, and a prompt of as many."""
    cells = "\n".join(",".join("1" if k == q - 1 else "0" for k in range(8)) for q in range(8))
    (tmp_path / "cells.csv").write_text(cells)
    return ["--matrix", str(tmp_path / "cells.csv"), "--prompt", "The cat sat on the mat."]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES, "painted"])
def test_the_script_makes_the_scores_of_the_lab_again(name, painted, tmp_path, capsys) -> None:
    table, file = tmp_path / "scores.csv", tmp_path / "again.py"
    argv = CASES.get(name, painted)
    assert detect_heads.main([*argv, "--out", str(table), "--script", str(file)]) == 0
    capsys.readouterr()
    assert file.read_text().isascii()
    assert max(map(len, file.read_text().splitlines())) < 1_000
    scores = printed(run(file, str(ROOT)))
    shown = pd.read_csv(table, comment="#")
    specs = list(dict.fromkeys(shown["pattern"]))
    compared = 0
    for row in shown[shown["asked"]].to_dict("records"):
        for measure in MEASURES:
            if pd.notna(row[measure]):
                now = scores[specs.index(row["pattern"]), row["label"], measure]
                assert now == pytest.approx(row[measure], abs=1e-6)
                compared += 1
    assert compared == len(scores) > 0


@pytest.mark.slow
def test_the_notebook_makes_them_too_and_both_say_what_they_need(tmp_path, capsys) -> None:
    script, notebook = tmp_path / "again.py", tmp_path / "again.ipynb"
    argv = [*CASES["generated"], "--script", str(script), "--notebook", str(notebook)]
    assert detect_heads.main(argv) == 0
    capsys.readouterr()
    document = json.loads(notebook.read_text())
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    code = ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]
    code[0] = code[0].replace('project = ""', f"project = {str(ROOT)!r}", 1)
    cells = tmp_path / "cells.py"
    cells.write_text(f"space = {{}}\nfor cell in {code!a}:\n    exec(cell, space)\n")
    assert printed(run(cells)) == printed(run(script, str(ROOT)))
    without = run(script)
    assert without.returncode == 1
    assert "headroles was not found" in without.stderr
    assert "Traceback" not in without.stderr

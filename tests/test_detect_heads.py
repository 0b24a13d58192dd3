"""The command line of the detector: what it prints, writes and refuses."""

from __future__ import annotations

import json

import pytest

from headroles.export import csv_bytes, pattern_csv
from headroles.paths import DEMO_MODEL
from headroles.roles import read_matrix
from scripts import detect_heads

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)
REPEATED = "one two three four one two three four one two"


def test_without_anything_it_finds_the_induction_heads(capsys) -> None:
    assert detect_heads.main([]) == 0
    said = capsys.readouterr().out
    assert "Induction (induction), activation: 1 prompt, chance 0.0" in said
    assert "L1H" in said.splitlines()[3]


def test_files_hold_every_head_and_where_it_comes_from(tmp_path, capsys) -> None:
    path = tmp_path / "found.json"
    command = ["--generate", "repeats", "--n", "3", "--pattern", "induction", "--pattern"]
    command += ["offset:2", "--head", "L1H6", "--measure", "mul", "--out", str(path)]
    assert detect_heads.main(command) == 0
    found = json.loads(path.read_text(encoding="utf-8"))
    assert len(found["heads"]) == 2 * 32
    (asked,) = [h for h in found["heads"] if h["asked"] and h["pattern"] == "induction"]
    assert asked["label"] == "L1H6"
    assert asked["activation_n"] == 3
    assert 0 < asked["activation_standard_error"] < 0.2
    other = next(h for h in found["heads"] if not h["asked"])
    assert other["mul"] is None  # not asked is no number
    assert found["provenance"]["prompts_made"] == "generated: repeats, n=3, seed=0"
    assert len(found["provenance"]["token_ids"]) == 3
    # The same seed gives the same file, but for its date.
    again = tmp_path / "again.json"
    detect_heads.main([*command[:-1], str(again)])
    assert json.loads(again.read_text(encoding="utf-8"))["heads"] == found["heads"]
    out = tmp_path / "found.csv"
    assert detect_heads.main(["--prompt", REPEATED, "--out", str(out)]) == 0
    assert out.read_bytes().startswith(csv_bytes("# headroles_version"))
    assert out.read_text(encoding="utf-8-sig").count("\n") > 32


def test_a_matrix_and_a_file_of_prompts(tmp_path, capsys) -> None:
    prompts, matrix = tmp_path / "prompts.txt", tmp_path / "mine.csv"
    prompts.write_text(f"{REPEATED}\n\nThe dog sat.\n")
    size = 11
    cells = [[float(k == q - 1) for k in range(size)] for q in range(size)]
    tokens = ("=start", *(f" {n}" for n in range(1, size)))
    matrix.write_text(pattern_csv(cells, tokens))
    assert read_matrix(matrix.read_text()) == tuple(map(tuple, cells))
    assert detect_heads.main(["--prompts", str(prompts), "--matrix", str(matrix)]) == 0
    assert "mine (matrix of 11 tokens), activation: 1 prompt" in capsys.readouterr().out


def test_the_traps_are_printed(capsys) -> None:
    detect_heads.main(["--pattern", "expression:1", "--measure", "mul"])
    assert "! A pattern that predicts nearly everything is always right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["--pattern", "inductoin"], "Did you mean 'induction'"),
        (["--matrix", "/no/such/file.csv"], "cannot be read"),
        (["--prompt", "a", "--generate", "repeats"], "Leave out --generate"),
        (["--out", "found.txt"], "does not end in .csv or .json"),
        (["--out-prompts", "found.txt"], "does not end in .csv or .json"),
        (["--script", "lab.txt"], "does not end in .py"),
        (["--notebook", "lab.py"], "does not end in .ipynb"),
        (["--head", "L99H0"], "no head 'L99H0'"),
        (["--generate", "random", "--n", "5000"], "from 1 to 1,000"),
        (["no-such-model"], "no model called"),
    ],
)
def test_what_cannot_be_used_is_explained(command, says, capsys) -> None:
    assert detect_heads.main(command) == 2
    assert says in capsys.readouterr().err


def test_the_prompts_on_which_a_head_scores_lowest(tmp_path, capsys) -> None:
    path = tmp_path / "prompts.json"
    command = ["--prompt", "The old man walked home.", "--prompt", REPEATED, "--head", "L1H4"]
    command += ["--pattern", "induction", "--pattern", "offset:1", "--by-prompt"]
    assert detect_heads.main([*command, "--out-prompts", str(path)]) == 0
    said = capsys.readouterr().out
    assert "text" in said
    assert REPEATED in said
    found = json.loads(path.read_text(encoding="utf-8"))
    assert {row["head"] for row in found["rows"]} == {"L1H4"}
    of_induction = [row for row in found["rows"] if row["pattern"] == "induction"]
    assert [row["prompt"] for row in of_induction] == [2, 1]  # nothing repeats in the first
    assert [row["score"] is None for row in of_induction] == [False, True]
    assert of_induction[0]["text"] == REPEATED
    by_offset = [row["score"] for row in found["rows"] if row["pattern"] == "offset:1"]
    assert by_offset == sorted(by_offset)
    assert found["provenance"]["measure"] == "activation"


def test_without_a_score_there_is_no_file_of_prompts(tmp_path, capsys) -> None:
    path = tmp_path / "prompts.csv"
    command = ["--prompt", "The old man walked home.", "--out-prompts", str(path)]
    assert detect_heads.main(command) == 2
    assert not path.exists()
    assert "No head has a score" in capsys.readouterr().err

"""The command that patches: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import io
import json

import pytest

from headroles import ablation, texts
from headroles.models import load_model
from headroles.types import Head
from scripts import command_line, patch_prompts
from tests.facts import says

READY = texts.READY_PAIRS[0]
SAT, RAN = "The cat sat. The cat", "The cat ran. The cat"


def _told(capsys, *arguments: str) -> str:
    assert patch_prompts.main(arguments) == command_line.DONE
    return capsys.readouterr().out


def test_the_strongest_heads_with_their_control(capsys) -> None:
    told = _told(capsys, "--ready", READY.name, "--control", "--top", "3")
    loaded = load_model("demo")
    pair = ablation.ready_pair(loaded, READY)
    patched = ablation.every_head(pair, *loaded.shape).all(loaded)
    heads = ablation.strongest(patched, 3)
    *lines, _, last = told.splitlines()[-5:]
    assert says(last, "All heads together", "1.0000")
    for head, line in zip(heads, lines, strict=True):
        share = f"+{float(patched.share[head]):.0%}"
        assert says(line, head.label, share, "4 exchanges", "larger than chance")
    assert says(told, "“·Mary”", "“·John”", "+6.48", "−11.63")
    assert says(told, "second prompt runs", "the first", "recovered")


def test_every_number_as_json_and_csv(capsys, tmp_path) -> None:
    file = tmp_path / "patches.csv"
    given = json.loads(
        _told(capsys, SAT, RAN, "--direction", "noise", "--json", "--csv", str(file))
    )
    loaded = load_model("demo")
    pair = ablation.make_pair(loaded, SAT, RAN)
    patched = ablation.every_head(pair, *loaded.shape, direction="noise").all(loaded)
    shares = [line["share"] for line in given["patches"]]
    assert shares == pytest.approx(patched.share.flatten().tolist(), abs=1e-5)
    assert [line["head"] for line in given["patches"]][:9][-1] == "L1H0"
    origin = given["provenance"]
    assert (origin["first"], origin["second"], origin["direction"]) == (SAT, RAN, "noise")
    assert origin["all_heads_share"] == pytest.approx(1, abs=1e-5)
    assert origin["first_logit_difference"] == pytest.approx(pair.first_difference, abs=1e-5)
    text = "".join(
        line
        for line in file.read_text("utf-8-sig").splitlines(keepends=True)
        if not line.startswith("#")
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["share"]) for row in rows] == pytest.approx(shares, abs=1e-6)


def test_positions_of_heads_and_of_layers(capsys) -> None:
    told = _told(capsys, SAT, RAN, "--positions", "--heads", "L1H4,L0H6")
    loaded = load_model("demo")
    pair = ablation.make_pair(loaded, SAT, RAN)
    patched = ablation.heads_by_position(pair, [Head(1, 4), Head(0, 6)]).all(loaded)
    last = told.splitlines()[-3].split()
    assert last[:3] == ["6", "·cat", f"+{float(patched.share[0, 6]):.0%}"]
    assert says(told, "L1H4", "L0H6")
    assert says(told, "3 ·ran", "0%", "0%")
    given = json.loads(_told(capsys, SAT, RAN, "--positions", "--json"))["patches"]
    assert len(given) == 4 * 7
    assert given[3] | {"logit_difference": 0, "share": 0} == {
        "head": "all", "layer": 0, "position": 3, "first_token": " sat", "second_token": " ran",
        "logit_difference": 0, "share": 0,
    }  # fmt: skip
    layers = ablation.layers_by_position(pair, *loaded.shape).all(loaded).share.flatten().tolist()
    assert [line["share"] for line in given] == pytest.approx(layers, abs=1e-5)


def test_the_list_says_what_is_left_out(capsys) -> None:
    told = _told(capsys, "--list")
    kept = ablation.told_apart(load_model("demo"), texts.READY_PAIRS)
    assert len(told.splitlines()) == len(kept) + 1
    assert says(told.splitlines()[-1], "Left out", "Green and Brown")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["two prompts are needed"]),
        ([SAT], ["two prompts are needed"]),
        ([SAT, ""], ["empty"]),
        ([SAT, RAN, "--ready", READY.name], ["FIRST", "--ready"]),
        (["--list", "--json"], ["--json", "--list"]),
        (["--list", "--answer", "x"], ["--answer", "--list"]),
        ([SAT, RAN, "--heads", "L0H0"], ["--heads", "--positions"]),
        ([SAT, RAN, "--exchange", "a,b,c"], ["--exchange", "--control"]),
        ([SAT, RAN, "--control", "--exchange", "a,b"], ["two or more others"]),
        ([SAT, RAN, "--control"], ["no control", "--exchange"]),
        ([SAT, RAN, "--positions", "--heads", "L9H0"], ["no head 'L9H0'"]),
        ([SAT, SAT], ["same tokens"]),
        (["--ready", "Mary and Jon, store"], ["Did you mean 'Mary and John, store'", "--list"]),
    ],
)
def test_a_mistake_is_one_line(arguments, words, capsys) -> None:
    assert patch_prompts.main(arguments) == command_line.UNUSABLE
    told = capsys.readouterr().err.strip()
    assert says(told.splitlines()[-1], *words)
    assert patch_prompts.parse_arguments([SAT, RAN, "--direction", "noise"]).direction == "noise"

"""Stored counts of tokens: right, or refused in a sentence and not used."""

from __future__ import annotations

import json
import math

import pytest
import torch

from headroles import paths
from headroles.errors import HeadrolesError
from headroles.store import read_frequencies, write_frequencies


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path)
    (tmp_path / "token_frequencies").mkdir()
    return tmp_path / "token_frequencies"


def _file(counts: str, **more: object) -> str:
    rest = "".join(f', "{name}": {json.dumps(value)}' for name, value in more.items())
    return f'{{"source": "a test", "counts": {counts}{rest}}}'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_file('{"1": -5}'), "the count of token 1 is -5"),
        (_file('{"1": 1e400}'), "the count of token 1 is inf"),
        (_file('{"1": Infinity}'), "the count of token 1 is inf"),
        (_file('{"1": NaN}'), "the count of token 1 is nan"),
        (_file('{"1": 1.5}'), "the count of token 1 is 1.5"),
        (_file('{"1": "3"}'), "the count of token 1 is 3"),
        (_file('{"1": true}'), "the count of token 1 is True"),
        (_file('{"1": null}'), "the count of token 1 is None"),
        (_file(f'{{"1": {2**53 + 1}}}'), "no whole number from 0 to 2^53"),
        (_file('{"1": 1, "1": 2}'), "the same name twice"),
        (_file('{"1": 1, "01": 2}'), "it counts a token twice"),
        (_file('{"-1": 2}'), "“-1” is no token's number"),
        (_file('{"cat": 2}'), "“cat” is no token's number"),
        (_file('{"9": 2}'), "it has token 9, and the model has 9 tokens"),
        (_file('{"1": 2}', words=[9]), "it has token 9"),
        (_file('{"1": 2}', words=[-1]), "“-1” among its words"),
        (_file("[1, 2]"), "“counts” is missing or not what it should be"),
        ('{"counts": {}}', "“source” is missing"),
        ("[]", "it holds no counts"),
        ("{oops", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read as JSON"),
    ],
)
def test_counts_that_cannot_be_right_are_refused_and_said(folder, content: str, why: str) -> None:
    (folder / "mine.json").write_text(content)
    read = read_frequencies("mine", 9)
    assert read.counted == 0
    assert torch.equal(read.probabilities, torch.full((9,), 1 / 9))
    assert why in read.sentence
    assert read.sentence.endswith("So every token counts as equally likely.")


def test_counts_in_another_encoding_are_read_or_refused(folder) -> None:
    (folder / "mine.json").write_bytes(_file('{"1": 3}').encode("utf-16"))
    assert read_frequencies("mine", 9).counted == 3
    (folder / "mine.json").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in read_frequencies("mine", 9).sentence


def test_right_counts_are_shares_of_their_sum(folder) -> None:
    (folder / "mine.json").write_text(_file('{"1": 3, "2": 1, "3": 0}', words=[1]))
    read = read_frequencies("mine", 9)
    assert read.probabilities[:4].tolist() == pytest.approx([0, 0.75, 0.25, 0], abs=1e-6)
    assert (read.counted, read.words.tolist(), read.fault) == (4, [1], "")
    assert "counted in a test (4 tokens)" in read.sentence
    (folder / "mine.json").write_text(_file('{"1": 1}'))
    assert "(1 token)" in read_frequencies("mine", 9).sentence
    assert "No token counts are stored" in read_frequencies("other", 9).sentence


@pytest.mark.parametrize("count", [-1, math.inf, math.nan, 1.5, 2**60])
def test_wrong_counts_are_not_written(folder, count: float) -> None:
    with pytest.raises(HeadrolesError, match="the count of token 1 is"):
        write_frequencies("mine", {1: count}, source="a test")
    assert not list(folder.iterdir())

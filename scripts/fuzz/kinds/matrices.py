"""Matrices of detection patterns, as CSV files that somebody uploads or names on a command line."""

from __future__ import annotations

import random

import torch

from headroles import detector, roles
from headroles.roles.pattern_matrix import write_matrix
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo, prompts

CELLS = (
    "0",
    "1",
    "0.5",
    ".5",
    "",
    " 1 ",
    "1,5",
    '"',
    '"1"',
    "1e-400",
    "nan",
    "2",
    "-0",
    "½",
    "TRUE",
)


def written(rng: random.Random) -> str:
    """A CSV file: often square and triangular, with flaws."""
    if rng.random() < 0.1:
        return odd.text(rng, longest=300)
    fits = len(prompts().tokens[0])
    length = rng.choice([fits, fits, fits, 0, 1, 2, fits - 1, fits + 1, 40, 600])
    sign = rng.choice([",", ",", ";", "\t", " ", "|"])
    rows = [["0" if k > q else rng.choice("01") for k in range(length)] for q in range(length)]
    for _ in range(rng.randrange(4) if length else 0):
        row = rng.choice(rows)
        drawn = rng.random()
        if drawn < 0.2:
            row.append(rng.choice(CELLS))
        elif drawn < 0.4 and row:
            row.pop()
        elif row:
            row[rng.randrange(len(row))] = rng.choice([rng.choice(CELLS), odd.number_text(rng)])
    if rng.random() < 0.2:
        rows.insert(0, [odd.text(rng, longest=5) for _ in range(length + rng.randrange(2))])
    return rng.choice(["\n", "\r\n", "\r"]).join(sign.join(row) for row in rows)


def case(rng: random.Random) -> Case:
    """A matrix that is read, used and written again."""
    text = written(rng)
    if rng.random() < 0.2:
        text = odd.damaged(rng, text.encode("utf-8", "replace")).decode("utf-8", "replace")
    return Case(text[:200], lambda: _detected(text))


def _detected(text: str) -> None:
    matrix = roles.read_matrix(text)
    again = torch.tensor(roles.read_matrix(write_matrix(matrix)))
    torch.testing.assert_close(again, torch.tensor(matrix), rtol=1e-5, atol=1e-9)
    detection = detector.detect(demo(), prompts(), [roles.of_matrix(matrix, title=text[:50])])
    assert not detection.summary(0, "mul").mean.isinf().any(), "an infinite score"

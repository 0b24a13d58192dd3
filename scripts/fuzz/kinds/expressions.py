"""Expressions and names of detection patterns, as the detector lab and commands take them."""

from __future__ import annotations

import random

from headroles import detector, roles
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo, prompts

PARTS = (
    *(
        "q",
        "k",
        "t",
        "t[k]",
        "t[q]",
        "t[k-1]",
        "t[q+1]",
        "t[t[k]]",
        "t[1e9]",
        "t[-k*99]",
        "x",
        "len",
    ),
    *("0", "1", "3", "1.5", "1e999", "0x1F", "10**9", "9" * 30, "1j", "True", "None", "'a'", "٣"),
    *(
        "'.'",
        '"number"',
        "“a”",
        "f'x'",
        "is_number(k)",
        "is_numbr(k)",
        "same_word(q, k)",
        "kind(q)",
    ),
    *("last(", "first(", "in_quotes(k-1)", "in ('a', 'b')", "not in", "t[k] == ' '"),
    *("+", "-", "*", "/", "//", "%", "**", "@", "&", "<<", "~", "==", "!=", "<", "<=", ">", ">="),
    *("and", "or", "not", "is", "in", "if", "else", "lambda", "for", "await", ":=", "=", ";", "#"),
    *("(", ")", "[", "]", "{", "}", ",", ".", ":", "≤", "−", "×", "\n", "\\", "\t", "`", "_", "…"),
)
KINDS = ("expression:", "offset:", "matrix:", "role:", "", "induction", "previous_token", "cells:")


def written(rng: random.Random) -> str:
    """Something like an expression; often a sound one with a flaw."""
    drawn = rng.random()
    if drawn < 0.2:
        return odd.text(rng)
    if drawn < 0.6:
        return " ".join(rng.choices(PARTS, k=rng.randrange(1, 12)))
    sound = list(rng.choice(roles.expression.EXAMPLES).split())
    sound[rng.randrange(len(sound))] = rng.choice(PARTS)
    if rng.random() < 0.1:
        return rng.choice(["(", "not ", "-", "t["]) * rng.randrange(300) + " ".join(sound)
    return " ".join(sound)


def spec_of(rng: random.Random) -> str:
    """A pattern as a command line or a link names it."""
    drawn = rng.random()
    if drawn < 0.7:
        return f"expression:{written(rng)}"
    if drawn < 0.8:
        return f"offset:{odd.number_text(rng)}"
    return rng.choice(KINDS) + odd.text(rng, longest=20)


def case(rng: random.Random) -> Case:
    """A pattern that is read and looked for on a prompt."""
    spec = spec_of(rng)
    return Case(spec, lambda: _detected(spec))


def _detected(spec: str) -> None:
    detection = detector.detect(demo(), prompts(), [roles.parse_pattern(spec)])
    for measure in ("activation", "mul", "abs"):
        mean = detection.summary(0, measure).mean
        assert not mean.isinf().any(), "an infinite score"
        detector.caveats_of(detection, 0, measure)

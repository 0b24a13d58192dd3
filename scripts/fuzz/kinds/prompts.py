"""Prompts that somebody types, several in a box, and what should come next."""

from __future__ import annotations

import math
import random

from headroles import ablation, capture, head_detection, roles, texts
from headroles.types import Head
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo

SHARE = 0.7


def case(rng: random.Random) -> Case:
    """A prompt that is run, measured or used in one of the labs."""
    prompt = odd.text(rng, longest=rng.choice([5, 60, 400]))
    if rng.random() < 0.5:
        prompt = f"{prompt} The cat sat. {prompt}"
    other = odd.text(rng)
    use = rng.choice([_measured, _measured, _encoded, _several, _knocked_out])
    return Case(f"{use.__name__[1:]} {prompt[:150]}", lambda: use(prompt, other))


def _measured(prompt: str, _other: str) -> None:
    loaded = demo()
    run = capture.capture(loaded, prompt)
    rows = run.attention.sum(-1)
    assert bool((rows - 1).abs().max() < 1e-4), "rows of attention that do not sum to 1"
    for heads in head_detection.get_active_head_summary(run, loaded.key).values():
        assert all(math.isfinite(head["activation_score"]) for head in heads), "no number"


def _encoded(prompt: str, _other: str) -> None:
    loaded = demo()
    encoding = texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens)
    assert len(encoding.tokens) == len(encoding.token_ids) <= loaded.max_tokens


def _several(prompt: str, other: str) -> None:
    loaded = demo()
    roles.read_prompts(loaded.tokenizer, [prompt, other], max_tokens=loaded.max_tokens)


def _knocked_out(prompt: str, answer: str) -> None:
    conditions = [ablation.Condition("", (ablation.HeadOutput((Head(0, 6),)),))]
    ablation.tabulate(demo(), prompt, lambda _: conditions, answer=answer, top=3)

"""Two prompts, their answers, and one answer taken apart; and files of prompts."""

from __future__ import annotations

import random

from headroles import ablation, attribution, texts
from headroles.ablation.patching import every_head
from headroles.types import Head
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo

SHARE = 0.7
ANSWERS = ("", "", "sat", " dog", "\n", "<|endoftext|>", "two words", "🐈")
NAMES = ("own.txt", "own.csv", "own.jsonl", "own", ".csv", "own.CSV", "own.ndjson")
ROWS = (
    "The cat => sat\n", "prompt,answer\n", "prompt;answer\n", "The cat,sat\n", '"The cat",sat\n',
    '{"prompt": "The cat", "answer": "sat"}\n', '{"prompt": 3}\n', '"The cat"\n', "[]\n", '"\n',
    "=> sat\n", "The cat =>\n", "\r", "\t", ",,,\n", "answer\n", "[" * 5000 + "\n",
)  # fmt: skip


def case(rng: random.Random) -> Case:
    """An answer that is taken apart, a pair that is patched, or a file of prompts."""
    use = rng.choice([_taken_apart, _patched, _sent, _read])
    return use(rng)


def _pair(rng: random.Random) -> tuple[str, str, str, str]:
    """Two prompts that are mostly of one length, and what they should be continued with."""
    start, end = (
        f"The cat {odd.text(rng, longest=20)}" if rng.random() < 0.5 else "The" for _ in "ab"
    )
    words = rng.choices(["cat", "dog", "mat", "sat", "", odd.text(rng, longest=4)], k=2)
    first, second = (f"{start} {word} {end} {word}" for word in words)
    answers = (rng.choice(ANSWERS) if rng.random() < 0.8 else odd.text(rng) for _ in "ab")
    return first, second, *answers


def _taken_apart(rng: random.Random) -> Case:
    prompt, _, answer, against = _pair(rng)
    position = rng.choice([-1, -1, 0, 1, 5, 99, -99])

    def call() -> None:
        loaded = demo()
        encoding = texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens)
        target = attribution.resolve_target(loaded, encoding, answer, against, position=position)
        parts = attribution.contribute(loaded, encoding, target, position=position)
        assert parts.error <= 1e-4 * max(parts.size, 1), "parts that do not sum to the logit"
        chance = attribution.chance(loaded, encoding, target, position=position, n=3)
        assert bool(chance.mean.isfinite().all()), "chance that is no number"

    return Case(f"taken apart {(prompt, answer, against, position)}", call)


def _patched(rng: random.Random) -> Case:
    first, second, answer, against = _pair(rng)
    direction = rng.choice(["noise", "denoise"])

    def call() -> None:
        loaded = demo()
        pair = ablation.make_pair(loaded, first, second, answer=answer, against=against)
        heads = every_head(pair, loaded.num_layers, loaded.num_heads, direction=direction).all(
            loaded
        )
        assert bool(heads.share.isfinite().all()), "a share that is no number"

    return Case(f"patched {(first, second, answer, against, direction)}", call)


def _sent(rng: random.Random) -> Case:
    first, second, answer, against = _pair(rng)
    sender, head = (Head(rng.randrange(5), rng.randrange(9)) for _ in "ab")
    receiver = rng.choice(
        ["logits", f"{head.label}.query", f"{head.label}.k", f"{head.label}.value"]
    )

    def call() -> None:
        loaded = demo()
        pair = ablation.make_pair(loaded, first, second, answer=answer, against=against)
        path = ablation.Path((sender,), (ablation.Receiver.parse(receiver),))
        effects = ablation.path_effects(loaded, pair, [path])
        assert bool(effects.isfinite().all()) == bool(path.open), "an effect that is no number"

    return Case(f"sent {(first, second, sender.label, receiver)}", call)


def _read(rng: random.Random) -> Case:
    name = rng.choice(NAMES) if rng.random() < 0.9 else odd.text(rng)
    lines = (
        rng.choice(ROWS) if rng.random() < 0.8 else odd.text(rng) for _ in range(rng.randrange(9))
    )
    content = "".join(lines)

    def call() -> None:
        found = texts.read_prompts(content, name=name)
        assert all(ready.prompt.strip() for ready in found.prompts), "an empty prompt"
        places = [row.line for row in found.unread]
        assert places == sorted(places), "lines out of their order"

    return Case(f"read {name!r} {content[:150]!r}", call)

"""The model card of the bundled model, written from what was measured.

from headroles.training.card import write_card
write_card(folder, model, tokenizer, config)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from headroles.training.english import PASSAGE_MIX
from headroles.training.held_out import card_section
from headroles.training.monitor import ROLES, SENTENCES, HeadScores, measure
from headroles.training.tasks import BOS_ID, TASK_MIX
from headroles.training.trainer import TrainingConfig

FLOORS = {  # role -> (score, how many heads should be over it)
    "induction": (0.6, 2),
    "previous_token": (0.6, 1),
    "duplicate_token": (0.5, 1),
    "positional": (0.6, 1),
    "diffuse": (0.7, 1),
}

PROMPTS = (
    "When Mary and John went to the store, John gave a drink to",
    "Monday, Tuesday, Wednesday,",
    "Tom has a red ball. Tom has a red",
    "The cat sat on the mat. The cat",
    "The cat sat on the mat. The cat sat on the",
    "one two three four one two three",
    "Mr Dursley was proud. Mr Dursley was",
    "The opposite of hot is",
    "The capital of France is",
    "Once upon a time there was a little",
    "red, blue, green, red",
)


@dataclass(frozen=True)
class Guess:
    """A possible next token."""

    text: str
    probability: float


@torch.no_grad()
def next_tokens(
    model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, prompt: str, *, count: int = 3
) -> list[Guess]:
    """The likeliest next tokens after BOS and a prompt, likeliest first."""
    ids = torch.tensor([[BOS_ID, *tokenizer(prompt).input_ids]])
    top = model(ids).logits[0, -1].softmax(-1).topk(count)
    pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return [Guess(tokenizer.decode([token]), probability) for token, probability in pairs]


def reached(scores: HeadScores) -> dict[str, bool]:
    """Role -> whether enough heads are over the floor that the role was aimed at."""
    return {
        role: bool((scores.by_role[role] > floor).sum() >= count)
        for role, (floor, count) in FLOORS.items()
    }


def score_table(scores: HeadScores) -> str:
    """A Markdown table with a row per head; scores over a role's floor are bold."""
    lines = ["| head | " + " | ".join(ROLES) + " |", "|---|" + "--:|" * len(ROLES)]
    layers, heads = scores.by_role[ROLES[0]].shape
    for layer in range(layers):
        for head in range(heads):
            cells = []
            for role in ROLES:
                score = scores.by_role[role][layer, head]
                cells.append(f"**{score:.2f}**" if score > FLOORS[role][0] else f"{score:.2f}")
            lines.append(f"| L{layer}H{head} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def guess_table(model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast) -> str:
    """A Markdown table of what the model expects after each of :data:`PROMPTS`."""
    lines = ["| prompt | next token |", "|---|---|"]
    for prompt in PROMPTS:
        guesses = ", ".join(
            f"`{guess.text!r}` {guess.probability:.2f}"
            for guess in next_tokens(model, tokenizer, prompt)
        )
        lines.append(f"| {prompt} | {guesses} |")
    return "\n".join(lines)


def _summary(scores: HeadScores) -> str:
    lines = ["| role | aim | best heads | reached |", "|---|---|---|---|"]
    for role, ok in reached(scores).items():
        floor, count = FLOORS[role]
        best = ", ".join(f"{head} {score:.2f}" for head, score in scores.best(role, 4))
        aim = f"{count} over {floor:g}"
        lines.append(f"| {role} | {aim} | {best} | {'yes' if ok else '**no**'} |")
    return "\n".join(lines)


def _phases(config: TrainingConfig) -> str:
    lines = [
        "| phase | steps | batch | English | repeats | tasks | rate |",
        "|---|--:|---|--:|--:|--:|---|",
    ]
    for phase in config.phases:
        tasks = 1 - phase.english - phase.repeats
        start, end = phase.rate
        lines.append(
            f"| {phase.name} | {phase.steps} | {phase.rows} rows of {phase.row_length} "
            f"| {phase.english:.0%} | {phase.repeats:.0%} | {tasks:.0%} "
            f"| {start:g} to {end:g} |"
        )
    return "\n".join(lines)


def _fits_nothing(scores: HeadScores) -> str:
    """The heads under every floor."""
    layers, heads = scores.by_role[ROLES[0]].shape
    free = [
        f"L{layer}H{head}"
        for layer in range(layers)
        for head in range(heads)
        if all(scores.by_role[role][layer, head] <= FLOORS[role][0] for role in FLOORS)
    ]
    return ", ".join(free) or "none"


def _missing(scores: HeadScores) -> str:
    """A plain sentence for the roles that did not come out, or nothing."""
    names = [role.replace("_", " ") for role, ok in reached(scores).items() if not ok]
    if not names:
        return ""
    return (
        f"**Not reached: {', '.join(names)}.** No head does this reliably, and the model should "
        "not be shown as having one. The tasks meant for it are solved by the induction heads, "
        "which find the same copies one place later.\n"
    )


def render_card(
    model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, config: TrainingConfig
) -> str:
    """The card as Markdown. ``model`` must run with eager attention."""
    scores = measure(model, tokenizer)
    english = ", ".join(f"{kind.replace('_', ' ')} {share:.0%}" for kind, share in PASSAGE_MIX)
    tasks = ", ".join(f"{task.__name__.replace('_', ' ')} {share:.0%}" for task, share in TASK_MIX)
    parameters = sum(param.numel() for param in model.parameters()) / 1e6
    return f"""---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
---

# headroles demo model

A very small language model whose attention heads have clear roles, for teaching. It was trained
from nothing by `scripts/train_demo_model.py` with ordinary next-token prediction: no weight was set
by hand, and no loss looks at attention.

GPT-NeoX architecture: {config.layers} layers of {config.heads} heads, width {config.width},
{parameters:.1f} M parameters, rotary positions on {config.rotary_share:.0%} of each head,
sequential residual, tied embeddings, context of {config.context} tokens (trained on rows of up to
{max(phase.row_length for phase in config.phases)}). Byte-level BPE with {len(tokenizer)} tokens;
any Unicode string can be encoded. `<|endoftext|>` (id 0) is BOS, EOS, padding and unknown. Encoding
does not add it: **put id 0 before every prompt**, as in training.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("data/demo_model", attn_implementation="eager")
tokenizer = AutoTokenizer.from_pretrained("data/demo_model")
```

## Roles

`A[q, k]` is attention from query q to key k, with the BOS at position 0. Each score is the mean
attention on the keys that a role predicts, over the rows where it predicts any: q-1 (previous
token, q >= 2), earlier copies of the same token (duplicate), what followed an earlier copy
(induction), position 0 (positional); diffuse is the entropy of a row divided by log(q+1). Duplicate
and induction are measured on 50 random repeated sequences with segments of 10 to 40 ids and gaps of
0 to 8, the others on {len(SENTENCES)} hand-written sentences that were not trained on.

{_summary(scores)}

{_missing(scores)}
A head may have several roles: heads that match tokens rest on the first token when nothing matches.
Under every floor: {_fits_nothing(scores)}.

{score_table(scores)}

`training_log.json` has the best heads of every role as training went on.

## What it says

{guess_table(model, tokenizer)}

## Data

Everything is generated by this project, seed {config.seed}. English: {config.passages:,} passages
from a hand-written grammar (`headroles/training/english.py`): {english}. Its people are first names
and invented names; nobody in it exists. Rows to look back in (`headroles/training/tasks.py`), of
random tokens or of the same English: repeats, and tasks ({tasks}).

{card_section(config)}

## Recipe

{_phases(config)}

The only task of the first two phases is back and forth: `a b c b a b c`. On the way back the next
token is what stood *before* the latest copy of the current one. A duplicate-token head finds that,
an induction head does not. Where plain repeats came first, induction heads formed first and did the
work of both roles, and no duplicate-token head appeared. Which heads form depends on the seed too:
seed 0 gave this model; with seed 1 no duplicate-token head had formed after 1,150 steps.

Muon (rate {config.matrix_lr:g}, decay {config.weight_decay:g}) for the matrices, AdamW (rate
{config.other_lr:g}) for the rest, gradient norm clipped at {config.clip:g},
{config.steps:,} steps on one CPU core. To train it again:

```
python -m scripts.train_demo_model --out data/demo_model --seed {config.seed}
```

## Limits

It knows about a thousand words, short sentences and a few facts, and makes things up beyond them.
Words outside its lexicon fall into pieces that it has hardly seen. It is made for looking at
attention, and for nothing else. Its roles are crisper than those of larger models, because much of
its training text repeats itself.
"""


def write_card(
    folder: Path,
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    config: TrainingConfig,
) -> None:
    """Write the card as ``README.md`` of a model folder."""
    model.eval()
    (folder / "README.md").write_text(render_card(model, tokenizer, config), encoding="utf-8")

"""The model card of the bundled model, written from what was measured.

from headroles.training.card import write_card
write_card(folder, model, tokenizer, config)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jinja2 import StrictUndefined, Template
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from headroles.training import held_out
from headroles.training.monitor import ROLES, SENTENCES, HeadScores, measure
from headroles.training.tasks import BOS_ID, TASK_MIX
from headroles.training.templates import PASSAGE_MIX
from headroles.training.trainer import TrainingConfig

TEMPLATE = Path(__file__).with_name("card.md.jinja")
"""The text of both kinds of card, with places for what was measured."""

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
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    config: TrainingConfig,
    *,
    attention_only: bool = False,
) -> str:
    """The card as Markdown, from the template :data:`TEMPLATE`.

    Args:
        model: runs with eager attention.
        tokenizer: of the model.
        config: how it was trained.
        attention_only: whether it has no MLP; its card is a short one.
    """
    scores = measure(model, tokenizer)
    template = Template(
        TEMPLATE.read_text(encoding="utf-8"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return template.render(
        attention_only=attention_only,
        best={role: scores.best(role) for role in ROLES},
        config=config,
        guess_table=guess_table(model, tokenizer),
        held_out=held_out,
        missing=_missing(scores),
        parameters=sum(param.numel() for param in model.parameters()) / 1e6,
        passage_mix=PASSAGE_MIX,
        score_table=score_table(scores),
        sentences=len(SENTENCES),
        summary=_summary(scores),
        task_mix=[(task.__name__, share) for task, share in TASK_MIX],
        tokenizer=tokenizer,
        under_every_floor=_fits_nothing(scores),
    )


def write_card(
    folder: Path,
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    config: TrainingConfig,
    *,
    attention_only: bool = False,
) -> None:
    """Write the card as ``README.md`` of a model folder."""
    model.eval()
    card = render_card(model, tokenizer, config, attention_only=attention_only)
    (folder / "README.md").write_text(card, encoding="utf-8")

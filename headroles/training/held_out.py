"""Passages of the bundled models' own kind of text, none of which they were trained on.

What a model loses without a head shows only on text that it can read, and the bundled models read
no English but that of their grammar. So each of their folders holds such passages in
``held_out.txt``, one per line: drawn from :class:`~headroles.training.english.StoryGrammar` under
another seed, and none of them among the passages of the training.

    python -m scripts.train_demo_model --held-out-only
"""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from headroles.texts import HELD_OUT_FILE
from headroles.training.english import StoryGrammar
from headroles.training.trainer import TrainingConfig

SEED_STEP = 20_260_500
"""Added to the training's seed: far from every seed that training draws."""
PASSAGES = 60
LENGTH = (10, 30)
"""Fewest and most tokens, without the start token."""


def held_out_passages(
    tokenizer: PreTrainedTokenizerFast, config: TrainingConfig, *, count: int = PASSAGES
) -> list[str]:
    """``count`` passages of one line and :data:`LENGTH` tokens that training did not hold."""
    trained_on = set(StoryGrammar(config.seed).passages(config.passages))
    grammar = StoryGrammar(config.seed + SEED_STEP)
    kept: list[str] = []
    while len(kept) < count:
        text = grammar.passage()
        length = len(tokenizer(text).input_ids)
        is_new = text not in trained_on and text not in kept
        if is_new and "\n" not in text and LENGTH[0] <= length <= LENGTH[1]:
            kept.append(text)
    return kept


def write_held_out(
    folder: Path, tokenizer: PreTrainedTokenizerFast, config: TrainingConfig
) -> None:
    """Write the passages into a model's folder."""
    lines = held_out_passages(tokenizer, config)
    (folder / HELD_OUT_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")

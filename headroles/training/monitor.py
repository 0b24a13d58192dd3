"""Role scores of a model in training: how much of each head's attention goes where a role says.

What a role predicts, and how a head is scored for it, is said in :mod:`headroles.roles` and
:mod:`headroles.scoring`; here it is only averaged over the monitor's own texts.
Those differ from the texts of an analysis on purpose: the numbers on the cards of the bundled
models and in their training logs were measured on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import GPTNeoXForCausalLM, PreTrainedTokenizerFast

from headroles.roles import get_role
from headroles.scoring import prompt_activations
from headroles.training.tasks import BOS_ID
from headroles.types import Head

# the order of the card's columns
ROLES = ("previous_token", "duplicate_token", "induction", "positional", "diffuse")

# written by hand, not by the grammar
SENTENCES = (
    "The old dog slept under the table all afternoon.",
    "My sister bought a green coat at the market yesterday.",
    "It was raining, so we stayed at home and played a game.",
    "The teacher asked the students to open their books.",
    "A small bird sang in the tree near our house.",
    "Nobody knew where the king had hidden his crown.",
    "She walked along the beach and looked at the waves.",
    "When the train arrived, Peter was already asleep.",
    "I like tea in the morning and coffee after lunch.",
    "The children ran across the field and laughed.",
    "Every summer they visit their grandmother in the village.",
    "The doctor said that he should rest for a week.",
    "Snow fell on the mountain during the night.",
    "He wrote a long letter but never sent it.",
    "The museum opens at nine and closes at five.",
    "Two boats sailed slowly down the river.",
    "Please bring some bread, milk and cheese from the shop.",
    "The fox watched the chickens from behind the fence.",
    "Anna painted the door blue because it looked sad.",
    "There is a bridge between the castle and the town.",
)


@dataclass(frozen=True)
class HeadScores:
    """Scores of every head for every role."""

    by_role: dict[str, np.ndarray]  # role -> [layer, head], 0 to 1

    def best(self, role: str, count: int = 3) -> list[tuple[str, float]]:
        """The highest heads of a role, such as ``[("L1H4", 0.97)]``."""
        grid = self.by_role[role]
        order = np.argsort(-grid, axis=None, kind="stable")[:count]
        places = [divmod(int(flat), grid.shape[1]) for flat in order]
        return [(Head(*place).label, float(grid[place])) for place in places]


def sequence_scores(attention: Tensor, ids: Tensor) -> dict[str, Tensor]:
    """Scores on one sequence; the two repeat roles are left out where nothing repeats.

    ``attention`` is [layer, head, query, key], ``ids`` is [n] with the BOS first.
    """
    activations = prompt_activations(attention, ids.tolist())
    return {role: activation.value for role, activation in activations.items() if activation.rows}


def repeated_sequences(count: int, vocab_size: int, seed: int) -> list[list[int]]:
    """BOS, a random segment of 10 to 40 ids, a gap of 0 to 8 other ids, the segment again."""
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(count):
        size = int(rng.integers(10, 41))
        gap = int(rng.integers(1, 9)) if rng.random() < 0.5 else 0
        drawn = rng.choice(vocab_size - 1, size=size + gap, replace=False) + 1
        sequences.append([BOS_ID, *drawn[:size], *drawn[size:], *drawn[:size]])
    return [[int(token) for token in sequence] for sequence in sequences]


@torch.no_grad()
def attention_of(model: GPTNeoXForCausalLM, ids: Sequence[int]) -> Tensor:
    """Eager attention on one sequence, [layer, head, query, key]."""
    output = model(torch.tensor([list(ids)]), output_attentions=True)
    return torch.stack(output.attentions)[:, 0].float()


def mean_scores(
    model: GPTNeoXForCausalLM, sequences: Sequence[Sequence[int]]
) -> dict[str, np.ndarray]:
    """Role -> [layer, head], the mean over the sequences where the role applies."""
    scores: dict[str, list[Tensor]] = {role: [] for role in ROLES}
    for ids in sequences:
        for role, score in sequence_scores(attention_of(model, ids), torch.tensor(ids)).items():
            scores[role].append(score)
    return {role: torch.stack(all_).mean(0).numpy() for role, all_ in scores.items() if all_}


def measure(
    model: GPTNeoXForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    *,
    sequences: int = 50,
    seed: int = 0,
) -> HeadScores:
    """The five role scores: repeat roles on random repeats, the others on :data:`SENTENCES`.

    ``model`` must run with eager attention.
    """
    was_training = model.training
    model.eval()
    repeats = mean_scores(model, repeated_sequences(sequences, len(tokenizer), seed))
    plain = mean_scores(model, [[BOS_ID, *tokenizer(text).input_ids] for text in SENTENCES])
    model.train(was_training)
    by_text = {"repeats": repeats, "sentences": plain}
    return HeadScores({role: by_text[get_role(role).measured_on][role] for role in ROLES})

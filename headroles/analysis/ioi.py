"""Prompts of the indirect-object task (IOI), made for whatever tokenizer the model has.

"When Mary and John went to the store, John gave a drink to" is answered by Mary. S is the name that
stands twice (the subject; S2 is its second place), IO the one that stands once (the indirect
object). Either name may come first. The control replaces S2 by a third name, so that no name is
repeated (Wang et al. 2022, arXiv 2211.00593, their distribution p_ABC).

>>> ioi_prompts(tokenizer, 2, rng=np.random.default_rng(0)).n  # doctest: +SKIP
2
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.texts import pack, start_token
from headroles.texts.words import NAMES, single_tokens
from headroles.types import Sequences

TEMPLATES = (
    "When {first} and {second} went to the {place}, {agent} gave a {gift} to",
    "After {first} and {second} came to the {place}, {agent} showed a {gift} to",
    "While {first} and {second} were at the {place}, {agent} gave a {gift} to",
    "Then {first} and {second} went to the {place}, and {agent} handed a {gift} to",
)
PLACES = ("store", "park", "school", "house", "garden", "station")
GIFTS = ("drink", "book", "ring", "letter", "ball", "key")

LEAST_NAMES = 8
"""Fewer single-token names than this make no task."""


@dataclass(frozen=True, eq=False)
class IoiPrompts:
    """A batch of prompts and of their controls."""

    prompts: Sequences
    """[n pos] the prompts."""
    control: Sequences
    """[n pos] the same with a third name in S2's place; rows and places match."""
    io: Int[Tensor, " n"]
    """[n] token id of the indirect object."""
    subject: Int[Tensor, " n"]
    """[n] token id of the subject."""
    third: Int[Tensor, " n"]
    """[n] token id of the third name, which stands at S2 in the control."""
    io_at: Int[Tensor, " n"]
    """[n] the position of IO."""
    s2_at: Int[Tensor, " n"]
    """[n] the position of S2."""
    names: Int[Tensor, " name"]
    """[name] the ids of all names that take part."""

    @property
    def n(self) -> int:
        """How many prompts."""
        return len(self.prompts)

    @property
    def s1_at(self) -> Int[Tensor, " n"]:
        """[n] the first position of S."""
        return (self.prompts.token_ids == self.subject.unsqueeze(-1)).int().argmax(-1)

    def first(self, n: int) -> IoiPrompts:
        """The first prompts alone."""
        return replace(
            self,
            prompts=Sequences(self.prompts.token_ids[:n], self.prompts.lengths[:n]),
            control=Sequences(self.control.token_ids[:n], self.control.lengths[:n]),
            **{
                name: getattr(self, name)[:n]
                for name in ("io", "subject", "third", "io_at", "s2_at")
            },
        )


def ioi_prompts(
    tokenizer: PreTrainedTokenizerBase, n: int, *, rng: np.random.Generator
) -> IoiPrompts | str:
    """Make ``n`` prompts, half of them with the subject named first.

    Returns:
        The prompts, or why there are none for this tokenizer, as a sentence.
    """
    names = single_tokens(tokenizer, NAMES)
    if len(names) < LEAST_NAMES:
        return (
            f"Only {len(names)} of {len(NAMES)} first names are single tokens of this model; at "
            f"least {LEAST_NAMES} are needed."
        )
    start = start_token(tokenizer).token_id
    rows = []
    for place in range(n):
        io, subject, third = (str(name) for name in rng.choice(list(names), 3, replace=False))
        first, second = (subject, io) if place % 2 else (io, subject)
        words = {
            "first": first,
            "second": second,
            "place": rng.choice(PLACES),
            "gift": rng.choice(GIFTS),
        }
        template = TEMPLATES[place // 2 % len(TEMPLATES)]
        prompt, control = (
            [start, *_ids(tokenizer, template.format(**words, agent=agent))]
            for agent in (subject, third)
        )
        rows.append((prompt, control, names[io], names[subject], names[third]))
    good = [row for row in rows if _is_clean(*row)]
    if len(good) < max(2, n // 2):
        return "Inside a sentence, this model splits the names into other tokens."
    prompts, controls, ios, subjects, thirds = zip(*good, strict=True)
    return IoiPrompts(
        prompts=pack(prompts),
        control=pack(controls),
        io=torch.tensor(ios),
        subject=torch.tensor(subjects),
        third=torch.tensor(thirds),
        io_at=torch.tensor([row.index(io) for row, io in zip(prompts, ios, strict=True)]),
        s2_at=torch.tensor([row.index(name) for row, name in zip(controls, thirds, strict=True)]),
        names=torch.tensor(list(names.values())),
    )


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _is_clean(prompt: list[int], control: list[int], io: int, subject: int, third: int) -> bool:
    """Each name where it should be, and the control different in S2 alone."""
    differ = [
        place for place, pair in enumerate(zip(prompt, control, strict=False)) if pair[0] != pair[1]
    ]
    return (
        len(prompt) == len(control)
        and prompt.count(io) == 1
        and prompt.count(subject) == 2
        and control.count(third) == 1
        and differ == [control.index(third)]
        and prompt[differ[0]] == subject
    )

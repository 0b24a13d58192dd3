"""The role registry: the one place where a role of an attention head is defined.

A role predicts, for every query row q, a set S(q) of key columns. With ``t`` the token ids:

=================  =====================================  ======================================
role               S(q)                                   source
=================  =====================================  ======================================
previous_token     {q-1}, q >= 2                          Elhage et al. 2021; Voita et al. 2019
induction          {k+1 : k < q, t[k] = t[q], k+1 < q}    Elhage et al. 2021; Olsson et al. 2022
duplicate_token    {k < q : t[k] = t[q]}                  Wang et al. 2022 (arXiv 2211.00593)
positional         {0}, q >= 1                            Xiao et al. 2023 (attention sinks)
diffuse            no cells; entropy of the row           Ghader & Monz 2017 (arXiv 1710.03348)
other              below the threshold on all five
=================  =====================================  ======================================

Position 0 always holds the BOS token or its stand-in, and is never a copy of anything. Row 1 is
left out of ``previous_token`` because its predecessor is position 0, where idle heads rest: a
head that only ever rests must score 0.

This module imports no heavy library (tensors are only touched through their own methods), so that a
page can name the roles before torch is loaded.

>>> ROLES["induction"].name
'Induction'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles.errors import UnknownRoleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Int
    from torch import Tensor

    Targets = Callable[[Int[Tensor, "*batch pos"]], Bool[Tensor, "*batch pos pos"]]

DEFINITIONS_VERSION = 1
"""Raised whenever a definition below changes the meaning of a stored number."""


MIN_SEQUENCES = 50
"""Fewer repeated sequences than this give rough scores, which is said wherever they are chosen."""


@dataclass(frozen=True)
class Role:
    """One role: what it is called, what it predicts, how it is measured and how to wake it."""

    key: str
    """The name in code, JSON and URLs."""
    name: str
    """The name people read."""
    icon: str
    """A Material Symbols name."""
    explanation: str
    """One or two sentences for a first-year student."""
    looks_at: str
    """Completes "It looks at ..." in reasons and legends."""
    formula: str
    """S(q) in a line."""
    targets: Targets | None
    """[*batch pos] ids -> [*batch query key] True on S(q); None where the role has no cells."""
    measured_on: str
    """Offline texts: ``sentences``, ``repeats`` or nothing."""
    control: str
    """Offline control texts: ``random tokens`` or nothing."""
    min_rows: int
    """Fewer applying rows than this are too few to judge a head by."""
    min_tokens: int
    """Prompts shorter than this (BOS included) are too short to judge a head by."""
    requires_repetition: bool
    """Whether the role needs a repeated token in the prompt."""
    asleep: str
    """Why the role does not apply to a prompt without its pattern."""
    hints: tuple[str, ...]
    """Prompts that wake it; each is tested on the bundled model."""

    @property
    def has_cells(self) -> bool:
        """Whether the role predicts cells (``diffuse`` and ``other`` do not)."""
        return self.targets is not None

    @property
    def is_scored(self) -> bool:
        """Whether heads get a number for it (all but ``other``)."""
        return self.measured_on != ""


def earlier_copies(token_ids: Int[Tensor, "*batch pos"]) -> Bool[Tensor, "*batch pos pos"]:
    """True at [q, k] where k < q holds the same token as q; position 0 is never a copy."""
    same = token_ids.unsqueeze(-1) == token_ids.unsqueeze(-2)  # [*batch query key]
    copies = same.tril(-1)
    copies[..., 0] = False
    return copies


def _after_earlier_copies(token_ids: Int[Tensor, "*batch pos"]) -> Bool[Tensor, "*batch pos pos"]:
    copies = earlier_copies(token_ids)
    followers = copies.new_zeros(copies.shape)
    followers[..., 1:] = copies[..., :-1]  # the target is one column right of the copy
    return followers.tril(-1)  # the query itself is never a target


def _previous(token_ids: Int[Tensor, "*batch pos"]) -> Bool[Tensor, "*batch pos pos"]:
    same = token_ids.unsqueeze(-1) == token_ids.unsqueeze(-2)
    below_diagonal = same.new_ones(same.shape).tril(-1).triu(-1)
    below_diagonal[..., :2, :] = False
    return below_diagonal


def _first(token_ids: Int[Tensor, "*batch pos"]) -> Bool[Tensor, "*batch pos pos"]:
    same = token_ids.unsqueeze(-1) == token_ids.unsqueeze(-2)
    column = same.new_zeros(same.shape)
    column[..., 1:, 0] = True
    return column


_REPETITION_HINTS = (
    "one two three four one two three four one two",
    "The cat sat on the mat. The cat sat on the mat. The cat",
    "Tom has a red ball and a blue hat. Tom has a red ball and a blue",
)

_ALL = (
    Role(
        key="previous_token",
        name="Previous token",
        icon="arrow_back",
        explanation=(
            "This head looks at the word right before the current one, as a finger follows the "
            "line while reading."
        ),
        looks_at="the token just before",
        formula="S(q) = {q−1}, for q ≥ 2",
        targets=_previous,
        measured_on="sentences",
        control="random tokens",
        min_rows=4,
        min_tokens=6,
        requires_repetition=False,
        asleep="No token has a predecessor other than the start token.",
        hints=(
            "The old man walked slowly to the river with his dog.",
            "Anna put the small key in the box under her bed.",
        ),
    ),
    Role(
        key="induction",
        name="Induction",
        icon="repeat",
        explanation=(
            "This head finds an earlier place where the current word stood, and looks at what "
            "came next there. If it saw “the cat sat” before, at the next “cat” it expects “sat”."
        ),
        looks_at="the token that followed the earlier copy",
        formula="S(q) = {k+1 : k < q, t[k] = t[q], k+1 < q}",
        targets=_after_earlier_copies,
        measured_on="repeats",
        control="",
        min_rows=2,
        min_tokens=6,
        requires_repetition=True,
        asleep="No token is repeated with something in between, so there is nothing to continue.",
        hints=_REPETITION_HINTS,
    ),
    Role(
        key="duplicate_token",
        name="Duplicate token",
        icon="content_copy",
        explanation=(
            "This head notices when the same word appears again, like a highlighter pen for "
            "repeated words: at the second “cat” it looks back at the first “cat”."
        ),
        looks_at="earlier copies of the same token",
        formula="S(q) = {k < q : t[k] = t[q]}",
        targets=earlier_copies,
        measured_on="repeats",
        control="",
        min_rows=2,
        min_tokens=6,
        requires_repetition=True,
        asleep="No token appears twice.",
        hints=_REPETITION_HINTS,
    ),
    Role(
        key="positional",
        name="First token (resting)",
        icon="first_page",
        explanation=(
            "This head looks at the very first token whatever the sentence says. Most heads do "
            "so when they have nothing to do: the first token is where they rest."
        ),
        looks_at="the first token",
        formula="S(q) = {0}, for q ≥ 1",
        targets=_first,
        measured_on="sentences",
        control="random tokens",
        min_rows=4,
        min_tokens=6,
        requires_repetition=False,
        asleep="There is nothing but the start token.",
        hints=(
            "The king lived in a big castle on a hill.",
            "Lucy and her brother went to the beach in the morning.",
        ),
    ),
    Role(
        key="diffuse",
        name="Diffuse",
        icon="blur_on",
        explanation=(
            "This head spreads its attention evenly over many words. It gathers the general "
            "drift of the text instead of one word."
        ),
        looks_at="all tokens about equally",
        formula="entropy of A[q, :q+1] / log(q+1), for q ≥ 1",
        targets=None,
        measured_on="sentences",
        control="random tokens",
        min_rows=4,
        min_tokens=6,
        requires_repetition=False,
        asleep="There is nothing but the start token.",
        hints=(
            "On Monday the farmer went to the market and bought a horse, a cow and a sheep.",
            "The queen gave the little girl a golden ring because she was kind and brave.",
        ),
    ),
    Role(
        key="other",
        name="Other",
        icon="question_mark",
        explanation=(
            "These heads fit none of the five patterns. They may be doing something more "
            "complicated, or nothing that anyone has named yet."
        ),
        looks_at="nothing that the five roles predict",
        formula="below the threshold on all five roles",
        targets=None,
        measured_on="",
        control="",
        min_rows=0,
        min_tokens=0,
        requires_repetition=False,
        asleep="",
        hints=(),
    ),
)

ROLES: dict[str, Role] = {role.key: role for role in _ALL}
"""Every role by key, in the order in which pages show them."""

SCORED_ROLES: tuple[Role, ...] = tuple(role for role in _ALL if role.is_scored)
"""The roles that give every head a number."""


def get_role(key: str) -> Role:
    """Return the role of that key.

    Raises:
        UnknownRoleError: if there is none; the message names a near match.
    """
    try:
        return ROLES[key]
    except KeyError:
        raise UnknownRoleError(key, known=ROLES) from None

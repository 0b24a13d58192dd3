"""The role registry: the one place where a role of an attention head is defined.

What a head may do, in the order in which pages show it. A role with cells predicts, for
every query row q, a set S(q) of key columns (:mod:`headroles.roles.cells`); its score is a share of
attention. Roles that are defined by what a head *writes* have no cells: one prompt's attention
cannot show them. With ``A[q, k]`` the attention, ``v[k]`` the values and ``W_O`` the output weights
of a head, and ``<o, t>`` the direct effect of an output o on the logit of token t (final norm
frozen, then the unembedding; Elhage et al. 2021):

================  =========================================================  ====================
role              score                                                      source
================  =========================================================  ====================
diffuse           entropy of A[q, :q+1] / log(q+1)                           Ghader & Monz 2017
other             listed by none of the five basic roles, and below their thresholds
delimiter         mean over q of A[q, delimiters]                            Clark et al. 2019
fixed_offset      max over d = 2..16 of mean over q of A[q, q-d]             Voita et al. 2019
subword_merge     mean over q of A[q, earlier pieces of q's word]            Correia et al. 2019
long_prefix       share at work on what followed a match of two or more,     Akyürek et al. 2024
                  where matches of one token compete
semantic_category mean over q of A[q, earlier words of q's category]         Vig & Belinkov 2019
brackets          mean over closing marks q of A[q, its opening mark]        Yao et al. 2021
successor         share of x where <OV(x), successor of x> is the largest    Gould et al. 2023
s_inhibition      fall of the name movers' A[end, IO] / A[end, IO, S1, S2]   Wang et al. 2022
name_mover        mean of A[end, IO] <v[IO] W_O, IO>                         Wang et al. 2022
copy_suppression  mean over q, k in S(q) of A[q, k] <v[k] W_O, t[k]>         McDougall et al. 2023
retrieval         share of a needle's tokens that its top key copies         Wu et al. 2024
================  =========================================================  ====================

``s_inhibition``, ``name_mover`` and ``copy_suppression`` are signed. Above zero, ``s_inhibition``
keeps the name movers on IO: the share falls when the head is knocked out at the end. Of the other
two, a head above zero writes *for* the token that it looks at, one below zero *against* it. The
extended roles are written down in :mod:`headroles.roles.extended`. This module imports no heavy
library, so that a page can name the roles before torch is loaded.

>>> ROLES["induction"].name
'Induction'
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from headroles.errors import UnknownRoleError
from headroles.roles import cells
from headroles.roles.extended import EXTENDED
from headroles.roles.role import REPETITION_LIFT, Role

DEFINITIONS_VERSION = 2
"""Raised whenever a definition below changes the meaning of a stored number."""

MIN_SEQUENCES = 50
"""Fewer repeated sequences than this give rough scores, as pages say wherever the number is
chosen."""

LONGEST_OFFSET = 16
"""The largest distance of an offset profile."""


def _as_detect_head_draws(key: str, looks_at: str) -> Role:
    return Role(
        key=f"{key}_head",
        name=f"detect_head: {key.replace('_', ' ')}",
        explanation="The pattern as TransformerLens draws it: the first token may be a copy.",
        looks_at=looks_at,
        formula="as in transformer_lens.head_detector",
        cells=partial(cells.as_detect_head_draws, name=f"{key}_head"),
    )


_REPETITION = {
    "story_hints": (
        "one two three four one two three four one two",
        "The cat sat on the mat. The cat sat on the mat. The cat",
        "Tom has a red ball and a blue hat. Tom has a red ball and a blue",
    ),
    "text_hints": (
        "copper violin garden thunder pencil mirror coffee copper violin garden thunder pencil "
        "mirror coffee copper violin",
        "Mrs. Quillen met Dr. Zhao in Lisbon. A year later, Mrs. Quillen met Dr.",
        "The capital of France is Paris. The capital of Japan is Tokyo. The capital of Italy is",
    ),
}

_ALL = (
    Role(
        level="basic",
        key="previous_token",
        name="Previous token",
        icon="arrow_back",
        explanation=(
            "This head looks at the word right before the current one, like a finger following "
            "the line as you read."
        ),
        looks_at="the token just before",
        formula="S(q) = {q−1}, for q ≥ 2",
        cells=cells.previous,
        selection="diverse",
        measured_on="sentences",
        control="random tokens",
        min_rows=4,
        always_applies=True,
        asleep="No token has a predecessor other than the start token.",
        story_hints=(
            "The old man walked slowly to the river with his dog.",
            "Anna put the small key in the box under her bed.",
        ),
        text_hints=(
            "Water boils at one hundred degrees Celsius and freezes at",
            "Scientists have discovered a new species of frog in the rainforest of Ecuador.",
        ),
    ),
    Role(
        level="basic",
        key="induction",
        name="Induction",
        icon="repeat",
        explanation=(
            "This head finds an earlier place where the current word stood, and looks at what "
            "came next there. If it saw “the cat sat” before, at the next “cat” it expects “sat”."
        ),
        looks_at="the token that followed the earlier copy",
        formula=(
            "S(q) = {k+1 : t[k] = t[q], k+1 < q−1}, as a share of the attention that does not "
            "rest: sum over q of A[q, S(q)] / sum over the same q of (1 − A[q, 0])"
        ),
        cells=cells.after_earlier_copies,
        among=cells.besides_followers,
        min_lift=REPETITION_LIFT,
        selection="diverse",
        measured_on="repeats",
        requires_repetition=True,
        asleep=(
            "No token comes back after two or more others, so there is nothing that only an "
            "induction head would look at."
        ),
        **_REPETITION,
    ),
    Role(
        level="basic",
        key="duplicate_token",
        name="Duplicate token",
        icon="content_copy",
        explanation=(
            "This head notices when the same word appears again, like a highlighter pen for "
            "repeated words: at the second “cat” it looks back at the first “cat”."
        ),
        looks_at="earlier copies of the same token",
        formula=(
            "S(q) = {k < q−1 : t[k] = t[q]}, as a share of the attention that does not rest: "
            "sum over q of A[q, S(q)] / sum over the same q of (1 − A[q, 0])"
        ),
        cells=cells.copies,
        among=cells.besides_copies,
        min_lift=REPETITION_LIFT,
        selection="diverse",
        measured_on="repeats",
        requires_repetition=True,
        asleep="No token comes back after one or more others.",
        **_REPETITION,
    ),
    Role(
        level="basic",
        key="positional",
        name="First token (resting)",
        icon="first_page",
        explanation=(
            "This head looks at the very first token whatever the sentence says, and writes nearly "
            "the same everywhere. Most heads do so when they have nothing to do: the first token "
            "is where they rest."
        ),
        looks_at="the first token",
        formula="S(q) = {0}, for q ≥ 1",
        cells=cells.first,
        selection="diverse",
        measured_on="sentences",
        control="random tokens",
        min_rows=4,
        always_applies=True,
        asleep="There is nothing but the start token.",
        story_hints=(
            "The king lived in a big castle on a hill.",
            "Lucy and her brother went to the beach in the morning.",
        ),
        text_hints=(
            "Light travels faster than sound, which is why we see lightning before we hear",
            "The Eiffel Tower in Paris was built in 1889 by the engineer Gustave",
        ),
    ),
    Role(
        level="basic",
        key="diffuse",
        name="Diffuse",
        icon="blur_on",
        explanation=(
            "This head spreads its attention evenly over many words. It gathers the general "
            "drift of the text instead of one word."
        ),
        looks_at="all tokens about equally",
        formula="entropy of A[q, :q+1] / log(q+1), for q ≥ 1",
        default_threshold=0.7,
        selection="diverse",
        measured_on="sentences",
        control="random tokens",
        min_rows=4,
        always_applies=True,
        asleep="There is nothing but the start token.",
        story_hints=(
            "On Monday the farmer went to the market and bought a horse, a cow and a sheep.",
            "The queen gave the little girl a golden ring because she was kind and brave.",
        ),
        text_hints=(
            "The Eiffel Tower in Paris was built in 1889 by the engineer Gustave",
            "Scientists have discovered a new species of frog in the rainforest of Ecuador.",
        ),
    ),
    Role(
        level="basic",
        key="other",
        name="Other",
        icon="question_mark",
        explanation=(
            "These heads fit none of the five patterns. They may be doing something more "
            "complicated, or something that nobody has named yet."
        ),
        looks_at="nothing that the five roles predict",
        formula="listed by none of the five roles, and has none of them by its scores",
    ),
    *EXTENDED,
    Role(
        key="current_word",
        name="Current word",
        explanation="This head looks at the earlier tokens of the word that it is in.",
        looks_at="earlier tokens of the same word",
        formula="S(q) = the earlier tokens of the word of q",
        cells=cells.current_word,
    ),
    *(
        _as_detect_head_draws(name, looks_at)
        for name, looks_at in (
            ("previous_token", "the token just before"),
            ("duplicate_token", "earlier copies of the same token"),
            ("induction", "the token that followed the earlier copy"),
        )
    ),
)

_EARLIER = (
    replace(
        next(role for role in _ALL if role.key == "s_inhibition"),
        name="S-inhibition (direct effect)",
        explanation=(
            "In “When Mary and John went to the store, John gave a drink to”, this head looks at "
            "the second John and writes against John, so that Mary is left."
        ),
        formula="mean of A[end, S2] × direct effect of v[S2]·W_O on the subject's logit",
        measured_by="direct_effect",
        sign=-1,
        caution=(
            "Measured as in version 1 of the definitions: only what a head writes itself is "
            "counted. S-inhibition heads work mostly by steering the name movers, which this "
            "number cannot see."
        ),
    ),
)
"""Roles as an earlier version defined them, for entries that hold their numbers."""

ROLES: dict[str, Role] = {role.key: role for role in _ALL}
"""Every role by key, in the order in which pages show them."""

BASIC_ROLES: dict[str, Role] = {role.key: role for role in _ALL if role.level == "basic"}
"""The roles for everybody: the five scored ones and ``other``."""

SCORED_ROLES: tuple[Role, ...] = tuple(role for role in BASIC_ROLES.values() if role.is_scored)
"""The basic roles that give every head a number."""

EXTENDED_ROLES: dict[str, Role] = {role.key: role for role in _ALL if role.level == "extended"}
"""The roles for readers who want to go further."""


def get_role(key: str) -> Role:
    """Return the role of that key.

    Raises:
        UnknownRoleError: if there is none; the message names a near match.
    """
    try:
        return ROLES[key]
    except KeyError:
        raise UnknownRoleError(key, known=ROLES) from None


def role_measured_by(key: str, measured_by: str) -> Role:
    """A role as an entry measured it: by its present definition, or an earlier one.

    Raises:
        UnknownRoleError: if there is no role of that key.
    """
    earlier = (role for role in _EARLIER if (role.key, role.measured_by) == (key, measured_by))
    return next(earlier, None) or get_role(key)

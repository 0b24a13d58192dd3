"""The extended roles: six more things that heads are known to do, for readers who want to go on.

They stand beside the basic registry (:mod:`headroles.roles`) and change nothing in it: ``other``
stays "below the threshold on all five". Two can be read off attention, the other four are told by
what a head *writes*, so one prompt's attention cannot show them. With ``A[q, k]`` the attention,
``v[k]`` the values and ``W_O`` the output weights of a head, and ``<o, t>`` the direct effect of an
output o on the logit of token t (final norm frozen, then the unembedding; Elhage et al. 2021):

================  =========================================================  ====================
role              score                                                      source
================  =========================================================  ====================
delimiter         mean over q of A[q, delimiters]                            Clark et al. 2019
fixed_offset      max over d = 2..16 of mean over q of A[q, q-d]             Voita et al. 2019
successor         share of x where <OV(x), successor of x> is the largest    Gould et al. 2023
s_inhibition      mean of A[end, S2] <v[S2] W_O, S>                          Wang et al. 2022
name_mover        mean of A[end, IO] <v[IO] W_O, IO>                         Wang et al. 2022
copy_suppression  mean over q, k in S(q) of A[q, k] <v[k] W_O, t[k]>         McDougall et al. 2023
================  =========================================================  ====================

The last three are signed: above zero a head writes *for* the token that it looks at, below zero
*against* it. S(q) are the targets of the role ``induction``.

This module imports no heavy library.

>>> EXTENDED_ROLES["name_mover"].name
'Name mover'
"""

from __future__ import annotations

from dataclasses import dataclass

from headroles.errors import UnknownRoleError

EXTENDED_VERSION = 1
"""Raised whenever a definition below changes the meaning of a stored number."""

LONGEST_OFFSET = 16
"""The largest distance of an offset profile."""

SHARE, RATE, LOGITS = "share of attention", "share of tokens", "logits"
"""What a score is a number of."""


@dataclass(frozen=True)
class ExtendedRole:
    """One extended role: what it is called, how it is measured, how to read its number."""

    key: str
    """The name in code and JSON; papers' heads are filed under it, too."""
    name: str
    """The name people read."""
    explanation: str
    """One or two sentences for a first-year student."""
    looks_at: str
    """Completes "attention on ..." where the role is judged from attention; else empty."""
    formula: str
    """The score in a line."""
    source: str
    """Who defined it, with a link's number."""
    unit: str
    """One of :data:`SHARE`, :data:`RATE`, :data:`LOGITS`."""
    sign: int
    """-1: the role is a score below zero; +1: above; 0: scores have no sign."""
    measured_on: str
    """Which texts it is measured on."""
    control_name: str
    """Which texts lack its cue."""
    caution: str
    """What the number does not say."""

    @property
    def is_signed(self) -> bool:
        """Whether scores lie on both sides of zero."""
        return self.sign != 0

    @property
    def from_attention(self) -> bool:
        """Whether one prompt's attention can show it."""
        return self.unit == SHARE

    @property
    def has_cells(self) -> bool:
        """Whether it is a share of attention on cells, as charts of basic roles ask."""
        return self.from_attention


_IOI_CONTROL = "the same prompts with a third name where the subject is repeated"

_ALL = (
    ExtendedRole(
        key="delimiter",
        name="Delimiter",
        explanation=(
            "This head looks at the marks that set clauses and sentences apart: . , ; : ! ? and "
            "line breaks."
        ),
        looks_at="delimiters",
        formula="mean over q of A[q, delimiters up to q]",
        source="Clark et al. 2019, What Does BERT Look At?, arXiv 1906.04341",
        unit=SHARE,
        sign=0,
        measured_on="pairs of sentences",
        control_name="random tokens, the same places",
        caution="Chance is the marks' share of the tokens so far, row by row.",
    ),
    ExtendedRole(
        key="fixed_offset",
        name="Fixed offset",
        explanation=(
            "This head looks a fixed number of tokens back, from 2 to 16, whatever stands there. "
            "One token back is the role Previous token, and counts there only."
        ),
        looks_at="one fixed distance, 2 to 16 tokens back",
        formula="mean over q of A[q, q−d] at its best distance d of 2 to 16, q−d ≥ 1",
        source="Voita et al. 2019, Analyzing Multi-Head Self-Attention, arXiv 1905.09418",
        unit=SHARE,
        sign=0,
        measured_on="pairs of sentences",
        control_name="random tokens",
        caution="The distance is chosen as the one furthest over chance, so weak peaks look high.",
    ),
    ExtendedRole(
        key="successor",
        name="Successor",
        explanation=(
            "Given Monday, this head writes Tuesday: it raises what comes next in the order of "
            "numbers, letters, days or months."
        ),
        looks_at="",
        formula="share of x for which the head's OV circuit raises x's successor most of its kind",
        source="Gould et al. 2023, Successor Heads, arXiv 2312.09230 (the OV score)",
        unit=RATE,
        sign=0,
        measured_on="numbers, letters, days and months",
        control_name="random words in a made-up order",
        caution="It reads the weights: what the head would write, wherever it looks.",
    ),
    ExtendedRole(
        key="s_inhibition",
        name="S-inhibition",
        explanation=(
            "In “When Mary and John went to the store, John gave a drink to”, this head looks at "
            "the second John and writes against John, so that Mary is left."
        ),
        looks_at="",
        formula="mean of A[end, S2] × direct effect of v[S2]·W_O on the subject's logit",
        source="Wang et al. 2022, Interpretability in the Wild (IOI), arXiv 2211.00593",
        unit=LOGITS,
        sign=-1,
        measured_on="IOI prompts",
        control_name=_IOI_CONTROL,
        caution=(
            "Only what a head writes itself is counted. GPT-2's S-inhibition heads work mostly "
            "by steering the name movers, which this number cannot see."
        ),
    ),
    ExtendedRole(
        key="name_mover",
        name="Name mover",
        explanation=(
            "At the end of such a sentence this head looks at the name that stands there once, "
            "and writes it: it moves the name to the answer."
        ),
        looks_at="",
        formula="mean of A[end, IO] × direct effect of v[IO]·W_O on the indirect object's logit",
        source="Wang et al. 2022, Interpretability in the Wild (IOI), arXiv 2211.00593",
        unit=LOGITS,
        sign=1,
        measured_on="IOI prompts",
        control_name=_IOI_CONTROL,
        caution="Below zero it looks at the name and writes against it: a negative name mover.",
    ),
    ExtendedRole(
        key="copy_suppression",
        name="Copy suppression",
        explanation=(
            "This head looks at the token that followed an earlier copy, as an induction head "
            "does, but writes against it: it lowers a guess that the model is too sure of."
        ),
        looks_at="",
        formula="mean over q of the sum over k in S(q) of A[q, k] × effect of v[k]·W_O on t[k]",
        source="McDougall et al. 2023, Copy Suppression, arXiv 2310.04625",
        unit=LOGITS,
        sign=-1,
        measured_on="random repeated sequences",
        control_name="random tokens without the repetition, the same places",
        caution="Above zero it copies, as induction heads do. S(q) is the role Induction's.",
    ),
)

EXTENDED_ROLES: dict[str, ExtendedRole] = {role.key: role for role in _ALL}
"""Every extended role by key, in the order in which pages show them."""


def get_extended_role(key: str) -> ExtendedRole:
    """Return the extended role of that key.

    Raises:
        UnknownRoleError: if there is none; the message names a near match.
    """
    try:
        return EXTENDED_ROLES[key]
    except KeyError:
        raise UnknownRoleError(key, known=EXTENDED_ROLES) from None

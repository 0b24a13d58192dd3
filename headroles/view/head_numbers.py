"""Every number that heads have, one beside another: what the scatter of all heads is made of. Pure.

>>> of_entry(entry)["induction"].values[12]  # doctest: +SKIP
0.976
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headroles.formatting import decimal, percent, signed
from headroles.roles import COPIED, FALL, LOGITS, RATE, ROLES, SCORED_ROLES, SHARE, Role
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store import ModelEntry, StoredRole
    from headroles.store.real_text import Profiles, RealText
    from headroles.verdicts import PromptScores

Values = tuple[float | None, ...]
"""One per head, layer by layer; None for a head without the number."""

PROMPT, CIRCUITS, REAL = ".prompt", ".weights", ".real_text"
"""How the keys of numbers end that are not in an analysis."""
COPYING, SELF_MATCH = f"copying{CIRCUITS}", f"self_match{CIRCUITS}"
PRESETS = {
    "Previous token or induction?": ("previous_token", "induction"),
    "Place or content?": ("previous_token", "previous_token.control"),
    "Does resting fall on repeats?": ("positional", "positional.control"),
    "Known role, on this prompt?": ("induction", f"induction{PROMPT}"),
    "Copies by its weights?": ("induction", COPYING),
}
"""{a question: the numbers along and up}."""


@dataclass(frozen=True)
class HeadNumber:
    """One number of every head."""

    key: str
    """The name in links and files: ``previous_token.control``."""
    name: str
    """The name people read."""
    about: str
    """What it is, in a sentence."""
    values: Values = ()
    """One per head; empty until it is computed."""
    is_share: bool = True
    """Whether it is a share from 0 to 1 (or a difference of two)."""
    threshold: float | None = None
    """The line that decides, where the number has one."""

    @property
    def is_signed(self) -> bool:
        """Whether some heads lie below zero."""
        return any(value is not None and value < 0 for value in self.values)

    @property
    def n(self) -> int:
        """How many heads have it."""
        return sum(value is not None for value in self.values)

    def shown(self, value: float | None) -> str:
        """A value as people read it."""
        if value is None:
            return "–"
        if self.is_share:
            points = f"{signed(100 * value, digits=0)} points"
            return points if ".difference" in self.key else percent(value)
        return signed(value) if self.is_signed else decimal(value)


# ------------------------------------------------------------------ where numbers come from


def of_entry(entry: ModelEntry) -> dict[str, HeadNumber]:
    """Every number of a stored analysis: scores, controls, differences, factors, evidence."""
    numbers: list[HeadNumber] = []
    measured = [entry.role(role.key) for role in SCORED_ROLES]
    measured += [stored for stored in entry.extended.values() if stored.is_measured]
    for stored in measured:
        if stored.scores:
            numbers += _of_role(stored)
    numbers += _of_ablation(entry)
    return {number.key: number for number in numbers if number.n}


def _of_role(stored: StoredRole) -> list[HeadNumber]:
    role, key = stored.role, stored.role.key
    is_share = role.unit != LOGITS
    score = HeadNumber(
        key, role.name, f"{_score_words(role)}, on {role.measured_on}",
        _flat(stored.scores), is_share, stored.limit,
    )  # fmt: skip
    numbers = [score]
    if stored.control is not None:
        control = replace(
            score,
            key=f"{key}.control",
            name=f"{role.name}, control",
            about=f"the same on the control: {stored.control.name}",
            values=_hidden(_flat(stored.control.scores), score.values),
        )
        numbers += [control, _difference(score, control, stored.control.name)]
    for what, matrix in stored.factors.items():
        share = role.unit == SHARE or any(word in what for word in ("attention", "A[", "share"))
        numbers.append(
            HeadNumber(
                f"{key}.{_as_key(what)}",
                f"{role.name}: {what}",
                f"{what}, measured with the score of {role.name}",
                _flat(matrix),
                share and what != "output change",
            )
        )
    if stored.profile is not None:
        numbers.append(
            HeadNumber(
                f"{key}.distance",
                f"{role.name}: tokens back",
                "the distance from 2 to 16 at which its attention stands out most",
                _flat(stored.profile.peaks),
                is_share=False,
            )
        )
    return numbers


def _score_words(role: Role) -> str:
    if role.unit == LOGITS:
        return "the direct effect in logits"
    if role.unit == FALL:
        return "how far the right name's share falls without the head"
    if role.unit == RATE:
        return "the share of the words or tokens tried"
    if role.unit == COPIED:
        return "the share of the answer's tokens that it copies out of the text"
    if not role.has_cells:
        return "how even its attention is: 100% is an even spread"
    return f"the share of attention on {role.looks_at}{role.aside}"


def _difference(score: HeadNumber, control: HeadNumber, name: str) -> HeadNumber:
    return replace(
        score,
        key=f"{score.key}.difference",
        name=f"{score.name}, minus control",
        about=f"the score minus that on the control ({name}): high for a head that goes by content",
        values=tuple(
            None if one is None or other is None else one - other
            for one, other in zip(score.values, control.values, strict=True)
        ),
        threshold=None,
    )


def _of_ablation(entry: ModelEntry) -> list[HeadNumber]:
    """The change of the loss without each tested head, text by text."""
    changes: dict[str, dict[Head, float]] = {}
    for role in entry.causal.values():
        for evidence in role.everywhere:
            there = changes.setdefault(evidence.measured_on, {})
            there |= {Head(one.layer, one.head): one.change for one in evidence.heads}
    texts = {"repeats": "random repeats", "sentences": "sentences", "held_out": "held-out text"}
    return [
        HeadNumber(
            f"ablation.{kind}",
            f"Loss without it, {texts[kind]}",
            f"how much the loss rises without the head, in nats per token, on {texts[kind]}; only "
            "listed heads were knocked out",
            tuple(there.get(head) for head in entry.heads),
            is_share=False,
        )
        for kind, there in changes.items()
    ]


def prompt_names() -> dict[str, HeadNumber]:
    """The numbers that a prompt gives, without values."""
    numbers = [
        HeadNumber(f"{role.key}{PROMPT}", f"{role.name}, this prompt",
                   f"{_score_words(role)}, on this prompt")
        for role in SCORED_ROLES
    ]  # fmt: skip
    return {number.key: number for number in numbers}


def of_prompt(scores: PromptScores) -> dict[str, HeadNumber]:
    """The same with their values."""
    numbers = prompt_names()
    for role in SCORED_ROLES:
        activation = scores.activations[role.key]
        layers, heads = scores.resting.shape
        values = []
        for head in Head.every(layers, heads):
            one = activation.of(*head)
            values.append(one.value if one.rows else None)
        key = f"{role.key}{PROMPT}"
        numbers[key] = replace(numbers[key], values=tuple(values))
    return numbers


def circuit_names() -> dict[str, HeadNumber]:
    """The numbers that are read from the weights, without values."""
    return {
        COPYING: HeadNumber(
            COPYING, "Copying by OV", "the copying score of OV: +1 writes what it reads, −1 its "
            "opposite (Elhage et al. 2021)", is_share=False,
        ),
        SELF_MATCH: HeadNumber(
            SELF_MATCH, "Self-match by QK", "how much more a token wants its own copy than others, "
            "in standard deviations", is_share=False,
        ),
    }  # fmt: skip


def of_circuits(copying: Sequence[float], self_match: Sequence[float]) -> dict[str, HeadNumber]:
    """The same with their values."""
    names, values = circuit_names(), {COPYING: copying, SELF_MATCH: self_match}
    return {key: replace(names[key], values=tuple(values[key])) for key in names}


def of_real_text(record: RealText) -> dict[str, HeadNumber]:
    """What a stored pass over real text found: shares of the attention, and roles at work."""
    found = {} if record.profiles is None else _of_profiles(record.profiles)
    heads = Head.every(record.num_layers, record.num_heads)
    for key, activity in (record.activity or {}).items():
        name, means = ROLES[key].name if key in ROLES else key, activity.text
        values = [
            means.mean[head.layer][head.head] if means.rows_of(head) else None for head in heads
        ]
        found[f"{key}{REAL}"] = HeadNumber(
            f"{key}{REAL}",
            f"{name}, real text",
            f"activation as {name}, the mean over the tokens of real text where the role applies",
            tuple(values),
        )
        found[f"{key}.rate{REAL}"] = HeadNumber(
            f"{key}.rate{REAL}",
            f"{name}: how often, real text",
            f"the share of the tokens where {name} applies at which the head is active",
            tuple(means.rate(head) for head in heads),
        )
    return found


def _of_profiles(profiles: Profiles) -> dict[str, HeadNumber]:
    """Shares of the attention on real text."""
    rows = f"mean over {profiles.rows:,} tokens of real text"
    found = {
        "first": ("Resting, real text", "the share on the first token", profiles.first),
        "entropy": ("Evenness, real text", "how even its attention is", profiles.entropy),
        "itself": ("On itself, real text", "the share on the token itself", profiles.distance[0]),
        "previous": ("One back, real text", "the share one token back", profiles.distance[1]),
        "after_copy": ("After a copy, real text", "the share on what followed an earlier copy of "
                       "the token", profiles.copies[0]),
        "copy": ("On a copy, real text", "the share on earlier copies of the token",
                 profiles.copies[1]),
    }  # fmt: skip
    return {
        f"{key}{REAL}": HeadNumber(f"{key}{REAL}", name, f"{about}, {rows}", _flat(matrix))
        for key, (name, about, matrix) in found.items()
    }


def _flat(matrix: Sequence[Sequence[float | None]]) -> Values:
    return tuple(None if value is None else float(value) for row in matrix for value in row)


def _hidden(values: Values, beside: Values) -> Values:
    """Without the heads whose layer hides the role's places."""
    return tuple(
        None if other is None else value for value, other in zip(values, beside, strict=True)
    )


def _as_key(words: str) -> str:
    """
    >>> _as_key("A[IO] without it")
    'a_io_without_it'
    """
    return "_".join("".join(c if c.isalnum() else " " for c in words.lower()).split())

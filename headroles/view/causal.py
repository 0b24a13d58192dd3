"""What knocking heads out showed, as pages say it: verdicts, numbers and their meaning. Pure.

>>> short("holds_up")
'✓ holds up'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.formatting import listing, signed
from headroles.roles import ROLES
from headroles.types import BESIDE_CHANCE as BESIDE_CHANCE
from headroles.types import Head
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.store import CausalEffect, CausalHead, CausalRole, ModelEntry
    from headroles.types import CausalVerdict
    from headroles.verdicts import AblationEvidence

TEXTS = {
    "repeats": "repeated random sequences",
    "sentences": "sentences of this project",
    "held_out": "held-out passages of the kind of text that the model was trained on",
}
"""What the loss was measured on."""
BRIEFLY = {
    "repeats": "repeated tokens",
    "sentences": "sentences",
    "held_out": "passages of its own kind of text",
}
"""The same within a sentence or a table."""


def short(verdict: CausalVerdict) -> str:
    """A verdict with its sign."""
    return f"{MARKS[verdict]} {LABELS[verdict]}"


def change(effect: CausalEffect) -> str:
    """``+0.163 ± 0.031``: nats per token, with the standard error."""
    return f"{signed(effect.change, digits=3)} ± {effect.standard_error:.3f}"


def control(effect: CausalEffect) -> str:
    """``+0.007 ± 0.015 (9 draws)``: the control's mean, spread and number of draws."""
    return _control(effect, effect.control_mean, effect.control_spread)


def _control(effect: CausalEffect, mean: float | None, spread: float | None) -> str:
    if mean is None or spread is None:
        return "–"
    borrowed = "" if effect.same_layers else " *"
    return f"{signed(mean, digits=3)} ± {spread:.3f} ({count(effect.draws, 'draw')}){borrowed}"


def rows(role_name: str, evidence: AblationEvidence, head: Head) -> list[list[str]]:
    """The table's rows for one role, text by text: the head alone, the role's heads together, and
    what the head adds to the others where that was tested."""
    lines = []
    for place in evidence.everywhere(head):
        own, group = place.head, place.role.group
        lines += _rows(f"{head.label} alone", place.role, own, place.verdict)
        if group is not None and len(group.heads) > 1:
            lines += _rows(f"all {len(group.heads)} of the role", place.role, group, group.verdict)
        if own is not None and own.part is not None:
            lines.append(part_row(own, BRIEFLY[place.role.measured_on]))
    lines[0][0] = role_name
    return lines


def _rows(
    what: str, role: CausalRole, effect: CausalEffect | None, verdict: CausalVerdict
) -> list[list[str]]:
    numbers = ["–", "–"] if effect is None else [change(effect), control(effect)]
    return [["", what, BRIEFLY[role.measured_on], short(verdict), *numbers]]


def part_row(head: CausalHead, texts: str) -> list[str]:
    """What a head adds to its role's other heads, as a row of :func:`rows`."""
    number = f"{signed(head.part or 0.0, digits=3)} ± {head.part_error or 0.0:.3f}"
    clear = "it adds to them" if head.verdict == "backed_up" else "not clearly more than these"
    control = _control(head, head.part_control_mean, head.part_control_spread)
    return ["", f"L{head.layer}H{head.head} after all the others", texts, clear, number, control]


COLUMNS = [
    "Role", "Knocked out", "On", "Verdict", "Change of the loss", "Random heads (control)",
]  # fmt: skip
"""The head of :func:`rows`."""


def cell_columns(evidence: CausalRole | None) -> list[str]:
    """The columns of :func:`cells`."""
    columns = []
    for role in evidence.everywhere if evidence else []:
        columns.append(f"Knocked out on {BRIEFLY[role.measured_on]}")
        columns += ["Change of the loss", "Random heads (control)"]
        if _has_parts(role):
            columns.append("After all the others (control)")
    return columns


def cells(evidence: CausalRole | None, head: Head) -> list[str]:
    """A head's verdict, change and control, text by text, and what it adds to the others."""
    cells = []
    for role in evidence.everywhere if evidence else []:
        own = role.of(*head)
        cells += [short(own.verdict), change(own), control(own)] if own else [
            short("not_tested"), "–", "–",
        ]  # fmt: skip
        if _has_parts(role):
            part = own is not None and own.part is not None
            cells.append("{4} ({5})".format(*part_row(own, "")) if part else "–")
    return cells


def _has_parts(role: CausalRole) -> bool:
    return any(head.part is not None for head in role.heads)


def together(role: CausalRole) -> str:
    """What knocking out all heads of a role showed, in a sentence."""
    where = f"On {BRIEFLY[role.measured_on]}"
    if role.group is None:
        return f"{where}, the list differs from the heads that were knocked out together."
    size = len(role.group.heads)
    which, others = f"all {size} together", "as many others"
    if size == 1:
        which, others = "without its only head", "without another head"
    return (
        f"{where}, {which}: {short(role.group.verdict)}, {change(role.group)}; "
        f"{others} {control(role.group)}."
    )


def meanings(ablations: list[AblationEvidence]) -> list[str]:
    """What the verdicts that occur mean, each in a sentence."""
    groups = [evidence.role.group for evidence in ablations]
    used = [evidence.verdict for evidence in ablations]
    used += [group.verdict for group in groups if group]
    return [f"{short(verdict)}: {MEANINGS[verdict]}" for verdict in LABELS if verdict in used]


def method(evidence: list[CausalRole]) -> str:
    """How the numbers were measured, in plain words."""
    texts = dict.fromkeys(f"{role.n} {TEXTS[role.measured_on]}" for role in evidence)
    return (
        "Knocked out: the head's output is replaced by its mean over these texts. The change is "
        "in the next-token loss (nats per token), ± its standard error over "
        f"{listing(list(texts))}; above 0, the model guesses worse without the head. Beside it: "
        f"the same for as many random heads of the same layers, ± the spread between draws. "
        + _correction(evidence)
    )


def _correction(evidence: list[CausalRole]) -> str:
    rule = next((role.rule for role in evidence if role.rule), None)
    if rule is None:
        return (
            "In this older analysis an effect counts from two standard errors, however many were "
            "tested; whether other heads stand in was not tested."
        )
    parts, level = "", ""
    if rule.parts and rule.parts_level is not None:
        parts = f", and {rule.parts} of what a head adds to the others"
        level = f", of the latter at p ≤ {rule.parts_level:.3f}"
    return (
        f"The analysis made {rule.comparisons} comparisons with zero and with random heads{parts}. "
        f"A comparison counts at p ≤ {rule.level:.3f}{level}, corrected for their number: of "
        f"those that count, 5% are expected to be false (t tests; Benjamini and Hochberg)."
    )


def unreadable(evidence: list[CausalRole]) -> str:
    """Why there is no verdict where the model cannot read the texts; empty where it can."""
    worst = next((role for role in evidence if not role.can_read), None)
    if worst is None:
        return ""
    return (
        f"On the {TEXTS[worst.measured_on]}, this model's own loss is {worst.baseline_loss:.2f} "
        f"nats; an even guess over its vocabulary would have {worst.even_guess_loss:.2f}."
    )


def borrowed(evidence: list[CausalRole]) -> str:
    """What the star beside a control means; empty if no control has one."""
    effects = [effect for role in evidence for effect in (*role.heads, role.group) if effect]
    if all(effect.same_layers for effect in effects):
        return ""
    return (
        "* The layer has too few other heads, so some come from the nearest layers, if possible "
        "heads that no role lists."
    )


def of_heads(entry: ModelEntry | None) -> dict[Head, str]:
    """{head: its verdicts with their texts} for the heads that were knocked out.

    E.g. ``○ Previous token on sentences, ✓ Previous token on repeated tokens``.
    """
    verdicts: dict[Head, list[str]] = {}
    for key, evidence in (entry.causal if entry else {}).items():
        for role in evidence.everywhere:
            what = f"{ROLES[key].name} on {BRIEFLY[role.measured_on]}"
            for knocked_out in role.heads:
                head = Head(knocked_out.layer, knocked_out.head)
                verdicts.setdefault(head, []).append(f"{MARKS[knocked_out.verdict]} {what}")
    return {head: ", ".join(words) for head, words in verdicts.items()}


def legend(verdicts: list[str]) -> str:
    """The signs that occur in some texts, each with its label."""
    used = "".join(verdicts)
    return ", ".join(short(verdict) for verdict in LABELS if MARKS[verdict] in used)


LABELS: dict[CausalVerdict, str] = {
    "holds_up": "holds up",
    "backed_up": "no effect alone (others back it up)",
    "backup_untested": "no effect alone (backing up not tested)",
    "reversed": "better without",
    "not_special": "no more than other heads",
    "no_effect": "no effect",
    "cannot_tell": "cannot be judged here",
    "not_tested": "not tested",
}
"""The verdicts as people read them."""


MARKS: dict[CausalVerdict, str] = {
    "holds_up": "✓",
    "backed_up": "◐",
    "backup_untested": "◌",
    "reversed": "↺",
    "not_special": "≈",
    "no_effect": "○",
    "cannot_tell": "?",
    "not_tested": "–",
}
"""A sign for each, so that no verdict relies on colour."""


MEANINGS: dict[CausalVerdict, str] = {
    "holds_up": "Without it, the model guesses clearly worse than without random other heads.",
    "backed_up": "Knocking it out alone has no clear effect. Once all the other heads of the role "
    "are out, it does, clearly more than a random head: the others stand in for it.",
    "backup_untested": "Knocking it out alone has no clear effect, but without all heads of the "
    "role together the model guesses clearly worse. Whether this head plays a "
    "part was not tested.",
    "reversed": "Without it, the model guesses clearly better.",
    "not_special": "Without it, the model's guesses clearly change, but not clearly more than "
    "without random other heads: that is no evidence for the role.",
    "no_effect": "Knocking it out has no clear effect, and nothing shows that other heads of the "
    "role stand in for it.",
    "cannot_tell": "The untouched model guesses these texts no better than an even guess over its "
    "vocabulary, so it has nothing to lose.",
    "not_tested": "It was not knocked out, or there were too few other heads to compare it with.",
}
"""Each verdict in a sentence."""

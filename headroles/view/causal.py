"""What knocking heads out showed, as pages say it: verdicts, numbers and their meaning. Pure.

>>> short("holds_up")
'✓ holds up'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.formatting import listing, signed
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.store import CausalEffect, CausalRole, ModelEntry
    from headroles.types import CausalVerdict
    from headroles.verdicts import AblationEvidence

TEXTS = {
    "repeats": "repeated random sequences",
    "sentences": "this project's own sentences",
    "held_out": "held-out passages of the kind of text that the model was trained on",
}
"""What the loss was measured on."""


def short(verdict: CausalVerdict) -> str:
    """A verdict with its sign."""
    return f"{MARKS[verdict]} {LABELS[verdict]}"


def change(effect: CausalEffect) -> str:
    """``+0.163 ± 0.031``: nats per token, with the standard error."""
    return f"{signed(effect.change, digits=3)} ± {effect.standard_error:.3f}"


def control(effect: CausalEffect) -> str:
    """``+0.007 ± 0.015 (9 draws)``: the control's mean, spread and number of draws."""
    if effect.control_mean is None or effect.control_spread is None:
        return "–"
    numbers = f"{signed(effect.control_mean, digits=3)} ± {effect.control_spread:.3f}"
    borrowed = "" if effect.same_layers else " *"
    return f"{numbers} ({count(effect.draws, 'draw')}){borrowed}"


def rows(role_name: str, evidence: AblationEvidence, head: Head) -> list[list[str]]:
    """The table's rows for one role: the head alone, and the role's heads together."""
    lines = []
    if evidence.head is None:
        lines.append([role_name, f"{head.label} alone", short("not_tested"), "–", "–"])
    else:
        lines.append(_row(role_name, f"{head.label} alone", evidence.head))
    group = evidence.role.group
    if group is not None and len(group.heads) > 1:
        lines.append(_row("", f"all {len(group.heads)} of the role", group))
    return lines


def _row(role_name: str, what: str, effect: CausalEffect) -> list[str]:
    return [role_name, what, short(effect.verdict), change(effect), control(effect)]


COLUMNS = ["Role", "Knocked out", "Verdict", "Change of the loss", "Random heads (control)"]
"""The head of :func:`rows`."""


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
        "that of the next-token loss, in nats per token, ± its standard error over "
        f"{listing(list(texts))}; above 0, the model guesses worse without the head. Next to it is "
        "the same number for as many random heads of the same layers, ± the spread between draws."
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
    """{head: its verdicts} for the heads that were knocked out, e.g. ``✓ Induction``."""
    verdicts: dict[Head, list[str]] = {}
    for key, evidence in (entry.causal if entry else {}).items():
        for knocked_out in evidence.heads:
            head = Head(knocked_out.layer, knocked_out.head)
            mark = MARKS[knocked_out.verdict]
            verdicts.setdefault(head, []).append(f"{mark} {ROLES[key].name}")
    return {head: ", ".join(words) for head, words in verdicts.items()}


def legend(verdicts: list[str]) -> str:
    """The signs that occur in some texts, each with its label."""
    used = "".join(verdicts)
    return ", ".join(short(verdict) for verdict in LABELS if MARKS[verdict] in used)


LABELS: dict[CausalVerdict, str] = {
    "holds_up": "holds up",
    "backed_up": "no effect alone (others back it up)",
    "reversed": "opposite effect",
    "not_special": "no more than other heads",
    "no_effect": "no effect",
    "cannot_tell": "cannot be judged here",
    "not_tested": "not tested",
}
"""The verdicts as people read them."""


BESIDE_CHANCE: dict[CausalVerdict, str] = {
    "holds_up": "larger than chance",
    "reversed": "opposite effect",
    "not_special": "no larger than chance",
    "no_effect": "no effect",
    "not_tested": "too few draws to tell",
}
"""The same verdicts on any knock-out beside random others, where no role is involved."""


MARKS: dict[CausalVerdict, str] = {
    "holds_up": "✓",
    "backed_up": "◐",
    "reversed": "↺",
    "not_special": "≈",
    "no_effect": "○",
    "cannot_tell": "?",
    "not_tested": "–",
}
"""A sign for each, so that no verdict relies on colour."""


MEANINGS: dict[CausalVerdict, str] = {
    "holds_up": "Without it, the model guesses clearly worse than without random other heads.",
    "backed_up": "Removing it alone has no clear effect, but without all heads of the role "
    "together the model guesses clearly worse: the others stand in for it.",
    "reversed": "Without it, the model guesses clearly better.",
    "not_special": "Without it, the model's guesses clearly change, but not clearly more than "
    "without random other heads: that is no evidence for the role.",
    "no_effect": "Removing it has no clear effect, and nothing suggests that other heads of the "
    "role stand in for it.",
    "cannot_tell": "The untouched model guesses these texts no better than an even guess over its "
    "vocabulary, so it has nothing to lose.",
    "not_tested": "It was not knocked out, or there were too few other heads to compare it with.",
}
"""Each verdict in a sentence."""

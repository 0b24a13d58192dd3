"""What knocking heads out showed, in the words of pages: verdicts, numbers and their meaning. Pure.

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
    "sentences": "sentences of this project",
    "held_out": "passages of the model's own kind of text that it was not trained on",
}
"""What the loss was measured on."""


def short(verdict: CausalVerdict) -> str:
    """A verdict with its sign."""
    return f"{MARKS[verdict]} {LABELS[verdict]}"


def change(effect: CausalEffect) -> str:
    """``+0.163 ± 0.031``: nats a token, with the standard error."""
    return f"{signed(effect.change, digits=3)} ± {effect.standard_error:.3f}"


def control(effect: CausalEffect) -> str:
    """``+0.007 ± 0.015 (9 draws)``: the control's mean, spread and number of draws."""
    if effect.control_mean is None or effect.control_spread is None:
        return "–"
    numbers = f"{signed(effect.control_mean, digits=3)} ± {effect.control_spread:.3f}"
    borrowed = "" if effect.same_layers else " *"
    return f"{numbers} ({count(effect.draws, 'draw')}){borrowed}"


def rows(role_name: str, proof: AblationEvidence, head: Head) -> list[list[str]]:
    """The table's rows for one role: the head alone, and the role's heads together."""
    found = []
    if proof.head is None:
        found.append([role_name, f"{head.label} alone", short("not_tested"), "–", "–"])
    else:
        found.append(_row(role_name, f"{head.label} alone", proof.head))
    group = proof.role.group
    if group is not None and len(group.heads) > 1:
        found.append(_row("", f"all {len(group.heads)} of the role", group))
    return found


def _row(role_name: str, what: str, effect: CausalEffect) -> list[str]:
    return [role_name, what, short(effect.verdict), change(effect), control(effect)]


COLUMNS = ["Role", "Knocked out", "Verdict", "Change of the loss", "Other heads instead"]
"""The head of :func:`rows`."""


def meanings(ablations: list[AblationEvidence]) -> list[str]:
    """What the verdicts that occur mean, each in a sentence."""
    groups = [proof.role.group for proof in ablations]
    used = [proof.verdict for proof in ablations] + [group.verdict for group in groups if group]
    return [f"{short(verdict)}: {MEANINGS[verdict]}" for verdict in LABELS if verdict in used]


def method(evidence: list[CausalRole]) -> str:
    """How the numbers came about, in plain words."""
    texts = dict.fromkeys(f"{one.n} {TEXTS[one.measured_on]}" for one in evidence)
    return (
        "Knocked out means: the head says the same everywhere, its average on these texts. The "
        "change is that of the next-token loss, in nats a token, ± its standard error over "
        f"{listing(list(texts))}; above 0 the model guesses worse without it. Beside it stands the "
        "same for as many random other heads of the same layers, ± the spread between draws."
    )


def unreadable(evidence: list[CausalRole]) -> str:
    """Why nothing can be told where the model cannot read the texts; empty where it can."""
    worst = next((one for one in evidence if not one.can_read), None)
    if worst is None:
        return ""
    return (
        f"On the {TEXTS[worst.measured_on]} this model's own loss is {worst.baseline_loss:.2f} "
        f"nats; a guess that is spread evenly over its vocabulary has {worst.even_guess_loss:.2f}."
    )


def borrowed(evidence: list[CausalRole]) -> str:
    """What the star beside a control means; empty where none stands there."""
    effects = [effect for one in evidence for effect in (*one.heads, one.group) if effect]
    if all(effect.same_layers for effect in effects):
        return ""
    return (
        "* Too few other heads in the layer; some are of the nearest layers, as far as possible "
        "heads that no role lists."
    )


def of_heads(entry: ModelEntry | None) -> dict[Head, str]:
    """{head: its verdicts} for the heads that were knocked out, e.g. ``✓ Induction``."""
    found: dict[Head, list[str]] = {}
    for key, evidence in (entry.causal if entry else {}).items():
        for one in evidence.heads:
            head = Head(one.layer, one.head)
            found.setdefault(head, []).append(f"{MARKS[one.verdict]} {ROLES[key].name}")
    return {head: ", ".join(words) for head, words in found.items()}


def legend(verdicts: list[str]) -> str:
    """The signs that stand in some texts, each with its meaning in a word."""
    used = "".join(verdicts)
    return ", ".join(short(one) for one in LABELS if MARKS[one] in used)


LABELS: dict[CausalVerdict, str] = {
    "holds_up": "holds up",
    "backed_up": "no effect alone (others back it up)",
    "reversed": "the other way round",
    "not_special": "no more than other heads",
    "no_effect": "no effect",
    "cannot_tell": "cannot be told here",
    "not_tested": "not tested",
}
"""The verdicts as people read them."""


MARKS: dict[CausalVerdict, str] = {
    "holds_up": "✓",
    "backed_up": "◐",
    "reversed": "↺",
    "not_special": "≈",
    "no_effect": "○",
    "cannot_tell": "?",
    "not_tested": "–",
}
"""A sign for each, so that no verdict is told by colour."""


MEANINGS: dict[CausalVerdict, str] = {
    "holds_up": "Without it the model guesses clearly worse than without random other heads.",
    "backed_up": "Without it alone nothing clear happens, but without all heads of the role "
    "together the model guesses clearly worse: the others stand in for it.",
    "reversed": "Without it the model guesses clearly better.",
    "not_special": "Without it the model's guesses clearly change, but not clearly more than "
    "without random other heads: that is no proof of the role.",
    "no_effect": "Without it nothing clear happens, and nothing shows that other heads of the role "
    "stand in for it.",
    "cannot_tell": "The untouched model guesses these texts no better than an even guess over its "
    "vocabulary, so there is nothing that it could lose.",
    "not_tested": "It was not knocked out, or there were no other heads to compare it with.",
}
"""Each verdict in a sentence."""

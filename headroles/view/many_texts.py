"""What the analysis showed on many texts about heads that a reader knocks out on one prompt. Pure.

One prompt is one text: often it cannot tell whether a model needs some heads. The analysis knocked
the listed heads out on dozens, alone and together, and its verdict stands beside the prompt's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from headroles.formatting import count, signed
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view.causal import BRIEFLY, change, short

if TYPE_CHECKING:
    from headroles.store import CausalEffect, CausalRole, ModelEntry
    from headroles.types import CausalVerdict


def roles_of(entry: ModelEntry | None, heads: Collection[Head]) -> list[str]:
    """Keys of the roles that list all these heads and were tested, the shortest list first."""
    listed = {key: set(entry.listed(key)) for key in entry.causal} if entry else {}
    return sorted(
        (key for key in listed if set(heads) <= listed[key]), key=lambda k: len(listed[k])
    )


def sentences(entry: ModelEntry | None, heads: Collection[Head]) -> list[str]:
    """The stored verdicts on just these heads, else on the lists that hold them all (plain text).

    One sentence for each role: on the head, where there is one only; on all of the role's heads
    together, where they are several.
    """
    found = []
    for key in roles_of(entry, heads):
        role, alone = entry.causal[key], len(heads) == 1
        name = ROLES[key].name
        if alone:
            (head,) = heads
            places = [(place, place.of(*head)) for place in role.everywhere]
            who = f"{head.label} alone ({name})"
        else:
            places = [(place, place.group) for place in role.everywhere]
            who = _who(name, heads, role)
        if said := [
            _on(place, effect, len(heads)) for place, effect in places if effect is not None
        ]:
            found.append(f"{who}, {'; '.join(said)}.")
    return found if len(heads) == 1 else found[:1]


def beside(entry: ModelEntry | None, heads: Collection[Head], here: CausalVerdict | None) -> str:
    """What to make of two verdicts that differ, on this prompt and on many texts (plain text)."""
    roles = roles_of(entry, heads)
    if not roles or here is None:
        return ""
    places = entry.causal[roles[0]].everywhere
    (head, *more) = heads
    effects = [place.group if more else place.of(*head) for place in places]
    needed = any(effect is not None and effect.verdict == "holds_up" for effect in effects)
    it = "it" if not more else "them"
    if needed and here != "holds_up":
        found = {
            "reversed": f"does better without {it}",
            "not_special": f"loses no more without {it} than without random others",
        }.get(here, f"does as well without {it}")
        return (
            f"On this one prompt the model {found}; over many texts it does need "
            f"{'the heads of this role' if more else it}. Trust the many texts: a single prompt "
            "can go either way."
        )
    if not needed and here == "holds_up":
        return (
            "This prompt and the many texts differ: that the heads matter here does not show that "
            "they matter in general."
        )
    return ""


def _who(name: str, heads: Collection[Head], role: CausalRole) -> str:
    """How a role's heads together are called beside the chosen ones."""
    size = len(role.group.heads) if role.group else 0
    if size == len(heads):
        return f"These {size} heads together, all that are listed as {name}"
    return f"All {size} heads listed as {name} together, yours among them"


def _on(role: CausalRole, effect: CausalEffect, n: int) -> str:
    others = ""
    if effect.control_mean is not None:
        whose = "a random other" if n == 1 else "as many random others"
        others = f"; {whose} {signed(effect.control_mean, digits=3)}"
    where = f"on {BRIEFLY[role.measured_on]} ({count(role.n, 'text')}):"
    return f"{where} {short(effect.verdict)} ({change(effect)} nats per token{others})"


def idle(role: str, active: int, heads: int) -> str:
    """Why heads that do nothing on a prompt cannot be missed there; empty if some do something."""
    if active:
        return ""
    which = "the head is not" if heads == 1 else f"none of the {heads} heads is"
    return f"{which} active as {ROLES[role].name} on it, so there is little to lose."

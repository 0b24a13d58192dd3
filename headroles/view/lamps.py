"""The answer of Your Prompt at a glance: a lamp per role. Pure: no Streamlit.

>>> lamp("●", "Induction", "6 of 7", lit=True)  # doctest: +ELLIPSIS
'<li><span class="hr-lamp hr-lit">...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.roles import SCORED_ROLES, Role

if TYPE_CHECKING:
    from headroles.verdicts import PromptScores
    from headroles.view.role_cards import RoleCard


def anchor(role: Role) -> str:
    """The HTML id of a role's card."""
    return f"role-{role.key}"


def lamp(mark: str, name: str, words: str, *, unit: str = "", lit: bool, target: str = "") -> str:
    """One lamp as HTML: its shape, the name and the count.

    Args:
        mark: its shape, ``●`` or ``○``, or how it changes.
        name: of the role.
        words: the count.
        unit: what is counted; a phone leaves it out.
        lit: whether it stands out.
        target: the HTML id that it leads to; empty for none.
    """
    tag, link = ("a", f' href="#{target}" target="_self"') if target else ("span", "")
    return (
        f'<li><{tag} class="hr-lamp{" hr-lit" if lit else ""}"{link}>'
        f'<b><i aria-hidden="true">{mark}</i> {escape(name)}</b>'
        f"<span>{escape(words)}<small>{escape(unit)}</small></span></{tag}></li>"
    )


def of_cards(cards: Sequence[RoleCard]) -> list[str]:
    """A lamp for every role, filled where it is awake, with how many of its heads are active."""
    return [
        lamp(
            "●" if card.awake else "○",
            card.role.name,
            f"{card.active} of {len(card.rows)}" if card.rows else "no head",
            unit=" active" * bool(card.rows),
            lit=card.awake,
            target=anchor(card.role),
        )
        for card in cards
    ]


def active_counts(scores: PromptScores, thresholds: Mapping[str, float]) -> dict[Role, int]:
    """How many heads of the whole model are active in every scored role, without any list."""
    return {
        role: int(
            verdicts.active_heads(
                role,
                scores.activations[role.key],
                thresholds[role.key],
                num_tokens=scores.num_tokens,
                output_change=scores.output_change,
            ).sum()
        )
        for role in SCORED_ROLES
    }


def of_all(counts: Sequence[Mapping[Role, int]], heads: int) -> list[str]:
    """The lamps where no list names heads: how many of all heads are active, prompt by prompt."""
    return [
        lamp(
            " → ".join("●" if counted[role] else "○" for counted in counts),
            role.name,
            f"{' → '.join(str(counted[role]) for counted in counts)} of {heads:,}",
            unit=" head" if heads == 1 else " heads",
            lit=counts[-1][role] > 0,
        )
        for role in counts[0]
    ]


def overall_of_all(counts: Sequence[Mapping[Role, int]], heads: int) -> str:
    """The page's answer where no list names heads, on one prompt or on two."""
    first, *second = (sum(map(bool, counted.values())) for counted in counts)
    where = f"on the first prompt, and {second[0]} on the second" if second else "on this prompt"
    return (
        f"{first} of {len(counts[0])} roles {'shows' if first == 1 else 'show'} up in "
        f"{'the only head' if heads == 1 else f'at least one of the {heads:,} heads'} {where}."
        " Without an analysis, there is no list of heads to compare with."
    )

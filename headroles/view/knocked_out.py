"""What was knocked out, in the words of a sentence: heads, components or value vectors. Pure.

>>> of(removal(ComponentSet.parse("L0Q17"))).matter
'L0Q17 matters'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headroles.ablation.conditions import ALL_COMPONENTS, UNTOUCHED

if TYPE_CHECKING:
    from headroles.ablation import Condition
    from headroles.types import Component, Head

HEADS, COMPONENTS, POSITIONS = "heads", "components", "positions"


class KnockedOut(NamedTuple):
    """What a condition takes away."""

    kind: str
    """:data:`HEADS`, :data:`COMPONENTS` or :data:`POSITIONS`."""
    named: tuple[Head | Component, ...]
    """The heads or components; none where value vectors are zero."""
    before: str
    """The run that it is compared with."""

    @property
    def is_one(self) -> bool:
        """Whether it is a single head or component."""
        return len(self.named) == 1

    @property
    def them(self) -> str:
        """It, or them."""
        return "it" if self.is_one else "them"

    @property
    def matter(self) -> str:
        """That it matters, as the beginning of a sentence."""
        if self.is_one:
            return f"{self.named[0].label} matters"
        return f"These {self._nouns} matter"

    @property
    def without(self) -> str:
        """What is missing, e.g. ``without L1H4``."""
        return f"without {self.named[0].label if self.is_one else f'these {self._nouns}'}"

    @property
    def others(self) -> str:
        """What it is compared with, e.g. ``random heads``."""
        if self.kind == POSITIONS:
            return "other places"
        if self.is_one:
            return f"random {self.kind}"
        return "random groups" if self.kind == HEADS else "random sets"

    @property
    def _nouns(self) -> str:
        return "value vectors" if self.kind == POSITIONS else self.kind


def of(condition: Condition) -> KnockedOut:
    """What a condition takes away."""
    kind = HEADS if condition.heads else COMPONENTS if condition.components else POSITIONS
    named = condition.components if kind == COMPONENTS else condition.heads
    before = f"with {ALL_COMPONENTS.name}" if condition.is_beside_all else UNTOUCHED.name
    return KnockedOut(kind, named, before)

"""What wakes gray heads, in words. Pure: no Streamlit.

>>> [wake.sentence for wake in wake_ups(hints, gray, besides="asdf")]  # doctest: +SKIP
['This prompt wakes L18H6, L17H4 and L17H5:']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles.formatting import count, percent
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store import RoleHints, StoredRole

NAMED = 8
"""More heads than this are counted instead of named."""


@dataclass(frozen=True)
class WakeUp:
    """A prompt, and the gray heads that it wakes."""

    prompt: str
    """The prompt."""
    heads: tuple[Head, ...]
    """The heads that the analysis saw active on it, without those that another prompt wakes too."""

    @property
    def sentence(self) -> str:
        """``This prompt wakes L18H6 and L17H4:``."""
        return f"This prompt activates {names(self.heads)}:"


def wake_ups(hints: RoleHints | None, gray: Sequence[Head], *, besides: str) -> list[WakeUp]:
    """As few stored prompts as wake every gray head that one is known for, widest first.

    Args:
        hints: what was found for the role; None where nothing was tried.
        gray: the heads that are not active on the present prompt, in the order of the list.
        besides: the present prompt, which is no hint.
    """
    prompts = [hint for hint in hints.prompts if hint.prompt != besides] if hints else []
    left, chosen = set(gray) & {head for hint in prompts for head in hint.woken}, []
    while left:
        best = max(prompts, key=lambda hint: len(left & hint.woken.keys()))
        woken = left & best.woken.keys()
        chosen.append(WakeUp(best.prompt, tuple(head for head in gray if head in woken)))
        left -= woken
    return chosen


def of_head(stored: StoredRole, head: Head, *, besides: str) -> tuple[str, str | None]:
    """What would wake one gray head in a role: a sentence, and the prompt where one is known.

    Args:
        stored: the role.
        head: the head, which is gray on the present prompt.
        besides: the present prompt.
    """
    hints, name = stored.hints, stored.role.name
    best = hints.best(head) if hints else None
    if best is None or best.prompt == besides:
        tried = tried_sentence(hints, [head])
        return f"{name}: gray on this prompt. {tried}".strip(), None
    reached = percent(best.woken[head])
    return f"{name}: gray on this prompt. This one activates it ({reached} there):", best.prompt


def in_vain(hints: RoleHints | None, gray: Sequence[Head]) -> list[Head]:
    """The gray heads that no prompt woke that was tried."""
    tried = {Head(*place) for place in hints.in_vain} if hints else set()
    return [head for head in gray if head in tried]


def tried_sentence(hints: RoleHints | None, gray: Sequence[Head]) -> str:
    """How many prompts were tried, and for which gray heads in vain, or not at all."""
    if hints is None or not gray:
        return ""
    vain = in_vain(hints, gray)
    untried = [head for head in gray if head not in vain and not hints.best(head)]
    were = "was" if hints.tried == 1 else "were"
    sentence = f"{count(hints.tried, 'prompt')} {were} tried on this model"
    if vain:
        none = "it does not activate" if hints.tried == 1 else "none of them activates"
        sentence += f"; {none} {names(vain, last='or')}"
    if untried:
        sentence += (
            f"; none is known for {names(untried)}, because the list or the threshold has changed "
            f"since"
        )
    return f"{sentence}."


def names(heads: Sequence[Head], *, last: str = "and") -> str:
    """The labels of heads; of many the first ones, and how many more there are.

    >>> names([Head(0, 1), Head(2, 3), Head(4, 5)], last="or")
    'L0H1, L2H3 or L4H5'
    """
    labels = [head.label for head in heads[:NAMED]]
    if more := len(heads) - len(labels):
        labels.append(f"{more} more")
    return f" {last} ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))

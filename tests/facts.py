"""What a sentence states, whatever its words: numbers, heads, tokens and names of roles.

The wording of the pages is held by one file per page, ``tests/pages/wording``; every other test
asserts facts, so that English can be mended without touching it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

APART = r"[^\n]{0,160}?"
"""What may stand between two facts of one sentence."""


def says(text: str | Iterable[str], *facts: str) -> bool:
    """Whether one sentence holds these facts in this order.

    A number is a whole one: the fact "1 of 32" does not stand in "21 of 32" or in "1 of 320".

    Args:
        text: a text, or several that are no sentence together.
        facts: numbers, heads, tokens, names; at least one.
    """
    if not facts:
        raise ValueError("without a fact this is always true")
    whole = text if isinstance(text, str) else "\n".join(map(str, text))
    wanted = APART.join(map(_whole, facts))
    return re.search(wanted, whole, re.IGNORECASE) is not None


def _whole(fact: str) -> str:
    before, after = r"(?<![\d.])" * fact[0].isdigit(), r"(?!\d)" * fact[-1].isdigit()
    return before + re.escape(fact) + after

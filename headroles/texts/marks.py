"""Brackets and quotation marks, and which closing one belongs to which opening one.

>>> closing_marks(["<s>", " (", "a", " (", "b", ").", " c", ")"])
{5: 3, 7: 1}
"""

from __future__ import annotations

from collections.abc import Sequence

from headroles.texts.tokenization import spans

PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "‘": "’", "«": "»", "„": "“"}
"""{opening mark: its closing one}. German quotation marks open low and close with the English
opening one."""
EITHER = '"'
"""Opens where none of its kind is open, and closes else. The straight single mark is left out: most
of the time it is an apostrophe."""
MARKS = frozenset({*PAIRS, *PAIRS.values(), EITHER})
"""All of them."""


def closing_marks(tokens: Sequence[str]) -> dict[int, int]:
    """{place of a closing mark: place of its opening one}; the start token holds none.

    Marks are matched as brackets are: a closing one belongs to the last open one of its kind, and
    what was opened after that and never closed is given up. A pair within one token has no two
    places; of a token that closes several, the first counts. A mark of several tokens (bytes)
    stands at the last of them.

    Args:
        tokens: [pos] the text of every token.
    """
    found: dict[int, int] = {}
    still_open: list[tuple[str, int]] = []
    """Closing marks that are waited for, with the place of the opening ones."""
    for span in spans(tokens[1:]):
        place = span.last + 1  # behind the start token; where the mark is whole
        for mark in span.text:
            waiting = [awaited for awaited, _ in still_open]
            if mark in waiting:
                at = len(waiting) - 1 - waiting[::-1].index(mark)
                opened = still_open[at][1]
                del still_open[at:]
                if opened < place:
                    found.setdefault(place, opened)
            elif mark in PAIRS or mark == EITHER:
                still_open.append((PAIRS.get(mark, mark), place))
    return found

"""Proposed patterns in words: what an expression says, what it explains, and tables of heads.

>>> in_words('kind(q) == "closing" and last(is_opening(k))')
'from closing brackets: the last opening bracket'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from headroles.formatting import count
from headroles.texts import CLASSES
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store.token_kinds import Proposal, Proposals

SIMPLE = 0.15
"""The least gain on texts by which it was not chosen of a pattern that explains a head."""
HEADERS = ("Pattern", "In words", "Explains", "Spread evenly", "Gain", "Where it was chosen")
"""The columns of :func:`pattern_rows`."""
HEAD_HEADERS = ("Head", "Looks at", "Explains", "Spread evenly", "Gain", "Does not rest")
"""The columns of :func:`head_rows`."""
RULE = (
    "“Explains” is how much of the attention that does not rest on the first token goes where the "
    "pattern says, over all tokens. The gain is 0 for a head that spreads its attention evenly, "
    "and 1 for a head that looks only where the pattern says."
)

_QUESTIONS = {
    "is_punctuation": ("punctuation mark", "punctuation marks"),
    "is_capitalised": ("capitalised word", "capitalised words"),
    "is_word_start": ("start of a word", "starts of words"),
    "is_quote": ("quotation mark", "quotation marks"),
    "is_sentence_end": ("sentence end", "sentence ends"),
    "is_opening": ("opening bracket", "opening brackets"),
    "is_closing": ("closing bracket", "closing brackets"),
    "is_newline": ("line break", "line breaks"),
}
_GROUPS = {
    '"word", "name", "first_word"': ("content word", "content words"),
    '"word", "name", "first_word", "function", "piece"': ("word or piece", "words"),
}
_PAIRS = {
    "t[k] == t[q]": ("copy of the token", "copies of the token"),
    "t[k-1] == t[q]": ("token after a copy", "tokens after copies"),
    "t[k-1] == t[q-1]": ("token with the same one before it", "tokens with the same one before"),
    "same_kind(q, k)": ("token of the same kind", "tokens of the same kind"),
    "same_word(q, k)": ("piece of the same word", "pieces of the same word"),
}
_WHOLE = {
    "k == q": "the token itself",
    "k == 1": "the first token of the text",
    "k <= 3 and k < q": "the first three tokens of the text",
    "q - k > 16": "all that is more than 16 tokens back",
    "t[k-1] == t[q] and t[k-2] == t[q-1] and k < q": "what followed an earlier copy of two tokens",
    "t[k+1] == t[q] and k + 1 < q": "what stood before an earlier copy",
    "t[k] == t[q-1] and k < q - 1": "earlier copies of the token before",
}
_RANGE = r"(1 <= )?q - k <= (\d+)"


def in_words(pattern: str) -> str:
    """What a proposed pattern says; the expression itself where it is none of those."""
    parts = [_one(part) for part in pattern.split(" or ")]
    return ("; or " if any(": " in part for part in parts) else ", or ").join(parts)


def _one(pattern: str) -> str:
    if found := re.fullmatch(r'kind\(q\) == "(\w+)" and (.+)', pattern):
        kind = found.group(1)
        name = CLASSES[kind].plural if kind in CLASSES else kind
        return f"from {name}: {_cells(found.group(2))}"
    return _cells(pattern)


def _cells(pattern: str) -> str:
    if pattern in _WHOLE:
        return _WHOLE[pattern]
    if found := re.fullmatch(r"k == q - (\d+)", pattern):
        back = int(found.group(1))
        return "the token before" if back == 1 else f"{back} tokens back"
    if found := re.fullmatch(_RANGE, pattern):
        itself = "" if found.group(1) else "the token itself and "
        return f"{itself}the {found.group(2)} tokens before"
    if found := re.fullmatch(r"(last|first)\((.+)\)", pattern):
        return f"the {found.group(1)} {_condition(found.group(2))[0]}"
    if found := re.fullmatch(r"(.+) and k < q", pattern):
        return f"earlier {_condition(found.group(1))[1]}"
    return pattern


def _condition(condition: str) -> tuple[str, str]:
    """One and several tokens of which it holds."""
    if condition in _PAIRS:
        return _PAIRS[condition]
    if found := re.fullmatch(r'kind\(k\) == "(\w+)"', condition):
        one = CLASSES.get(found.group(1))
        return (one.name, one.plural) if one else (condition, condition)
    if found := re.fullmatch(r"kind\(k\) in \((.+)\)", condition):
        return _GROUPS.get(found.group(1), (condition, condition))
    if found := re.fullmatch(r't\[k\] == "(.+)"', condition):
        return f"“{found.group(1)}”", f"“{found.group(1)}”"
    if found := re.fullmatch(r"(\w+)\(k(-1)?\)", condition):
        one, many = _QUESTIONS.get(found.group(1), (condition, condition))
        return (f"token after a {one}", f"tokens after {many}") if found.group(2) else (one, many)
    return condition, condition


def _percent(thousandths: int) -> str:
    share = thousandths / 10
    return f"{share:.0f}%" if share >= 10 else f"{share:.1f}%"


def explains(proposal: Proposal) -> str:
    """The share with its error, where there is one."""
    error = "" if proposal.error is None else f" ± {proposal.error / 10:.1f}"
    return f"{_percent(proposal.share)}{error}"


Explanation = Literal["pattern", "nearby", "nothing"]


def explanation(found: Proposals, head: Head) -> Explanation:
    """What the best pattern of a head says on texts by which it was not chosen.

    ``nearby``: it is a wide range of distance, which says how far the head looks and not at what.
    """
    best = found.of(head)
    if not best or best[0].gain < 1000 * SIMPLE:
        return "nothing"
    return "nearby" if _is_range(found.patterns[best[0].pattern]) else "pattern"


def best_example(found: Proposals, heads: Iterable[Head]) -> Head | None:
    """The head that a pattern explains best, before any that only looks nearby."""

    def worth(head: Head) -> tuple[bool, int]:
        return explanation(found, head) == "pattern", found.of(head)[0].gain

    return max((head for head in heads if found.of(head)), key=worth, default=None)


def _is_range(pattern: str) -> bool:
    """Whether a pattern is a range of more than three tokens, narrowed or not."""
    found = re.fullmatch(rf'(?:kind\(q\) == "\w+" and )?{_RANGE}', pattern)
    return found is not None and int(found.group(2)) > 2


def count_sentence(found: Proposals, heads: Iterable[Head]) -> str:
    """How many heads a pattern explains, and of how many it says only that they look nearby."""
    kinds = [explanation(found, head) for head in heads]
    explained, nearby = kinds.count("pattern"), kinds.count("nearby")
    said = (
        f"A simple pattern explains {explained:,} of {count(len(kinds), 'head')} on texts that "
        f"played no part in choosing it (a gain of {SIMPLE:.2f} of 1 or more)."
    )
    if nearby:
        said += (
            f" Of {nearby:,} more the best pattern is a wide range of distance: it says how far "
            f"{'this head looks' if nearby == 1 else 'these heads look'}, and not at what."
        )
    return said


def conclusion(found: Proposals, head: Head) -> str:
    """What explains a head, or that nothing simple does."""
    best = found.of(head)
    free = found.free[head.layer][head.head]
    if not best:
        return (
            f"{head.label} looks at hardly anything but the first token ({free * 100:.1f}% of its "
            "attention goes elsewhere), so there is nothing to explain."
        )
    top = best[0]
    said = (
        f"{explains(top)} of the attention that does not rest goes there on texts that played no "
        f"part in choosing the pattern; an even spread would send {_percent(top.chance)} there"
    )
    kind, words = explanation(found, head), in_words(found.patterns[top.pattern])
    if kind == "nothing":
        return (
            f"No simple pattern explains {head.label}. The best of {found.tried:,} is “{words}”: "
            f"{said}."
        )
    if kind == "nearby":
        return (
            f"{head.label} looks nearby, at {words}: {said}. That says how far it looks, and not "
            f"at what.{_next_best(found, best[1:])}"
        )
    return f"{head.label} looks at {words}: {said}."


def _next_best(found: Proposals, others: Sequence[Proposal]) -> str:
    """The first pattern after a range that is none, and explains something."""
    for one in others:
        pattern = found.patterns[one.pattern]
        if one.gain >= 1000 * SIMPLE and not _is_range(pattern):
            return (
                f" Of the patterns that are no mere range, “{in_words(pattern)}” explains most: "
                f"{explains(one)}."
            )
    return " Nothing else that was tried explains it."


def measured_on(found: Proposals) -> str:
    """The texts behind the numbers."""
    return (
        f"Chosen among {found.tried:,} patterns on {count(found.chosen_on, 'token')}, measured on "
        f"{count(found.held_out, 'token')} of other documents."
    )


def pattern_rows(found: Proposals, head: Head) -> list[list[str]]:
    """A head's proposals, as :data:`HEADERS` says."""
    return [
        [
            found.patterns[one.pattern],
            in_words(found.patterns[one.pattern]),
            explains(one),
            _percent(one.chance),
            f"{one.gain / 1000:.2f}".replace("-", "−"),
            _percent(one.fit),
        ]
        for one in found.of(head)
    ]


def head_rows(found: Proposals, heads: Iterable[Head]) -> list[list[str]]:
    """Heads with their best pattern, as :data:`HEAD_HEADERS` says, best explained first."""
    known = [head for head in heads if found.of(head)]
    ranked = sorted(known, key=lambda head: -found.of(head)[0].gain)
    rows = []
    for head in ranked:
        best = found.of(head)[0]
        words = in_words(found.patterns[best.pattern])
        looks_at = {
            "pattern": words,
            "nearby": f"nearby: {words}",
            "nothing": f"nothing simple (best: {words})",
        }
        rows.append(
            [
                head.label,
                looks_at[explanation(found, head)],
                explains(best),
                _percent(best.chance),
                f"{best.gain / 1000:.2f}".replace("-", "−"),
                f"{found.free[head.layer][head.head] * 100:.0f}%",
            ]
        )
    return rows

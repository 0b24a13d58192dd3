"""When a head rests: it looks at the first token, *and* what it writes hardly changes.

The attention is the first witness. The second is how much the head's output changes from token to
token, next to what a head of its layer writes (:mod:`headroles.capture.head_outputs`): a head that
looks at the first token and still writes something else at every token is at work. Where the second
witness is not known (an analysis of an earlier version, a pattern without a model), the attention
alone decides. No heavy library is imported here.
"""

from __future__ import annotations

WITNESSED = "positional"
"""The role that needs the second witness."""
OUTPUT_CHANGE = "output change"
"""Its name among the factors of a stored score."""
CHANGES_LITTLE = 0.6
"""Up to this share of what a head of its layer writes, an output hardly changes. Of the heads of
SmolLM2 that look at the first token, those below change the guesses by .0004 nats when they are
knocked out to their mean (the median on 8 prompts), those above by .0033 (``docs/definitions.md``).
"""
IDLE = 0.15
"""Up to this share a head does next to nothing, wherever it looks: of 218 such heads 4 change the
guesses by more than .001 nats, of all others 69 %."""


def hardly_changes(output_change: float | None) -> bool:
    """Whether the second witness lets a head rest; True where it is not known."""
    return output_change is None or output_change <= CHANGES_LITTLE

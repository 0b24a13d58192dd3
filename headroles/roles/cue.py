"""Whether a head goes by a role's cue, or only by the place where the cue stands.

A previous-token head looks at the earlier piece of a word, too: it looks one token back whatever
stands there. So some roles ask for the control as well: a head has them only if at least half of
what its score has over chance is gone without the cue. No heavy library is imported here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

MOST_KEPT = 0.5
"""Of a score's lift over chance, so much may be left on the control."""


def goes_by_cue(
    score: float | Float[Tensor, "*head"], control: float | Float[Tensor, "*head"], chance: float
) -> bool | Bool[Tensor, "*head"]:
    """Whether a score falls enough without the cue.

    >>> goes_by_cue(0.9, 0.1, 0.1), goes_by_cue(0.9, 0.9, 0.1)
    (True, False)
    """
    return control - chance <= MOST_KEPT * (score - chance)

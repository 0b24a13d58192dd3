"""The settings of an analysis that its estimate and its run must agree on."""

from __future__ import annotations

from headroles.models import container_rooms as container_rooms

GROUP_CONDITIONS = 21
"""Knock-outs of a role's heads together: once, and 20 controls."""
SECOND_CONDITIONS = 18
"""Knock-outs of all but one head, and of these with a random other: of about two heads a role."""


MAX_CELLS = 500_000
"""Rows x length^2 of one batch: about 25 MB of attention per layer for twelve heads."""


CAUSAL_TEXTS = 24
"""Texts of each kind on which heads are knocked out."""


ALSO_ON = {"previous_token": ("repeats",)}
"""{role key: texts on which its heads are knocked out besides its own}, because another role reads
there what they write: induction heads find the token after an earlier copy by it (K-composition;
Elhage et al. 2021, Olsson et al. 2022, arXiv 2209.11895)."""


def causal_conditions(layers: int, heads: int) -> tuple[int, int]:
    """About how many knock-outs on repeats and on sentences, on :data:`CAUSAL_TEXTS` texts each.

    Singly: the listed heads and those they are compared with. Three roles are tested on either
    kind of text (:data:`ALSO_ON`); their lists of up to 8 heads lie in about 16 layers.
    """
    singly = min(layers * heads, 16 * heads)
    together = 3 * (GROUP_CONDITIONS + SECOND_CONDITIONS)
    return singly + together, singly + together


WAKING_MARGIN = 0.01
"""A head counts as woken by a prompt from so far over its threshold on: as much as numbers of 16
bits may be off (:func:`headroles.view.html.precision_sentence`)."""


def wakes(activation: float, threshold: float) -> bool:
    """Whether a head that reached so much on a prompt may be promised to be active there."""
    return activation >= threshold + WAKING_MARGIN

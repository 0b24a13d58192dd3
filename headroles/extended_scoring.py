"""From attention, values and weights to the numbers of the extended roles. Pure functions.

**What a head writes.** Query head h reads the key/value head ``g(h) = h // (H / G)`` of its layer
(Ainslie et al. 2023, arXiv 2305.13245). From position k it moves ``o = v[g(h), k] W_O[h]`` to q. A
norm with its scale frozen is linear, ``norm(x) = P x * gain / scale`` (P subtracts the mean in a
LayerNorm and nothing in an RMSNorm), so the direct effect of o on the logit of token t is

    <o, t> = o . P(gain * (W_U[:, t] - reference)) / scale[q]

(direct logit attribution; Elhage et al. 2021). A softmax does not change when the same number is
added to all logits, so an effect needs a reference: the mean over the tokens it competes with.

**Offsets.** ``profile[d] = mean over q with q - d >= 1 of A[q, q - d]``: the start token counts at
no distance, as in :func:`headroles.closeup.offset_profile`.

>>> key_value_index(8, 2).tolist()
[0, 0, 0, 0, 1, 1, 1, 1]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.calibrate import CEILING_LIFT, FLOOR_LIFT, otsu
from headroles.errors import ShapeError
from headroles.extended_roles import LOGITS, ExtendedRole
from headroles.extended_schema import ExtendedScores
from headroles.patterns import delimiter_cells, offset_cells
from headroles.scoring import cell_weights, row_sizes
from headroles.types import Head
from headroles.wording import percent

LEAST_ROWS = 4
"""Fewer rows than this cannot show a role on a prompt."""
MIN_LIFT, MAX_CHANCE = 0.25, 0.5
"""As in :mod:`headroles.head_detection`: clearly over chance, and chance itself not too high."""
LEAST_LOGITS = 0.1
"""A direct effect below this changes the odds of a token by less than a tenth."""
STEADY = 3.0
"""A listed head's score lies at least so many standard errors from zero or from chance."""
POSITIONAL, CONTENT = 0.75, 0.25
"""With more than the first share of its lift left on random tokens a head is positional, with less
than the second it is driven by content."""


# ------------------------------------------------------------------ attention


def offset_shares(
    attention: Float[Tensor, "batch head query key"],
    lengths: Int[Tensor, " batch"],
    *,
    longest: int,
) -> tuple[Float[Tensor, "distance batch head"], Float[Tensor, "distance batch"]]:
    """Mean attention at the distances 1 ... ``longest``, and what an even spread would give.

    Returns:
        [distance batch head] means, [distance batch] chance; NaN where a text is too short.
    """
    sizes = row_sizes(attention.shape[-1])
    shares, chances = [], []
    for distance in range(1, longest + 1):
        query, key = offset_cells(attention.shape[-1], distance).nonzero(as_tuple=True)
        found = attention[..., query, key]  # [batch head row]: a row has one cell, or none
        counted = query < lengths.unsqueeze(-1)  # [batch row]
        count = counted.sum(-1)  # NaN by 0 / 0 where no row reaches so far back
        shares.append((found * counted.unsqueeze(1)).sum(-1) / count.unsqueeze(-1))
        chances.append((counted / sizes[query]).sum(-1) / count)
    return torch.stack(shares), torch.stack(chances)


@dataclass(frozen=True, eq=False)
class Peaks:
    """Each head's best distance."""

    distance: Int[Tensor, "layer head"]
    """[layer head] 2 ... longest: the distance furthest over its chance."""
    share: Float[Tensor, "layer head"]
    """[layer head] the mean attention there."""
    is_previous: Bool[Tensor, "layer head"]
    """[layer head] True where one token back is further over chance: a previous-token head."""


def peaks(
    profile: Float[Tensor, "distance layer head"], chance: Float[Tensor, " distance"]
) -> Peaks:
    """The peak of every offset profile (distances 1, 2, ...), with -1 kept apart."""
    even = chance.view(-1, 1, 1)
    lift = ((profile - even) / (1 - even)).nan_to_num(-1.0)
    best = lift[1:].max(0)
    share = profile[1:].gather(0, best.indices.unsqueeze(0)).squeeze(0)
    return Peaks(best.indices + 2, share, lift[0] >= best.values)


@dataclass(frozen=True)
class OnPrompt:
    """What a head does about an extended role on one prompt."""

    value: float
    """0..1, share of attention."""
    chance: float
    """0..1, an even spread's on this prompt."""
    rows: int
    """Rows that count."""
    state: str
    """``active``, ``quiet``, ``not_applicable`` or ``too_short``."""
    reason: str
    """One sentence."""

    @property
    def shown(self) -> str:
        """Value and state in words."""
        words = {
            "active": "active",
            "quiet": "quiet",
            "not_applicable": "nothing to do here",
            "too_short": "too short to tell",
        }[self.state]
        return f"{percent(self.value)} · {words}" if self.rows else words


def judge_heads(
    attention: Float[Tensor, "layer head query key"],
    tokens: Sequence[str],
    scores: ExtendedScores,
) -> list[OnPrompt]:
    """Judge every head on a prompt by the basic roles' rule, layer by layer.

    Args:
        attention: [layer head query key] all patterns.
        tokens: [pos] the prompt's tokens as text.
        scores: of ``delimiter`` or ``fixed_offset``: the threshold, and each head's own distance.
    """
    heads = attention.flatten(0, 1)
    if scores.profiles is None:
        return _Laid.over(tokens, None).judge(heads, scores.threshold)
    own = torch.tensor(scores.profiles.peaks).flatten()
    found: dict[int, OnPrompt] = {}
    for distance in own.unique().tolist():
        places = (own == distance).nonzero().flatten()
        judged = _Laid.over(tokens, distance).judge(heads[places], scores.threshold)
        found |= zip(places.tolist(), judged, strict=True)
    return [found[place] for place in range(len(heads))]


@dataclass(frozen=True, eq=False)
class _Laid:
    """A role's cells over a prompt, with what is said of them."""

    weights: Float[Tensor, "query key"]
    chance: float
    rows: int
    there: str
    """Where it looks."""
    missing: str
    """Why no row counts, if none does."""

    @classmethod
    def over(cls, tokens: Sequence[str], distance: int | None) -> _Laid:
        """The delimiters of a prompt, or the tokens at a distance."""
        if distance is None:
            cells = delimiter_cells([tokens], length=len(tokens))[0]
            there = "delimiters"
            missing = "There is no . , ; : ! ? or line break in this prompt."
        else:
            cells = offset_cells(len(tokens), distance)
            there = f"the token {distance} back"
            missing = f"No token has one {distance} back."
        laid = cell_weights(cells)
        return cls(laid.weights, float(laid.chance), int(laid.rows), there, missing)

    def judge(self, heads: Float[Tensor, "head query key"], threshold: float) -> list[OnPrompt]:
        if not self.rows:
            return [OnPrompt(0.0, 0.0, 0, "not_applicable", self.missing)] * len(heads)
        values = torch.einsum("hqk,qk->h", heads, self.weights).tolist()
        return [self._judge_one(value, threshold) for value in values]

    def _judge_one(self, value: float, threshold: float) -> OnPrompt:
        said = (
            f"{percent(value)} of its attention goes to {self.there} at the {self.rows} places "
            f"that count; an even spread would give {percent(self.chance)}, and it takes "
            f"{percent(threshold)}."
        )
        if self.rows < LEAST_ROWS or self.chance > MAX_CHANCE:
            said = f"Too little to judge by: {said}"
            return OnPrompt(value, self.chance, self.rows, "too_short", said)
        needed = max(threshold, self.chance + MIN_LIFT * (1 - self.chance))
        state = "active" if value >= needed else "quiet"
        return OnPrompt(value, self.chance, self.rows, state, said)


# ------------------------------------------------------------------ what a head writes


def key_value_index(num_heads: int, num_kv_heads: int) -> Int[Tensor, " head"]:
    """[head] the key/value head that each query head reads.

    Raises:
        ShapeError: if the query heads cannot be dealt out evenly.
    """
    if not 0 < num_kv_heads <= num_heads or num_heads % num_kv_heads:
        raise ShapeError(
            "The key/value heads", expected=f"a divisor of {num_heads}", got=num_kv_heads
        )
    return torch.arange(num_heads) // (num_heads // num_kv_heads)


def through_norm(
    directions: Float[Tensor, "*token model"], gain: Float[Tensor, " model"], *, centers: bool
) -> Float[Tensor, "*token model"]:
    """Directions behind a norm as directions before it, its scale left out: ``P(gain * d)``."""
    found = directions * gain
    return found - found.mean(-1, keepdim=True) if centers else found


def write_effects(
    values: Float[Tensor, "*batch kv width"],
    output: Float[Tensor, "head width model"],
    directions: Float[Tensor, "*batch model"],
) -> Float[Tensor, "*batch head"]:
    """``v[g(h)] W_O[h] . d``: what each head would write along a direction at full attention.

    Args:
        values: [*batch kv width] the values at one position, by key/value head.
        output: [head width model] W_O by query head.
        directions: [*batch model] one direction a position.
    """
    index = key_value_index(output.shape[0], values.shape[-2])
    read = torch.einsum("hwm,...m->...hw", output, directions)  # [*batch head width]
    return (values[..., index, :] * read).sum(-1)


def cell_effects(
    attention: Float[Tensor, "batch head query key"],
    effects: Float[Tensor, "batch key head"],
    cells: Int[Tensor, "cell 3"],
) -> Float[Tensor, "cell head"]:
    """``A[q, k] * effect[k]`` on single cells: attention times what is written.

    Args:
        attention: [batch head query key] one layer's patterns.
        effects: [batch key head] from :func:`write_effects`.
        cells: [cell 3] batch, query and key of the cells that count.
    """
    batch, query, key = cells.unbind(-1)
    return attention[batch, :, query, key] * effects[batch, key]


def largest_is(
    logits: Float[Tensor, "*head item choice"], wanted: Int[Tensor, " item"]
) -> Float[Tensor, "*head item"]:
    """1 where the wanted choice has the largest logit of all, else 0; a tie is no success."""
    right = logits.gather(-1, wanted.expand(logits.shape[:-1]).unsqueeze(-1))  # [*head item 1]
    return ((logits >= right).sum(-1) == 1).to(logits.dtype)


# ------------------------------------------------------------------ lists and words


def mean_and_error(
    scores: Float[Tensor, "n *head"],
) -> tuple[Float[Tensor, "*head"], Float[Tensor, "*head"]]:
    """The mean over the first axis and its standard error, what is NaN left out."""
    known = ~scores.isnan()
    n = known.sum(0)
    mean = scores.nansum(0) / n.clamp_min(1)
    squares = ((scores - mean).square().nan_to_num(0.0)).sum(0)
    return mean, (squares / (n - 1).clamp_min(1)).sqrt() / n.clamp_min(1).sqrt()


def extended_threshold(
    role: ExtendedRole, scores: Float[Tensor, "layer head"], *, chance: float | None
) -> tuple[float, str]:
    """What it takes to be listed, as a size, and the sentence that says why.

    As for the basic roles: the gap between low and high heads (Otsu 1979), within bounds. A score
    in logits has no perfect head and so no ceiling; its floor is :data:`LEAST_LOGITS`.
    """
    sizes = (scores * role.sign).clamp_min(0) if role.is_signed else scores
    split = otsu(sizes.flatten())
    if role.unit == LOGITS:
        floor, ceiling = LEAST_LOGITS, float("inf")
        bounds = f"floor {floor:.2f} logits"
    else:
        zero = chance or 0.0
        floor, ceiling = zero + FLOOR_LIFT * (1 - zero), zero + CEILING_LIFT * (1 - zero)
        bounds = f"bounds {floor:.2f} to {ceiling:.2f}"
    gap = "the gap between low and high heads (Otsu)"
    name = "the floor" if split < floor else "the ceiling" if split > ceiling else gap
    return round(min(max(split, floor), ceiling), 6), f"Set by {name}; {gap} {split:.3f}; {bounds}."


def select_extended(
    role: ExtendedRole,
    scores: Float[Tensor, "layer head"],
    errors: Float[Tensor, "layer head"],
    *,
    threshold: float,
    zero: float = 0.0,
    barred: Bool[Tensor, "layer head"] | None = None,
    cap: int = 8,
) -> list[Head]:
    """The heads whose score has the role's sign, reaches its threshold and is steady, best first.

    Args:
        role: gives the sign.
        scores: [layer head] means.
        errors: [layer head] their standard errors.
        threshold: a size.
        zero: what a score is compared with: chance, or 0 in logits.
        barred: [layer head] True where a head cannot have the role whatever its score.
        cap: most heads.
    """
    sizes = scores * role.sign if role.is_signed else scores
    passes = (sizes >= threshold) & (sizes > 0) & (sizes - zero >= STEADY * errors)
    if barred is not None:
        passes &= ~barred
    order = sizes.flatten().argsort(descending=True, stable=True).tolist()
    heads = [Head(*divmod(place, scores.shape[1])) for place in order]
    return [head for head in heads if passes[head]][:cap]


@dataclass(frozen=True)
class PlaceOrContent:
    """Whether a head does on random tokens what it does on text."""

    kind: str
    """``positional``, ``content``, ``partly`` or ``neither`` (it does not have the role)."""
    kept: float | None
    """Share of the lift over chance that is left on random tokens; None without a lift."""
    sentence: str
    """For a student."""


def place_or_content(
    score: float,
    control: float,
    *,
    threshold: float,
    zero: float,
    errors: Sequence[float] = (0.0, 0.0),
) -> PlaceOrContent:
    """Tell a positional head from one that is driven by content.

    ``kept = (control - zero) / (score - zero)``. With :data:`POSITIONAL` or more of it left, or
    where two standard errors cannot tell the two numbers apart, the head is positional; with
    :data:`CONTENT` or less it is driven by content.

    Args:
        score: on sentences.
        control: on random tokens.
        threshold: what it takes to have the role.
        zero: chance, or 0 where chance is no zero (``diffuse``).
        errors: the standard errors of score and control.
    """
    if score < threshold or score <= zero:
        if control >= threshold:
            return PlaceOrContent("neither", None, "Reaches the threshold on random tokens only.")
        return PlaceOrContent("neither", None, "Does not reach the role's threshold.")
    kept = (control - zero) / (score - zero)
    unsure = 2 * sum(error**2 for error in errors) ** 0.5
    if kept >= POSITIONAL or (unsure > 0 and score - control <= unsure):
        return PlaceOrContent("positional", kept, "Does it on random tokens too: positional.")
    if kept <= CONTENT:
        return PlaceOrContent("content", kept, "Only on real text: content-driven.")
    return PlaceOrContent("partly", kept, "Less on random tokens: partly positional.")

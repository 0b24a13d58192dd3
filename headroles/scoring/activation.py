"""From attention and tokens to numbers. Pure functions: no model, no file, no state.

Let ``A[q, k]`` be one head's attention and S(q) the key columns that a role predicts for query
row q (:mod:`headroles.roles`). A row *applies* when S(q) is neither empty nor the whole row. With

    mass = mean over applying rows of  sum over k in S(q) of A[q, k]
    work = mean over applying rows of  sum over k in M(q) of A[q, k]

the activation is ``mass`` for most roles. For *induction* and *duplicate token* it is

    activation = mass / max(work, 0.02)

where M(q) is all of the row but column 0 and the cells that cannot tell the role from another
(:mod:`headroles.roles.cells`; on most prompts there are none): the share of the attention that does
not rest, as heads with these roles do on most rows of a natural text. The least work of 2% keeps a
head that rests with 99% from scoring 1 with its crumbs. Chance is the same number for
``A[q, k] = 1 / (q+1)`` (without the 0.02). So a head that always looks where the role says scores 1
however often a token repeats, and a head that spreads evenly scores chance.

Mass and work are linear in A: each is ``sum(A * W)`` with ``W[q, k] = 1 / rows`` on its cells. That
is why all roles of a whole batch cost a single matrix product (:func:`batch_activations`).

``diffuse`` has no cells. It is the mean over q >= 1 of ``entropy(A[q, :q+1]) / log(q + 1)``: 1
for an even spread, 0 for a head that looks at one place. Its chance is therefore 1 by definition.

*Sight.* In a layer with a sliding window, or any other mask, row q sees the keys V(q) only, and all
of the above is about these: S(q) and M(q) are cut to V(q), a row applies when S(q) is neither empty
nor all of V(q), an even spread is ``1 / |V(q)|``, and an entropy is divided by ``log |V(q)|``, over
the rows that see more than one key. A head that rests wherever it can see position 0 scores 1.

*Learned sinks.* Some models let a row sum to less than 1: what is missing is on no token. It never
counts as work. An activation that is a share of all attention counts it as attention elsewhere; for
``diffuse`` each row is first divided by its sum, of which at least 2% is counted, too.

>>> import torch
>>> evenly = torch.ones(4, 4).tril() / torch.arange(1, 5).unsqueeze(1)
>>> role_activation(evenly, [0, 7, 8, 7], "positional").value.item()  # mean of 1/2, 1/3, 1/4
0.36111...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.errors import ShapeError, UnknownRoleError
from headroles.roles import ROLES, SCORED_ROLES, Prompts, Role, get_role
from headroles.scoring.by_layer import RoleActivation, Sight, Visible, by_sight
from headroles.types import Evidence

MIN_WORK = 0.02
"""0..1, an activation that is a share of the attention at work counts at least so much of it."""
SINK = 0.01
"""0..1, where every row sums to 1 but for less than this, it was lost by rounding, to no sink."""


@dataclass(frozen=True, eq=False)
class CellWeights:
    """A role on one or more prompts: the W of the module's docstring, with its counts."""

    weights: Float[Tensor, "*batch query key"]
    """[*batch query key] 1 / rows on the predicted cells of applying rows, else 0."""
    chance: Float[Tensor, "*batch"]
    """[*batch] activation of a head that spreads evenly; NaN where no row applies."""
    rows: Int[Tensor, "*batch"]
    """[*batch] count of applying rows."""
    work: Float[Tensor, "*batch query key"] | None = None
    """[*batch query key] 1 / rows on the cells M(q); None where all attention counts."""


def row_sizes(length: int, visible: Visible = None) -> Float[Tensor, " query"]:
    """[query] how many keys each causal row can see: q + 1, or |V(q)| where some are hidden."""
    if visible is None:
        return torch.arange(1, length + 1, dtype=torch.float32)
    return visible.sum(-1).clamp_min(1).float()  # a row of padding may see nothing


def even_spread(length: int, visible: Visible = None) -> Float[Tensor, "1 1 query key"]:
    """[1 1 query key] a head that spreads its attention evenly over all tokens that it sees."""
    seen = torch.ones(length, length).tril() if visible is None else visible.float()
    return (seen / row_sizes(length, visible).unsqueeze(-1)).view(1, 1, length, length)


def _within(lengths: Int[Tensor, " batch"] | None, length: int) -> Bool[Tensor, "..."]:
    """True on the rows that are text, False on padding; [batch query], or [query] without batch."""
    positions = torch.arange(length)
    if lengths is None:
        return torch.ones_like(positions, dtype=torch.bool)
    return positions < lengths.unsqueeze(-1)


def cell_weights(
    targets: Bool[Tensor, "*batch query key"],
    *,
    lengths: Int[Tensor, " batch"] | None = None,
    among: Bool[Tensor, "*batch query key"] | None = None,
    visible: Visible = None,
) -> CellWeights:
    """Turn predicted cells into averaging weights.

    Args:
        targets: [*batch query key] True on S(q).
        lengths: [batch] true lengths when rows are padded on the right; None without padding.
        among: [*batch query key] True on M(q), the attention that counts; None where all does.
        visible: [query key] True on V(q); None where a row sees every token so far.
    """
    if visible is not None:
        targets, among = targets & visible, None if among is None else among & visible
    if among is not None:
        targets = targets & among
    sizes = row_sizes(targets.shape[-1], visible)  # [query]
    predicted = targets.sum(-1)  # [*batch query] |S(q)|
    applies = (predicted > 0) & (predicted < sizes) & _within(lengths, targets.shape[-1])
    rows = applies.sum(-1)  # [*batch]
    share = applies / rows.clamp_min(1).unsqueeze(-1)  # [*batch query] 1/rows on applying rows
    chance = (share * predicted / sizes).sum(-1)
    if among is not None:
        chance = chance / (share * among.sum(-1) / sizes).sum(-1)
    return CellWeights(
        weights=targets * share.unsqueeze(-1),
        chance=torch.where(rows > 0, chance, torch.nan),
        rows=rows,
        work=None if among is None else among * share.unsqueeze(-1),
    )


def role_weights(role: Role, prompts: Prompts, visible: Visible = None) -> CellWeights:
    """The weights of a role with cells on tokenised prompts; a cell counts where it is above 0.

    ``visible`` is what the heads can see, as in :func:`cell_weights`.

    Raises:
        PatternError: if the role needs the text of the tokens and there is none, or its
            expression gives no number from 0 to 1 somewhere.
    """
    assert role.cells is not None, f"{role.key} has no cells"
    return cell_weights(
        role.cells(prompts) > 0,
        lengths=prompts.sequences.lengths,
        among=role.among(prompts) if role.among else None,
        visible=visible,
    )


def missing_mass(
    attention: Float[Tensor, "*heads query key"],
) -> Float[Tensor, "*heads query"] | None:
    """Each row's attention on no token, 0..1; None where there is no learned sink."""
    missing = 1 - attention.sum(-1)
    return missing.clamp_min(0) if bool((missing > SINK).any()) else None


def row_entropy(
    attention: Float[Tensor, "*heads query key"],
    visible: Visible = None,
    *,
    missing: Float[Tensor, "*heads query"] | None = None,
) -> Float[Tensor, "*heads query"]:
    """Entropy of each row over the log of its size: 1 even, 0 on one cell; row 0 counts as 0.

    With ``missing``, from :func:`missing_mass`, a row is divided by its sum, or by
    :data:`MIN_WORK`.
    """
    if missing is not None:
        attention = attention / (1 - missing).clamp_min(MIN_WORK).unsqueeze(-1)
    # -p log p in place, with 0 log 0 = 0: half the time of torch.special.entr on a long prompt.
    tiny = torch.finfo(attention.dtype).tiny
    entropy = -attention.clamp_min(tiny).log_().mul_(attention).sum(-1)  # nats
    most = row_sizes(attention.shape[-1], visible).log()
    # Row 0 has nothing to choose from (log 1 = 0), and need not be exactly 1 in every model.
    return torch.where(most > 0, entropy / most, 0.0)


def _with_a_choice(length: int, visible: Visible) -> Bool[Tensor, " query"]:
    """[query] the rows that see more than one key: not row 0, which can only look at itself."""
    return row_sizes(length, visible) > 1


def mean_entropy(
    attention: Float[Tensor, "*batch head query key"],
    *,
    lengths: Int[Tensor, " batch"] | None = None,
    visible: Visible = None,
) -> Float[Tensor, "*batch head"]:
    """Mean normalised entropy over the rows that have a choice: the activation of ``diffuse``."""
    length = attention.shape[-1]
    within = _within(lengths, length) & _with_a_choice(length, visible)  # [*batch query]
    share = within / within.sum(-1, keepdim=True).clamp_min(1)
    entropy = row_entropy(attention, visible, missing=missing_mass(attention))
    return (entropy * share.unsqueeze(-2)).sum(-1)


def resting_share(
    attention: Float[Tensor, "*heads query key"], sight: Sight = ()
) -> Float[Tensor, "*heads"]:
    """Mean attention on column 0 over the rows q >= 1 that see it (0 on a prompt of one token).

    Args:
        attention: [*heads query key] patterns.
        sight: what they can see, as in :func:`role_activation`.
    """
    if attention.shape[-1] < 2:
        return attention.new_zeros(attention.shape[:-2])
    if all(visible is None for visible in sight):
        return attention[..., 1:, 0].mean(-1)
    if attention.ndim == 2:
        seen = sight[0][1:, 0]
        return (attention[1:, 0] * seen).sum() / seen.sum().clamp_min(1)
    sees = torch.stack(
        [torch.ones(attention.shape[-1] - 1) if v is None else v[1:, 0].float() for v in sight]
    ).view(len(sight), *[1] * (attention.ndim - 3), -1)  # [layer 1 query]
    return (attention[..., 1:, 0] * sees).sum(-1) / sees.sum(-1).clamp_min(1)


def role_activation(
    attention: Float[Tensor, "*heads query key"],
    prompt: Sequence[int] | Int[Tensor, " pos"] | Prompts,
    role: str | Role,
    *,
    sight: Sight = (),
) -> RoleActivation:
    """Score any number of heads for one role on one prompt.

    Args:
        attention: [*heads query key] patterns over the same prompt, e.g. [layer head query key].
        prompt: [pos] the prompt's ids, position 0 being the start token; or the prompt with the
            text of its tokens, which some roles need.
        role: a role that attention can show, or its key.
        sight: what each entry of the first axis can see, e.g. each layer; one for a single
            pattern. Empty where every row sees all tokens so far.

    Raises:
        UnknownRoleError: for a key that the registry does not hold, or a role that attention
            cannot show by itself.
        ShapeError: if the patterns are not square or not of the prompt's length, or the sight does
            not fit them.
        PatternError: if the role needs the text of the tokens and there is none.
    """
    role = _shown_by_attention(role)
    prompts = prompt if isinstance(prompt, Prompts) else Prompts.of_ids(prompt)
    _check_shapes(attention, prompts, sight)
    return by_sight(attention, sight, partial(_score, prompts=prompts, roles=[role]))[0]


def _score(
    attention: Float[Tensor, "*heads query key"],
    prompts: Prompts,
    roles: Sequence[Role],
    visible: Visible,
) -> list[RoleActivation]:
    """Roles of heads that see the same keys, in any order."""
    missing = missing_mass(attention)
    by_role = {role.key: role_weights(role, prompts, visible) for role in roles if role.cells}
    with_cells = _cell_activations(attention, list(by_role.values()), missing) if by_role else []
    scored = dict(zip(by_role, with_cells, strict=True))
    return [scored.get(role.key) or _evenness(attention, role, visible, missing) for role in roles]


def _evenness(
    attention: Float[Tensor, "*heads query key"],
    role: Role,
    visible: Visible,
    missing: Float[Tensor, "*heads query"] | None,
) -> RoleActivation:
    """A role without cells."""
    heads, length = attention.shape[:-2], attention.shape[-1]
    choice = _with_a_choice(length, visible)
    rows = int(choice.sum())
    if not role.is_scored or rows < 1:
        return RoleActivation(attention.new_zeros(heads), 0.0, 0)
    share = choice / rows
    value = row_entropy(attention, visible, missing=missing) @ share
    nearby = _nearby(attention, share.unsqueeze(0), missing)[..., 0]
    return RoleActivation(value, 1.0, rows, work=1 - nearby[-1], nearby=nearby)


def _shown_by_attention(role: str | Role) -> Role:
    role = get_role(role) if isinstance(role, str) else role
    if not role.from_attention or role.at_distance:
        known = [
            key for key, other in ROLES.items() if other.from_attention and not other.at_distance
        ]
        raise UnknownRoleError(role.key, known=known)
    return role


def prompt_activations(
    attention: Float[Tensor, "layer head query key"],
    token_ids: Sequence[int],
    *,
    sight: Sight = (),
) -> dict[str, RoleActivation]:
    """Score every head for every basic role on one prompt: ``{role key: [layer head]}``.

    The same numbers as :func:`role_activation` role by role, from one matrix product for all
    layers that see the same keys.
    """
    prompts = Prompts.of_ids(token_ids)
    _check_shapes(attention, prompts, sight)
    scored = by_sight(attention, sight, partial(_score, prompts=prompts, roles=SCORED_ROLES))
    return {role.key: activation for role, activation in zip(SCORED_ROLES, scored, strict=True)}


def _cell_activations(
    attention: Float[Tensor, "*heads query key"],
    by_role: Sequence[CellWeights],
    missing: Float[Tensor, "*heads query"] | None,
) -> list[RoleActivation]:
    """Roles with cells on the one prompt that their weights were made for."""
    cells = torch.cat(_matrices(by_role))  # [role + among query key]
    values, work = _shares(attention.flatten(-2) @ cells.flatten(-2).T, by_role)
    share = torch.cat([cells.weights.amax(-1) for cells in by_role])  # [role query]
    nearby = _nearby(attention, share, missing)
    return [
        RoleActivation(
            value=values[..., place],
            chance=float(cells.chance) if int(cells.rows) else 0.0,
            rows=int(cells.rows),
            work=work.get(place),
            nearby=nearby[..., place],
            clearest=_clearest(attention, cells) if place in work else None,
        )
        for place, cells in enumerate(by_role)
    ]


def _nearby(
    attention: Float[Tensor, "*heads query key"],
    share: Float[Tensor, "role query"],
    missing: Float[Tensor, "*heads query"] | None,
) -> Float[Tensor, "side *heads role"]:
    """[side *heads role] mean attention on position 0, the token itself, the one before, none."""
    itself = attention.diagonal(dim1=-2, dim2=-1)
    before = torch.zeros_like(itself)
    before[..., 1:] = attention.diagonal(-1, dim1=-2, dim2=-1)
    nowhere = torch.zeros_like(itself) if missing is None else missing
    return torch.stack([attention[..., 0], itself, before, nowhere]) @ share.T


def _matrices(by_role: Sequence[CellWeights]) -> list[Float[Tensor, "*batch query key"]]:
    """Every role's W for its mass, then the W for the work of those that have one."""
    return [cells.weights for cells in by_role] + [
        cells.work for cells in by_role if cells.work is not None
    ]


def _shares(
    sums: Float[Tensor, "*heads matrix"], by_role: Sequence[CellWeights]
) -> tuple[Float[Tensor, "*heads role"], dict[int, Float[Tensor, "*heads"]]]:
    """Activations from the sums of :func:`_matrices`; and the work, by place of its role."""
    values, works = sums[..., : len(by_role)].clone(), sums[..., len(by_role) :].unbind(-1)
    places = [place for place, cells in enumerate(by_role) if cells.work is not None]
    work = dict(zip(places, works, strict=True))
    for place, at_work in work.items():
        values[..., place] /= at_work.clamp_min(MIN_WORK)
    return values, work


def _clearest(
    attention: Float[Tensor, "*heads query key"], cells: CellWeights
) -> tuple[Int[Tensor, "*heads"], Float[Tensor, "*heads"]] | None:
    at_cells = cells.weights.flatten().nonzero().squeeze(-1)
    if not len(at_cells):
        return None
    rows, place = (at_cells // attention.shape[-1]).unique_consecutive(return_inverse=True)
    by_row = attention.new_zeros(*attention.shape[:-2], len(rows))
    predicted = attention.flatten(-2).index_select(-1, at_cells)
    mass, at = by_row.index_add_(-1, place, predicted).max(-1)
    return rows[at], mass


def batch_activations(
    attention: Float[Tensor, "batch head query key"], by_role: Sequence[CellWeights]
) -> Float[Tensor, "role batch head"]:
    """Score a layer on a batch for several roles at once, in one matrix product.

    Args:
        attention: [batch head query key] one layer's patterns.
        by_role: each role's weights on the same batch, from :func:`role_weights`.

    Returns:
        [role batch head] activations; 0 where a sequence has no applying row.
    """
    cells = torch.stack(_matrices(by_role), dim=1)  # [batch role + among query key]
    sums = attention.flatten(-2) @ cells.flatten(-2).transpose(-1, -2)
    values, _ = _shares(sums, by_role)  # [batch head role]
    return values.permute(2, 0, 1)


def evidence(
    attention: Float[Tensor, "query key"],
    token_ids: Sequence[int] | Int[Tensor, " pos"],
    role_key: str,
    *,
    limit: int | None = None,
    visible: Visible = None,
) -> tuple[Evidence, ...]:
    """The cells behind an activation, largest first; empty for a role without cells.

    Only the cells of applying rows that the head can see (``visible``) count: their sum over
    ``rows`` is the mass of the module's docstring, the activation of most roles; for a role with
    M(q), divide it by the work.

    Raises:
        UnknownRoleError, ShapeError: as in :func:`role_activation`.
    """
    role, prompts = _shown_by_attention(role_key), Prompts.of_ids(token_ids)
    _check_shapes(attention, prompts, () if visible is None else (visible,))
    if role.cells is None:
        return ()
    cells = role_weights(role, prompts, visible).weights[0].nonzero()  # [cell 2]
    strongest = [Evidence(q, k, float(attention[q, k])) for q, k in cells.tolist()]
    strongest.sort(key=lambda cell: (-cell.weight, cell.query, cell.key))
    return tuple(strongest[:limit])


def _check_shapes(attention: Tensor, prompts: Prompts, sight: Sight) -> None:
    count, length = prompts.sequences.token_ids.shape
    if count != 1 or attention.ndim < 2 or attention.shape[-2:] != (length, length):
        raise ShapeError(
            "Attention",
            expected=f"[..., {length}, {length}] for {length} tokens",
            got=list(attention.shape),
        )
    first = 1 if attention.ndim == 2 else attention.shape[0]
    if sight and len(sight) != first:
        raise ShapeError("The sight", expected=f"one for each of {first}", got=[len(sight)])
    for visible in sight:
        if visible is not None and visible.shape != (length, length):
            raise ShapeError(
                "What a layer can see",
                expected=f"[{length}, {length}] for {length} tokens",
                got=list(visible.shape),
            )

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

>>> import torch
>>> evenly = torch.ones(4, 4).tril() / torch.arange(1, 5).unsqueeze(1)
>>> role_activation(evenly, [0, 7, 8, 7], "positional").value.item()  # mean of 1/2, 1/3, 1/4
0.36111...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.errors import ShapeError, UnknownRoleError
from headroles.roles import ROLES, SCORED_ROLES, Prompts, Role, get_role
from headroles.types import Activation, Evidence

MIN_WORK = 0.02
"""0..1, an activation that is a share of the attention at work counts at least so much of it."""


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


@dataclass(frozen=True, eq=False)
class RoleActivation:
    """One role's activation for many heads on one prompt."""

    value: Float[Tensor, "*heads"]
    """[*heads] activation, 0..1; 0 where the role does not apply."""
    chance: float
    """0..1, the chance level on this prompt; 0 where the role does not apply."""
    rows: int
    """Count of applying rows."""
    work: Float[Tensor, "*heads"] | None = None
    """[*heads] mean attention over these rows that counts; None where all of it does."""
    nearby: Float[Tensor, "..."] | None = None
    """[side *heads] mean attention over these rows on position 0, on the token itself, on the one
    just before; None where nobody asked."""
    clearest: tuple[Int[Tensor, "*heads"], Float[Tensor, "*heads"]] | None = None
    """[*heads] each head's row with the most attention on the role's cells, and that attention,
    0..1; None for a role to which all attention counts, and where no row applies."""

    def of(self, *index: int) -> Activation:
        """The record of one head, addressed as ``value`` is."""
        value, *others = (_at(numbers, index) for numbers in self._numbers)
        return Activation(min(max(value, 0.0), 1.0), self.chance, self.rows, *others)

    @cached_property
    def _numbers(self) -> list[list | float]:
        """All as plain numbers, once: a page reads hundreds of them."""
        work = torch.ones_like(self.value) if self.work is None else self.work
        nearby = work.new_zeros(3, *work.shape) if self.nearby is None else self.nearby
        return [self.value.tolist(), work.tolist(), *nearby.tolist()]


def _at(numbers: list | float, index: Sequence[int]) -> float:
    for place in index:
        numbers = numbers[place]
    return numbers


def row_sizes(length: int) -> Float[Tensor, " query"]:
    """[query] how many keys each causal row can see: q + 1."""
    return torch.arange(1, length + 1, dtype=torch.float32)


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
) -> CellWeights:
    """Turn predicted cells into averaging weights.

    Args:
        targets: [*batch query key] True on S(q).
        lengths: [batch] true lengths when rows are padded on the right; None without padding.
        among: [*batch query key] True on M(q), the attention that counts; None where all does.
    """
    if among is not None:
        targets = targets & among
    sizes = row_sizes(targets.shape[-1])  # [query]
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


def role_weights(role: Role, prompts: Prompts) -> CellWeights:
    """The weights of a role with cells on tokenised prompts; a cell counts where it is above 0.

    Raises:
        PatternError: if the role needs the text of the tokens and there is none, or its
            expression gives no number from 0 to 1 somewhere.
    """
    assert role.cells is not None, f"{role.key} has no cells"
    return cell_weights(
        role.cells(prompts) > 0,
        lengths=prompts.sequences.lengths,
        among=role.among(prompts) if role.among else None,
    )


def row_entropy(
    attention: Float[Tensor, "*heads query key"],
) -> Float[Tensor, "*heads query"]:
    """Entropy of each row over the log of its size: 1 even, 0 on one cell; row 0 counts as 0."""
    # -p log p in place, with 0 log 0 = 0: half the time of torch.special.entr on a long prompt.
    tiny = torch.finfo(attention.dtype).tiny
    entropy = -attention.clamp_min(tiny).log_().mul_(attention).sum(-1)  # nats
    most = row_sizes(attention.shape[-1]).log()
    # Row 0 has nothing to choose from (log 1 = 0), and need not be exactly 1 in every model.
    return torch.where(most > 0, entropy / most, 0.0)


def mean_entropy(
    attention: Float[Tensor, "*batch head query key"],
    *,
    lengths: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "*batch head"]:
    """Mean normalised entropy over the rows q >= 1: the activation of ``diffuse``."""
    within = _within(lengths, attention.shape[-1]).clone()  # [*batch query]
    within[..., 0] = False
    share = within / within.sum(-1, keepdim=True).clamp_min(1)
    return (row_entropy(attention) * share.unsqueeze(-2)).sum(-1)


def resting_share(
    attention: Float[Tensor, "*heads query key"],
) -> Float[Tensor, "*heads"]:
    """Mean attention on column 0 over the rows q >= 1 (0 on a prompt of one token)."""
    if attention.shape[-1] < 2:
        return attention.new_zeros(attention.shape[:-2])
    return attention[..., 1:, 0].mean(-1)


def role_activation(
    attention: Float[Tensor, "*heads query key"],
    prompt: Sequence[int] | Int[Tensor, " pos"] | Prompts,
    role: str | Role,
) -> RoleActivation:
    """Score any number of heads for one role on one prompt.

    Args:
        attention: [*heads query key] patterns over the same prompt, e.g. [layer head query key].
        prompt: [pos] the prompt's ids, position 0 being the BOS token or its stand-in; or the
            prompt with the text of its tokens, which some roles need.
        role: a role that attention can show, or its key.

    Raises:
        UnknownRoleError: for a key that the registry does not hold, or a role that attention
            cannot show by itself.
        ShapeError: if the patterns are not square or not of the prompt's length.
        PatternError: if the role needs the text of the tokens and there is none.
    """
    role = _shown_by_attention(role)
    prompts = prompt if isinstance(prompt, Prompts) else Prompts.of_ids(prompt)
    _check_shapes(attention, prompts)
    if role.cells is not None:
        return _cell_activations(attention, [role_weights(role, prompts)])[0]
    heads, rows = attention.shape[:-2], attention.shape[-1] - 1
    if not role.is_scored or rows < 1:
        return RoleActivation(attention.new_zeros(heads), 0.0, 0)
    value = mean_entropy(attention.reshape(-1, *attention.shape[-2:])).reshape(heads)
    share = torch.ones(1, rows + 1) / rows
    share[:, 0] = 0  # row 0 can only look at itself
    return RoleActivation(value, 1.0, rows, nearby=_nearby(attention, share)[..., 0])


def _shown_by_attention(role: str | Role) -> Role:
    role = get_role(role) if isinstance(role, str) else role
    if not role.from_attention or role.at_distance:
        known = [
            key for key, other in ROLES.items() if other.from_attention and not other.at_distance
        ]
        raise UnknownRoleError(role.key, known=known)
    return role


def prompt_activations(
    attention: Float[Tensor, "layer head query key"], token_ids: Sequence[int]
) -> dict[str, RoleActivation]:
    """Score every head for every basic role on one prompt: ``{role key: [layer head]}``.

    The same numbers as :func:`role_activation` role by role, from one matrix product.
    """
    prompts = Prompts.of_ids(token_ids)
    _check_shapes(attention, prompts)
    with_cells = [role for role in SCORED_ROLES if role.has_cells]
    by_role = [role_weights(role, prompts) for role in with_cells]
    activations = dict(
        zip([role.key for role in with_cells], _cell_activations(attention, by_role), strict=True)
    )
    return {
        role.key: activations.get(role.key) or role_activation(attention, prompts, role)
        for role in SCORED_ROLES
    }


def _cell_activations(
    attention: Float[Tensor, "*heads query key"], by_role: Sequence[CellWeights]
) -> list[RoleActivation]:
    """Roles with cells on the one prompt that their weights were made for."""
    cells = torch.cat(_matrices(by_role))  # [role + among query key]
    values, work = _shares(attention.flatten(-2) @ cells.flatten(-2).T, by_role)
    share = torch.cat([cells.weights.amax(-1) for cells in by_role])  # [role query]
    nearby = _nearby(attention, share)
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
    attention: Float[Tensor, "*heads query key"], share: Float[Tensor, "role query"]
) -> Float[Tensor, "side *heads role"]:
    """[side *heads role] mean attention on position 0, the token itself and the one before."""
    itself = attention.diagonal(dim1=-2, dim2=-1)
    before = torch.zeros_like(itself)
    before[..., 1:] = attention.diagonal(-1, dim1=-2, dim2=-1)
    return torch.stack([attention[..., 0], itself, before]) @ share.T


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
) -> tuple[Evidence, ...]:
    """The cells behind an activation, largest first; empty for a role without cells.

    Only the cells of applying rows count: their sum over ``rows`` is the mass of the module's
    docstring, the activation of most roles; for a role with M(q), divide it by the work.

    Raises:
        UnknownRoleError, ShapeError: as in :func:`role_activation`.
    """
    role, prompts = _shown_by_attention(role_key), Prompts.of_ids(token_ids)
    _check_shapes(attention, prompts)
    if role.cells is None:
        return ()
    cells = role_weights(role, prompts).weights[0].nonzero()  # [cell 2]
    strongest = [Evidence(q, k, float(attention[q, k])) for q, k in cells.tolist()]
    strongest.sort(key=lambda cell: (-cell.weight, cell.query, cell.key))
    return tuple(strongest[:limit])


def _check_shapes(attention: Tensor, prompts: Prompts) -> None:
    count, length = prompts.sequences.token_ids.shape
    if count != 1 or attention.ndim < 2 or attention.shape[-2:] != (length, length):
        raise ShapeError(
            "Attention",
            expected=f"[..., {length}, {length}] for {length} tokens",
            got=list(attention.shape),
        )

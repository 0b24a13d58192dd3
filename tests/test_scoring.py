"""Planted attention gets exactly the scores that the definitions say.

Every expected number is worked out by hand, or comes from :func:`naive`: three plain loops written
from the definitions alone.
"""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import headroles
from headroles.errors import ShapeError, UnknownRoleError
from headroles.roles import SCORED_ROLES, Prompts, get_role
from headroles.scoring import activation as scoring_activation
from headroles.types import Encoding

CELL_ROLES = [role.key for role in SCORED_ROLES if role.has_cells]
REPETITION = ("induction", "duplicate_token")
BOS, A, B, C = 0, 7, 8, 9
CLOSE = {"rtol": 0, "atol": 1e-5}


# ------------------------------------------------------------------ the definitions, once more


def predicted(role: str, ids: list[int], q: int) -> set[int]:
    """S(q), spelled out."""
    copies = {k for k in range(q) if ids[k] == ids[q]}
    followers = {k + 1 for k in copies if k + 1 < q}
    return {
        "previous_token": {q - 1} if q >= 2 else set(),
        "duplicate_token": copies - followers - {q - 1},
        "induction": followers - copies - {q - 1},
        "positional": {0} if q >= 1 else set(),
    }[role]


def counted(role: str, ids: list[int], q: int) -> set[int]:
    """M(q), spelled out: the columns whose attention the activation is a share of."""
    if role not in REPETITION:
        return set(range(q + 1))
    copies = {k for k in range(q) if ids[k] == ids[q]}
    followers = {k + 1 for k in copies if k + 1 < q}
    cannot_tell = copies & followers
    if q - 1 in (copies if role == "duplicate_token" else followers):
        cannot_tell = cannot_tell | {q - 1}
    at_rest = set() if role == "duplicate_token" and q >= 2 and 0 in copies else {0}
    return set(range(q + 1)) - at_rest - cannot_tell


def naive(pattern: torch.Tensor, ids: list[int], role: str) -> tuple[float, float, int]:
    """(activation, chance, rows) of one head, row by row and cell by cell."""
    values, chances, work, even_work = [], [], [], []
    for q in range(len(ids)):
        if role == "diffuse":
            if q >= 1:
                row = [float(pattern[q, k]) for k in range(q + 1)]
                values.append(-sum(p * math.log(p) for p in row if p > 0) / math.log(q + 1))
                chances.append(1.0)
            continue
        cells = predicted(role, ids, q)
        if 0 < len(cells) < q + 1:
            values.append(sum(float(pattern[q, k]) for k in cells))
            chances.append(len(cells) / (q + 1))
            counts = counted(role, ids, q)
            work.append(sum(float(pattern[q, k]) for k in counts))
            even_work.append(len(counts) / (q + 1))
    rows = len(values)
    if not rows:
        return 0.0, 0.0, 0
    if role not in REPETITION:
        return sum(values) / rows, sum(chances) / rows, rows
    return sum(values) / max(sum(work), 0.02 * rows), sum(chances) / sum(even_work), rows


# ------------------------------------------------------------------ planted heads


def even(length: int) -> torch.Tensor:
    return torch.ones(length, length).tril() / torch.arange(1, length + 1).unsqueeze(1)


def sink(length: int) -> torch.Tensor:
    pattern = torch.zeros(length, length)
    pattern[:, 0] = 1
    return pattern


def self_attender(length: int) -> torch.Tensor:
    return torch.eye(length)


def perfect(role: str, ids: list[int]) -> torch.Tensor:
    """Looks where the role says, evenly over its cells; at itself where the role says nothing."""
    pattern = torch.eye(len(ids))
    for q in range(len(ids)):
        cells = predicted(role, ids, q)
        if cells:
            pattern[q] = 0
            for k in cells:
                pattern[q, k] = 1 / len(cells)
    return pattern


def half(role: str, ids: list[int]) -> torch.Tensor:
    """Half of its attention where the role says, the other half on the token itself.

    The diagonal is in no role's S(q), so the half there counts for nothing.
    """
    return (perfect(role, ids) + self_attender(len(ids))) / 2


def repeats(times: int) -> list[int]:
    """BOS, then A B C over and over."""
    return [BOS] + [A, B, C] * times


def score(pattern: torch.Tensor, ids: list[int], role: str) -> float:
    return float(scoring_activation.role_activation(pattern, ids, role).value)


@pytest.mark.parametrize("times", range(2, 7))
@pytest.mark.parametrize("role", CELL_ROLES)
def test_planted_heads_score_what_they_are(role: str, times: int) -> None:
    ids = repeats(times)
    length = len(ids)
    assert score(perfect(role, ids), ids, role) == pytest.approx(1, abs=1e-6)
    assert score(half(role, ids), ids, role) == pytest.approx(0.5, abs=1e-6)
    assert score(self_attender(length), ids, role) == 0
    resting = score(sink(length), ids, role)
    assert resting == pytest.approx(1 if role == "positional" else 0, abs=1e-6)
    laid = scoring_activation.role_activation(even(length), ids, role)
    assert float(laid.value) == pytest.approx(laid.chance, abs=1e-6)


# Worked out for ids = BOS A B C A B C: rows q = 0..6 have 1..7 keys.
#   previous_token: rows 2..6, one cell each: (1/3 + 1/4 + 1/5 + 1/6 + 1/7) / 5
#   duplicate_token: rows 4, 5, 6, one earlier copy each: (1/5 + 1/6 + 1/7), as a share of what
#   does not rest: (4/5 + 5/6 + 6/7)
#   induction: the same rows, the cell right of that copy; for row 4 that is 2 < 3: as above
#   positional: rows 1..6: (1/2 + ... + 1/7) / 6
_BY_HAND = {
    "previous_token": ((1 / 3 + 1 / 4 + 1 / 5 + 1 / 6 + 1 / 7) / 5, 5),
    "duplicate_token": ((1 / 5 + 1 / 6 + 1 / 7) / (4 / 5 + 5 / 6 + 6 / 7), 3),
    "induction": ((1 / 5 + 1 / 6 + 1 / 7) / (4 / 5 + 5 / 6 + 6 / 7), 3),
    "positional": ((1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 6 + 1 / 7) / 6, 6),
}


@pytest.mark.parametrize("role", CELL_ROLES)
def test_chance_by_hand(role: str) -> None:
    chance, rows = _BY_HAND[role]
    laid = scoring_activation.role_activation(even(7), repeats(2), role)
    assert laid.rows == rows
    assert laid.chance == pytest.approx(chance, abs=1e-6)


def test_chance_counts_every_earlier_copy() -> None:
    # BOS A B A C A: duplicate cells at q=3 {1} of 4 keys, at q=5 {1, 3} of 6; neither rests on 0
    ids = [BOS, A, B, A, C, A]
    laid = scoring_activation.role_activation(even(6), ids, "duplicate_token")
    assert (laid.rows, laid.chance) == (2, pytest.approx((1 / 4 + 2 / 6) / (3 / 4 + 5 / 6)))
    # induction: q=3 would point at 2, the token just before; q=5 at {2} (and 4, just before it):
    # 1/6 of the 4/6 that neither rest nor lie just before
    laid = scoring_activation.role_activation(even(6), ids, "induction")
    assert (laid.rows, laid.chance) == (1, pytest.approx(1 / 4))


def test_one_token_over_and_over_tells_no_head_from_another() -> None:
    # BOS A A A: what follows a copy is a copy, too. At q=3 the first A follows none: duplicate only
    ids = [BOS, A, A, A]
    assert scoring_activation.role_activation(even(4), ids, "induction").rows == 0
    laid = scoring_activation.role_activation(even(4), ids, "duplicate_token")
    # 1/4 on it, of the 2/4 on it and on the token itself
    assert (laid.rows, laid.chance) == (1, pytest.approx(1 / 2))


def test_a_previous_token_head_is_no_induction_head() -> None:
    """ "no, no, no" and the like: BOS A B A B A B, where what followed often stands just before."""
    ids = [BOS, A, B, A, B, A, B]
    pattern = 0.1 * even(7) + 0.9 * perfect("previous_token", ids)
    old = sum(float(pattern[q, q - 1]) for q in (3, 4, 5, 6)) / 4
    assert old > 0.9  # what the mean over all followers of a copy would say
    laid = scoring_activation.role_activation(pattern, ids, "induction")
    assert float(laid.value) == pytest.approx(laid.chance, abs=1e-6)


def test_a_head_that_rests_is_told_by_what_it_does_with_the_rest() -> None:
    ids = repeats(2)
    for rest, expected in ((0.0, 1.0), (0.8, 1.0), (0.98, 1.0), (0.99, 0.5), (1.0, 0.0)):
        pattern = rest * sink(7) + (1 - rest) * perfect("induction", ids)
        one = scoring_activation.role_activation(pattern, ids, "induction").of()
        # from 98% on the rest is counted as 2%: its crumbs do not make a head
        assert one.value == pytest.approx(expected, abs=1e-4)
        assert (one.resting, one.work) == (pytest.approx(rest), pytest.approx(1 - rest))


def test_what_a_head_does_beside_is_over_the_same_rows() -> None:
    # BOS A B C A B C: rows 4, 5, 6 repeat. It rests on the rows that do not, and there alone.
    ids = repeats(2)
    pattern = sink(7)
    pattern[4:] = torch.tensor([0.0, 0, 0, 0, 0, 0, 0])
    pattern[4, [4, 3]] = torch.tensor([0.25, 0.75])
    pattern[5, [0, 2]] = torch.tensor([0.5, 0.5])
    pattern[6, [6, 4]] = torch.tensor([0.5, 0.5])
    one = scoring_activation.role_activation(pattern, ids, "induction").of()
    assert one.resting == pytest.approx(0.5 / 3)
    assert one.itself == pytest.approx(0.75 / 3)
    assert one.previous == pytest.approx(0.75 / 3)
    assert one.work == pytest.approx(2.5 / 3)
    assert one.value == pytest.approx(0.5 / 2.5)
    row, mass = scoring_activation.role_activation(pattern, ids, "induction").clearest
    assert (int(row), float(mass)) == (6, 0.5)


def test_a_head_that_follows_only_the_latest_copy_is_perfect() -> None:
    """Averaging over copies would give 1/5 on six repeats; the mass on S(q) is 1."""
    ids = repeats(6)
    pattern = torch.eye(len(ids))
    for q in range(4, len(ids)):
        pattern[q] = torch.eye(len(ids))[q - 2]  # three back is the copy, so two back follows it
    assert score(pattern, ids, "induction") == 1


def test_a_row_whose_cells_are_the_whole_row_does_not_apply() -> None:
    targets = torch.zeros(3, 3, dtype=torch.bool)
    targets[0, 0] = True  # the whole row 0
    targets[1, :2] = True  # the whole row 1
    targets[2, :2] = True  # two of three: the only one to apply
    laid = scoring_activation.cell_weights(targets)
    assert int(laid.rows) == 1
    assert float(laid.chance) == pytest.approx(2 / 3)
    assert laid.weights.tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("role", ["induction", "duplicate_token"])
def test_nothing_repeated_does_not_apply(role: str) -> None:
    laid = scoring_activation.role_activation(even(4), [BOS, A, B, C], role)
    assert (float(laid.value), laid.chance, laid.rows) == (0, 0, 0)


@pytest.mark.parametrize("role", ["induction", "duplicate_token"])
def test_position_0_is_a_copy_like_any_other(role: str) -> None:
    # A plain text without a start token: its first word comes again at position 3.
    ids = [10, 20, 30, 10, 40]
    key = {"induction": 1, "duplicate_token": 0}[role]
    laid = scoring_activation.role_weights(get_role(role), Prompts.of_ids(ids))
    assert laid.weights[0].nonzero().tolist() == [[3, key]]
    there = torch.zeros(5, 5)
    there[3, key] = 1
    head = {"layer": 0, "head": 0}
    assert headroles.verify_head_activation(there, ids, head, role) == 1
    rests = sink(5)
    assert headroles.verify_head_activation(rests, ids, head, "induction") == 0


def test_the_start_token_that_the_app_adds_is_no_copy_of_one_in_the_text() -> None:
    texts = ("<s>", "a", "<s>", "b", "c", "<s>")
    encoding = Encoding((BOS, A, BOS, B, C, BOS), texts, "<s>", False, 6)
    assert encoding.copy_ids == (-6, A, BOS, B, C, BOS)
    typed = dataclasses.replace(encoding, start_added_by="text")
    assert typed.copy_ids is typed.token_ids
    laid = scoring_activation.role_weights(get_role("induction"), Prompts.of_ids(encoding.copy_ids))
    assert laid.weights[0].nonzero().tolist() == [[5, 3]]


def test_other_has_no_number() -> None:
    laid = scoring_activation.role_activation(even(4), [BOS, A, B, C], "other")
    assert (float(laid.value), laid.rows) == (0, 0)


# ------------------------------------------------------------------ diffuse and resting


def test_diffuse_by_hand() -> None:
    ids = [BOS, A, B]
    assert score(even(3), ids, "diffuse") == pytest.approx(1)
    assert score(sink(3), ids, "diffuse") == 0
    # row 1: (1/2, 1/2) -> log 2 / log 2 = 1; row 2: (1/2, 1/2, 0) -> log 2 / log 3
    pattern = torch.tensor([[1, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]])
    expected = (1 + math.log(2) / math.log(3)) / 2
    assert score(pattern, ids, "diffuse") == pytest.approx(expected)


def test_row_zero_is_not_counted_even_if_it_does_not_sum_to_one() -> None:
    """A model with learned sinks gives less than 1 there; log 1 = 0 must not make it infinite."""
    pattern = even(3)
    pattern[0, 0] = 0.25
    assert score(pattern, [BOS, A, B], "diffuse") == pytest.approx(1)
    assert scoring_activation.row_entropy(pattern)[0] == 0


def test_resting_share_by_hand() -> None:
    assert scoring_activation.resting_share(sink(4)) == 1
    assert scoring_activation.resting_share(self_attender(4)) == 0
    assert float(scoring_activation.resting_share(even(3))) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert scoring_activation.resting_share(torch.ones(2, 1, 1)).tolist() == [
        0,
        0,
    ]  # one token: no row


# ------------------------------------------------------------------ against the naive loops


@st.composite
def prompts(draw: st.DrawFn) -> tuple[torch.Tensor, list[int]]:
    """Causal attention [head query key] and ids [pos], with many repeats."""
    ids = draw(st.lists(st.integers(0, 3), min_size=1, max_size=9))
    seed = draw(st.integers(0, 2**16))
    heads = draw(st.integers(1, 3))
    return causal(len(ids), heads, seed=seed), ids


def causal(length: int, heads: int, *, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = 4 * torch.randn(heads, length, length, generator=generator)
    blind = torch.ones(length, length, dtype=torch.bool).triu(1)
    return scores.masked_fill(blind, -torch.inf).softmax(-1)


@given(prompts())
def test_activation_chance_and_rows_equal_the_naive_loops(drawn) -> None:
    attention, ids = drawn
    for role in (*CELL_ROLES, "diffuse"):
        got = scoring_activation.role_activation(attention, ids, role)
        for head, pattern in enumerate(attention):
            value, chance, rows = naive(pattern, ids, role)
            assert got.rows == rows, role
            assert float(got.value[head]) == pytest.approx(value, abs=1e-5), role
            assert got.chance == pytest.approx(chance, abs=1e-6), role
            assert got.of(head).value == pytest.approx(value, abs=1e-5)


@given(prompts())
def test_evidence_is_the_predicted_cells_and_sums_to_the_activation(drawn) -> None:
    attention, ids = drawn
    for role in CELL_ROLES:
        found = scoring_activation.evidence(attention[0], ids, role)
        cells = {(q, k) for q in range(len(ids)) for k in predicted(role, ids, q)}
        assert {(cell.query, cell.key) for cell in found} == cells
        assert len(found) == len(cells)
        weights = [cell.weight for cell in found]
        assert weights == sorted(weights, reverse=True)
        laid = scoring_activation.role_activation(attention[0], ids, role)
        work = max(laid.of().work, 0.02) if role in REPETITION else 1
        explained = sum(weights) / max(laid.rows, 1) / work
        assert explained == pytest.approx(float(laid.value), abs=1e-5)
        assert scoring_activation.evidence(attention[0], ids, role, limit=2) == found[:2]
    assert scoring_activation.evidence(attention[0], ids, "diffuse") == ()


@given(st.lists(prompts(), min_size=1, max_size=4), st.integers(0, 3))
def test_a_padded_batch_equals_its_rows(drawn, padding: int) -> None:
    """Offline (batch, padded) and runtime (one prompt) give the same number."""
    heads = min(attention.shape[0] for attention, _ in drawn)
    lengths = torch.tensor([len(ids) for _, ids in drawn])
    width = int(lengths.max()) + padding
    ids = torch.full((len(drawn), width), A)  # padding that repeats, so it would show
    # Padding rows hold attention too, as a model's do: no number may depend on it.
    attention = causal(width, len(drawn) * heads, seed=1).unflatten(0, (len(drawn), heads)).clone()
    for row, (pattern, one) in enumerate(drawn):
        ids[row, : len(one)] = torch.tensor(one)
        attention[row, :, : len(one)] = 0
        attention[row, :, : len(one), : len(one)] = pattern[:heads]
    laid = [
        scoring_activation.role_weights(get_role(key), Prompts.of_ids(ids, lengths=lengths))
        for key in CELL_ROLES
    ]
    batch = scoring_activation.batch_activations(attention, laid)  # [laid batch head]
    entropy = scoring_activation.mean_entropy(attention, lengths=lengths)  # [batch head]
    for row, (pattern, one) in enumerate(drawn):
        for place, key in enumerate(CELL_ROLES):
            alone = scoring_activation.role_activation(pattern[:heads], one, key)
            torch.testing.assert_close(batch[place, row], alone.value, **CLOSE)
            assert int(laid[place].rows[row]) == alone.rows
            chance = float(laid[place].chance[row])
            assert chance == pytest.approx(alone.chance) if alone.rows else math.isnan(chance)
        alone = scoring_activation.role_activation(pattern[:heads], one, "diffuse")
        torch.testing.assert_close(entropy[row], alone.value, **CLOSE)


@given(prompts())
def test_all_roles_at_once_equal_each_alone(drawn) -> None:
    attention, ids = drawn
    together = scoring_activation.prompt_activations(attention.unsqueeze(0), ids)
    assert list(together) == [role.key for role in SCORED_ROLES]
    for key, activation in together.items():
        alone = scoring_activation.role_activation(attention, ids, key).value
        torch.testing.assert_close(activation.value[0], alone, **CLOSE)


# ------------------------------------------------------------------ guards


def test_attention_of_another_length_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\[\.\.\., 3, 3\] for 3 tokens.*\[4, 4\]"):
        scoring_activation.role_activation(even(4), [BOS, A, B], "induction")
    with pytest.raises(ShapeError):
        scoring_activation.evidence(torch.ones(2, 3), [BOS, A, B], "induction")


def test_an_unknown_role_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownRoleError, match="Did you mean 'induction'"):
        scoring_activation.role_activation(even(3), [BOS, A, B], "inductoin")


def test_rounding_never_leaves_the_unit_interval() -> None:
    over = scoring_activation.RoleActivation(torch.tensor([1.0000001, -1e-9]), chance=0.5, rows=3)
    assert [over.of(head).value for head in (0, 1)] == [1, 0]

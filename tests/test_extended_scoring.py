"""The numbers of the extended roles on planted heads, where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from headroles.errors import ShapeError
from headroles.roles import LEAST_LOGITS, ROLES, Prompts, cells
from headroles.scoring import (
    calibrate,
    cell_effects,
    cell_weights,
    key_value_index,
    largest_is,
    mean_and_error,
    offset_shares,
    peaks,
    place_or_content,
    select_heads,
    through_norm,
    write_effects,
)
from headroles.types import Head, OffsetMeans, RoleScores


def measured(
    role: str, mean: torch.Tensor, error: torch.Tensor | float = 0.01, **parts: object
) -> RoleScores:
    """A role's scores with the parts that a list depends on."""
    errors = error if isinstance(error, torch.Tensor) else torch.full_like(mean, error)
    return RoleScores(role, mean, errors, parts.pop("chance", None), 8, **parts)


def listed(scores: RoleScores, threshold: float) -> list[Head]:
    return [one.head for one in select_heads(scores, threshold, cap=8)]


def looks_back(length: int, distance: int) -> torch.Tensor:
    """A head that looks ``distance`` tokens back, and at the start token where it cannot."""
    pattern = torch.zeros(length, length)
    for query in range(length):
        pattern[query, max(query - distance, 0)] = 1
    return pattern


# ------------------------------------------------------------------ delimiters


def test_delimiter_cells_are_the_marks_so_far_without_the_start() -> None:
    tokens = [[".", "a", ",", "b"], [".", ";"]]
    found = cells.delimiters(Prompts.of_ids(torch.zeros(2, 4).long(), tokens=tokens))
    assert found[0].nonzero().tolist() == [[2, 2], [3, 2]]
    assert found[1].nonzero().tolist() == [[1, 1], [2, 1], [3, 1]]


def test_a_delimiter_head_scores_1_and_an_even_one_its_base_rate() -> None:
    prompts = Prompts.of_ids([0, 1, 2, 3], tokens=[["<s>", "a", ",", "b"]])
    laid = cell_weights(ROLES["delimiter"].cells(prompts)[0])
    planted, even = torch.eye(4), torch.ones(4, 4).tril() / torch.arange(1, 5).unsqueeze(1)
    planted[3] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    assert float((planted * laid.weights).sum()) == 1.0
    # Rows 2 and 3 apply: one mark of three tokens, and one of four.
    assert float((even * laid.weights).sum()) == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert float(laid.chance) == pytest.approx((1 / 3 + 1 / 4) / 2)


# ------------------------------------------------------------------ offsets


def test_a_head_three_tokens_back_peaks_at_three() -> None:
    heads = torch.stack([looks_back(12, 3), looks_back(12, 1)])[None]  # [1 head query key]
    shares, chance = offset_shares(heads, torch.tensor([12]), longest=5)
    assert shares[:, 0, 0].tolist() == [0, 0, 1, 0, 0]
    assert shares[:, 0, 1].tolist() == [1, 0, 0, 0, 0]
    # Rows 4 ... 11 have a token three back that is not the start: 1/5 ... 1/12 of an even spread.
    assert float(chance[2, 0]) == pytest.approx(np.mean([1 / (q + 1) for q in range(4, 12)]))
    found = peaks(shares.mean(1, keepdim=True).expand(5, 1, 2), chance.mean(1))
    assert int(found.distance[0, 0]) == 3
    assert float(found.share[0, 0]) == 1
    assert found.is_previous.tolist() == [[False, True]]


@pytest.mark.parametrize("distance", [1, 2, 7])
def test_a_share_is_the_mean_over_the_cells_of_the_pattern_same_offset(distance: int) -> None:
    pattern = torch.rand(3, 2, 9, 9).tril()
    lengths = torch.tensor([9, 9, 6])
    shares, chance = offset_shares(pattern, lengths, longest=distance)
    for row, length in enumerate(lengths.tolist()):
        wanted_cells = [(q, q - distance) for q in range(distance + 1, length)]
        for head in range(2):
            total = sum(float(pattern[row, head, q, k]) for q, k in wanted_cells)
            wanted = total / max(len(wanted_cells), 1)
            assert float(shares[-1, row, head].nan_to_num()) == pytest.approx(wanted, abs=1e-6)
        if wanted_cells:
            drawn = cells.offset(Prompts.of_ids([0] * 9), distance)
            laid = cell_weights(drawn, lengths=lengths[row : row + 1])
            assert float(chance[-1, row]) == pytest.approx(float(laid.chance), abs=1e-6)


def test_padding_and_the_start_token_count_at_no_distance() -> None:
    pattern = looks_back(9, 2)[None, None]
    short, _ = offset_shares(pattern[..., :6, :6], torch.tensor([6]), longest=4)
    padded, _ = offset_shares(pattern, torch.tensor([6]), longest=4)
    torch.testing.assert_close(short, padded)
    resting = torch.zeros(1, 1, 6, 6)
    resting[..., 0] = 1
    assert float(offset_shares(resting, torch.tensor([6]), longest=4)[0].max()) == 0


def test_a_distance_that_no_text_reaches_has_no_number() -> None:
    shares, chance = offset_shares(looks_back(4, 1)[None, None], torch.tensor([4]), longest=5)
    assert shares[:, 0, 0].isnan().tolist() == [False, False, True, True, True]
    assert chance[:, 0].isnan().tolist() == [False, False, True, True, True]


# ------------------------------------------------------------------ what a head writes

COPIES = torch.eye(3)
"""An output matrix that writes what the values hold; unembedding and embedding are the identity."""


def test_a_head_that_copies_is_positive_and_one_that_suppresses_negative() -> None:
    values = torch.eye(3).unsqueeze(1)  # [key kv width]: token k holds its own direction
    output = torch.stack([COPIES, -2 * COPIES])  # two heads on one key/value head
    effects = write_effects(values, output, torch.eye(3))
    assert effects.tolist() == [[1, -2]] * 3


def test_grouped_heads_read_their_own_values_and_no_others() -> None:
    """Four query heads on two value heads: heads 0, 1 copy token 0, heads 2, 3 copy token 1."""
    values = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # [1 position, 2 kv, 2 wide]
    output = torch.eye(2).expand(4, 2, 2)
    toward_0 = write_effects(values, output, torch.tensor([[1.0, 0.0]]))
    assert toward_0.tolist() == [[1, 1, 0, 0]]
    # Indexed by the query head, as `h % G` would do, head 1 would read value head 1.
    wrong = (values[0, torch.arange(4) % 2] * torch.tensor([1.0, 0.0])).sum(-1)
    assert wrong.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(("heads", "groups"), [(4, 3), (4, 0), (2, 4)])
def test_heads_that_cannot_be_dealt_out_are_refused(heads, groups) -> None:
    with pytest.raises(ShapeError):
        key_value_index(heads, groups)


def test_a_head_that_attends_inductively_yet_suppresses_shows_as_such() -> None:
    """Tokens <s> a b c a: at the last one induction looks at b, position 2."""
    laid = cell_weights(ROLES["induction"].cells(Prompts.of_ids([9, 0, 1, 2, 0])))
    assert laid.weights.nonzero().tolist() == [[0, 4, 2]]
    attention = torch.zeros(1, 2, 5, 5)
    attention[0, :, 4, 2] = torch.tensor([0.9, 0.9])  # both are induction heads by their pattern
    values = torch.eye(5)[None, :, None]  # each token's own direction
    output = torch.stack([torch.eye(5), -torch.eye(5)])
    effects = write_effects(values, output, torch.eye(5)[None])
    batched = torch.tensor([[0, 4, 2]])
    assert cell_effects(attention, effects, batched)[0].tolist() == pytest.approx([0.9, -0.9])


def test_directions_before_a_norm_give_what_the_norm_gives_behind_it() -> None:
    generator = torch.Generator().manual_seed(0)
    x, gain, direction = (torch.randn(8, generator=generator) for _ in range(3))
    layer_norm = torch.nn.functional.layer_norm(x, (8,), gain)
    scale = (x.var(unbiased=False) + 1e-5).sqrt()
    before = through_norm(direction, gain, centers=True)
    torch.testing.assert_close(x @ before / scale, layer_norm @ direction)
    rms = x * gain / x.square().mean().sqrt()
    before = through_norm(direction, gain, centers=False)
    torch.testing.assert_close(x @ before / x.square().mean().sqrt(), rms @ direction)


def test_a_successor_matrix_scores_1_a_copying_one_0_and_a_tie_is_no_success() -> None:
    words = 5
    values = torch.eye(words).unsqueeze(1).unsqueeze(1).expand(-1, words, -1, -1)
    follows = torch.arange(words).roll(-1)
    shift = torch.eye(words)[follows]  # row x is the direction of x's successor
    output = torch.stack([shift, torch.eye(words), torch.ones(words, words)])
    logits = write_effects(values, output, torch.eye(words).expand(words, -1, -1))
    success = largest_is(logits.permute(2, 0, 1), follows)  # [head item]
    assert success.mean(-1).tolist() == [1, 0, 0]


# ------------------------------------------------------------------ lists


def test_mean_and_error_leave_out_what_is_not_known() -> None:
    mean, error = mean_and_error(torch.tensor([[1.0], [3.0], [math.nan]]))
    assert mean.tolist() == [2]
    assert float(error) == pytest.approx(np.std([1, 3], ddof=1) / 2**0.5)


def test_lists_follow_the_sign_of_the_role() -> None:
    scores = torch.tensor([[1.5, -0.9, 0.0, -0.8]])
    assert listed(measured("name_mover", scores), 0.5) == [Head(0, 0)]
    assert listed(measured("copy_suppression", scores), 0.5) == [Head(0, 1), Head(0, 3)]
    (best, _) = select_heads(measured("copy_suppression", scores), 0.5, cap=8)
    assert best.score == pytest.approx(-0.9)


def test_an_unsteady_head_is_not_listed() -> None:
    scores, errors = torch.tensor([[0.9, 0.9, 0.9]]), torch.tensor([[0.01, 0.5, 0.01]])
    assert listed(measured("name_mover", scores, errors), 0.5) == [Head(0, 0), Head(0, 2)]


def test_a_previous_token_head_is_no_head_of_a_fixed_offset() -> None:
    share, none = torch.tensor([[0.9, 0.9]]), torch.zeros(2, 1, 2)
    previous = torch.tensor([[False, True]])
    offsets = OffsetMeans(none, none, none, none, none[:, 0, 0], share.long(), previous)
    assert listed(measured("fixed_offset", share, offsets=offsets), 0.5) == [Head(0, 0)]


def test_nothing_is_listed_where_nothing_is_written() -> None:
    noise = torch.tensor([[-0.001, 0.002], [0.0, -0.004]])
    scores = measured("copy_suppression", noise, noise.abs() / 10)
    threshold = calibrate(scores)
    assert threshold.value == LEAST_LOGITS
    assert threshold.reason.startswith("Set by the least that counts, 0.10 logits")
    assert listed(scores, threshold.value) == []


def test_the_gap_sets_a_threshold_where_there_is_no_convention() -> None:
    gap = calibrate(measured("name_mover", torch.tensor([[0.1, 0.1, 0.7]])))
    assert gap.value == pytest.approx(0.4)
    assert "Otsu" in gap.reason
    rate = calibrate(measured("successor", torch.tensor([[0.0, 0.0, 0.1]]), chance=0.1))
    assert rate.value == pytest.approx(0.1 + 0.9 / 4)
    share = calibrate(measured("delimiter", torch.tensor([[0.1, 0.1, 0.9]]), chance=0.1))
    assert share.value == 0.4


# ------------------------------------------------------------------ place or content


@pytest.mark.parametrize(
    ("score", "control", "errors", "kind"),
    [
        (0.9, 0.9, (0.0, 0.0), "positional"),
        (0.9, 0.71, (0.0, 0.0), "positional"),  # .61 of .8 is left
        (0.9, 0.5, (0.0, 0.0), "partly"),  # half is left
        (0.9, 0.3, (0.0, 0.0), "content"),  # .2 of .8 is left: exactly a quarter
        (0.9, 0.1, (0.01, 0.01), "content"),
        (0.9, 0.5, (0.2, 0.2), "unsure"),  # two errors, .57, cannot tell them apart
        (0.9, 0.8, (0.2, 0.2), "positional"),
        (0.3, 0.3, (0.0, 0.0), "neither"),
        (0.3, 0.9, (0.0, 0.0), "neither"),
    ],
)
def test_place_or_content_by_the_stated_rule(score, control, errors, kind) -> None:
    found = place_or_content(score, control, threshold=0.4, zero=0.1, errors=errors)
    assert found.kind == kind

"""How much an output changes, worked out by hand, and what the verdicts and lists make of it."""

from __future__ import annotations

import pytest
import torch

from headroles.capture.head_outputs import output_change, roots
from headroles.export.tables import reference_rows
from headroles.reference import AnalysisSettings, categorize, reselect
from headroles.roles import get_role, resting
from headroles.scoring import fits_nothing, select_heads
from headroles.store import ModelEntry
from headroles.types import Head, RoleScores
from headroles.verdicts import judge, passport, score_prompt
from headroles.verdicts.evaluation import heads_with_role
from headroles.verdicts.prompt import active_heads
from headroles.view.candidate import order_sentence
from headroles.view.head_maps import stored_map
from headroles.view.lists import list_sentence
from tests.entries import plain_entry
from tests.facts import says

Z = torch.tensor(
    [
        [[7.0, 7.0], [9.0, 9.0]],  # row 0 never counts
        [[3.0, 4.0], [1.0, 0.0]],
        [[3.0, 4.0], [0.0, 1.0]],
    ]
)  # [query head dim]
W_O = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 2.0], [0.0, 6.0, 0.0]]])
"""Head 0 writes (3, 4, 0) twice. Head 1 writes (0, 0, 2), then (0, 6, 0): 2 and 6 long, with the
mean (0, 3, 1), from which each is sqrt(10) away."""


def test_the_change_of_two_heads_by_hand() -> None:
    written = ((5 + 5) / 2 + (2 + 6) / 2) / 2
    wanted = torch.tensor([0.0, 10**0.5 / written])
    torch.testing.assert_close(output_change(Z, roots(W_O)), wanted)


def test_padding_changes_nothing() -> None:
    padded = torch.cat([Z, torch.full((2, 2, 2), 50.0)])
    batch = torch.stack([padded, torch.cat([Z, Z[1:]])])  # the second one says the same twice
    change = output_change(batch, roots(W_O), lengths=torch.tensor([3, 5]))
    torch.testing.assert_close(change, output_change(Z, roots(W_O)).expand(2, -1))


def test_layers_are_measured_one_by_one() -> None:
    both = output_change(torch.stack([Z, 5 * Z]), torch.stack([roots(W_O), roots(W_O)]))
    torch.testing.assert_close(both[0], both[1])  # a layer that writes more is no busier


def test_nothing_is_written_on_one_token_or_by_a_silent_layer() -> None:
    assert output_change(Z[:1], roots(W_O)).tolist() == [0, 0]
    assert output_change(0 * Z, roots(W_O)).tolist() == [0, 0]


def test_a_head_wider_than_the_model() -> None:
    wide = torch.arange(10.0).reshape(1, 5, 2) % 7
    z = torch.arange(15.0).reshape(3, 1, 5).sin()
    written = z[1:, 0] @ wide[0]
    change = (written - written.mean(0)).norm(dim=-1).mean() / written.norm(dim=-1).mean()
    torch.testing.assert_close(output_change(z, roots(wide)), change[None])


# ------------------------------------------------------------------ verdicts


IDS = list(range(8))


def _looks_at_first(share: float) -> torch.Tensor:
    """[1 2 query key] two heads with so much of each row on the first token, the rest on itself."""
    attention = share * torch.eye(8)[0].expand(8, 8) + (1 - share) * torch.eye(8)
    return attention.tril().expand(1, 2, 8, 8)


def test_resting_needs_the_second_witness() -> None:
    """Two heads that look alike: what one writes hardly changes, the other's does."""
    scores = score_prompt(_looks_at_first(0.9), IDS, output_change=torch.tensor([[0.4, 0.8]]))
    rests, works = (judge(Head(0, head), "positional", scores, 0.6) for head in (0, 1))
    assert rests.is_active
    assert rests.activation == works.activation
    assert works.state == "quiet"
    assert says(works.reason, "first token", "90%", "not rest", "80%")
    instead = [judge(Head(0, head), "induction", scores, 0.6) for head in (0, 1)]
    assert instead[0].state == "not_applicable"  # nothing repeats
    instead = [judge(Head(0, head), "previous_token", scores, 0.6).reason for head in (0, 1)]
    assert says(instead[0], "Resting", "90%")
    assert says(instead[1], "90%", "not rest", "80%")
    role = get_role("positional")
    found = active_heads(
        role,
        scores.activations["positional"],
        0.6,
        num_tokens=8,
        output_change=scores.output_change,
    )
    assert found.tolist() == [[True, False]]


@pytest.mark.parametrize("change", [0.6 - 1e-4, 0.6, 0.6 + 1e-4])
def test_the_limit_is_the_same_for_one_head_and_for_all(change: float) -> None:
    scores = score_prompt(_looks_at_first(0.9), IDS, output_change=torch.tensor([[change, 0.2]]))
    role, activation = get_role("positional"), scores.activations["positional"]
    together = active_heads(role, activation, 0.6, num_tokens=8, output_change=scores.output_change)
    assert together[0, 0] == judge(Head(0, 0), "positional", scores, 0.6).is_active
    if change != 0.6:  # which single precision cannot hold
        assert bool(together[0, 0]) == (change < resting.CHANGES_LITTLE)


def test_without_a_second_witness_the_attention_decides() -> None:
    scores = score_prompt(_looks_at_first(0.9), IDS)
    assert judge(Head(0, 1), "positional", scores, 0.6).is_active
    assert says(judge(Head(0, 1), "previous_token", scores, 0.6).reason, "Resting", "90%")


def test_a_head_that_writes_next_to_nothing_is_idle_wherever_it_looks() -> None:
    ids = [0, 5, 6, 7, 8, 9, 10, 11]
    ahead = torch.eye(8)
    ahead[2:] = torch.eye(8)[:6]  # two tokens back: none of the roles
    scores = score_prompt(ahead.expand(1, 2, 8, 8), ids, output_change=torch.tensor([[0.1, 0.9]]))
    idle, busy = (judge(Head(0, head), "previous_token", scores, 0.6).reason for head in (0, 1))
    assert says(idle, "Idle", "10%")
    assert not says(busy, "Idle")


# ------------------------------------------------------------------ lists


def _scores(change: list[list[float]] | None) -> RoleScores:
    mean = torch.tensor([[0.9, 0.8, 0.1], [0.7, 0.2, 0.5]])
    factors = {} if change is None else {resting.OUTPUT_CHANGE: torch.tensor(change)}
    return RoleScores(
        "positional", mean, torch.full_like(mean, 0.01), chance=0.1, n=50, factors=factors
    )


def test_a_list_holds_only_heads_with_both_witnesses() -> None:
    """L0H0 works; L1H0 works too, so the best other head of layer 1 takes the free place."""
    change = [[1.2, 0.3, 0.1], [0.9, 0.1, 0.2]]
    chosen = select_heads(_scores(change), 0.6, cap=3)
    assert [(c.head.label, c.entered_by) for c in chosen] == [
        ("L0H1", "threshold"),
        ("L1H2", "layer diversity"),
    ]
    other = fits_nothing({"positional": _scores(change)}, {"positional": 0.6})
    assert other.tolist() == [[True, False, True], [True, True, True]]


def test_a_list_without_a_second_witness_is_by_attention() -> None:
    chosen = select_heads(_scores(None), 0.6, cap=3)
    assert [c.head.label for c in chosen] == ["L0H0", "L0H1", "L1H0"]
    other = fits_nothing({"positional": _scores(None)}, {"positional": 0.6})
    assert other.tolist() == [[False, False, True], [False, True, True]]


@pytest.fixture
def entry() -> ModelEntry:
    """The heads of layer 1 reach the threshold of every role, and L1H2 works."""
    change = [[0.1, 0.1, 0.1], [0.1, 0.2, 1.4]]
    return ModelEntry.model_validate(
        plain_entry(factors={"positional": {resting.OUTPUT_CHANGE: change}})
    )


def test_a_stored_list_is_made_anew_with_both_witnesses(entry) -> None:
    moved = reselect(entry, {"positional": 0.6}, cap=8)
    assert moved.listed("positional") == [Head(1, 1), Head(1, 0), Head(0, 2)]
    assert moved.listed("induction")[0] == Head(1, 2)  # no other role asks for it
    assert moved.factors == entry.factors
    old = ModelEntry.model_validate(plain_entry())
    assert reselect(old, {"positional": 0.6}, cap=8).listed("positional")[0] == Head(1, 2)


def test_who_has_a_stored_role(entry) -> None:
    with_role = heads_with_role(entry, get_role("positional"))
    assert with_role.tolist() == [[False, False, True], [True, True, False]]
    old = ModelEntry.model_validate(plain_entry())
    assert heads_with_role(old, get_role("positional"))[1].all()
    roles = {head: passport(entry, head).roles for head in entry.heads}
    assert "positional" in roles[Head(1, 1)]
    assert "induction" in roles[Head(1, 2)]
    assert "positional" not in roles[Head(1, 2)]
    words = {record.role: record.only_looks for record in passport(entry, Head(1, 2)).records}
    assert says(words.pop("positional"), "first token", "140%", "60%")
    assert not any(words.values())


def test_a_change_over_one_is_stored_as_it_is() -> None:
    scores = _scores([[1.25, 0.0, 0.0], [0.0, 0.0, 0.0]])
    parts = categorize({"positional": scores}, AnalysisSettings())
    assert parts["factors"]["positional"][resting.OUTPUT_CHANGE][0][0] == 1.25


def test_the_reference_map_rings_and_counts_those_that_rest(entry) -> None:
    found = stored_map(entry.role("positional"), threshold=0.6)
    assert [record["active"] for record in found.records] == [False] * 3 + [True, True, False]
    assert says(found.sentence, "3 of 6", "2 of them rest")
    old = stored_map(ModelEntry.model_validate(plain_entry()).role("positional"), threshold=0.6)
    assert [record["active"] for record in old.records] == [False] * 3 + [True] * 3
    assert not says(old.sentence, "rest;")


def test_one_head_that_works_all_the_same_is_one(entry) -> None:
    found = stored_map(entry.role("positional"), threshold=0.6)
    assert says(found.sentence, "the other one still writes something new")
    two = [[0.1, 0.1, 0.1], [0.1, 0.7, 1.4]]
    fewer = entry.model_copy(update={"factors": {"positional": {resting.OUTPUT_CHANGE: two}}})
    found = stored_map(fewer.role("positional"), threshold=0.6)
    assert says(found.sentence, "1 of them rests; the others still write")


def test_files_ask_for_both_witnesses(entry) -> None:
    moved = reselect(entry, {"positional": 0.6}, cap=8)
    over = {
        row["label"]: row["over_threshold"]
        for row in reference_rows(moved)
        if row["role"] == "positional"
    }
    assert [label for label, yes in over.items() if yes] == ["L1H0", "L1H1"]


def test_a_list_counts_heads_over_the_threshold_that_rest(entry) -> None:
    moved = reselect(entry, {"positional": 0.6}, cap=1)
    assert says(
        list_sentence(moved, "positional"), "1 of the 2 heads over the threshold and at rest"
    )
    assert says(
        order_sentence(moved, "positional"), "1 of the 2 heads that reach the threshold and rest"
    )
    old = reselect(ModelEntry.model_validate(plain_entry()), {"positional": 0.6}, cap=1)
    assert says(list_sentence(old, "positional"), "1 of the 3 heads over the threshold is listed")
    assert says(order_sentence(old, "positional"), "1 of the 3 heads that reach the threshold,")

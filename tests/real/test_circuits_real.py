"""Circuits of a real model: shortcuts give the numbers of the long way round."""

from __future__ import annotations

import pytest
import torch

from headroles import store
from headroles.circuits import (
    CircuitSettings,
    composition,
    effective,
    positional_table,
    qk_ov,
    summary,
    weights,
)
from headroles.models import LoadedModel
from headroles.types import Head

pytestmark = pytest.mark.real

L16H0 = Head(16, 0)  # the previous-token head


@pytest.fixture(scope="module")
def k_composition(real: LoadedModel) -> composition.Composition:
    return composition.composition(real, "K")


def _whole(real: LoadedModel, kind: str, first: Head, second: Head) -> float:
    """The score by the d_model x d_model matrices, in 64 bits."""
    one, two = (weights.layer_weights(real, head.layer) for head in (first, second))
    gain = weights.attention_norm(real, second.layer).weight.double()[:, None]
    write = one.value_of(first.head).double() @ one.W_O[first.head].double()
    query, key = gain * two.W_Q[second.head], gain * two.key_of(second.head)
    value = gain * two.value_of(second.head)
    read = {
        "Q": query @ key.T,
        "K": key @ query.T,
        "V": value @ two.W_O[second.head].double(),
    }[kind]
    return float((write @ read).norm() / (write.norm() * read.norm()))


@pytest.mark.parametrize("kind", composition.KINDS)
@pytest.mark.parametrize("second", [Head(17, 4), Head(18, 6), Head(29, 8)], ids=str)
def test_composition_is_that_of_the_whole_matrices(real, kind: str, second: Head) -> None:
    block = composition.block_scores(real, kind, second.layer)
    score = float(block[L16H0.layer * real.num_heads + L16H0.head, second.head])
    assert score == pytest.approx(_whole(real, kind, L16H0, second), abs=1e-5)


def test_the_strongest_pairs_lead_to_the_induction_heads(k_composition) -> None:
    score = k_composition.score.nan_to_num(-1)
    best = [divmod(int(place), len(score)) for place in score.flatten().topk(5).indices]
    assert {k_composition.heads[first] for first, _ in best} == {L16H0}
    assert {k_composition.heads[second].layer for _, second in best} == {17, 18}


@pytest.mark.parametrize("head", [L16H0, Head(17, 4), Head(23, 0), Head(29, 8)], ids=str)
def test_the_best_keys_are_among_the_first_that_are_looked_at(real, head: Head) -> None:
    """No key far down the order is better than the ten best of its first twentieth."""
    factors = qk_ov.head_factors(real, head, CircuitSettings())
    p = store.read_frequencies(real.key, factors.vocab_size).probabilities
    order = qk_ov.likely_first(factors, p)
    first, later = order[: len(order) // 20], order[len(order) // 20 :: 97]
    assert len(order.unique()) == factors.vocab_size
    tenth, rest = (
        qk_ov.importance(qk_ov.block_peaks(factors, ids), p) for ids in (first[:1000], later)
    )
    assert tenth.topk(10).values.min() > rest.max()


def test_numbers_of_a_head_are_those_of_its_tables(real) -> None:
    factors = qk_ov.head_factors(real, Head(17, 4), CircuitSettings())
    norm, own = weights.attention_norm(real, 17), weights.layer_weights(real, 17)
    ids = [1, 500, 40_000]
    x = norm.apply(effective.effective_embedding(real)[[real.start.token_id, *ids]].double())
    query = x[1:] @ own.W_Q[4].double() * own.scale
    key = x @ own.key_of(4).double()
    torch.testing.assert_close(
        factors.qk(ids, ids).double(), query @ (key[1:] - key[0]).T, atol=1e-4, rtol=1e-5
    )


def _copying(real: LoadedModel, head: Head, embedding: str) -> float:
    factors = qk_ov.head_factors(real, head, CircuitSettings(embedding=embedding))
    return summary.copying_score(factors)


@pytest.mark.parametrize(
    ("head", "bare", "after"),
    [
        (Head(23, 0), -0.45, 0.99),  # the clearest name mover
        (Head(23, 1), 0.07, 0.96),
        (Head(24, 4), 0.46, -0.98),  # the copy suppressor
        (Head(18, 6), 0.63, 0.83),  # an induction head
    ],
    ids=str,
)
def test_copying_has_the_right_sign_after_the_first_block(real, head, bare, after) -> None:
    assert _copying(real, head, "bare") == pytest.approx(bare, abs=0.006)
    assert _copying(real, head, "first_block") == pytest.approx(after, abs=0.006)


def test_the_first_block_runs_as_in_a_plain_pass(real) -> None:
    """transformers' own hidden states of one token at place 0: attention to itself alone."""
    ids = torch.tensor([[7], [500], [40_000]])
    with torch.no_grad(), real.lock:
        plain = real.model(ids, output_hidden_states=True, use_cache=False).hidden_states[1]
    made = effective.effective_embedding(real)[ids[:, 0]]
    torch.testing.assert_close(made, plain[:, 0], atol=1e-5, rtol=1e-5)


def test_the_previous_token_head_shows_by_position(real) -> None:
    """From bare embeddings it lay at chance: 5 % against 5 %."""
    p = store.read_frequencies(real.key, 49_152).probabilities
    shares = {
        name: summary.previous_affinity(
            positional_table(real, L16H0, CircuitSettings(embedding=name), p)
        )[0]
        for name in qk_ov.EMBEDDINGS
    }
    assert shares["bare"] < 0.06
    assert shares["first_block"] > 0.4


def test_the_table_reads_sensibly(real) -> None:
    """Of whole words a copier promotes, and the suppressor lowers, the key itself or its like."""
    frequencies = store.read_frequencies(real.key, 49_152)
    found = {}
    for head in (Head(23, 0), Head(24, 4)):
        factors = qk_ov.head_factors(real, head, CircuitSettings()).among(frequencies.words)
        found[head] = qk_ov.key_table(factors, frequencies.probabilities, keys=10, each=6)

    def word(token: int) -> str:
        return real.tokenizer.decode([token]).strip().lower()

    def itself(row, items) -> bool:
        return word(row.token_id) in {word(item.token_id) for item in items}

    assert sum(itself(row, row.promoted) for row in found[Head(23, 0)]) >= 9
    assert sum(itself(row, row.suppressed) for row in found[Head(24, 4)]) >= 6
    assert all(word(row.token_id).isalpha() for rows in found.values() for row in rows)

"""The probe texts are what they are said to be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from headroles.roles import ROLES, Prompts
from headroles.texts import probe_texts


@pytest.fixture
def repeats():
    return probe_texts.repeated_sequences(
        range(1, 5000), 60, start_id=0, rng=np.random.default_rng(3)
    )


def test_repeats_vary_in_length_and_distance(repeats):
    assert len(repeats) == 60
    assert len(set(repeats.lengths.tolist())) > 20
    distances = set()
    for row, length in zip(repeats.token_ids, repeats.lengths, strict=True):
        copies = ROLES["duplicate_token"].cells(Prompts.of_ids(row[:length]))[0]
        q, k = copies.nonzero()[0].tolist()
        distances.add(q - k)
    assert len(distances) > 15, "a fixed-distance head must not pass for an induction head"


def test_every_repeat_starts_with_the_start_token_and_repeats(repeats):
    assert (repeats.token_ids[:, 0] == 0).all()
    for row, length in zip(repeats.token_ids, repeats.lengths, strict=True):
        rows = ROLES["induction"].cells(Prompts.of_ids(row[:length]))[0].any(-1).sum()
        # a segment of n has n rows in each later copy, the last of the first copy's included
        assert rows >= min((k.copies - 1) * k.segment[0] for k in probe_texts.KINDS) - 1


def test_each_kind_of_repeat_is_what_it_says():
    """Of a million ids this seed draws none twice by chance, so every equal pair is a copy."""
    rng = np.random.default_rng(0)
    repeats = probe_texts.repeated_sequences(range(10**6), 24, start_id=-1, rng=rng)
    for place, (row, length) in enumerate(zip(repeats.token_ids, repeats.lengths, strict=True)):
        kind, ids = probe_texts.KINDS[place % 4], row[1:length].tolist()
        copies = {token: [at for at, one in enumerate(ids) if one == token] for token in ids}
        segment = [token for token, places in copies.items() if len(places) > 1]
        assert kind.segment[0] <= len(segment) <= kind.segment[1]
        assert all(len(copies[token]) == kind.copies for token in segment)
        for first, then in itertools.pairwise(copies[segment[0]]):
            assert kind.gap[0] <= then - first - len(segment) <= kind.gap[1]


def test_a_sentence_said_twice_is_the_same_ids_twice():
    twice = probe_texts.said_twice(probe_texts.pack([[0, 5, 6, 7], [0, *range(1, 40)]]))
    assert twice.token_ids[0, :7].tolist() == [0, 5, 6, 7, 5, 6, 7]
    assert twice.lengths.tolist() == [7, 1 + 2 * probe_texts.MOST_TWICE]
    many = probe_texts.pack([[0, 1, 2]] * 40)
    assert len(probe_texts.said_twice(many)) == probe_texts.SENTENCES_TWICE


def test_the_same_seed_gives_the_same_sequences_and_another_does_not():
    def make(seed):
        return probe_texts.repeated_sequences(
            range(1, 99), 5, start_id=0, rng=np.random.default_rng(seed)
        ).token_ids

    assert torch.equal(make(1), make(1))
    assert not torch.equal(make(1), make(2))


def test_there_are_enough_different_sentences():
    assert len(set(probe_texts.SENTENCES)) == len(probe_texts.SENTENCES) >= 20


def test_control_rows_are_as_long_as_the_sentences_and_hold_other_tokens():
    sentences = probe_texts.pack([[0, 5, 6, 7], [0, 8, 9]])
    control = probe_texts.random_like(sentences, range(100, 200), rng=np.random.default_rng(0))
    assert control.lengths.tolist() == [4, 3]
    assert (control.token_ids[:, 0] == 0).all()
    assert (control.token_ids[0, 1:] >= 100).all()


def test_batches_hold_every_row_once_and_stay_under_the_bound(repeats):
    groups = probe_texts.batches(repeats, max_cells=20_000)
    assert sorted(torch.cat(groups).tolist()) == list(range(60))
    for rows in groups:
        cells = len(rows) * int(repeats.lengths[rows].max()) ** 2
        assert cells <= 20_000 or len(rows) == 1
    assert len(groups) > 1


def test_batches_stay_under_a_bound_of_tokens_too_and_a_longer_text_runs_alone(repeats):
    most = int(repeats.lengths.max())
    groups = probe_texts.batches(repeats, max_cells=10**9, max_tokens=2 * most - 1)
    assert sorted(torch.cat(groups).tolist()) == list(range(60))
    tokens = [len(rows) * int(repeats.lengths[rows].max()) for rows in groups]
    assert max(tokens) <= 2 * most - 1
    alone = probe_texts.batches(repeats, max_cells=10**9, max_tokens=1)
    assert [len(rows) for rows in alone] == [1] * 60


def test_generated_rows_beyond_the_context_are_cut_and_counted(tokenizer) -> None:
    whole, none = probe_texts.generated("repeats", 8, tokenizer=tokenizer, seed=0, max_tokens=999)
    assert none == 0
    short, cut = probe_texts.generated("repeats", 8, tokenizer=tokenizer, seed=0, max_tokens=30)
    assert cut == sum(int(length) > 30 for length in whole.lengths)
    assert cut > 0
    assert short.token_ids.shape[1] == int(short.lengths.max()) == 30

"""Each target of full weight can be worked out from the row so far, by an independent route."""

import numpy as np
import pytest

from headroles.training.tasks import (
    BOS_ID,
    NOISE_WEIGHT,
    TASK_MIX,
    Row,
    Tokens,
    any_task,
    back_and_forth,
    gapped_repeats,
    lookups,
    marked,
    plain_back_and_forth,
    plain_repeats,
    rare_repeats,
    read_backwards,
    repeats,
)

NEW, OLD = 901, 902
PASSAGES = [
    [7, 8, 9, 10, 7, 11, 12, 13, 14, 3],
    [20, 21, 21, 22, 3],  # no more than three different ids in a row: never read
    [*range(30, 80), 3],
]
TOKENS = Tokens(1000, np.arange(400, 900), markers=(NEW, OLD), passages=PASSAGES)
COPYING = (plain_repeats, repeats, gapped_repeats, rare_repeats, lookups)
WALKED = (plain_back_and_forth, back_and_forth)
ALL = (*COPYING, *WALKED, read_backwards, marked)


def rows(task, count: int = 60, length: int = 64) -> list[Row]:
    return [task(np.random.default_rng([5, seed]), length, TOKENS) for seed in range(count)]


@pytest.mark.parametrize("task", ALL)
@pytest.mark.parametrize("length", [64, 128, 256])
def test_rows_have_the_promised_shape(task, length: int):
    for row in rows(task, 20, length):
        assert row.ids.shape == (length + 1,)
        assert row.weights.shape == (length,)
        assert row.ids[0] == BOS_ID
        assert (row.ids[1:] != BOS_ID).all()
        assert row.ids.max() < TOKENS.vocab_size
        assert set(np.unique(row.weights)) <= {np.float32(1), np.float32(NOISE_WEIGHT)}


@pytest.mark.parametrize("task", ALL)
def test_same_seed_gives_the_same_row(task):
    for first, second in zip(rows(task, 10), rows(task, 10), strict=True):
        assert (first.ids == second.ids).all()
        assert (first.weights == second.weights).all()


@pytest.mark.parametrize("task", COPYING)
def test_known_targets_follow_every_earlier_copy_of_the_token_before(task):
    """What induction gives: the token that came after the earlier copies, which all agree."""
    known = 0
    for row in rows(task):
        ids = row.ids.tolist()
        for place in np.flatnonzero(row.weights == 1):
            current, target = ids[place], ids[place + 1]
            after = [ids[k + 1] for k in range(1, place) if ids[k] == current]
            assert after[-1] == target
            if task is not gapped_repeats:
                assert set(after) == {target}
            known += 1
    assert known > 300


@pytest.mark.parametrize("task", WALKED)
def test_known_targets_of_a_walk_stood_before_the_latest_copy(task):
    """What a duplicate-token head gives; only at the way's first token is it what came after."""
    before = 0
    for row in rows(task, length=128):
        ids = row.ids.tolist()
        for place in np.flatnonzero(row.weights == 1):
            latest = max(k for k in range(1, place) if ids[k] == ids[place])
            at_the_start = latest == 1
            assert ids[place + 1] == ids[latest + 1 if at_the_start else latest - 1]
            before += not at_the_start
    assert before > 3000


@pytest.mark.parametrize("task", WALKED)
def test_on_the_first_way_back_nothing_after_a_copy_tells_the_next_token(task):
    """Induction has nothing to offer there: what followed a copy is what was just read."""
    ways_back = 0
    for row in rows(task, length=128):
        ids = row.ids.tolist()
        turn = next(i for i in range(3, len(ids)) if ids[i] == ids[i - 2])
        assert len(set(ids[:turn])) == turn
        for place in range(turn, min(2 * turn - 4, len(ids) - 1)):
            (after,) = [ids[k + 1] for k in range(1, place) if ids[k] == ids[place]]
            assert after == ids[place - 1] != ids[place + 1]
            ways_back += 1
    assert ways_back > 300


def test_reading_backwards_wants_what_stood_before_the_latest_copy_and_not_what_followed_it():
    known = 0
    for row in rows(read_backwards, length=128):
        ids = row.ids.tolist()
        for place in np.flatnonzero(row.weights == 1):
            latest = max(k for k in range(1, place) if ids[k] == ids[place])
            assert ids[place + 1] == ids[latest - 1]
            assert ids[place - 1] == ids[latest + 1] != ids[place + 1]
            known += 1
    assert known > 1000


def test_a_stretch_is_a_piece_of_a_passage_without_repeats():
    sizes = set()
    for seed in range(200):
        found = TOKENS.stretch(np.random.default_rng(seed))
        assert len(set(found)) == len(found)
        pieces = [passage[i : i + len(found)] for passage in PASSAGES for i in range(len(passage))]
        assert found in pieces
        sizes.add(len(found))
    assert min(sizes) >= 4
    assert max(sizes) == 32


def test_unknown_targets_of_repeats_are_tokens_never_seen():
    for row in rows(repeats):
        for place in np.flatnonzero(row.weights < 1):
            assert row.ids[place + 1] not in row.ids[2 : place + 1]


def test_markers_tell_new_tokens_from_old():
    """A marker is right when it says whether its token occurred before."""
    old_marks = new_marks = 0
    for row in rows(marked, 100):
        ids = row.ids.tolist()
        places = np.flatnonzero(row.weights == 1).tolist()
        markers = {ids[place + 1] for place in places}
        assert 1 <= len(markers) <= 2
        items = [i for i in range(1, len(ids)) if ids[i] not in markers]
        for place in places:
            is_old = ids[place] in [ids[i] for i in items if i < place]
            if ids[place + 1] == OLD or (ids[place + 1] not in (NEW, OLD) and is_old):
                assert is_old
                old_marks += 1
            else:
                assert not is_old
                new_marks += 1
        meaning = {}  # a marker never changes its meaning within a row
        for place in places:
            is_old = ids[place] in [ids[i] for i in items if i < place]
            assert meaning.setdefault(ids[place + 1], is_old) == is_old
    assert min(old_marks, new_marks) > 200


def test_old_tokens_are_always_marked():
    for row in rows(marked, 100):
        ids = row.ids.tolist()
        markers = {ids[place + 1] for place in np.flatnonzero(row.weights == 1)}
        seen = set()
        for place, token in enumerate(ids[:-1]):
            if token in markers or place == 0:
                continue
            if token in seen:
                assert ids[place + 1] in markers
            seen.add(token)


def test_most_of_a_rare_repeat_row_repeats_nothing():
    share = np.mean([(row.weights == 1).mean() for row in rows(rare_repeats, length=256)])
    assert 0.05 < share < 0.35


def test_every_task_of_the_mix_is_drawn():
    assert sum(share for _, share in TASK_MIX) == pytest.approx(1)
    row = any_task(np.random.default_rng(0), 64, TOKENS)
    assert row.ids.shape == (65,)

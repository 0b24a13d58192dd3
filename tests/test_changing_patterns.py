"""When the pattern changes: the largest look by hand, planted heads, chance, and the models."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from headroles import models
from headroles.capture import collect
from headroles.errors import SequenceError
from headroles.scoring.largest_look import (
    SlotAttention,
    TypicalDistance,
    count_distances,
    in_pattern,
    judge_periods,
    largest_look,
    slot_shares,
    typical_distance,
)
from headroles.texts import sequences
from headroles.texts.sequences import DRAWS, ITEMS, KINDS, NAME, NUMBER, PERIODS, draw
from headroles.texts.words import single_tokens
from headroles.types import Head
from headroles.verdicts import changing_patterns as engine
from headroles.verdicts.changing_patterns import ChangingPatterns, changing_patterns
from headroles.view import sequences as words
from tests.facts import says


@pytest.fixture(scope="module")
def loaded():
    return models.load_model("demo")


@pytest.fixture(scope="module")
def repeat(loaded) -> ChangingPatterns:
    return changing_patterns(loaded, "repeat")


def slot_attention(differences: list[float], errors: list[float], n: int) -> SlotAttention:
    """One layer of heads that give .1 on other words, where an even spread gives .05."""
    over = torch.tensor([differences])
    control = torch.full_like(over, 0.1)
    return SlotAttention(
        share=control + over,
        chance=torch.tensor([0.05]),
        control=control,
        error=torch.tensor([errors]),
        nearest=over,
        sequences=n,
    )


# ------------------------------------------------------------------ by hand


def test_the_largest_look_leaves_the_first_column_out_and_the_token_itself_on_demand() -> None:
    attention = torch.tensor(
        [
            [1.0, 0, 0, 0],
            [0.9, 0.1, 0, 0],
            [0.5, 0.2, 0.3, 0],
            [1.0, 0, 0, 0],
        ]
    )
    looks = largest_look(attention)
    assert looks.key.tolist() == [-1, 1, 2, -1]
    assert looks.distance.tolist() == [-1, 0, 0, -1]
    assert looks.attention.tolist() == pytest.approx([0, 0.1, 0.3, 0])
    alone = largest_look(attention, without_itself=True)
    assert alone.distance.tolist() == [-1, -1, 1, -1]
    assert float(attention[1, 0]) == pytest.approx(0.9)  # what was given is as it was


def test_distances_are_counted_over_the_rows_that_count() -> None:
    attention = torch.zeros(2, 5, 5)
    attention[0, [2, 3, 4], [1, 1, 2]] = 0.5  # 1, 2 and 2 back
    counts, sums = count_distances(
        largest_look(attention), torch.tensor([False, False, True, True, True])
    )
    assert counts.tolist() == [[0, 1, 2, 0, 0], [0, 0, 0, 0, 0]]
    assert sums[0].tolist() == pytest.approx([0, 0.5, 1.0, 0, 0])


def test_whole_periods_are_taken_off() -> None:
    counts = torch.arange(10)  # as many rows as the distance says
    assert in_pattern(counts, 3).tolist() == [0, 1 + 4 + 7, 2 + 5 + 8, 3 + 6 + 9]
    assert in_pattern(counts, 4).tolist() == [0, 1 + 5 + 9, 2 + 6, 3 + 7, 4 + 8]


def test_the_typical_distance_by_hand() -> None:
    counts = torch.tensor([[0, 1, 7, 0], [0, 0, 6, 2], [0, 5, 3, 0], [0, 0, 8, 0]])
    control = torch.tensor([[0, 4, 4, 0]] * 4)
    typical = typical_distance(counts, counts * 0.5, control)
    assert typical == TypicalDistance(2, 24 / 32, 3 / 4, 0.5, 0.5, 32)
    assert typical.is_clear
    assert typical.beats_control  # .75 is 1.5 times .5
    assert not typical_distance(counts, counts * 0.04, control).is_clear  # hardly any attention
    assert not typical_distance(counts[:3], counts[:3] * 0.5, control[:3]).is_clear  # 2 of 3 agree
    assert typical_distance(counts[:1, :2], counts[:1, :2] * 0.5).distance is None  # one row


def clear(distance: int, *, share: float = 0.9, control: float = 0.1) -> TypicalDistance:
    return TypicalDistance(distance, share, 1.0, control, 0.5, 100)


@pytest.mark.parametrize(
    ("distances", "places", "expected"),
    [
        ((2, 3, 4), (2, 3, 4), ("follows", -1)),
        ((3, 4, 5), (3, 4, 5), ("follows", 0)),
        ((1, 2, 3), (1, 2, 3), ("follows", -2)),
        ((8, 3, 9), (2, 3, 4), ("follows", -1)),  # in whichever copy
        ((2, 2, 2), (2, 2, 2), ("keeps", 2)),
        ((0, 0, 0), (0, 0, 0), ("keeps", 0)),
        ((2, 3, 3), (2, 3, 3), ("neither", None)),
        ((7, 7, 7), (1, 3, 2), ("keeps", 7)),
    ],
)
def test_the_verdict(distances, places, expected) -> None:
    by_period = {p: clear(d) for p, d in zip(PERIODS, distances, strict=True)}
    in_place = {p: clear(d) for p, d in zip(PERIODS, places, strict=True)}
    assert judge_periods(by_period, in_place) == expected


def test_chance_in_random_order_is_no_following() -> None:
    """A third of the rows look at the right one of three places by chance."""
    weak = {p: clear(p - 1, share=0.55, control=0.4) for p in PERIODS}
    spread = {p: clear(p - 1, share=0.3) for p in PERIODS}
    assert judge_periods(spread, weak).kind == "neither"
    strong = {p: clear(p - 1, share=0.65, control=0.4) for p in PERIODS}
    assert judge_periods(spread, strong) == ("follows", -1)
    unknown = {p: clear(p - 1, control=math.nan) for p in PERIODS}
    assert judge_periods(spread, unknown).kind == "neither"  # nobody measured chance
    one = {3: clear(2)}
    assert judge_periods(one, one).kind == "neither"  # one period shows nothing


def test_whether_attention_within_a_slot_is_clear_depends_on_how_many_heads_are_tested() -> None:
    """t = 2.5 over 24 sequences is p = .020: clear alone (.05), not first of 10 (.05 / 10)."""
    assert slot_attention([0.25], [0.1], 24).clear.tolist() == [[True]]
    among = slot_attention([0.25, *[0.0] * 9], [0.1] * 10, 24)
    assert not among.clear.any()
    sure = slot_attention([0.45, *[0.0] * 9], [0.1] * 10, 24)  # t = 4.5: p = .0002
    assert sure.clear.tolist() == [[True, *[False] * 9]]
    both = slot_attention([0.25] * 6 + [0.0] * 4, [0.1] * 10, 24)  # six of ten: up to .03
    assert both.clear.tolist() == [[True] * 6 + [False] * 4]


def test_less_than_on_other_words_or_less_than_twice_chance_is_never_clear() -> None:
    found = slot_attention([-0.05, 0.2, 0.2], [0.001, 0.001, 0.001], 24)
    assert found.clear.tolist() == [[False, True, True]]
    few = dataclasses.replace(found, chance=torch.tensor([0.2]))
    assert not few.clear.any()
    assert not slot_attention([0.5], [math.nan], 1).clear.any()  # one sequence has no error


def test_attention_within_a_slot_by_hand() -> None:
    attention = torch.zeros(1, 6, 6)
    attention[0, 3, 1] = 0.6
    attention[0, 5, 1], attention[0, 5, 3], attention[0, 5, 5] = 0.1, 0.3, 0.6
    on_all, on_last = slot_shares(attention, [1, 3, 5])
    assert float(on_all) == pytest.approx((0.6 + 0.4) / 2)
    assert float(on_last) == pytest.approx((0.6 + 0.3) / 2)


# ------------------------------------------------------------------ sequences


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("period", PERIODS)
def test_every_item_has_so_many_tokens(loaded, kind: str, period: int) -> None:
    texts = draw(loaded.tokenizer, kind, period)
    assert len(texts) == (7 if kind == "days" else DRAWS)  # a week has seven beginnings
    assert len({text.text for text in texts}) == len(texts)
    for text in texts:
        ids = text.encoding.token_ids
        assert len(ids) == len(text.slots) == 1 + ITEMS * period
        assert text.counted == range(2 * period + 1, len(ids))
        for slot in KINDS[kind].slots:
            assert np.diff(text.places(slot)).tolist() == [period] * (ITEMS - 1)
        assert not any(text.slots) or KINDS[kind].slots


def test_what_comes_back_and_what_does_not(loaded) -> None:
    def tokens(kind: str) -> list[str]:
        return [token.strip() for token in draw(loaded.tokenizer, kind, 4)[0].encoding.tokens[1:]]

    again = tokens("repeat")
    assert again == again[:4] * ITEMS
    gap = tokens("gap")
    assert [gap[place] for place in range(3)] * ITEMS == [
        word for place, word in enumerate(gap) if place % 4 < 3
    ]
    assert len(set(gap[3::4])) == ITEMS
    between = tokens("between")
    assert len(set(between)) == len(between)
    assert between[::4] == ["one", "two", "three", "four", "five", "six", "seven"]
    names = draw(loaded.tokenizer, "names", 5)[0]
    said = [names.encoding.tokens[place].strip() for place in names.places(NUMBER)]
    assert said == ["one", "two", "three", "four", "five", "six", "seven"]
    assert names.text.count(" is now ") == ITEMS


def test_the_same_seed_gives_the_same_sequences(loaded) -> None:
    first, again = (draw(loaded.tokenizer, "names", 4, seed=5) for _ in range(2))
    assert [one.text for one in first] == [one.text for one in again]
    other = draw(loaded.tokenizer, "names", 4, seed=6)
    assert [one.text for one in first] != [one.text for one in other]


def test_the_controls_keep_what_they_should(loaded) -> None:
    text = draw(loaded.tokenizer, "names", 4)[0]
    rng = np.random.default_rng(0)
    mixed = sequences.shuffled(text, rng=rng)
    assert sorted(mixed) == sorted(text.encoding.token_ids)
    assert mixed[0] == text.encoding.token_ids[0]
    assert mixed != list(text.encoding.token_ids)
    other = sequences.swapped(text, loaded.tokenizer, rng=rng)
    places = text.places(NAME) + text.places(NUMBER)
    for place, token in enumerate(text.encoding.token_ids):
        assert (other[place] != token) == (place in places)
    ordinary = single_tokens(loaded.tokenizer, (*sequences.WORDS, *sequences.MORE_WORDS))
    assert {other[place] for place in places} <= set(ordinary.values())


def test_a_kind_that_a_model_cannot_read_is_refused(loaded) -> None:
    with pytest.raises(SequenceError) as caught:
        draw(loaded.tokenizer, "days", 8)
    assert caught.value.hint
    assert draw(loaded.tokenizer, "repeat", 8)


# ------------------------------------------------------------------ planted heads


def planted(monkeypatch, heads) -> None:
    """Each head's attention is a function of (query, ids) that gives the key of its look."""

    def each_layer(loaded, token_ids, on_layer) -> None:
        batch, length = token_ids.shape
        for layer in range(loaded.num_layers):
            attention = torch.zeros(batch, loaded.num_heads, length, length)
            for row, ids in enumerate(token_ids.tolist()):
                for head in range(loaded.num_heads):
                    for query in range(length):
                        key = heads(layer, head, query, ids)
                        attention[row, head, query, min(max(key, 0), query)] = 1
            on_layer(layer, attention, None)

    monkeypatch.setattr(engine, "each_layer", each_layer)


def test_planted_heads_are_told_apart(loaded, monkeypatch) -> None:
    """Induction, duplicate token, two back, resting, and four that look anywhere."""
    rng = np.random.default_rng(1)

    def looks(_layer: int, head: int, query: int, ids: list[int]) -> int:
        copies = [k for k in range(1, query) if ids[k] == ids[query]]
        return {
            0: copies[-1] + 1 if copies else 0,
            1: copies[-1] if copies else 0,
            2: query - 2,
            3: 0,
        }.get(head, int(rng.integers(1, max(query, 2))))

    planted(monkeypatch, looks)
    found = changing_patterns(loaded, "repeat")
    for layer in range(4):
        assert found.verdicts[Head(layer, 0)] == ("follows", -1)
        assert found.verdicts[Head(layer, 1)] == ("follows", 0)
        assert found.verdicts[Head(layer, 2)] == ("keeps", 2)
        resting = found.shown(Head(layer, 3))
        assert all(typical.distance is None for typical in resting.values())
    anywhere = [
        found.verdicts[Head(layer, head)].kind for layer in range(4) for head in range(4, 8)
    ]
    assert set(anywhere) == {"neither"}


def test_short_sequences_make_no_head_follow(loaded, monkeypatch) -> None:
    """With two draws of each period, sixteen heads that look anywhere still do nothing."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        planted(monkeypatch, lambda *_a, rng=rng: int(rng.integers(1, 12)))
        found = changing_patterns(loaded, "letters", n=2, seed=seed)
        assert "follows" not in {verdict.kind for verdict in found.verdicts.values()}


# ------------------------------------------------------------------ the bundled model


def test_l1h4_goes_two_three_four_and_l0h0_stays_at_two(repeat) -> None:
    distances = {
        label: [typical.distance for typical in repeat.shown(Head.parse(label)).values()]
        for label in ("L1H4", "L0H0")
    }
    assert distances == {"L1H4": [2, 3, 4], "L0H0": [2, 2, 2]}
    assert repeat.verdicts[Head(1, 4)] == ("follows", -1)
    assert repeat.verdicts[Head(0, 0)] == ("keeps", 2)


def test_counts_are_those_of_each_text_alone(loaded, repeat) -> None:
    """A second way: every text by ``collect``, and plain loops."""
    one = repeat.by_period[4]
    for place, text in enumerate(one.texts[:2]):
        attention = collect(loaded, text.encoding).attention
        for head in (Head(1, 4), Head(0, 0), Head(3, 2)):
            counts: dict[int, int] = {}
            for query in text.counted:
                row = attention[head.layer, head.head, query].tolist()
                key = max(range(1, query + 1), key=row.__getitem__)
                counts[query - key] = counts.get(query - key, 0) + 1
            mine = one.counts[head.layer, head.head, place]
            assert {d: int(n) for d, n in enumerate(mine.tolist()) if n} == counts


def test_the_notes_questions_have_answers(loaded) -> None:
    found = changing_patterns(loaded, "names")
    assert found.verdicts[Head(1, 4)] == ("follows", -1)
    said = words.three_back(found)
    follow = [head for head, verdict in found.verdicts.items() if verdict == ("follows", -1)]
    assert says(said, f"{len(follow)} heads")
    assert set(found.slots) == {NAME, NUMBER}
    for slot, attention in found.slots.items():
        assert attention.sequences == len(PERIODS) * DRAWS
        assert (attention.share >= attention.nearest - 1e-6).all()
        assert says(words.slot_sentence(found, slot), f"earlier {slot}s")
        # of (1/3 + 2/6 ...) an even head's share lies between nothing and all of the items
        assert 0 < float(attention.chance.min()) < 0.5


def test_the_conclusion_counts_what_the_table_counts(repeat) -> None:
    kinds = [verdict.kind for verdict in repeat.verdicts.values()]
    said = words.conclusion(repeat, Head(1, 4))
    assert says(said, f"{kinds.count('follows')} of 32", f"{kinds.count('keeps')} keep")
    assert says(said, "L1H4", "2", "3", "4")
    records = words.map_records(repeat)
    assert len(records) == 32
    assert sum(record["against"] for record in records) == kinds.count("keeps")
    assert {record["number"] for record in records if record["label"] == "L1H4"} == {"p−1"}


@pytest.mark.parametrize("kind", ["repeat", "names"])
def test_steps_of_a_few_sequences_give_the_same_as_all_at_once(kind, loaded, monkeypatch) -> None:
    in_steps = changing_patterns(loaded, kind, periods=(3, 4), n=3)
    plan = engine.prepare(loaded, kind, periods=(3, 4), n=3)
    assert [(period, some.start) for period, some in plan.steps] == [(3, 0), (3, 2), (4, 0), (4, 2)]
    monkeypatch.setattr(engine, "TOGETHER", 99)
    assert len(plan.steps) == 2
    at_once = changing_patterns(loaded, kind, periods=(3, 4), n=3)
    for period, one in at_once.by_period.items():
        found = in_steps.by_period[period]
        assert [text.text for text in found.texts] == [text.text for text in one.texts]
        assert torch.equal(found.counts, one.counts)
        assert torch.equal(found.control, one.control)
        torch.testing.assert_close(found.attention, one.attention)
        assert torch.equal(found.first.key, one.first.key)
        assert found.slots.keys() == one.slots.keys()
        for slot in one.slots:
            torch.testing.assert_close(found.slots[slot], one.slots[slot])
            torch.testing.assert_close(found.even[slot], one.even[slot])

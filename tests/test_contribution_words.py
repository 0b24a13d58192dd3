"""What is said about a taken-apart logit: every number by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headroles.attribution import Chance, Contributions, Target
from headroles.types import Head
from headroles.view import contribution_records as records
from headroles.view import contributions as words
from headroles.view import without_head
from headroles.view.without_head import Standing, Without
from tests.pages.planted import planted_entry

TOKENS = ("<s>", " Mary", " and", " John", " gave", " to")
LABELS = ["start", "·Mary", "·and", "·John", "·gave", "·to"]
MARY, JOHN = Target(1, " Mary"), Target(1, " Mary", 3, " John")


def parts_of(
    heads: dict[str, tuple[float, dict[int, float]]],
    *,
    target: Target = MARY,
    mlps: tuple[float, float, float] = (0.0, 0.0, 0.0),
    embedding: float = 0.0,
    bias: float = 0.0,
    logit: float | None = None,
) -> Contributions:
    """Three layers of two heads; {head: (what it wrote, {token: its attention there})}: all of what
    a head wrote came from the token that it looked at most, unless a third part says where, or
    {token: share}."""
    by_key, attention = torch.zeros(3, 2, 6), torch.zeros(3, 2, 6)
    attention[..., 0] = 1.0
    for label, (value, looked, *source) in heads.items():
        head = Head.parse(label)
        row = torch.tensor([looked.get(key, 0.0) for key in range(6)])
        row[0] += 1 - row.sum()
        attention[head.layer, head.head] = row
        (where,) = source or [int(row.argmax())]
        shares = where if isinstance(where, dict) else {where: 1.0}
        for key, share in shares.items():
            by_key[head.layer, head.head, key] = value * share
    made = Contributions(
        target=target,
        position=5,
        heads=by_key.sum(-1),
        by_key=by_key,
        attention=attention,
        attention_biases=torch.zeros(3),
        mlps=torch.tensor(mlps),
        embedding=embedding,
        positions=0.0,
        final_bias=bias,
        logit=0.0,
        replaced=torch.zeros(3, 2, dtype=torch.bool),
    )
    return replace(made, logit=made.total if logit is None else logit)


def lead(parts: Contributions) -> str:
    return words.story(parts, LABELS, TOKENS)[0]


COPIED = {"L1H0": (1.04, {1: 0.62}), "L0H1": (-0.2, {3: 0.9}), "L2H1": (0.7, {})}


def test_the_sentence_of_the_lesson() -> None:
    parts = parts_of(COPIED, mlps=(0.5, 0.0, 0.0), embedding=0.1)
    assert lead(parts) == "L1H0 looked at “·Mary” (62%) and wrote it: +1.04 of 2.14."
    assert words.totals_sentence(parts) == (
        "Together the embedding +0.10, heads +1.54 and MLPs +0.50 make the logit, 2.14."
    )


@pytest.mark.parametrize(
    ("of_head", "said"),
    [
        # it looked at another token, and wrote for the one that is watched
        ((1.0, {3: 0.9}), "L1H0 looked at “·John” (90%) and wrote for “·Mary”: +1.00 of 1.00."),
        # most of it came from a token that it hardly looked at
        (
            (1.0, {3: 0.6, 1: 0.2}, 1),
            "L1H0 looked at “·John” (60%) and wrote for “·Mary”: +1.00 of 1.00. Most of that came "
            "from “·Mary” (20% of its attention).",
        ),
        # as much from one token as from all others together, and no more
        (
            (1.0, {3: 0.6, 1: 0.2}, {1: 0.4, 3: 0.3, 4: 0.3}),
            "L1H0 looked at “·John” (60%) and wrote for “·Mary”: +1.00 of 1.00. The largest part "
            "of that came from “·Mary” (20% of its attention).",
        ),
        ((1.0, {}), "L1H0 rested on the start token (100%) and wrote for “·Mary”: +1.00 of 1.00."),
        ((1.0, {5: 0.8}), "L1H0 looked at its own token “·to” (80%) and wrote for “·Mary”"),
        (
            (1.0, {1: 0.25, 2: 0.24, 3: 0.24, 4: 0.24}),
            "L1H0 spread its attention (at most 25%, on “·Mary”) and wrote it: +1.00 of 1.00.",
        ),
    ],
)
def test_where_it_looked_and_what_it_wrote(of_head: tuple, said: str) -> None:
    assert lead(parts_of({"L1H0": of_head})).startswith(said.partition(". ")[0])
    assert words.of_head(parts_of({"L1H0": of_head}), Head(1, 0), LABELS, TOKENS).startswith(said)


def test_a_learned_sink_takes_what_is_on_no_token() -> None:
    parts = parts_of({"L1H0": (1.0, {1: 0.1})})
    parts.attention[1, 0, 0] = 0.05
    assert words.looks(parts, Head(1, 0), LABELS) == "rested on no token (85% on its learned sink)"


def test_a_token_that_stands_twice_is_named_with_its_position() -> None:
    twice = [*LABELS[:4], "·John", "·to"]
    parts = parts_of({"L1H0": (1.0, {4: 0.9})})
    assert "looked at “·John” at position 4 (90%)" in words.of_head(
        parts, Head(1, 0), twice, TOKENS
    )


def test_one_token_alone_leaves_nothing_to_look_at() -> None:
    parts = parts_of({"L1H0": (1.0, {})})
    alone = replace(parts, attention=parts.attention[..., :1], by_key=parts.by_key[..., :1])
    said = words.of_head(alone, Head(1, 0), LABELS[:1], TOKENS[:1])
    assert said.startswith("L1H0 can look at nothing but the start token and wrote for “·Mary”")


def test_mlps_that_wrote_more_come_first() -> None:
    parts = parts_of(COPIED, mlps=(4.0, 3.0, 0.0))
    first, alike, head = words.story(parts, LABELS, TOKENS)[:3]
    assert first == "The MLPs wrote most for “·Mary”: +7.00 of 8.54."
    assert alike == words.ALIKE
    assert head.startswith("The head that wrote most: L1H0 looked at “·Mary” (62%) and wrote it")
    of_two = words.story(replace(parts, target=JOHN), LABELS, TOKENS)
    assert words.ALIKE not in of_two  # a difference has nothing in common left


def test_an_embedding_that_brought_more_is_named() -> None:
    parts = parts_of({"L1H0": (0.5, {1: 0.9})}, embedding=3.0)
    assert lead(parts).startswith("The embedding brought most for “·Mary”: +3.00 of 3.50.")


def test_a_sum_below_zero_is_no_whole_to_be_a_part_of() -> None:
    parts = parts_of({"L1H0": (1.0, {1: 0.9}), "L2H0": (-5.0, {3: 0.9})})
    assert lead(parts).endswith("wrote it: +1.00, and all parts together make −4.00.")
    worst = words.of_head(parts, Head(2, 0), LABELS, TOKENS)
    assert worst == (
        "L2H0 looked at “·John” (90%) and wrote against “·Mary”: −5.00, and all parts together "
        "make −4.00."
    )


def test_no_head_that_wrote_is_said_with_the_one_that_wrote_against_it() -> None:
    parts = parts_of({"L2H0": (-0.5, {3: 0.9}), "L0H0": (0.01, {})}, mlps=(2.0, 0.0, 0.0))
    said = words.story(parts, LABELS, TOKENS)
    assert said[0] == "No head wrote for “·Mary”."
    assert "wrote against “·Mary”: −0.50" in said[1]


def test_next_to_nothing_is_not_made_much_of() -> None:
    parts = parts_of(COPIED | {"L0H0": (0.02, {2: 0.9}, 3)})
    said = words.of_head(parts, Head(0, 0), LABELS, TOKENS)
    assert (
        said == "L0H0 looked at “·and” (90%) and wrote next to nothing for “·Mary”: +0.02 of 1.56."
    )


def test_a_difference_names_both_tokens() -> None:
    parts = parts_of(COPIED, target=JOHN)
    assert lead(parts) == (
        "L1H0 looked at “·Mary” (62%) and wrote for it rather than “·John”: +1.04 of 1.54."
    )
    against = words.of_head(parts, Head(0, 1), LABELS, TOKENS)
    assert "wrote for “·John” rather than “·Mary”: −0.20" in against
    assert words.totals_sentence(parts).endswith("make the difference of the logits, 1.54.")


def test_the_place_of_a_sentence_that_is_coming_is_kept_before_the_last_one() -> None:
    parts = parts_of(COPIED)
    full = words.conclusion(parts, LABELS, TOKENS, coming=2)
    *_, last = full.split("</span>")
    assert full.count('class="hr-coming" aria-hidden="true"') == 2
    assert last.strip() == words.totals_sentence(parts)
    nobody = parts_of({"L0H0": (0.01, {})}, mlps=(2.0, 0.0, 0.0))  # whose knock-out is not told
    assert "hr-coming" not in words.conclusion(nobody, LABELS, TOKENS, coming=2)


# ------------------------------------------------------------------ without the head


def standing(rank: int, probability: float, guess: str = " Mary") -> Standing:
    return Standing(rank, probability, 100, guess)


def gone(now: dict, probability: float, rank: int = 1, guess: str = " Mary", **more) -> Without:
    held = standing(2, 0.1), parts_of(now, **(more | {"logit": 0.0}))
    return Without(Head(1, 0), standing(rank, probability, guess), parts_of(now, **more), held)


BEFORE = parts_of({"L1H0": (1.0, {1: 0.6}), "L2H0": (0.4, {1: 0.5}), "L0H0": (0.3, {})})
STAYS = standing(1, 0.74)


def test_the_head_that_takes_over_is_named_with_its_numbers() -> None:
    without = gone({"L2H0": (1.2, {1: 0.9}), "L0H0": (0.3, {})}, 0.71)
    assert tuple(without_head.taker(BEFORE, without)) == (
        Head(2, 0),
        pytest.approx(0.4),
        pytest.approx(1.2),
    )
    assert without_head.without_sentence(BEFORE, STAYS, without) == (
        "Without it, the answer stays (74% → 71%), because L2H0 takes over (+0.40 → +1.20)."
    )


def test_a_head_without_whose_rise_as_much_is_left_takes_nothing_over() -> None:
    """Held at what it wrote before, the token loses a fifth of its probability: .22 nats."""
    without = gone({"L2H0": (1.2, {1: 0.9}), "L0H0": (0.3, {})}, 0.71)
    held = replace(without, held=(standing(1, 0.57), without.parts))
    assert without_head.riser(BEFORE, held).head == Head(2, 0)
    assert without_head.taker(BEFORE, held) is None
    assert without_head.taker(BEFORE, replace(without, held=None)) is None
    assert without_head.taker(BEFORE, replace(held, held=(standing(1, 0.5), held.parts)))


def test_less_than_half_of_what_is_lost_is_no_taking_over() -> None:
    half = gone({"L2H0": (0.91, {}), "L0H0": (0.3, {})}, 0.7)  # rises by .51 of 1.0
    less = gone({"L2H0": (0.88, {}), "L0H0": (0.3, {})}, 0.7)
    assert without_head.taker(BEFORE, half).head == Head(2, 0)
    assert without_head.taker(BEFORE, less) is None
    assert without_head.without_sentence(BEFORE, STAYS, less) == (
        "Without it, the answer stays (74% → 70%)."
    )


def test_a_head_that_only_holds_back_less_is_not_said_to_take_over() -> None:
    before = parts_of({"L1H0": (1.0, {1: 0.6}), "L2H0": (-0.9, {1: 0.5}), "L0H0": (0.3, {})})
    without = gone({"L2H0": (-0.2, {}), "L0H0": (0.3, {})}, 0.71)
    assert without_head.without_sentence(before, STAYS, without).endswith(
        "because L2H0 now writes less against it (−0.90 → −0.20)."
    )


def test_nobody_takes_over_what_would_hardly_be_missed() -> None:
    """A loss of .2 logits, made up for in full; and one of .4 out of a lead of 5."""
    before = parts_of({"L1H0": (0.2, {1: 0.6}), "L0H0": (0.3, {})})
    assert without_head.taker(before, gone({"L2H0": (0.2, {}), "L0H0": (0.3, {})}, 0.7)) is None
    before = parts_of({"L1H0": (0.4, {1: 0.6}), "L0H0": (0.3, {})}, target=JOHN, logit=5.0)
    without = gone({"L2H0": (0.4, {}), "L0H0": (0.3, {})}, 0.7, target=JOHN, logit=5.0)
    assert without_head.taker(before, without) is None
    assert without_head.taker(replace(before, logit=1.5), without).head == Head(2, 0)


def test_an_earlier_head_cannot_take_over() -> None:
    assert without_head.taker(BEFORE, gone({"L0H0": (1.3, {}), "L2H0": (0.4, {})}, 0.7)) is None


def test_what_the_norm_does_to_all_parts_alike_is_no_taking_over() -> None:
    """Every part that the knock-out cannot reach doubles, and so does the later head."""
    doubled = gone({"L0H0": (0.6, {}), "L2H0": (0.8, {})}, 0.7)
    rise = float(doubled.parts.heads[2, 0] - BEFORE.heads[2, 0])
    assert rise < without_head.HALF  # and so it would not count anyway
    big = parts_of({"L1H0": (1.0, {}), "L2H0": (2.0, {}), "L0H0": (0.3, {})})
    doubled = gone({"L0H0": (0.6, {}), "L2H0": (4.0, {})}, 0.7)
    assert without_head.taker(big, doubled) is None


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [
        ((1, 0.74), (2, 0.2, " John"), "the model says “·John” instead of “·Mary” (74% → 20%)"),
        ((1, 0.74), (1, 0.3, " Mary"), "the answer stays, but gets less likely (74% → 30%)"),
        ((1, 0.3), (1, 0.74, " Mary"), "the answer stays, and gets likelier (30% → 74%)"),
        ((3, 0.05), (5, 0.02, " the"), "“·Mary” falls from 3rd to 5th (5% → 2%)"),
        ((3, 0.05), (1, 0.4, " Mary"), "the model even says “·Mary” (5% → 40%)"),
        ((3, 0.05), (3, 0.05, " the"), "“·Mary” stays 3rd (5%)"),
    ],
)
def test_what_becomes_of_the_answer(now: tuple, then: tuple, said: str) -> None:
    without = Without(Head(1, 0), standing(*then), parts_of({}))
    assert without_head.without_sentence(BEFORE, standing(*now), without) == f"Without it, {said}."


def test_an_answer_that_is_lost_is_not_saved_by_the_head_that_takes_over() -> None:
    without = gone({"L2H0": (1.2, {}), "L0H0": (0.3, {})}, 0.2, rank=2, guess=" John")
    said = without_head.without_sentence(BEFORE, STAYS, without, name="L1H0")
    assert said == (
        "Without L1H0, the model says “·John” instead of “·Mary” (74% → 20%), although L2H0 takes "
        "over (+0.40 → +1.20)."
    )


def test_nobody_takes_over_for_a_head_without_which_the_token_gains() -> None:
    without = gone({"L2H0": (1.2, {}), "L0H0": (0.3, {})}, 0.4)
    said = without_head.without_sentence(BEFORE, standing(2, 0.1, " John"), without)
    assert said == "Without it, the model even says “·Mary” (10% → 40%)."


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (1.6, "“·Mary” keeps its lead (+1.70 → +1.60)"),
        (1.0, "“·Mary” loses some of its lead (+1.70 → +1.00)"),
        (0.5, "“·Mary” loses much of its lead (+1.70 → +0.50)"),
        (-0.4, "the model prefers “·John” (+1.70 → −0.40)"),
    ],
)
def test_what_becomes_of_a_difference(after: float, said: str) -> None:
    before = replace(BEFORE, target=JOHN)
    without = gone({}, 0.7, target=JOHN, logit=after)
    assert without_head.without_sentence(before, STAYS, without) == f"Without it, {said}."


# ------------------------------------------------------------------ chance


def chance_of(means: dict[str, float], spread: float = 0.1, n: int = 20) -> Chance:
    mean = torch.zeros(3, 2)
    for label, value in means.items():
        head = Head.parse(label)
        mean[head.layer, head.head] = value
    return Chance(mean, torch.full((3, 2), spread), n, "On 20 copies of this prompt.")


@pytest.mark.parametrize(
    ("mean", "spread", "said"),
    [
        (0.02, 0.1, "That is about this prompt: on 20 other prompts it wrote +0.02 ± 0.10."),
        (0.6, 0.1, "Only a part of that is about this prompt: on 20 other prompts it wrote +0.60 "),
        (0.9, 0.2, "It writes much of that anyway: on 20 other prompts it wrote +0.90 ± 0.20."),
        (0.1, 0.9, "That may still be chance: on 20 other prompts it wrote +0.10 ± 0.90."),
    ],
)
def test_a_head_that_always_writes_the_token_is_seen_as_such(
    mean: float, spread: float, said: str
) -> None:
    parts, chance = parts_of(COPIED), chance_of({"L1H0": mean}, spread)
    assert words.chance_sentence(parts, Head(1, 0), chance).startswith(said)


def test_more_than_by_chance_is_corrected_for_the_number_of_heads() -> None:
    """t(19) of 3.1 is p = .006: alone clear, but not beside five others at p = 1 (.05 / 6)."""
    parts = parts_of({"L1H0": (0.31 * (1 + 1 / 20) ** 0.5, {1: 0.9})})
    others = {f"L{layer}H{head}": 0.0 for layer in range(3) for head in range(2)}
    effect = words.effects(parts, chance_of(others))[Head(1, 0)]
    assert effect.p_control == pytest.approx(0.0059, abs=1e-4)
    assert words.beyond_chance(parts, chance_of(others)) == {Head(1, 0)}
    weaker = parts_of({"L1H0": (0.28 * (1 + 1 / 20) ** 0.5, {1: 0.9})})  # p = .0114
    assert words.beyond_chance(weaker, chance_of(others)) == frozenset()


def test_the_table_says_what_heads_wrote_on_other_prompts() -> None:
    headers, rows = records.ranking(parts_of(COPIED), LABELS, chance=chance_of({"L0H1": -0.2}))
    assert headers[-2:] == ["On other prompts", "More than there?"]
    assert [row[-2:] for row in rows] == [
        ["0.00 ± 0.10", "yes"], ["0.00 ± 0.10", "yes"], ["−0.20 ± 0.10", "no"],
    ]  # fmt: skip


# ------------------------------------------------------------------ records


def test_the_bars_of_the_sum_follow_each_other_to_the_logit() -> None:
    parts = parts_of(COPIED, mlps=(0.5, -1.0, 0.0), embedding=0.1, bias=-0.25)
    bars = records.sum_records(parts)
    assert [bar["name"] for bar in bars] == [
        "token embedding", "6 heads", "3 MLPs", "final bias", "sum",
    ]  # fmt: skip
    assert [bar["start"] for bar in bars[1:-1]] == [bar["end"] for bar in bars[:-2]]
    assert bars[-2]["end"] == bars[-1]["end"] == pytest.approx(0.1 + 1.54 - 0.5 - 0.25)
    assert [bar["against"] for bar in bars] == [False, False, True, True, False]


def test_the_layers_add_up_to_heads_and_mlps() -> None:
    parts = parts_of(COPIED, mlps=(0.5, -1.0, 0.0))
    bars = records.layer_records(parts)
    assert [bar["value"] for bar in bars] == pytest.approx([-0.2, 0.5, 1.04, -1.0, 0.7, 0.0])
    assert records.layers_sentence(parts) == (
        "Most was added by the heads of layer 1 (+1.04); most was taken off by the MLP of layer 1 "
        "(−1.00)."
    )


def test_the_tokens_of_a_head_add_up_to_what_it_wrote() -> None:
    parts = parts_of({"L1H0": (1.0, {1: 0.5, 3: 0.25})})
    rows = records.key_rows(parts, Head(1, 0), LABELS)
    assert sum(row["value"] for row in rows) == pytest.approx(1.0)
    assert [row["per"] for row in rows] == [0.0, 2.0, None, 0.0, None, None]
    long = replace(
        parts,
        by_key=torch.full((3, 2, 40), 0.1),
        attention=torch.full((3, 2, 40), 1 / 40),
    )
    bars = records.key_records(long, Head(0, 0), [str(n) for n in range(40)])
    assert len(bars) == records.KEYS_SHOWN + 1
    assert bars[-1]["name"] == "28 others"
    assert sum(bar["value"] for bar in bars) == pytest.approx(4.0)


def test_the_ranking_has_both_sides_with_their_shares() -> None:
    parts = parts_of(COPIED)
    headers, rows = records.ranking(parts, LABELS, roles={"L1H0": "Name mover"})
    assert headers == list(records.RANKING)
    assert [row[:4] for row in rows] == [
        ["L1H0", "Name mover", "+1.04", "60% for"],
        ["L2H1", "–", "+0.70", "40% for"],
        ["L0H1", "–", "−0.20", "100% against"],
    ]
    assert rows[0][4] == "1 ·Mary (62%)"


def test_the_map_shades_by_size_and_colours_by_sign() -> None:
    cells = {cell["label"]: cell for cell in records.map_records(parts_of(COPIED))}
    assert cells["L1H0"]["shade"] == 1
    assert cells["L0H1"]["against"]
    assert cells["L0H1"]["shade"] == pytest.approx(0.2 / 1.04, abs=1e-3)
    assert cells["L0H1"]["number"] == "−0.2"
    assert cells["L2H0"]["shown"] == "0.00 logits, next to nothing"


def test_a_head_that_only_rests_is_not_marked() -> None:
    entry = planted_entry(4, 8)
    roles = records.roles_of(entry)
    resting = [head.label for head in entry.listed("positional")]
    assert resting
    assert all(records.RESTING in roles[label] for label in resting)
    assert records.roles_of(None) == {}
    cells = records.map_records(
        parts_of(COPIED), roles={"L0H0": records.RESTING, "L1H0": "Induction"}
    )
    assert {cell["label"] for cell in cells if cell["listed"]} == {"L1H0"}

"""The picture of the indirect-object task, from paths, in a real language model."""

from __future__ import annotations

import pytest

from headroles.ablation import (
    LOGITS,
    Path,
    Receiver,
    every_sender,
    grow,
    more_pairs,
    path_effects,
)
from headroles.ablation.pairs import make_pair
from headroles.models import LoadedModel
from headroles.types import Head
from tests.test_paths import IOI, PlainPaths

MOVERS = tuple(Receiver(Head(23, head), "query") for head in (0, 1, 2, 7))
"""The queries of the name movers that the analysis lists."""


@pytest.fixture(scope="module")
def pairs(real: LoadedModel):
    pair = make_pair(real, *IOI, answer="Mary", against="John")
    return more_pairs(real, pair, 3)


def test_the_s_inhibition_head_tells_the_name_movers_whom_to_name(real: LoadedModel, pairs) -> None:
    """The analysis found L20H0 by knock-outs; it has no direct effect on the names itself."""
    senders = [Head(layer, head) for layer in range(18, 23) for head in range(9)]
    (queries,) = every_sender(pairs, [MOVERS], 30, 9, senders=senders).all(real)
    strongest, second = queries.strongest(2)
    assert strongest.sender == Head(20, 0)
    assert strongest.share > 0.2
    assert strongest.effect > 3 * abs(second.effect)
    (written,) = every_sender(pairs, [[LOGITS]], 30, 9).all(real)
    assert abs(float(written.shares[20, 0])) < 0.02
    writers = {sent.sender for sent in written.strongest(8) if sent.effect > 0}
    assert {Head(23, 0), Head(23, 3)} <= writers
    assert float(written.effects[24, 4]) < 0  # the copy suppressor


def test_the_strongest_paths_of_one_pair_are_the_picture(real: LoadedModel, pairs) -> None:
    """Induction -> values of S-inhibition -> queries of the name movers together -> logits."""
    circuit = grow(real, pairs[:1])
    movers = {one.head for one in MOVERS} | {Head(23, 3)}
    assert movers <= set(circuit.levels[0])
    told, clear = {}, {arrow.sender: arrow for arrow in circuit.arrows if arrow.is_clear}
    for arrow in circuit.arrows:
        told.setdefault(arrow.into, []).append(arrow.sender)
    assert set(clear[Head(20, 0)].heads) == movers
    assert clear[Head(20, 0)].input == "query"
    assert Head(19, 2) in told[clear[Head(20, 0)].into]
    assert (clear[Head(17, 4)].into, clear[Head(17, 4)].effect > 0) == ("L20H0.value", True)


def test_paths_equal_plain_hooks(real: LoadedModel, pairs) -> None:
    plain = PlainPaths(real, pairs[0], "noise")
    expected = [plain.effect(Head(20, 0), MOVERS), plain.effect(Head(23, 3), (Receiver(),))]
    found = path_effects(real, pairs[0], [Path((Head(20, 0),), MOVERS), Path((Head(23, 3),))])
    assert found.tolist() == pytest.approx(expected, abs=2e-4)

"""Where a head looks from the second copy of a segment, and every head by distance."""

from __future__ import annotations

import pytest
import torch

from headroles.roles import ROLES, Prompts
from headroles.scoring import Stripes, every_profile, offset_profile, stripes
from headroles.view import random_repeats
from tests.facts import says

SEGMENT = (11, 12, 13, 14)
IDS = (0, *SEGMENT, *SEGMENT)


def looking(role: str, ids: tuple[int, ...] = IDS) -> torch.Tensor:
    """[query key] a head that does a role perfectly, and rests elsewhere."""
    cells = ROLES[role].cells(Prompts.of_ids(ids))[0].float()
    rest = torch.zeros_like(cells)
    rest[:, 0] = 1
    return torch.where(cells.sum(-1, keepdim=True) > 0, cells, rest)


@pytest.mark.parametrize(
    ("role", "stripe"),
    [
        ("induction", "after"),
        ("duplicate_token", "copy"),
        ("previous_token", "before"),
        ("positional", "first"),
    ],
)
def test_a_perfect_head_fills_the_stripe_of_its_role(role: str, stripe: str) -> None:
    found = stripes(looking(role), IDS)
    assert (found.segment, found.rows) == (4, 4)
    assert getattr(found, stripe) == 1
    assert sum((found.after, found.copy, found.before, found.first)) == 1


def test_by_hand_in_a_copy_that_is_cut() -> None:
    """start a b c a b: rows 4 and 5; row 4 looks for b at 2, row 5 for c at 3."""
    attention = torch.zeros(6, 6)
    attention[4, 2], attention[4, 1], attention[4, 0] = 0.6, 0.3, 0.1
    attention[5, 3], attention[5, 2], attention[5, 4] = 0.2, 0.1, 0.7
    found = stripes(attention, (0, 7, 8, 9, 7, 8))
    assert (found.segment, found.rows) == (3, 2)
    assert found.after == pytest.approx(0.4)
    assert found.copy == pytest.approx(0.2)
    assert found.before == pytest.approx(0.35)
    assert found.first == pytest.approx(0.05)


def test_without_a_second_copy_there_is_none() -> None:
    assert stripes(torch.eye(4), (0, 1, 2, 3)) is None
    assert random_repeats.stripes_sentence("L0H0", None) == ""


def test_the_sentence_names_the_strongest_stripe_and_its_distance() -> None:
    said = random_repeats.stripes_sentence("L1H4", stripes(looking("induction"), IDS))
    assert says(said, "L1H4", "100%", "3 tokens back", "induction head")
    weak = Stripes(4, 4, after=0.2, copy=0.1, before=0.1, first=0.1)
    assert says(random_repeats.stripes_sentence("L0H0", weak), "no clear stripe", "20%")


def test_every_profile_is_that_of_each_head() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 9, 9, generator=generator)
    hidden = torch.ones(9, 9).triu(1).bool()
    attention = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    window = torch.ones(9, 9).tril().triu(-4).bool()
    attention[1] = attention[1] * window / (attention[1] * window).sum(-1, keepdim=True)
    shares, chance = every_profile(attention, longest=6, sight=(None, window))
    assert shares.shape == (6, 2, 3)
    for layer, visible in enumerate((None, window)):
        for head in range(3):
            near = offset_profile(attention[layer, head], longest=6, visible=visible).near
            for distance in range(1, 7):
                one = near[distance]
                if not one.rows:
                    assert bool(shares[distance - 1, layer, head].isnan())
                    continue
                assert float(shares[distance - 1, layer, head]) == pytest.approx(one.share)
                assert float(chance[distance - 1, layer]) == pytest.approx(one.chance)

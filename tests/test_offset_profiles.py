"""All heads' offset profiles: which distance is a head's best, which heads are drawn, in order."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from headroles.charts.profiles import every_profile
from headroles.types import Head
from headroles.view import tables
from headroles.view.offset_profiles import (
    Best,
    Profiles,
    drawn,
    largest_share,
    of_run,
    records,
    rows,
    sentence,
)
from tests.facts import says

NAN = math.nan
# [distance][layer][head]: L0H0 looks 1 back, L0H1 3 back, L1H0 2 back a little, L1H1 nowhere.
PROFILES = Profiles(
    shares=[
        [[0.8, 0.1], [0.2, 0.1]],
        [[0.1, 0.1], [0.3, 0.1]],
        [[0.0, 0.6], [0.1, 0.1]],
    ],
    chance=[[0.2, 0.2], [0.2, 0.2], [0.2, 0.2]],
    measured_on="4 texts",
)


def test_the_best_distance_is_the_one_furthest_over_chance() -> None:
    assert PROFILES.best(Head(0, 0)) == Best(1, 0.8, 0.2, pytest.approx(0.75))
    assert PROFILES.best(Head(0, 1)).distance == 3
    assert PROFILES.best(Head(1, 0)) == Best(2, 0.3, 0.2, pytest.approx(0.125))
    assert PROFILES.best(Head(1, 1)).distance == 1  # all equal, below chance: the nearest


def test_the_rows_go_by_distance_and_the_clearest_first() -> None:
    assert drawn(PROFILES) == [Head(0, 0), Head(1, 1), Head(1, 0), Head(0, 1)]
    assert drawn(PROFILES, most=2) == [Head(0, 0), Head(0, 1)]
    assert drawn(PROFILES, layer=1, most=1) == [Head(1, 1), Head(1, 0)]  # all of the layer


def test_the_sentence_counts_clear_heads_by_distance() -> None:
    assert says(sentence(PROFILES), "2 of 4 heads", "1 at −1", "1 at −3")
    flat = Profiles([[[0.2]]], [[0.2]], "4 texts")
    assert says(sentence(flat), "None of 1 head")


def test_what_could_not_be_measured_is_left_out() -> None:
    profiles = Profiles(
        [[[0.5], [NAN]], [[NAN], [NAN]]], [[0.2, NAN], [0.2, NAN]], "this prompt", frozenset()
    )
    assert profiles.heads == [Head(0, 0)]
    assert profiles.of(Head(0, 0)) == {1: (0.5, 0.2)}
    unseen = Profiles(PROFILES.shares, PROFILES.chance, "4 texts", frozenset({0}))
    assert unseen.heads == [Head(1, 0), Head(1, 1)]


def test_a_cell_per_head_and_distance_with_one_frame_a_row() -> None:
    cells = records(PROFILES, drawn(PROFILES))
    assert len(cells) == 12
    framed = [(cell["row"], cell["distance"]) for cell in cells if cell["best"]]
    assert framed == [("L0H0", 1), ("L1H1", 1), ("L1H0", 2), ("L0H1", 3)]
    assert largest_share(PROFILES, drawn(PROFILES)) == 0.8
    assert max(cell["shade"] for cell in cells) == 1
    chart = every_profile(cells).to_dict()
    assert chart["height"] == 4 * 24


def test_tables_and_files_hold_every_distance() -> None:
    table = tables.offset_profiles(PROFILES, [Head(0, 1)])
    assert table["best distance"].tolist() == [3]
    assert table[["−1", "−2", "−3"]].iloc[0].tolist() == [0.1, 0.1, 0.6]
    exported = rows(PROFILES)
    assert [row["label"] for row in exported] == ["L0H0", "L0H1", "L1H0", "L1H1"]
    assert exported[1] == {
        "label": "L0H1", "layer": 0, "head": 1, "best_distance": 3, "share": 0.6, "chance": 0.2,
        "back_1": 0.1, "back_2": 0.1, "back_3": 0.6,
    }  # fmt: skip


@pytest.mark.parametrize(("length", "distances"), [(1, 0), (2, 0), (3, 1), (5, 3)])
def test_a_short_prompt_has_as_many_distances_as_its_tokens_reach(length, distances) -> None:
    even = torch.ones(2, 3, length, length).tril()
    even /= even.sum(-1, keepdim=True)
    run = SimpleNamespace(attention=even, token_ids=range(length), sight=())
    profiles = of_run(run, 16)
    assert profiles.distances == list(range(1, distances + 1))
    assert len(profiles.heads) == (6 if distances else 0)
    for shares, chance in zip(profiles.shares, profiles.chance, strict=True):
        assert shares == [pytest.approx([even_spread] * 3) for even_spread in chance]

"""The charts hold the numbers that they are given, and validate."""

from __future__ import annotations

import torch

from headroles.ablation import judge
from headroles.ablation.offset_test import Measured, profile
from headroles.charts import control_strip, offset_profile


def _rows(chart) -> list[dict]:
    spec = chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows]


def test_every_draw_and_the_effect_are_in_the_strip() -> None:
    draws = [("L0H1", 0.1), ("L0H2", 0.3)]
    chart = control_strip(judge(0.9, [0.1, 0.3]), draws, name="L0H0", axis="nats")
    rows = _rows(chart)
    assert {(row["heads"], row["effect"]) for row in rows if "heads" in row} == {
        *draws,
        ("L0H0", 0.9),
    }
    assert any(row.get("at") == 0.2 for row in rows)


def test_the_profile_has_a_mark_an_offset_and_head() -> None:
    one = Measured(torch.tensor([1.0, 0.5]), torch.tensor([0.2, 0.5]), torch.tensor([[0.9, 0.5]]))
    rows = [row for row in _rows(offset_profile(profile([one, one]), head="L0H6")) if "who" in row]
    found = {(row["who"], row["offset"]): round(row["carried"], 3) for row in rows}
    assert found == {
        ("L0H6", 1): 0.8,
        ("L0H6", 2): 0,
        ("random others", 1): 0.1,
        ("random others", 2): 0,
    }


def test_without_others_there_is_one_series() -> None:
    one = Measured(torch.tensor([1.0]), torch.tensor([0.2]), torch.zeros(0, 1))
    rows = _rows(offset_profile(profile([one]), head="L0H6"))
    assert {row["who"] for row in rows if "who" in row} == {"L0H6"}

"""The reference offset profile, by what it draws."""

from __future__ import annotations

from headroles.charts.profiles import reference_profile


def test_a_profile_draws_both_texts_by_shape_and_colour() -> None:
    found = [
        {
            "distance": distance,
            "text": text,
            "share": 0.1,
            "low": 0.05,
            "high": 0.15,
            "chance": 0.1,
            "shown": text,
        }
        for text in ("sentences", "random tokens")
        for distance in (1, 2)
    ]
    layers = reference_profile(found).to_dict()["layer"]
    marks = {layer["mark"]["type"] for layer in layers}
    assert {"bar", "point", "rule", "tick"} <= marks

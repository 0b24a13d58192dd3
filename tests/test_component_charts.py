"""Charts of components as they are drawn, at the widths of a phone and of a screen."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch

from headroles.charts import component_pictures, components
from headroles.circuits.component_pairs import PairProfile
from headroles.circuits.reconstruction import Reconstruction
from headroles.view import component_pairs as pair_words
from headroles.view import component_pictures as picture_words
from tests.drawn import SVG, picture, texts

PHONE, SCREEN = 358, 960
"""Pixels of a chart."""


def placed(drawing, width: int) -> dict[str, tuple[float, float]]:
    """{label: where it stands} of the axes and the legend, without what is hidden."""
    found = {}

    def walk(part, x: float, y: float) -> None:
        moved = re.match(r"translate\(([-\d.]+),\s*([-\d.]+)\)", part.get("transform") or "")
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        if part.tag == f"{SVG}text" and part.get("opacity") != "0" and any(part.itertext()):
            found[" ".join(part.itertext())] = (x, y)
        for inner in part:
            walk(inner, x, y)

    walk(picture(drawing, width), 0.0, 0.0)
    return found


def shares(names, rows=("L0Q0", "L0Q1", "L0Q2")):
    cells = [
        {"order": order, "row": row, "head": head, "name": name, "share": 0.1, "shown": "10%"}
        for order, row in enumerate(rows)
        for head, name in enumerate(names)
    ]
    bars = [
        {"order": order, "row": row, "entropy": 1.0, "part": 0.5, "shown": "2.7"}
        for order, row in enumerate(rows)
    ]
    return components.head_shares({"cells": cells, "bars": bars}, names)


@pytest.mark.parametrize(("width", "names", "shown"), [
    (PHONE, [f"H{n}" for n in range(9)], [f"H{n}" for n in range(9)]),
    (PHONE, [f"H{n}" for n in range(12)], [f"{n}" for n in range(12)]),
    (PHONE, [f"H{n}" for n in range(32)], [f"{n}" for n in range(0, 32, 3)]),
    (PHONE, ["H0–H11", "H12–H23", "H24–H31"], ["0–11", "12–23", "24–31"]),
    (SCREEN, [f"H{n}" for n in range(12)], [f"H{n}" for n in range(12)]),
])  # fmt: skip
def test_names_of_heads_have_room_and_are_left_out_only_where_numbers_have_none(
    width, names, shown
) -> None:
    labels, _ = texts(shares(names), width)
    assert [label for label in labels if not label.startswith("L0")] == shown


def test_every_name_of_a_row_is_as_far_from_the_next() -> None:
    found = placed(shares(["H0", "H1"]), PHONE)
    first, second, third = (found[f"L0Q{n}"][1] for n in range(3))
    assert second - first == pytest.approx(third - second, abs=0.6)


def test_bars_of_effects_all_have_their_names() -> None:
    records = [{"what": f"{n}: L0Q{n}", "cost": n / 10, "shown": f"{n / 10}"} for n in range(7)]
    drawing = components.effects(records, axis="rise", down="without")
    assert {record["what"] for record in records} <= set(texts(drawing, SCREEN)[0])
    axis = drawing.to_dict()["layer"][0]["encoding"]["y"]["axis"]
    assert axis["title"] == "without"
    assert axis["labelOverlap"] is False  # the browser's letters are higher than these


def test_a_legend_of_three_stands_in_three_rows_on_a_phone() -> None:
    names = ["the components behind the role", "SVD components, as many", "as many at random"]
    lines = [{"taken": n, "value": 0.5, "which": name} for name in names for n in (1, 2)]
    drawing = components.left(lines, [{"taken": 1, "low": 0.1, "high": 0.2, "value": 0.1}])
    narrow, wide = placed(drawing, PHONE), placed(drawing, SCREEN)
    assert len({narrow[name][1] for name in names}) == 3
    assert len({narrow[name][0] for name in names}) == 1
    beside = [wide[name][1] for name in names]
    assert max(beside) - min(beside) < 2


def test_the_axis_of_the_training_has_no_exponents() -> None:
    for top, shown in ((812.0, "400"), (0.002, "0.001"), (2400.0, "1,000")):
        drawing = components.training(
            [{"step": 0, "value": top}, {"step": 9, "value": 0}], title=""
        )
        labels, _ = texts(drawing, PHONE)
        assert not any("e" in label for label in labels)
        assert shown in labels


def test_names_of_columns_stand_upright_where_they_have_no_room_to_lean() -> None:
    records = [
        {"key": "L0K1", "value_component": f"L0V{n}", "value": 0.5, "shade": 0.5, "against": False,
         "number": "0.5", "shown": "0.50"}
        for n in range(20)
    ]  # fmt: skip
    drawing = component_pictures.couples(records, unit="")
    for width, angle in ((PHONE, "-90"), (SCREEN, "-60")):
        turned = {
            re.search(r"rotate\(([-\d.]+)\)", text.get("transform") or "")[1]
            for text in picture(drawing, width).iter(f"{SVG}text")
            if "".join(text.itertext()).startswith("L0V")
        }
        assert turned == {angle}


# ------------------------------------------------------------------ what is drawn of very many


def test_points_lie_evenly_over_all_tokens_and_keep_both_ends() -> None:
    draw = torch.Generator().manual_seed(0)
    activations = torch.randn(1674, generator=draw)
    importances = (activations - 0.5).clamp(0, 1)
    tokens = [str(n) for n in range(1674)]
    found = picture_words.scatter_records(activations, importances, tokens, 80)
    assert len({record["where"] for record in found}) == len(found) == 80
    numbers = [record["activation"] for record in found]
    assert min(numbers) == round(float(activations.min()), 3)
    assert max(numbers) == round(float(activations.max()), 3)
    alive = sum(record["importance"] > 0.1 for record in found) / 80
    assert alive == pytest.approx(float((importances > 0.1).float().mean()), abs=1 / 80)
    assert len(picture_words.scatter_records(activations[:70], importances[:70], tokens, 80)) == 70
    assert picture_words.points_sentence(70, 80) == "All 70 tokens of text are drawn."


# ------------------------------------------------------------------ pairs by distance


def profile(*parts: list[float]) -> PairProfile:
    """One pair, the biases and all other pairs of a single head."""
    return PairProfile(((0, 1),), torch.tensor(parts).unsqueeze(1), (0,), rotates=True)


def test_biases_and_all_other_pairs_have_shades_of_their_own() -> None:
    found = profile([1.0, -2.0, 0.5], [40.0, 20.0, 10.0], [10.0, 5.0, -20.0])
    shades = {}
    for record in pair_words.square_records(0, found, 0):
        shades.setdefault(record["row"], []).append(record["shade"])
    assert shades["L0Q0 × L0K1"] == [0.5, 1.0, 0.25]
    assert shades["biases"] == [1.0, 0.5, 0.25]
    assert shades["all other pairs"] == [0.25, 0.125, 0.5]
    said = pair_words.shade_sentence(found, 0)
    assert "2.0 in the rows of pairs" in said
    assert "40.0 in the two below" in said
    assert "20.5" not in said
    assert "19.5" in pair_words.shade_sentence(found, None, by_head=True)


@pytest.mark.parametrize(("total", "said"), [
    ([29.5, 29.7, 26.0], "favour no single distance: the token itself and the token before are"),
    ([27.0, 29.7, 26.0], "favour the token before."),
    ([10.0, 10.0, 9.9, 9.9, 0.0], "favour no single distance: 4 are nearly alike."),
])  # fmt: skip
def test_a_distance_is_favoured_only_where_it_is_clear(total, said) -> None:
    first = [1.0, *[0.5] * (len(total) - 1)]
    rest = [whole - own for whole, own in zip(total, first, strict=True)]
    found = pair_words.sentence(0, profile(first, [7.0] * len(total), rest), 0)
    assert said in found
    assert "what this pair adds varies by 0.5" in found


# ------------------------------------------------------------------ a sum that is exact


def reconstruction(error: float) -> Reconstruction:
    block = torch.ones(2, 2)
    return Reconstruction(block, block, error * block, 1, (2, 2), 1, 2, error, ((2.0, 2 * error),))


def test_an_exact_sum_is_said_to_be_one() -> None:
    exact = picture_words.reconstruction_sentence(reconstruction(1e-7), "q", 0)
    assert exact == "The sum of the 2 components is the query matrix of layer 0, but for rounding."
    missing = picture_words.reconstruction_sentence(reconstruction(0.02), "q", 0)
    assert "misses 2.0% of" in missing
    shade = picture_words.shade_sentence
    assert "nothing but rounding" in shade(torch.ones(1, 1) * 1e-7, 1e-7, is_rounding=True)
    assert "strongest shade: 2" in shade(torch.ones(1, 1), 2.0, is_rounding=False)


@pytest.mark.parametrize(("kl", "before", "said"), [
    (3e-9, 0.4000001, "says the same as the model: its first guess has 40% in both."),
    (0.002, 0.4000001, "It has the same first guess, with 40% as before."),
    (0.013, 0.46, "It has the same first guess, with 40% instead of 46%."),
])  # fmt: skip
def test_a_guess_is_set_beside_another_only_where_they_differ(kl, before, said) -> None:
    found = SimpleNamespace(kl=kl, rank=1, probability=0.4, probability_before=before)
    assert picture_words.prompt_sentence(found).endswith(said)
    assert " 0 nats" not in picture_words.prompt_sentence(found)

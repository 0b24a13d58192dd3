"""Which layers rest: the counts by hand, the words, and the chart at the shapes of real models."""

from __future__ import annotations

import pytest
import torch

from headroles.charts import heads as charts_heads
from headroles.charts.resting import layer_columns
from headroles.types import Head
from headroles.verdicts import score_prompt
from headroles.view.resting_layers import COLUMNS, RestingLayers, resting_layers
from tests.drawn import SVG, picture, texts
from tests.facts import says

LENGTH = 8
SHARES = [[0.9, 0.8, 0.1], [0.9, 0.9, 0.9], [0.2, 0.1, 0.3]]
"""Each head's attention on the first token, in three layers of three heads."""
CHANGE = torch.tensor([[0.1, 0.9, 0.1], [0.2, 0.3, 0.4], [0.1, 0.1, 0.1]])


def scores(change: torch.Tensor | None = CHANGE, length: int = LENGTH):
    first = torch.tensor(SHARES)[..., None, None] * torch.eye(length)[0]
    self_ = (1 - torch.tensor(SHARES))[..., None, None] * torch.eye(length)
    return score_prompt((first + self_).tril(), list(range(length)), output_change=change)


def made(layers: int, heads: int) -> RestingLayers:
    """Head h of layer l rests where h < l, and works where h = l."""
    places = [[Head(layer, head) for head in range(heads)] for layer in range(layers)]
    rests = tuple(tuple(row[:layer]) for layer, row in enumerate(places))
    works = tuple(tuple(row[layer : layer + 1]) for layer, row in enumerate(places))
    return RestingLayers(rests, works, tuple(row[0] for row in places), heads, witnessed=True)


def test_who_rests_by_hand() -> None:
    layers = resting_layers(scores(), 0.6)
    assert layers.rests == ((Head(0, 0),), (Head(1, 0), Head(1, 1), Head(1, 2)), ())
    assert layers.works == ((Head(0, 1),), (), ())
    assert layers.clearest == (Head(0, 0), Head(1, 0), Head(2, 2))
    assert says(layers.headline, "4 of all 9")
    assert says(layers.sentence, "All heads of layer 1 rest.")
    assert says(layers.sentence, "1 more")


def test_a_head_that_rests_is_clearer_than_one_that_works() -> None:
    """L1H0 and its like have the same attention; only L1H2 rests."""
    layers = resting_layers(scores(torch.tensor([[0.9] * 3, [0.9, 0.9, 0.1], [0.1] * 3])), 0.6)
    assert layers.clearest[1] == Head(1, 2)
    assert says(layers.sentence, "layer 1", "1 of 3")


def test_without_the_second_witness_all_that_look_rest() -> None:
    layers = resting_layers(scores(None), 0.6)
    assert layers.count == 5
    assert not any(layers.works)
    assert not says(layers.sentence, "more")


def test_a_short_prompt_cannot_tell() -> None:
    assert resting_layers(scores(length=3), 0.6) is None


def test_nobody_rests() -> None:
    layers = resting_layers(scores(), 0.95)
    assert layers.count == 0
    assert layers.sentence == ""
    assert says(layers.headline, "no head")


def test_runs_of_layers_are_named_in_short() -> None:
    layers = made(12, 9)  # from layer 8 on at least 8 of 9
    assert says(layers.sentence, "Nearly all heads of layers 8 to 11 rest.")


@pytest.mark.parametrize(("layers", "heads"), [(4, 8), (12, 12), (30, 9)])
def test_the_table_says_what_the_chart_draws(layers: int, heads: int) -> None:
    found = made(layers, heads)
    rows, records = found.table_rows(), found.records()
    assert [len(row) for row in rows] == [len(COLUMNS)] * layers
    for layer, (row, record) in enumerate(zip(rows, records, strict=True)):
        assert row[0] == str(layer) == str(record["layer"])
        assert row[1] == f"{record['rests']} of {heads}"
        assert record["rests"] == min(layer, heads)
        assert says(record["shown"], row[1])
    assert says(found.alt, found.headline)


@pytest.mark.parametrize("width", [280, 400])
@pytest.mark.parametrize(("layers", "heads"), [(4, 8), (12, 12), (30, 9)])
def test_the_chart_has_a_column_per_layer_and_labels_that_fit(
    layers: int, heads: int, width: int
) -> None:
    drawing = layer_columns(made(layers, heads).records(), heads=heads)
    labels, numbers = texts(drawing, width)
    assert {"0", str(heads)} <= set(labels)
    assert numbers == ([str(layer) for layer in range(layers)] if layers <= 12 else [])
    columns = [
        path
        for path in picture(drawing, width).iter(f"{SVG}path")
        if path.get("fill-opacity") == "0" and not path.get("stroke-dasharray")
    ]
    assert len(columns) == layers


def test_a_click_names_a_head_of_the_layer() -> None:
    spec = layer_columns(made(4, 8).records(), heads=8).to_dict()
    (selection,) = [p for p in spec["params"] if p.get("select")]
    assert selection["name"] == charts_heads.SELECTION
    assert selection["select"]["fields"] == ["layer", "head"]

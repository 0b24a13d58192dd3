"""Small pictures of patterns: every square of the image is the cell's shade."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from headroles import verdicts
from headroles.capture import capture
from headroles.charts import thumbnails
from headroles.charts.base import STRONGEST
from headroles.models import load_model
from headroles.types import Head
from headroles.view import layer_glance


def pixels(address: str) -> np.ndarray:
    head, _, body = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def test_an_image_shows_each_cell_in_its_shade() -> None:
    attention = np.array([[1.0, 0, 0], [0.25, 0.75, 0], [0.0, 0.04, 0.96]])
    drawn = pixels(thumbnails.image(attention))
    side = drawn.shape[0] // 3
    assert drawn.shape == (3 * side, 3 * side, 4)
    assert 3 * side >= thumbnails.SIDE
    for query in range(3):
        for key in range(3):
            square = drawn[query * side : (query + 1) * side, key * side : (key + 1) * side]
            assert len(np.unique(square.reshape(-1, 4), axis=0)) == 1
            shade = round(attention[query, key] ** 0.5 * STRONGEST * 255)
            expected = 0 if key > query else max(shade, 12)
            assert square[0, 0, 3] == pytest.approx(expected, abs=1)
    assert tuple(drawn[0, 0, :3]) == (0x2E, 0x7F, 0xD0)


def test_a_long_prompt_is_drawn_in_blocks_of_the_largest_cell() -> None:
    attention = np.zeros((400, 400))
    attention[399, 7] = 1.0
    drawn = pixels(thumbnails.image(attention))
    block = -(-400 // thumbnails.MOST_CELLS)
    squares = -(-400 // block)
    side = drawn.shape[0] // squares
    alpha = drawn[::side, ::side, 3]
    assert alpha.shape == (squares, squares)
    assert np.argwhere(alpha > 100).tolist() == [[399 // block, 7 // block]]


def test_pictures_stand_row_by_row_and_none_covers_another() -> None:
    records = [{"label": f"L0H{head}"} for head in range(7)]
    placed = thumbnails.grid(records, columns=3, side=100).data["heads"]
    places = [(one["left"], one["top"]) for one in placed]
    assert len(set(places)) == 7
    assert [left for left, _ in places] == [0, 1, 2, 0, 1, 2, 0]
    assert places[3][1] == thumbnails.WORDS + 100 + thumbnails.GAP
    assert all(one["bottom"] <= one["top"] + 150 for one in placed)


def test_the_notable_role_is_active_and_furthest_over_chance() -> None:
    run = capture(load_model("demo"), "The cat sat on the mat. The cat sat on the mat.")
    scores = verdicts.score_run(run)
    thresholds = dict(verdicts.DEFAULT_THRESHOLDS)
    for head in Head.every(4, 8):
        found = layer_glance.notable(scores, thresholds, head)
        active = {
            key
            for key in thresholds
            if verdicts.judge(head, key, scores, thresholds[key]).is_active
        }
        if found.role is None:
            assert not active
            continue
        assert found.role in active
        if found.role == "positional":
            assert active == {"positional"}
        own = scores.activations[found.role].of(*head)
        assert found.share == pytest.approx(own.value)
        assert found.resting == pytest.approx(float(run.attention[head][1:, 0].mean()), abs=1e-6)

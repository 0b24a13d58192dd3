"""What the lab says of a detection, from numbers that are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headroles.charts import detector, heads
from headroles.detector import Detection
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view import detection as view_detection
from headroles.view import tables
from tests.drawn import texts
from tests.facts import says

NAN = float("nan")


def detection() -> Detection:
    """Two prompts, one layer of three heads: one scored, one undefined, one not asked."""
    scores = torch.tensor([[[[0.8, NAN, 0.9]], [[0.6, NAN, 0.9]]]])  # [pattern prompt layer head]
    return Detection(
        patterns=(ROLES["delimiter"],),
        scores={"activation": scores, "mul": scores, "abs": scores - 2},
        even={name: torch.tensor([[[0.1], [0.3]]]) for name in ("activation", "mul", "abs")},
        kept=torch.tensor([[[1.0, 0.0, 1.0]], [[0.5, 0.0, 1.0]]]),
        rows=torch.ones(1, 2, dtype=torch.long),
        filled=torch.ones(1, 2),
        largest_row=torch.ones(1),
        binary=torch.ones(1, dtype=torch.bool),
        fits=torch.ones(1, 2, dtype=torch.bool),
        asked=torch.tensor([[True, True, False]]),
        lengths=torch.tensor([5, 6]),
        exclude_bos=True,
        exclude_current_token=False,
    )


def test_not_asked_and_undefined_are_told_apart() -> None:
    card = view_detection.card_of(detection(), 0, "mul")
    assert [record["number"] for record in card.records] == ["70", "?", "–"]
    shown = [record["shown"] for record in card.records]
    assert shown == ["70% ± 10.0 points", "undefined", "not asked"]
    assert [record["value"] for record in card.records] == [0.7, None, None]
    assert [record["active"] for record in card.records] == [True, False, False]


def test_the_sentence_names_the_best_head_its_error_and_chance() -> None:
    card = view_detection.card_of(detection(), 0, "mul")
    assert says(card.sentence, "L0H0", "70% ± 10.0 points", "20%", "1 head is clearly")
    assert says(card.basis, "2 prompts", "2")
    assert says(view_detection.card_of(detection(), 0, "abs").sentence, "L0H0", "−1.30")


def test_a_share_of_what_an_exclusion_leaves_is_no_share_of_all() -> None:
    """The best head keeps all of its attention on one prompt and half on the other."""
    card = view_detection.card_of(detection(), 0, "mul")
    assert says(card.sentence, "the attention that counts (75% of all)")
    whole = view_detection.card_of(replace(detection(), exclude_bos=False), 0, "mul")
    assert says(whole.sentence, "of its attention")
    assert "counts" not in whole.sentence
    activation = view_detection.card_of(detection(), 0, "activation")
    assert "counts" not in activation.sentence  # nothing is excluded from it


def test_the_ranking_holds_the_asked_heads_the_undefined_last() -> None:
    table = tables.ranking(detection(), 0, "mul")
    assert tables.heads_of(table) == [Head(0, 0), Head(0, 1)]
    assert table["rank"].tolist()[0] == 1
    assert table["rank"].isna().tolist() == [False, True]
    assert table["left"].tolist() == [0.75, 0]
    assert table["chance"].tolist() == [table["chance"][0]] * 2


def test_a_map_draws_every_head_and_a_picture_every_causal_cell() -> None:
    card = view_detection.card_of(detection(), 0, "mul")
    drawn = heads.head_map(card.records, "score").to_dict()
    (rows,) = drawn["datasets"].values()
    assert len(rows) == 3
    assert [row["value"] for row in rows] == [0.7, None, None]
    picture = detector.pattern_picture([(2, 1, 0.5)], ["start", "a", "b"]).to_dict()
    (cells,) = picture["datasets"].values()
    assert [(c["query"], c["key"]) for c in cells] == [
        (q, k) for q in range(3) for k in range(q + 1)
    ]
    assert [c["value"] for c in cells if c["value"]] == [0.5]


def test_a_long_prompt_shows_its_first_tokens() -> None:
    labels = [str(n) for n in range(200)]
    picture = detector.pattern_picture([(150, 3, 1.0)], labels).to_dict()
    (cells,) = picture["datasets"].values()
    assert max(cell["query"] for cell in cells) == detector.MOST - 1


@pytest.mark.parametrize(
    ("squares", "width", "most"), [(17, 510, 34), (40, 510, 58), (40, 300, 50)]
)
def test_the_labels_of_a_picture_have_room(squares: int, width: int, most: int) -> None:
    tokens = [f"<0x{n:02X}>" for n in range(squares)]
    drawn = detector.pattern_picture([(2, 1, 1.0)], tokens)
    labels, _ = texts(drawn, width)
    assert len([label for label in labels if label.endswith("<0x00>")]) == 2
    assert len(labels) <= most
    assert drawn.height <= detector.SIZE

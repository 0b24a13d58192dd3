"""What two prompts, their patches and their paths say, from hand-made numbers."""

from __future__ import annotations

import pytest
import torch

from headroles.ablation import Arrow, Pair, Receiver
from headroles.ablation.patching import Patched
from headroles.ablation.sender_maps import SenderMap
from headroles.types import Encoding, Head
from headroles.view import patching, path_words
from tests.facts import says


def encoding(*tokens: str, first_id: int) -> Encoding:
    ids = tuple(range(first_id, first_id + len(tokens)))
    return Encoding((0, *ids), ("<s>", *tokens), "<s>", False, len(tokens) + 1)


FIRST = encoding("Mary", " John", " to", first_id=1)
SECOND = Encoding((0, 1, 9, 3), ("<s>", "Mary", " Ann", " to"), "<s>", False, 4)
PAIR = Pair(
    FIRST, SECOND, differ=(2,), answer_id=5, answer=" Mary", against_id=6, against=" John",
    first_difference=3.0, second_difference=-1.0, first_guess=" Mary", second_guess=" the",
)  # fmt: skip
HEADS = tuple(tuple(Head(layer, head) for head in range(2)) for layer in range(2))


def patched(differences: list[list[float]], direction: str = "denoise", **changes: object):
    values = {"rows": HEADS, "by_position": False} | changes
    return Patched(PAIR, direction, differences=torch.tensor(differences), **values)


BY_HEAD = patched([[-1.0, 0.6], [-1.4, -1.0]])  # shares 0, 0.4, -0.1 and 0 of 4 logits
BY_PLACE = patched(
    [[-1.0, -1.0, -1.0, 0.2]], rows=((Head(0, 1),),), by_position=True
)  # 0.3 at the last token


# ------------------------------------------------------------------ two prompts


def test_the_lead_is_named_by_who_is_ahead() -> None:
    said = patching.pair_sentence(PAIR)
    assert says(said, "·Mary", "leads", "·John", "3.00")
    assert says(said, "·John", "leads", "·Mary", "1.00")
    assert says(said, "4.00")


def test_tokens_that_differ_are_marked_in_both_lines() -> None:
    strip = patching.aligned(PAIR)
    assert strip.count("<mark>") == 2
    assert [strip.count(f"≠ <bdi>{token}</bdi>") for token in ("·John", "·Ann", "Mary")] == [
        1,
        1,
        0,
    ]
    assert patching.token_names(PAIR) == ["start", "Mary", "·John|·Ann", "·to"]


def test_what_was_typed_stays_text() -> None:
    odd = Pair(**{**vars(PAIR), "second": Encoding((0, 1, 9, 3), ("<s>", "Mary", "<b>", " to"),
                                                   "<s>", False, 4)})  # fmt: skip
    assert "&lt;b&gt;" in patching.aligned(odd)
    assert "<b>" not in patching.aligned(odd)


def test_the_strongest_head_is_said_with_its_share_its_logits_and_its_token() -> None:
    said = patching.heads_sentence(BY_HEAD, BY_PLACE)
    assert says(said, "L0H1", "first", "second", "40%", "1.60", "4.00", "·to", "position 3", "30%")


def test_noise_puts_the_second_into_the_first() -> None:
    lost = patched([[3.0, 1.0], [3.0, 3.0]], "noise")  # 2 of 4 logits are lost without L0H1
    assert says(patching.heads_sentence(lost), "L0H1", "second", "first", "takes away 50%")


def test_a_head_that_works_against_the_answer_is_not_said_to_carry_it() -> None:
    against = patched([[-3.0, -1.0], [-1.0, 1.0]])
    said = patching.heads_sentence(against)
    assert says(said, "L1H1", "brings back 50%")
    assert says(said, "L0H0", "against", "−50%")


def test_where_no_head_does_anything_that_is_the_conclusion() -> None:
    assert says(patching.heads_sentence(patched([[-0.92, -1.0], [-1.0, -1.0]])), "No single head",
                "L0H0", "2%", "4.00")  # fmt: skip


def test_the_map_shows_signs_and_the_strongest_is_the_largest() -> None:
    records = {r["label"]: r for r in patching.head_records(BY_HEAD, chosen=[Head(0, 1)])}
    assert [records[name]["number"] for name in ("L0H0", "L0H1", "L1H0")] == ["0", "+40", "−10"]
    assert records["L1H0"]["against"]
    assert records["L0H1"]["shade"] == pytest.approx(1)
    assert records["L1H0"]["shade"] == pytest.approx(0.25)
    assert [name for name, record in records.items() if record["listed"]] == ["L0H1"]


def test_positions_before_the_first_difference_are_left_out() -> None:
    records = patching.position_records(BY_PLACE)
    assert [(r["position"], r["number"]) for r in records] == [(2, "0"), (3, "+30")]
    headers, rows = patching.position_rows(BY_PLACE)
    assert headers == ["", "2 ·John|·Ann", "3 ·to"]
    assert rows == [["L0H1", "0%", "30%"]]
    assert says(
        patching.position_alt(BY_PLACE), "2 tokens", "from position 2", "L0H1", "·to", "30%"
    )


def test_layers_are_said_in_their_order() -> None:
    grid = [[-1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, -1.0, 2.0]]  # 50% at 2 in layer 0, 75% at 3
    said = patching.layers_sentence(patched(grid, by_position=True))
    assert says(said, "layer 0", "50%", "·John|·Ann", "layer 1", "75%", "·to")


def test_the_files_hold_every_number() -> None:
    rows = patching.export_rows(BY_HEAD)
    assert [row["what"] for row in rows] == ["L0H0", "L0H1", "L1H0", "L1H1"]
    assert rows[1]["share"] == pytest.approx(0.4)
    assert rows[1]["logit_difference"] == pytest.approx(0.6)
    assert patching.export_rows(BY_PLACE)[3]["token"] == "·to"


# ------------------------------------------------------------------ paths


def arrow(sender: Head, receiver: Receiver, share: float, *, clear: bool = True) -> Arrow:
    verdict = ("holds_up" if share > 0 else "reversed") if clear else "not_special"
    return Arrow(sender, (receiver,), 4 * share, share, None, 0.01, 0.02, 7, verdict)


LOGITS, INTO = Receiver(), Receiver(Head(3, 0), "query")
ROLES = {Head(3, 0): "Name mover", Head(1, 1): "S-inhibition"}


def test_the_chain_is_said_from_the_first_layer_to_the_answer() -> None:
    arrows = [arrow(Head(3, 0), LOGITS, 0.5), arrow(Head(1, 1), INTO, 0.25)]
    said = path_words.conclusion(arrows, ROLES, PAIR)
    assert says(said, "L1H1 (S-inhibition)", "L3H0 (Name mover)", "where to look", "L3H0",
                "·Mary", "+50%")  # fmt: skip
    assert said.count("Name mover") == 1


def test_an_arrow_within_chance_is_not_in_the_conclusion() -> None:
    arrows = [arrow(Head(3, 0), LOGITS, 0.5), arrow(Head(1, 1), INTO, 0.25, clear=False)]
    assert "L1H1" not in path_words.conclusion(arrows, ROLES, PAIR)
    assert "chance" in path_words.conclusion(arrows[1:], ROLES, PAIR)


def test_an_arrow_below_zero_moves_the_answer_back() -> None:
    arrows = [arrow(Head(3, 0), LOGITS, 0.5), arrow(Head(3, 1), LOGITS, -0.2)]
    said = path_words.conclusion(arrows, {}, PAIR)
    assert says(said, "L3H0", "·Mary", "+50%", "L3H1", "·John", "−20%")


def test_the_drawing_has_a_box_per_end_and_an_arrow_per_path() -> None:
    arrows = [arrow(Head(3, 0), LOGITS, 0.5), arrow(Head(1, 1), INTO, -0.25, clear=False)]
    boxes = path_words.boxes(arrows, ROLES, PAIR, opened=[Head(3, 0)])
    assert [box["node"] for box in boxes] == ["logits", "L3H0", "L1H1"]
    assert [box["open"] for box in boxes] == [False, True, False]
    drawn = path_words.paths(arrows)
    assert [(p["source"], p["target"], p["number"], p["clear"]) for p in drawn] == [
        ("L3H0", "logits", "+50%", True), ("L1H1", "L3H0", "q −25%", False)]  # fmt: skip
    row = path_words.table_rows(arrows, ROLES)[1]
    assert row[:5] == ["L1H1 (S-inhibition)", "L3H0 (Name mover)", "queries", "−1.00", "−25%"]


def test_heads_that_are_told_together_are_one_box_with_one_number() -> None:
    group = tuple(Receiver(Head(3, head), "query") for head in (0, 2))
    told = Arrow(Head(1, 1), group, 1.0, 0.25, None, 0.01, 0.02, 7, "holds_up")
    arrows = [arrow(Head(3, 0), LOGITS, 0.5), arrow(Head(3, 2), LOGITS, 0.1, clear=False), told]
    boxes = path_words.boxes(arrows, ROLES, PAIR, opened=[])
    assert [(box["label"], box["note"]) for box in boxes[1:]] == [
        ("L3H0, H2", "Name mover (1 of 2)"), ("L1H1", "S-inhibition")]  # fmt: skip
    drawn = path_words.paths(arrows)
    assert [(p["source"], p["target"], p["number"], p["clear"]) for p in drawn] == [
        ("L3H0", "logits", "Σ +60%", True), ("L1H1", "L3H0", "q +25%", True)]  # fmt: skip
    assert says(drawn[0]["shown"], "L3H0 into", "+50%", "L3H2 into", "+10%", "not larger")
    assert says(path_words.conclusion(arrows, ROLES, PAIR), "L1H1", "tells", "L3H0", "L3H2")
    assert path_words.table_rows(arrows, {})[2][1] == "L3H0 and L3H2"
    assert path_words.export_rows(arrows, {})[2]["into"] == "L3H0/L3H2"
    assert path_words.choices(arrows) == [(Head(3, 0), Head(3, 2)), (Head(1, 1),), (Head(3, 2),),
                                          (Head(3, 0),)]  # fmt: skip


def test_many_heads_have_a_short_name_in_their_box() -> None:
    group = tuple(Receiver(Head(3, head), "query") for head in range(5))
    told = Arrow(Head(1, 1), group, 1.0, 0.25, None, 0.01, 0.02, 7, "holds_up")
    box = path_words.boxes([told], {}, PAIR, opened=[])[1]
    assert box["label"] == "L3H0,1,2,3,4"
    assert box["spoken"] == "L3H0, L3H1, L3H2, L3H3 and L3H4"


def test_what_takes_hardly_anything_away_misleads_nobody() -> None:
    arrows = [arrow(Head(3, 0), LOGITS, 0.5), arrow(Head(1, 1), INTO, -0.015)]
    assert "mislead" not in path_words.conclusion(arrows, {}, PAIR)
    arrows[1] = arrow(Head(1, 1), INTO, -0.1)
    assert "L1H1 misleads L3H0" in path_words.conclusion(arrows, {}, PAIR)


def test_heads_that_come_too_late_have_no_number_on_the_map() -> None:
    nan = float("nan")
    each = torch.tensor([[[0.4, 2.0], [nan, nan]]], dtype=torch.double)
    found = SenderMap((INTO,), (PAIR,), "noise", each)
    records = path_words.sender_records(found, clear=[Head(0, 1)], drawn=[])
    assert [record["number"] for record in records] == ["+10", "+50", "", ""]
    assert [record["active"] for record in records] == [False, True, False, False]
    assert says(path_words.map_sentence(found, [Head(0, 1)], {}), "queries of L3H0", "L0H1", "+50%")
    assert says(path_words.map_sentence(found, [], {}), "No head", "L0H1", "+50%")

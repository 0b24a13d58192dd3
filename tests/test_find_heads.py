"""The command find_heads: what it prints and writes is what the engine computes."""

from __future__ import annotations

import json
from functools import partial

import pytest

from headroles import capture, corpus, models, store
from headroles.types import Head
from headroles.view import depth, head_numbers, likeness
from headroles.view import scatter as scatter_words
from scripts import find_heads
from tests.facts import says


def run(capsys, *arguments: str) -> str:
    assert find_heads.main(list(arguments)) == 0
    return capsys.readouterr().out


def compared(model: str, head: Head, other: str | None = None):
    """The same by profile in one pass."""
    records = []
    for name in (model, *([other] if other else [])):
        loaded = models.load_model(name)
        read = corpus.likeness.sample(loaded.tokenizer, "stories")
        collector = corpus.profiles.ProfileCollector(tuple(loaded.shape))
        corpus.read(read, [collector], partial(capture.each_layer, loaded))
        records.append(collector.record())
    return likeness.by_profile(head, *records)


def test_the_heads_like_one_are_those_of_a_single_pass(capsys, tmp_path) -> None:
    path = tmp_path / "alike.json"
    text = run(capsys, "demo", "--like", "L1H4", "--out", str(path))
    found = compared("demo", Head(1, 4))
    assert likeness.conclusion(found, names=("", "")) in text
    document = json.loads(path.read_text())
    assert [row["label"] for row in document["rows"]] == [
        found.others[place].label for place in found.ranking
    ]
    assert len(document["rows"]) == 31
    for row in document["rows"]:
        place = found.others.index(Head(row["layer"], row["head"]))
        assert row["alike"] == pytest.approx(float(found.total[place]), abs=1e-4)
    assert document["provenance"]["by"] == "profile"


def test_across_two_models_every_head_of_the_other_is_listed(capsys) -> None:
    out = run(capsys, "demo", "--like", "L1H4", "--other-model", "attn-only-2l-tiny",
              "--format", "json")  # fmt: skip
    rows = json.loads(out)["rows"]
    found = compared("demo", Head(1, 4), "attn-only-2l-tiny")
    assert len(rows) == len(found.others) == 16
    assert rows[0]["label"] == found.others[found.ranking[0]].label


@pytest.mark.parametrize("way", ["pattern", "weights", "writes"])
def test_the_other_ways_list_all_other_heads_best_first(capsys, way: str) -> None:
    rows = json.loads(run(capsys, "demo", "--like", "L0H5", "--by", way, "--format", "json"))
    values = [row["alike"] for row in rows["rows"]]
    assert len(values) == 31
    assert values == sorted(values, reverse=True)
    assert -1 <= values[-1] <= values[0] < 1
    assert "L0H5" not in [row["label"] for row in rows["rows"]]


def test_a_scatter_as_text_table_and_pictures(capsys, tmp_path) -> None:
    files = [tmp_path / f"scatter.{ending}" for ending in ("csv", "png", "svg")]
    text = run(capsys, "demo", "--scatter", "previous_token", "induction", "--top", "2",
               *(part for path in files for part in ("--out", str(path))))  # fmt: skip
    numbers = head_numbers.of_entry(store.read_entry("demo"))
    said = scatter_words.correlation_sentence(numbers["previous_token"], numbers["induction"])
    assert said in text
    lines = [line for line in files[0].read_text("utf-8-sig").splitlines() if line[0] != "#"]
    assert len(lines) == 33
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert files[2].read_bytes().startswith(b"<svg")


def test_a_number_of_a_prompt_and_one_of_the_weights_are_computed(capsys) -> None:
    out = run(capsys, "demo", "--scatter", "induction.prompt", "copying.weights", "--prompt",
              "The cat sat. The cat sat.", "--format", "json")  # fmt: skip
    rows = json.loads(out)["rows"]
    assert len(rows) == 32
    assert all(-1 <= row["copying.weights"] <= 1 for row in rows)


def test_the_numbers_are_listed_where_nothing_else_is_asked(capsys) -> None:
    rows = json.loads(run(capsys, "demo", "--format", "json"))["rows"]
    keys = [row["number"] for row in rows]
    assert {"induction", "previous_token.control", "copying.weights"} <= set(keys)
    assert len(set(keys)) == len(keys)


def test_a_role_by_depth_in_every_model(capsys) -> None:
    out = run(capsys, "--depth", "induction", "--format", "json")
    rows = json.loads(out)["rows"]
    for key, entry in store.categories.read_all().items():
        own = [row for row in rows if row["model"] == key]
        assert [row["score"] for row in own] == [max(r) for r in entry.all_scores["induction"]]
        last = entry.num_layers - 1
        for layer, row in enumerate(own):
            expected = pytest.approx(layer / last, abs=1e-6) if last else None
            assert row["relative_depth"] == expected
        threshold = entry.categories["induction"].threshold
        assert [row["reaches_threshold"] for row in own] == [
            max(r) >= threshold for r in entry.all_scores["induction"]
        ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--like", "L9H9"], "L9H9"),
        (["demo", "--scatter", "inductoin", "diffuse"], "'induction'"),
        (["demo", "--like", "L1H1", "--by", "weights", "--other-model", "demo"], "profile only"),
        (["demo", "--other-model", "demo"], "--like"),
        (["demo", "--like", "L1H1", "--depth", "induction"], "not allowed"),
        (["demo", "--scatter", "diffuse", "diffuse", "--out", "x.pdf"], ".csv"),
    ],
)
def test_what_cannot_be_done_is_a_line_and_exit_code_2(capsys, arguments, said: str) -> None:
    assert find_heads.main(arguments) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in told


def test_a_peak_of_a_negative_role_is_the_lowest_score() -> None:
    entry = store.read_entry("demo")
    found = depth.by_layer(entry, "copy_suppression", name="demo")
    role = entry.role("copy_suppression").role
    for one in found:
        assert one.score == min(entry.all_scores["copy_suppression"][one.head.layer])
    lowest = min(min(row) for row in entry.all_scores["copy_suppression"])
    assert depth.peaks(found, role)["demo"].score == lowest


def test_a_model_of_one_layer_has_no_depth() -> None:
    entry = store.read_entry("attn-only-1l-tiny")
    (only,) = depth.by_layer(entry, "previous_token", name="one layer")
    assert only.depth is None
    assert says(depth.place(only), "only layer")

"""The detector's numbers: worked out by hand, cell by cell, and on planted heads."""

from __future__ import annotations

import math

import pytest
import torch

from headroles.capture import attention as capture_attention
from headroles.detector import caveats_of
from headroles.detector import detection as detector_detection
from headroles.detector.comparison import compare, pattern_weights
from headroles.detector.detection import detect
from headroles.errors import DetectionError, LimitError, UnknownHeadError
from headroles.models import loading as models_loading
from headroles.roles import ROLES, Prompts, Role, patterns, read_prompts
from headroles.scoring import even_spread, role_activation
from headroles.types import Head, Sequences
from headroles.verdicts import score_run

A = torch.tensor([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.2, 0.3, 0.5, 0], [0.1, 0.15, 0.5, 0.25]])
"""The worked example of TransformerLens' demo of its head detector."""
PREVIOUS = ROLES["previous_token_head"]


def four_tokens() -> Prompts:
    return Prompts(
        Sequences(torch.tensor([[0, 1, 2, 3]]), torch.tensor([4])), (("<s>", "a", "b", "c"),)
    )


def scores_of(attention: torch.Tensor, pattern: Role, **flags: bool) -> dict[str, float]:
    found, left = compare(
        attention.view(1, 1, 4, 4), pattern_weights([pattern], four_tokens(), **flags)
    )
    return {name: float(value) for name, value in found.items()} | {"left": float(left)}


def test_the_worked_example_by_mul() -> None:
    assert scores_of(A, PREVIOUS)["mul"] == pytest.approx(1.3 / 4)
    both = {"exclude_bos": True, "exclude_current_token": True}
    assert scores_of(A, PREVIOUS, **both)["mul"] == pytest.approx(0.8 / 0.95)
    assert scores_of(A, PREVIOUS, **both)["left"] == pytest.approx(0.95)


def test_the_worked_example_by_abs() -> None:
    # |A - D| sums to 1 + (.5 + .5) + (.2 + .7 + .5) + (.1 + .15 + .5 + .25) = 4.4
    assert scores_of(A, PREVIOUS)["abs"] == pytest.approx(1 - 4.4 / 4)
    # Without column 0 and the diagonal: .7 + .15 + .5 = 1.35, over four rows .338 (rounded)
    both = {"exclude_bos": True, "exclude_current_token": True}
    assert scores_of(A, PREVIOUS, **both)["abs"] == pytest.approx(1 - 0.338, abs=1e-6)


def test_the_activation_is_that_of_the_project_whatever_is_excluded() -> None:
    expected = float(role_activation(A, [0, 1, 2, 3], "previous_token").value)
    assert expected == pytest.approx((0.3 + 0.5) / 2)
    for flag in (False, True):
        pattern = ROLES["previous_token"]
        found = scores_of(A, pattern, exclude_bos=flag, exclude_current_token=flag)
        assert found["activation"] == pytest.approx(expected)


def test_a_pattern_of_numbers_is_compared_by_abs_cell_by_cell() -> None:
    wanted = patterns.of_matrix(A.tolist())
    assert scores_of(A, wanted)["abs"] == 1
    other = patterns.of_matrix((A / 2).tolist())
    assert scores_of(A, other)["abs"] == pytest.approx(0.5)  # half of four rows is missing


@pytest.fixture
def planted(load_family, monkeypatch):
    """A model whose heads are planted: 0 rests, 1 nearly rests, 2 looks back one, 3 evenly."""
    loaded = load_family("gpt2")

    def each_layer(loaded, token_ids, on_layer) -> None:
        batch, length = token_ids.shape
        rest = torch.zeros(length, length)
        rest[:, 0] = 1
        back = torch.eye(length).roll(-1, 1).tril()
        back[0, 0], back[1:] = 1, torch.eye(length)[:-1]
        nearly = 0.999 * rest + 0.001 * back
        even = even_spread(length)[0, 0]
        heads = torch.stack([rest, nearly, back, even]).expand(batch, -1, -1, -1)
        for layer in range(loaded.num_layers):
            on_layer(layer, heads)

    monkeypatch.setattr(detector_detection, "each_layer", each_layer)
    return loaded


@pytest.fixture
def prompts(tokenizer) -> Prompts:
    texts = ["The cat sat on the mat. The cat", "One two three, one two three", "A dog"]
    return read_prompts(tokenizer, texts, max_tokens=64)[0]


def kinds(found: detector_detection.Detection, measure: str, place: int = 0) -> list[str]:
    return [trap.kind for trap in caveats_of(found, place, measure)]


def test_the_trap_of_ones_everywhere(planted, prompts) -> None:
    found = detect(planted, prompts, [patterns.of_expression("1")])
    assert found.summary(0, "mul").mean.min() == 1  # every head is perfect
    assert "covers_much" in kinds(found, "mul")
    assert found.summary(0, "abs").mean.max() < -1
    assert "below" in kinds(found, "abs")
    assert found.summary(0, "activation").mean.isnan().all()
    assert kinds(found, "activation") == ["no_row"]


def test_the_trap_of_a_head_that_rests(planted, prompts) -> None:
    flags = {"exclude_bos": True, "exclude_current_token": True}
    found = detect(planted, prompts, [PREVIOUS, ROLES["previous_token"]], **flags)
    mean = found.summary(0, "mul").mean
    assert float(mean[0, 1]) == pytest.approx(1)  # .1 % of its attention, and a perfect score
    assert float(found.kept[:, 0, 1].max()) < 0.001
    (trap,) = [trap for trap in caveats_of(found, 0, "mul") if trap.kind == "on_nothing"]
    assert Head(0, 1) in trap.heads
    assert Head(0, 2) not in trap.heads
    assert "less than 0.1%" in trap.sentence
    assert found.summary(1, "activation").mean[0, 1] < 0.002  # this measure does not fall for it


def test_the_trap_of_nothing_by_nothing(planted, prompts) -> None:
    found = detect(planted, prompts, [PREVIOUS], exclude_bos=True)
    assert bool(found.summary(0, "mul").mean[0, 0].isnan())
    assert found.undefined(0, "mul") == [Head(0, 0), Head(1, 0)]
    assert "undefined" in kinds(found, "mul")
    assert "undefined" not in kinds(found, "abs")


def test_the_trap_of_rows_without_a_cell(planted, prompts) -> None:
    found = detect(planted, prompts, [ROLES["induction"]])
    assert "ceiling" in kinds(found, "mul")
    assert kinds(found, "activation") == []


def test_no_trap_is_seen_where_there_is_none(planted, prompts) -> None:
    found = detect(planted, prompts, [PREVIOUS])
    assert kinds(found, "activation") == []
    assert "on_nothing" not in kinds(found, "mul")
    assert "covers_much" not in kinds(found, "mul")
    assert "below" not in kinds(found, "abs")


def test_an_excluded_pattern_is_said(planted, prompts) -> None:
    found = detect(planted, prompts, [ROLES["positional"]], exclude_bos=True)
    assert "excluded" in kinds(found, "mul")


def test_mean_error_and_chance_over_prompts(planted, prompts) -> None:
    found = detect(planted, prompts, [PREVIOUS])
    lengths = prompts.sequences.lengths.tolist()
    # Head 3 spreads evenly: by mul its score on a prompt is the mean of 1 / (q + 1), q >= 1, times
    # the share of such rows.
    by_hand = [sum(1 / (q + 1) for q in range(1, n)) / n for n in lengths]
    mean = sum(by_hand) / 3
    error = math.sqrt(sum((x - mean) ** 2 for x in by_hand) / 2 / 3)
    summary = found.summary(0, "mul")
    assert float(summary.mean[1, 3]) == pytest.approx(mean, abs=1e-6)
    assert float(summary.error[1, 3]) == pytest.approx(error, abs=1e-6)
    assert summary.chance == pytest.approx(mean, abs=1e-6)
    assert int(summary.n[1, 3]) == 3


def test_a_subset_of_heads_leaves_the_others_unasked(planted, prompts) -> None:
    found = detect(planted, prompts, [PREVIOUS], heads=[Head(0, 2)])
    assert found.summary(0, "mul").ranking() == [Head(0, 2)]
    with pytest.raises(UnknownHeadError):
        detect(planted, prompts, [PREVIOUS], heads=[Head(9, 0)])


def test_a_painted_pattern_counts_the_prompts_that_it_fits(planted, prompts) -> None:
    length = int(prompts.sequences.lengths[2])
    ones = torch.ones(length, length).tril().tolist()
    found = detect(planted, prompts, [PREVIOUS, patterns.of_matrix(ones)])
    assert (found.summary(0, "mul").prompts, found.summary(1, "mul").prompts) == (3, 1)
    with pytest.raises(DetectionError, match="made for a prompt of 2 tokens"):
        detect(planted, prompts, [patterns.of_matrix([[0.0, 0.0], [1.0, 0.0]])])


def test_no_pattern_and_too_many_are_refused(planted, prompts) -> None:
    with pytest.raises(DetectionError, match="No patterns"):
        detect(planted, prompts, [])
    with pytest.raises(LimitError, match="13 patterns"):
        detect(planted, prompts, [patterns.offset(n) for n in range(13)])


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "gemma2", "gpt_neo", "bloom", "qwen2"])
def test_a_padded_batch_has_the_attention_of_each_prompt_alone(
    load_family, prompts, family
) -> None:
    loaded = load_family(family)
    layers = {}
    capture_attention.each_layer(
        loaded, prompts.sequences.token_ids, lambda n, pattern, _: layers.update({n: pattern})
    )
    assert list(layers) == list(range(loaded.num_layers))
    for row, length in enumerate(prompts.sequences.lengths.tolist()):
        ids = prompts.sequences.token_ids[row, :length].tolist()
        encoding = capture_attention.Encoding(tuple(ids), prompts.tokens[row], "", False, length)
        alone = capture_attention.collect(loaded, encoding).attention
        for layer, pattern in layers.items():
            close = pattern[row, :, :length, :length]
            torch.testing.assert_close(close, alone[layer], atol=1e-6, rtol=0)


def test_no_hook_is_left_behind(load_family, prompts) -> None:
    loaded = load_family("gpt2")
    detect(loaded, prompts, [PREVIOUS])
    assert not any(module._forward_hooks for module in loaded.model.modules())

    def fails(layer: int, attention: torch.Tensor, visible: torch.Tensor | None) -> None:
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        capture_attention.each_layer(loaded, prompts.sequences.token_ids, fails)
    assert not any(module._forward_hooks for module in loaded.model.modules())


def test_progress_and_chunks_change_no_number(load_family, prompts, monkeypatch) -> None:
    loaded, told = load_family("gpt2"), []
    whole = detect(loaded, prompts, [PREVIOUS])
    monkeypatch.setattr(detector_detection, "MAX_CELLS", 1)  # one prompt a batch
    parts = detect(loaded, prompts, [PREVIOUS], progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]
    for measure in detector_detection.MEASURES:
        torch.testing.assert_close(
            whole.scores[measure], parts.scores[measure], equal_nan=True, atol=1e-3, rtol=0
        )


def test_a_step_of_a_large_model_is_one_prompt(load_family, prompts, monkeypatch) -> None:
    loaded = load_family("gpt2")
    assert len(detector_detection.prepare(loaded, prompts, [PREVIOUS]).batches) == 1
    size = sum(parameter.numel() for parameter in loaded.model.parameters())
    monkeypatch.setattr(models_loading, "STEP", 20 * size + size // 2)
    assert loaded.tokens_a_step == 20
    steps = detector_detection.prepare(loaded, prompts, [PREVIOUS]).batches
    lengths = prompts.sequences.lengths
    assert sorted(torch.cat(steps).tolist()) == [0, 1, 2]
    assert all(len(rows) == 1 or len(rows) * int(lengths[rows].max()) <= 20 for rows in steps)
    assert len(steps) > 1
    monkeypatch.setattr(models_loading, "STEP", 1)  # a model of any size takes one token at least
    assert loaded.tokens_a_step == 1


def test_the_lab_finds_the_copies_that_the_page_finds(load_family) -> None:
    loaded = load_family("gpt2")
    start = loaded.start.text
    text = f"The cat sat.{start}The cat sat. The cat"
    prompts, (encoding,) = read_prompts(loaded.tokenizer, [text], max_tokens=64)
    assert encoding.token_ids.count(encoding.token_ids[0]) == 2
    on_page = score_run(capture_attention.capture(loaded, text)).activations["induction"]
    found = detect(loaded, prompts, [ROLES["induction"]])
    torch.testing.assert_close(found.summary(0, "activation").mean, on_page.value)
    assert found.rows.tolist() == [[on_page.rows]]

"""Conditions: worked by hand on small patterns, and against plain hooks on every family."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from headroles.ablation import Condition, Edge, HeadOutput, Pattern, Values, outcomes, run, tabulate
from headroles.ablation import conditions as ablation_conditions
from headroles.ablation.run import Outcome
from headroles.capture import capture, collect
from headroles.capture.interventions import output_projections, run_edited
from headroles.errors import UnknownHeadError, UnknownPositionError
from headroles.models import LoadedModel, load_model
from headroles.texts import encode
from headroles.types import Encoding, Head
from tests.families import FAMILIES, HEADS, LAYERS, LAYOUTS, PROMPT

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(params=LAYOUTS)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def encoding(loaded: LoadedModel) -> Encoding:
    return encode(loaded.tokenizer, PROMPT)


def _pattern() -> torch.Tensor:
    """Two heads, three positions: one that spreads evenly, one that looks at itself."""
    even = torch.tensor([[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]])
    return torch.stack([even, torch.eye(3)])


@pytest.mark.parametrize(
    ("change", "head", "expected"),
    [
        (HeadOutput((Head(0, 0),)), 0, [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
        (HeadOutput((Head(0, 1),), positions=(-1,)), 1, [[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
        (Pattern((Head(0, 1),)), 1, [[1, 0, 0], [1, 0, 0], [1, 0, 0]]),
        (Pattern((Head(0, 1),), "uniform", (2,)), 1, [[1, 0, 0], [0, 1, 0], [1 / 3] * 3]),
        (Edge((Head(0, 0),), 2, 1), 0, [[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 0, 1 / 3]]),
        (
            Edge((Head(0, 0),), 2, 1, renormalise=True),
            0,
            [[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2]],
        ),
        (Values((1,)), 0, [[1, 0, 0], [1 / 2, 0, 0], [1 / 3, 0, 1 / 3]]),
        (Values((-2,), queries=(2,)), 0, [[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 0, 1 / 3]]),
    ],
)
def test_a_change_by_hand(change, head: int, expected: list[list[float]]) -> None:
    pattern = _pattern()
    ablation_conditions.change_pattern(pattern, change, 0)
    torch.testing.assert_close(pattern[head], torch.tensor(expected, dtype=torch.float32))
    other = 1 - head
    if not isinstance(change, Values):  # a value vector is missed by every head
        assert torch.equal(pattern[other], _pattern()[other])


def test_an_edge_that_was_the_whole_row_cannot_be_scaled_up() -> None:
    pattern = _pattern()
    ablation_conditions.change_pattern(pattern, Edge((Head(0, 1),), 1, 1, renormalise=True), 0)
    assert pattern[1, 1].tolist() == [0, 0, 0]


def test_untouched_is_the_models_own(loaded: LoadedModel, encoding: Encoding) -> None:
    (clean,) = run.ablate(loaded, encoding, [])
    logits = collect(loaded, encoding).logits
    torch.testing.assert_close(clean.logits, logits, **TOLERANCE)
    ids = torch.tensor([encoding.token_ids])
    with torch.no_grad():
        own = loaded.model(ids, labels=ids).loss
    assert clean.losses.mean().item() == pytest.approx(own.item(), abs=1e-5)


@pytest.mark.parametrize("loaded", FAMILIES, indirect=True)
def test_heads_to_zero_equal_a_hand_written_hook(loaded: LoadedModel, encoding: Encoding) -> None:
    """Two heads of two layers, at two positions only."""
    places = [3, len(encoding.token_ids) - 1]
    heads = (Head(0, 1), Head(1, 3))
    _, outcome = run.ablate(
        loaded, encoding, [Condition("two", (HeadOutput(heads, positions=(3, -1)),))]
    )

    def silence(head: int):
        def hook(_module, args):
            parts = args[0].clone().unflatten(-1, (HEADS, -1))  # [batch query head dim]
            parts[:, places, head] = 0
            return (parts.flatten(-2),)

        return hook

    paths = output_projections(loaded)
    handles = [
        loaded.model.get_submodule(paths[head.layer]).register_forward_pre_hook(silence(head.head))
        for head in heads
    ]
    with torch.no_grad():
        logits = loaded.model(torch.tensor([encoding.token_ids])).logits[0]
    for handle in handles:
        handle.remove()
    torch.testing.assert_close(outcome.logits, logits[-1], **TOLERANCE)


def test_a_head_to_its_mean_equals_a_hand_written_hook(
    loaded: LoadedModel, encoding: Encoding
) -> None:
    means = run.head_means(loaded, ["The cat sat.", "One two three."])
    patterns, outputs = ablation_conditions.edits(
        [Condition("mean", (HeadOutput((Head(1, 2),), "mean"),))],
        [len(encoding.token_ids)],
        num_layers=LAYERS,
        replacements={"mean": means.z},
    )
    assert (patterns, list(outputs)) == ({}, [1])
    ids = torch.tensor([encoding.token_ids])
    ours = run_edited(loaded, ids, outputs=outputs).logits

    def replace(_module, args):
        parts = args[0].clone().unflatten(-1, (HEADS, -1))
        parts[:, :, 2] = means.z[1, 2]
        return (parts.flatten(-2),)

    project = loaded.model.get_submodule(output_projections(loaded)[1])
    with torch.no_grad(), project.register_forward_pre_hook(replace):
        logits = loaded.model(ids).logits
    torch.testing.assert_close(ours, logits, **TOLERANCE)


def test_means_are_over_every_position_but_the_first(load_family) -> None:
    loaded = load_family("gpt2")
    texts = ["The cat sat.", "One two three four."]
    means = run.head_means(loaded, texts)
    seen: list[torch.Tensor] = []
    project = loaded.model.transformer.h[1].attn.c_proj
    with project.register_forward_pre_hook(lambda _module, args: seen.append(args[0][0, 1:])):
        for text in texts:
            with torch.no_grad():
                loaded.model(torch.tensor([encode(loaded.tokenizer, text).token_ids]))
    every = torch.cat(seen).unflatten(-1, (HEADS, -1))  # [position head dim]
    assert (means.texts, means.positions) == (2, len(every))
    torch.testing.assert_close(means.z[1], every.mean(0), **TOLERANCE)


def test_values_to_zero_equal_zero_columns_of_the_value_map(load_family) -> None:
    """The value vectors themselves, zeroed in the model's own value half of c_attn."""
    loaded = load_family("gpt2")
    encoding = encode(loaded.tokenizer, PROMPT)
    _, outcome = run.ablate(loaded, encoding, [Condition("v", (Values((-2, 4), (1,)),))])
    width = loaded.model.config.n_embd

    def silence(_module, _args, output):
        output = output.clone()
        output[:, [4, len(encoding.token_ids) - 2], 2 * width :] = 0
        return output

    c_attn = loaded.model.transformer.h[1].attn.c_attn
    with torch.no_grad(), c_attn.register_forward_hook(silence):
        logits = loaded.model(torch.tensor([encoding.token_ids])).logits[0, -1]
    torch.testing.assert_close(outcome.logits, logits, **TOLERANCE)


def test_conditions_in_one_pass_equal_one_at_a_time(load_family) -> None:
    loaded = load_family("qwen2")
    encoding = encode(loaded.tokenizer, PROMPT)
    conditions = [
        Condition("zero", (HeadOutput((Head(0, 1),)),)),
        Condition("mean", (HeadOutput((Head(1, 0),), "mean", (2, 3)),)),
        Condition("rest", (Pattern((Head(0, 2), Head(1, 2))),)),
        Condition("edge", (Edge((Head(1, 1),), -1, 2),)),
        Condition("values", (Values((-2,)),)),
        Condition("two", (Values((1,), (0,)), HeadOutput((Head(0, 0),)))),
    ]
    together = run.ablate(loaded, encoding, conditions)[1:]
    for condition, outcome in zip(conditions, together, strict=True):
        _, alone = run.ablate(loaded, encoding, [condition])
        torch.testing.assert_close(outcome.logits, alone.logits, **TOLERANCE)
        torch.testing.assert_close(outcome.losses, alone.losses, **TOLERANCE)


def test_prompts_of_different_lengths_and_small_passes_change_nothing(load_family) -> None:
    loaded = load_family("bloom")
    condition = Condition("zero", (HeadOutput((Head(0, 1),), positions=(-1,)),))
    rows = [encode(loaded.tokenizer, text).token_ids for text in ("The cat sat", PROMPT, "a dog")]
    every = list(run.run_conditions(loaded, rows, [condition] * 3))
    for ids, outcome in zip(rows, every, strict=True):
        (alone,) = run.run_conditions(loaded, [ids], [condition], losses=False)
        torch.testing.assert_close(outcome.logits, alone.logits, **TOLERANCE)
        assert (len(outcome.losses), len(alone.losses)) == (len(ids) - 1, 0)
    small = list(run.run_conditions(loaded, rows, [condition] * 3, rows_at_once=1))
    torch.testing.assert_close(small[1].losses, every[1].losses, **TOLERANCE)


def test_every_head_of_a_layer_is_the_attention_block_less_its_bias(
    loaded: LoadedModel, encoding: Encoding
) -> None:
    """What is left of the block is the projection's bias, where the family has one."""
    every = tuple(Head(1, head) for head in range(HEADS))
    _, outcome = run.ablate(loaded, encoding, [Condition("all", (HeadOutput(every),))])
    project = loaded.model.get_submodule(output_projections(loaded)[1])

    def nothing_but_bias(_module, _args, output):
        bias = project.bias
        return torch.zeros_like(output) if bias is None else bias.expand_as(output)

    with torch.no_grad(), project.register_forward_hook(nothing_but_bias):
        logits = loaded.model(torch.tensor([encoding.token_ids])).logits[0, -1]
    torch.testing.assert_close(outcome.logits, logits, **TOLERANCE)


def test_disjoint_heads_of_the_last_layer_add_up_before_the_final_norm(
    load_family, monkeypatch
) -> None:
    """In a parallel block (GPT-NeoX) no MLP reads what the last layer's heads write."""
    loaded = load_family("gpt_neox")
    encoding = encode(loaded.tokenizer, PROMPT)
    ids = torch.tensor([encoding.token_ids])
    sets = [(Head(1, 0),), (Head(1, 1), Head(1, 3)), (Head(1, 0), Head(1, 1), Head(1, 3)), ()]
    residuals = []
    norm = loaded.model.gpt_neox.final_layer_norm
    forward = norm.forward

    def listen(residual):  # PyVene would remove a hook
        residuals.append(residual.clone())
        return forward(residual)

    monkeypatch.setattr(norm, "forward", listen)
    for heads in sets:
        patterns, _ = ablation_conditions.edits(
            [Condition("", (HeadOutput(heads),))], [ids.shape[1]], num_layers=LAYERS
        )
        run_edited(loaded, ids, patterns=patterns)
    one, other, both, none = residuals
    torch.testing.assert_close(both - none, (one - none) + (other - none), **TOLERANCE)
    assert (one - none).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "gemma2", "qwen3"])
def test_zero_equals_transformer_lens_hook_z(load_family, family: str) -> None:
    from transformer_lens.model_bridge import TransformerBridge

    loaded = load_family(family)
    encoding = encode(loaded.tokenizer, PROMPT)
    _, outcome = run.ablate(loaded, encoding, [Condition("L0H2", (HeadOutput((Head(0, 2),)),))])
    bridge = TransformerBridge.boot_transformers(loaded.source, device="cpu")

    def silence(z, hook):
        z = z.clone()
        parts = z if z.ndim == 4 else z.unflatten(-1, (HEADS, -1))
        parts[:, :, 2] = 0
        return z

    with torch.no_grad():
        logits = bridge.run_with_hooks(
            torch.tensor([encoding.token_ids]), fwd_hooks=[("blocks.0.attn.hook_z", silence)]
        )[0, -1]
    torch.testing.assert_close(
        outcome.logits.log_softmax(-1), logits.log_softmax(-1), rtol=0, atol=2e-5
    )


def _outcome(logits: list[float], losses: list[float]) -> Outcome:
    return Outcome(Condition(""), torch.tensor(logits, dtype=torch.float32), torch.tensor(losses))


def test_a_comparison_by_hand() -> None:
    half, fourth = math.log(0.5), math.log(0.25)
    clean = _outcome([half, fourth, fourth], [1.0, 2.0, 3.0])
    other = _outcome([fourth, half, fourth], [1.5, 2.0, 5.0])
    found = outcomes.compare(clean, other, answer=0, token_ids=[9, 1, 2, 1])
    assert (found.rank_before, found.rank) == (1, 2)
    assert (found.probability_before, found.probability) == pytest.approx((0.5, 0.25))
    assert found.surprise == pytest.approx(math.log(2))
    # 1/2 ln(.5/.25) + 1/4 ln(.25/.5) + 0
    assert found.kl == pytest.approx(0.25 * math.log(2))
    assert found.loss_change == pytest.approx(2.5 / 3)
    assert found.repeat_loss_change is None
    repeated = outcomes.compare(clean, other, answer=0, token_ids=[1, 1, 1, 1])
    assert repeated.repeat_loss_change == pytest.approx(2.0)  # only position 3 repeats a pair


def test_an_id_that_no_token_has_is_no_guess_and_takes_no_place() -> None:
    nameless = torch.tensor([3])
    clean = replace(_outcome([1, 2, 0, 9], []), nameless=nameless)
    other = replace(_outcome([3, 2, 0, 99], []), nameless=nameless)
    assert (clean.guess, other.guess) == (1, 0)
    found = outcomes.compare(clean, other, answer=clean.guess)
    assert (found.rank_before, found.rank) == (1, 2)
    # a probability is a share of all ids, as on the page of a prompt
    assert found.probability_before == pytest.approx(float(clean.logits.softmax(-1)[1]))
    rose, fell = outcomes.logit_changes(clean, other, top=4)
    assert [(one.token_id, one.change) for one in rose] == [(0, 2)]
    assert fell == ()


def test_the_lab_guesses_what_the_prompt_guesses(load_family) -> None:
    loaded = load_family("llama")
    best = capture(loaded, "The cat sat").next_tokens[0].token_id
    size = loaded.model.get_output_embeddings().weight.shape[0]
    key, before = f"nameless {size}", loaded.nameless(size)
    loaded.tools[key] = torch.cat(
        [before, torch.tensor([best])]
    )  # as if its embedding were padding
    try:
        run = capture(loaded, "The cat sat")
        table = tabulate(loaded, "The cat sat", [Condition("nothing")])
    finally:
        loaded.tools[key] = before
    shown = [token.token_id for token in run.next_tokens]
    assert best not in shown
    assert table.answer.token_id == shown[0]
    assert [token.token_id for token in table.guesses] == shown[: len(table.guesses)]
    assert table.vocabulary == size - len(before) - 1
    assert table.rows[0].comparison.rank == 1


def test_equal_outcomes_differ_in_nothing() -> None:
    one = _outcome([1.0, 2.0, 0.5], [1.0])
    found = outcomes.compare(one, one, answer=1)
    assert (found.rank, found.kl, found.surprise, found.loss_change) == (1, 0, 0, 0)
    assert outcomes.logit_changes(one, one, top=3) == ((), ())


def test_logit_changes_are_sorted_and_signed() -> None:
    clean, other = _outcome([0, 0, 0, 0], []), _outcome([1, -2, 3, 0], [])
    up, down = outcomes.logit_changes(clean, other, top=20)
    assert [(one.token_id, one.change) for one in up] == [(2, 3), (0, 1)]
    assert [(one.token_id, one.change) for one in down] == [(1, -2)]
    assert len(outcomes.logit_changes(clean, other, top=1)[0]) == 1


def test_the_bundled_models_phrase_needs_its_induction_layer() -> None:
    """Causal, not a correlation: without layer 1's induction heads the phrase is not continued."""
    loaded = load_model("demo")
    encoding = encode(loaded.tokenizer, "The cat sat on the mat. The cat sat on the mat. The cat")
    heads = tuple(Head(1, head) for head in (0, 1, 3, 4, 5, 6, 7))
    clean, without = run.ablate(loaded, encoding, [Condition("", (HeadOutput(heads),))])
    found = outcomes.compare(clean, without, answer=clean.guess, token_ids=encoding.token_ids)
    assert loaded.tokenizer.decode([clean.guess]) == " sat"
    assert found.rank_before == 1
    assert found.rank > 1
    assert found.repeat_loss_change > 0.5


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (HeadOutput((Head(9, 0),)), UnknownHeadError),
        (HeadOutput((Head(0, 4),)), UnknownHeadError),
        (Edge((Head(0, 0),), 99, 0), UnknownPositionError),
        (Values((-99,)), UnknownPositionError),
        (Pattern((Head(0, 0),), positions=(64,)), UnknownPositionError),
    ],
)
def test_what_is_not_there_is_refused(load_family, change, error) -> None:
    loaded = load_family("gpt2")
    with pytest.raises(error):
        run.ablate(loaded, encode(loaded.tokenizer, PROMPT), [Condition("", (change,))])


def test_a_head_that_is_changed_looks_only_where_it_can_see() -> None:
    near = torch.ones(4, 4, dtype=torch.bool).tril().triu(-1)  # the last two tokens
    for change, row in (
        (Pattern((Head(0, 0),), "uniform"), [0, 0, 0.5, 0.5]),
        (Pattern((Head(0, 0),)), [0, 0, 1, 0]),  # the first token that it sees
    ):
        pattern = torch.eye(4)[None].clone()
        ablation_conditions.change_pattern(pattern, change, 0, near)
        assert pattern[0, 3].tolist() == row


def test_a_row_with_a_learned_sink_is_scaled_up_to_what_it_was() -> None:
    pattern = torch.tensor([[[0.5, 0.0, 0.0], [0.2, 0.1, 0.0], [0.1, 0.2, 0.1]]])
    cut = Edge((Head(0, 0),), 2, 1, renormalise=True)
    ablation_conditions.change_pattern(pattern, cut, 0)
    torch.testing.assert_close(pattern[0, 2], torch.tensor([0.2, 0.0, 0.2]))


def test_a_uniform_head_of_a_windowed_model_stays_in_its_window(load_family) -> None:
    loaded = load_family("gemma2")
    ids = torch.tensor([encode(loaded.tokenizer, PROMPT).token_ids])
    heads = (Head(0, 1), Head(1, 1))
    patterns, _ = ablation_conditions.edits(
        [ablation_conditions.Condition("even", (Pattern(heads, "uniform"),))],
        [ids.shape[1]],
        num_layers=LAYERS,
    )
    run = run_edited(loaded, ids, patterns=patterns, keep_patterns=range(LAYERS))
    torch.testing.assert_close(run.patterns[0][0, 1, -1, -5:], torch.full((5,), 0.2))
    assert not run.patterns[0][0, 1, -1, :-5].any()
    every = torch.full((ids.shape[1],), 1 / ids.shape[1])
    torch.testing.assert_close(run.patterns[1][0, 1, -1], every)
    assert run.sight[1] is None
    assert torch.equal(run.sight[0], run.patterns[0][0, 1] > 0)


def test_what_should_come_next_may_be_any_text(loaded) -> None:
    """Half a character is a question mark, as in a prompt; nothing of it is a library's error."""
    rows = tabulate(loaded, PROMPT, [], answer="a\ud83d")
    assert any(text.startswith(rows.answer.text) for text in ("a?", " a?"))


def test_a_head_from_another_prompt_equals_a_hand_written_hook(
    loaded: LoadedModel, encoding: Encoding
) -> None:
    """One head's output is taken over at two positions; every other number is the model's own."""
    other_ids = (*encoding.token_ids[:2], *reversed(encoding.token_ids[2:]))
    other = run.head_outputs(loaded, other_ids)
    condition = Condition("patched", (HeadOutput((Head(1, 2),), "other", (2, -1)),))
    _, ours = run.ablate(loaded, encoding, [condition], other=other)

    project = loaded.model.get_submodule(output_projections(loaded)[1])
    kept = {}

    def keep(_module, args):
        kept["z"] = args[0].unflatten(-1, (HEADS, -1)).clone()

    def replace(_module, args):
        parts = args[0].clone().unflatten(-1, (HEADS, -1))
        for place in (2, -1):
            parts[:, place, 2] = kept["z"][:, place, 2]
        return (parts.flatten(-2),)

    with torch.no_grad():
        with project.register_forward_pre_hook(keep):
            loaded.model(torch.tensor([other_ids]))
        with project.register_forward_pre_hook(replace):
            logits = loaded.model(torch.tensor([encoding.token_ids])).logits[0, -1]
    torch.testing.assert_close(ours.logits, logits, **TOLERANCE)


def test_heads_held_at_their_own_output_change_nothing_by_themselves(
    loaded: LoadedModel, encoding: Encoding
) -> None:
    """A later layer held at its own output hides what an earlier one lost, but for the MLPs."""
    first = HeadOutput((Head(0, 1),))
    later = HeadOutput(tuple(Head(1, head) for head in range(HEADS)), "own")
    clean, held, alone, both = run.ablate(
        loaded,
        encoding,
        [Condition("held", (later,)), Condition("1", (first,)), Condition("2", (first, later))],
    )
    torch.testing.assert_close(held.logits, clean.logits, **TOLERANCE)
    assert not torch.allclose(alone.logits, both.logits, **TOLERANCE)

"""A logit taken apart: by hand, against TransformerLens, against plain hooks, under knock-outs."""

from __future__ import annotations

import csv
import json
import statistics
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from transformers import AutoModelForCausalLM

from headroles import attribution, limits
from headroles.ablation import Condition, Edge, HeadOutput, Pattern, ablate
from headroles.ablation.conditions import edits
from headroles.analysis import load_bridge
from headroles.attribution import Recording, Target, contributions
from headroles.attribution.against_chance import _places
from headroles.circuits.layouts import parts_of
from headroles.circuits.parts import Norm, Writing, matrix_of
from headroles.errors import (
    HeadrolesError,
    NotANumberError,
    UnknownPositionError,
    UnsupportedModelError,
)
from headroles.models import load_model
from headroles.texts import encode, ids_of
from headroles.types import Head
from scripts import command_line
from scripts import contributions as command
from tests.families import FAMILIES, PROMPT, family_config, save, widen
from tests.plain_hooks import PlainModel

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

IOI = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def demo():
    return load_model("demo")


def _taken_apart(loaded, text: str, answer: str = "", against: str = "", **settings):
    encoding = encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens)
    seen = attribution.record(loaded, encoding, **settings)
    target = attribution.resolve_target(loaded, encoding, answer, against, recording=seen)
    return encoding, target, attribution.project(loaded, seen, target)


# ------------------------------------------------------------------ by hand


def test_two_heads_and_two_dimensions_by_hand(demo, monkeypatch) -> None:
    # Stream: embedding (-2, 2) + heads (2, 0) and (0, 3) + bias (1, 0) + MLP (0, 2) = (1, 7), whose
    # mean square is 25. Normed (.2, 1.4), gain (1, 2), bias (.5, 0): (.7, 2.8). Along (5, 10), with
    # .25 of the unembedding: 3.5 + 28 + .25 = 31.75.
    norm = Norm("RMSNorm", torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.0]), 0.0)
    own = SimpleNamespace(
        W_O=torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), b_O=torch.tensor([1.0, 0.0]), kv_of=(0, 0)
    )
    parts = SimpleNamespace(final_norm=norm, layout=SimpleNamespace(logit_cap=None))
    columns = torch.tensor([[6.0, 1.0], [10.0, 0.0]]).double(), torch.tensor([0.25, 0.0]).double()
    monkeypatch.setattr(contributions, "parts_of", lambda _: parts)
    monkeypatch.setattr(contributions.weights, "layer_weights", lambda *_: own)
    monkeypatch.setattr(contributions.weights, "writing", lambda *_: Writing(1.0, None))
    monkeypatch.setattr(contributions.weights, "unembedding_of", lambda *_: columns)
    seen = Recording(
        position=1,
        z=(torch.tensor([[2.0], [3.0]]),),
        replaced=torch.tensor([[False, False]]),
        attention=torch.tensor([[[2 / 3, 1 / 3], [1 / 3, 2 / 3]]]),
        values=(torch.tensor([[[1.0], [4.0]]]),),
        scales=torch.tensor([1.0]),
        mlps=torch.tensor([[0.0, 2.0]]),
        remainders=(),
        embedding=torch.tensor([-2.0, 2.0]),
        positions=torch.zeros(2),
        end=torch.tensor([1.0, 7.0]),
        logits=torch.tensor([31.75, 0.0]),
    )
    found = attribution.project(demo, seen, Target(0, "a", 1, "b"))
    assert_close(found.heads, torch.tensor([[2.0, 12.0]]))
    assert_close(found.by_key, torch.tensor([[[2 / 3, 4 / 3], [4 / 3, 32 / 3]]]))
    assert_close(found.attention_biases, torch.tensor([1.0]))
    assert_close(found.mlps, torch.tensor([8.0]))
    assert (found.embedding, found.positions) == pytest.approx((6.0, 0.0))
    assert found.final_bias == pytest.approx(2.75)
    assert found.total == pytest.approx(31.75)
    assert found.error < 1e-6


# ------------------------------------------------------------------ tiny models of many families

_LLAMA = FAMILIES["llama"]
SETTINGS = {
    **FAMILIES,
    "granite": {
        **_LLAMA,
        "residual_multiplier": 0.22,
        "embedding_multiplier": 12.0,
        "logits_scaling": 8.0,
    },
    "cohere": {**_LLAMA, "logit_scale": 1 / 16},
    "mixtral": {**_LLAMA, "num_local_experts": 2, "num_experts_per_tok": 1},
    "gemma2": {**FAMILIES["gemma2"], "final_logit_softcapping": 3.0},
}


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """``family("llama")``: a tiny model whose norms and biases are not trivial, and its folder."""
    made: dict[str, tuple] = {}

    def load(name: str):
        if name not in made:
            torch.manual_seed(len(name))
            config = family_config(name, SETTINGS[name])
            model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
            widen(model)
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.ndim == 1:
                        parameter.add_(0.2 * torch.randn_like(parameter))
            folder = tmp_path_factory.mktemp(name) / name
            save(model, folder)
            made[name] = load_model(str(folder)), folder
        return made[name]

    return load


@pytest.mark.parametrize("name", SETTINGS)
def test_the_parts_sum_to_the_logit(name: str, family) -> None:
    loaded, folder = family(name)
    encoding, target, found = _taken_apart(loaded, PROMPT, " cat", " dog")
    assert found.error < 1e-5 * found.size
    assert found.remainders == ()
    assert_close(found.by_key.sum(-1), found.heads, atol=1e-5, rtol=1e-5)
    own = PlainModel(folder, loaded.num_heads).logits(torch.tensor([encoding.token_ids]))[0, -1]
    if found.cap:
        assert found.cap == 3.0
        own = 3.0 * (own.double() / 3.0).atanh()
    difference = float(own[target.token_id] - own[target.against_id])
    assert found.logit == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "granite", "bloom", "gpt_neox"])
def test_a_head_adds_what_plain_hooks_take_away_with_it(name: str, family) -> None:
    loaded, folder = family(name)
    encoding, target, found = _taken_apart(loaded, PROMPT, " cat")
    plain, ids = PlainModel(folder, loaded.num_heads), torch.tensor([encoding.token_ids])
    whole = plain.logits(ids)[0, -1].double()
    for head in (Head(0, 0), Head(0, 3), Head(1, 2)):
        taken = plain.direct(ids, head)[0][-1].double()
        if found.cap:
            taken = 3.0 * ((whole / 3.0).atanh() - ((whole - taken) / 3.0).atanh())
        expected = float(taken[target.token_id])
        assert abs(expected) > 1e-3
        assert float(found.heads[head]) == pytest.approx(expected, abs=2e-3 * found.size)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_every_part_is_that_of_transformer_lens(name: str, load_family) -> None:
    loaded = load_family(name)
    encoding, target, found = _taken_apart(loaded, PROMPT, " cat", " dog")
    with torch.no_grad():
        _, cache = load_bridge(loaded.source).run_with_cache(torch.tensor([encoding.token_ids]))

    def theirs(stack: Tensor) -> Tensor:
        return cache.logit_attrs(
            stack, tokens=target.token_id, incorrect_tokens=target.against_id, pos_slice=-1
        ).flatten()

    heads = theirs(cache.stack_head_results(layer=-1, pos_slice=-1))
    assert_close(found.heads.flatten(), heads, atol=1e-5, rtol=0)
    stack, labels = cache.decompose_resid(layer=-1, pos_slice=-1, return_labels=True)
    parts = dict(zip(labels, theirs(stack).tolist(), strict=True))
    assert found.embedding == pytest.approx(parts["embed"], abs=1e-5)
    assert found.positions == pytest.approx(parts.get("pos_embed", 0.0), abs=1e-5)
    for layer in range(loaded.num_layers):
        assert float(found.mlps[layer]) == pytest.approx(parts[f"{layer}_mlp_out"], abs=1e-5)
        attention = float(found.heads[layer].sum() + found.attention_biases[layer])
        assert attention == pytest.approx(parts[f"{layer}_attn_out"], abs=1e-5)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_token_gives_what_is_lost_without_it(name: str, family) -> None:
    """In the last layer: the cell of the attention is cut, and what else the head read stays."""
    loaded, _ = family(name)
    encoding, target, found = _taken_apart(loaded, PROMPT, " cat")
    head, query = Head(1, 2), len(encoding.token_ids) - 1
    key = int(found.by_key[head][1:].abs().argmax()) + 1
    cut = Condition("cut", (Edge((head,), query, key),))
    patterns, _ = edits([cut], [query + 1], num_layers=loaded.num_layers)
    without = attribution.record(loaded, encoding, patterns=patterns)
    kept = attribution.record(loaded, encoding)
    frozen = {**vars(without), "end": kept.end}  # the final norm as it was
    changed = attribution.project(loaded, Recording(**frozen), target)
    assert changed.by_key[head][key] == 0
    lost = float(found.heads[head] - changed.heads[head])
    assert lost == pytest.approx(float(found.by_key[head][key]), abs=1e-5)


def test_what_no_single_module_adds_is_said_to_be_a_rest(tmp_path) -> None:
    """GraniteMoeShared adds two modules' results to the stream at once."""
    settings = {
        **_LLAMA,
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
        "shared_intermediate_size": 16,
        "residual_multiplier": 0.5,
    }
    model = AutoModelForCausalLM.from_config(family_config("granitemoeshared", settings))
    widen(model)
    save(model, tmp_path / "tiny")
    loaded = load_model(str(tmp_path / "tiny"))
    _, _, found = _taken_apart(loaded, PROMPT)
    assert found.remainders == (0, 1)
    assert found.error < 1e-5 * found.size
    assert found.mlps.abs().min() > 1e-3


def test_a_layer_without_an_mlp_adds_nothing_there() -> None:
    loaded = load_model("attn-only-2l-tiny")
    _, _, found = _taken_apart(loaded, "one two three one two")
    assert found.mlps.tolist() == [0.0, 0.0]
    assert found.remainders == ()
    assert found.error < 1e-5 * found.size


def test_a_model_that_norms_its_stream_is_refused(tmp_path) -> None:
    settings = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    model = AutoModelForCausalLM.from_config(family_config("openai-gpt", settings))
    widen(model)
    save(model, tmp_path / "tiny")
    loaded = load_model(str(tmp_path / "tiny"))
    with pytest.raises(UnsupportedModelError, match="norms the residual stream itself"):
        attribution.record(loaded, encode(loaded.tokenizer, PROMPT))


# ------------------------------------------------------------------ rows, positions and edits


def test_many_rows_are_each_as_if_alone(demo) -> None:
    texts = ["The cat sat. The cat", "Tom saw the dog in the garden, and", "one two three"]
    encodings = [encode(demo.tokenizer, text) for text in texts]
    rows = [encoding.token_ids for encoding in encodings]
    together = attribution.record_rows(demo, rows, positions=[-1, 3, -2])
    for encoding, position, one in zip(encodings, (-1, 3, -2), together, strict=True):
        target = attribution.resolve_target(demo, encoding, position=position)
        alone = attribution.contribute(demo, encoding, target, position=position)
        found = attribution.project(demo, one, target)
        assert found.position == position % len(encoding.token_ids)
        assert found.by_key.shape[-1] == found.position + 1
        assert_close(found.heads, alone.heads, atol=1e-5, rtol=1e-5)
        assert found.error < 1e-5 * found.size
        assert found.logit == pytest.approx(alone.logit, abs=1e-4)


def test_a_row_ends_at_its_position(demo) -> None:
    whole, cut = encode(demo.tokenizer, IOI), encode(demo.tokenizer, IOI[:18])
    target = attribution.resolve_target(demo, cut)
    at = len(cut.token_ids) - 1
    assert whole.token_ids[: at + 1] == cut.token_ids
    found = attribution.contribute(demo, whole, target, position=at)
    assert_close(found.heads, attribution.contribute(demo, cut, target).heads)


@pytest.mark.parametrize("name", ["gpt2", "gemma2"])
def test_the_start_token_alone_can_be_taken_apart(name: str, family) -> None:
    loaded, _ = family(name)
    _, _, found = _taken_apart(loaded, PROMPT, " cat", position=0)
    assert found.by_key.shape[-1] == 1
    assert found.error < 1e-5 * found.size


def test_a_model_that_computes_no_numbers_is_refused(tmp_path) -> None:
    model = AutoModelForCausalLM.from_config(family_config("gpt2", FAMILIES["gpt2"]))
    save(model, tmp_path / "tiny")
    loaded = load_model(str(tmp_path / "tiny"))
    encoding = encode(loaded.tokenizer, PROMPT)
    target = attribution.resolve_target(loaded, encoding)
    with torch.no_grad():  # after its weights were read
        loaded.model.transformer.h[1].mlp.c_proj.bias[3] = torch.nan
    for use in (attribution.contribute, attribution.chance):
        with pytest.raises(NotANumberError):
            use(loaded, encoding, target)


@pytest.mark.parametrize("position", [15, -16, 400])
def test_a_position_that_is_not_there_is_refused(position: int, demo) -> None:
    encoding = encode(demo.tokenizer, IOI)
    assert len(encoding.token_ids) == 15
    with pytest.raises(UnknownPositionError, match="no position"):
        attribution.record(demo, encoding, position=position)


@pytest.mark.parametrize(
    "change",
    [
        HeadOutput((Head(1, 4), Head(3, 5))),
        HeadOutput((Head(3, 5),), "mean"),
        Pattern((Head(2, 6),), "uniform"),
    ],
    ids=["zero", "mean", "even"],
)
@pytest.mark.parametrize("position", [-1, 9])
def test_under_a_knock_out_the_parts_sum_to_what_the_model_then_says(
    change, position: int, demo
) -> None:
    encoding = encode(demo.tokenizer, IOI)
    target = attribution.resolve_target(demo, encoding, "Mary", "John")
    replacements = {"mean": torch.ones(demo.num_layers, demo.num_heads, 16)}
    patterns, outputs = edits(
        [Condition("changed", (change,))],
        [len(encoding.token_ids)],
        num_layers=demo.num_layers,
        replacements=replacements,
    )
    untouched = attribution.contribute(demo, encoding, target, position=position)
    found = attribution.contribute(
        demo, encoding, target, position=position, patterns=patterns, outputs=outputs
    )
    assert found.error < 1e-5 * found.size
    assert abs(found.logit - untouched.logit) > 1e-3
    replaced = [Head(*place) for place in found.replaced.nonzero().tolist()]
    to = getattr(change, "to", "")
    assert replaced == (list(change.heads) if to == "mean" else [])  # zero is no attention at all
    for head in change.heads if to in ("zero", "mean") else ():
        assert not found.by_key[head].any()
        assert bool(found.heads[head] == 0) == (to == "zero")
    kept = ~found.replaced
    assert_close(found.by_key.sum(-1)[kept], found.heads[kept], atol=1e-5, rtol=1e-5)


def test_conditions_are_rows_of_one_pass(demo) -> None:
    encoding = encode(demo.tokenizer, IOI)
    target = attribution.resolve_target(demo, encoding, "Mary", "John")
    rows = [Condition("none"), Condition("without", (HeadOutput((Head(3, 5),)),))]
    ids = [encoding.token_ids] * 2
    patterns, _ = edits(rows, list(map(len, ids)), num_layers=demo.num_layers)
    seen = attribution.record_rows(demo, ids, patterns=patterns)
    clean, without = ablate(demo, encoding, rows[1:])
    for one, outcome in zip(seen, (clean, without), strict=True):
        found = attribution.project(demo, one, target)
        said = outcome.logits[target.token_id] - outcome.logits[target.against_id]
        assert found.total == pytest.approx(float(said), abs=1e-4)


def test_a_head_of_the_last_layer_is_missed_by_what_it_wrote(family) -> None:
    """GPT-NeoX's last MLP does not read the head, so a real knock-out takes away just that: its
    part, and what the final norm then divides by less."""
    loaded, folder = family("gpt_neox")
    encoding, target, found = _taken_apart(loaded, PROMPT, " cat")
    seen, head, parts = attribution.record(loaded, encoding), Head(1, 2), parts_of(loaded)
    matrix, _ = matrix_of(parts.layers[1].output)
    wrote = seen.z[1][2] @ matrix.unflatten(0, (loaded.num_heads, -1))[2]
    scale = [(end - end.mean()).square().mean().add(1e-5).sqrt() for end in
             (seen.end, seen.end - wrote)]  # fmt: skip
    rest = found.total - found.final_bias - float(found.heads[head])
    expected = rest * float(scale[0] / scale[1]) + found.final_bias
    plain = PlainModel(folder, loaded.num_heads)
    knocked_out = plain.without(torch.tensor([encoding.token_ids]), head)[0, -1]
    assert float(knocked_out[target.token_id]) == pytest.approx(expected, abs=1e-4)


# ------------------------------------------------------------------ targets


def test_the_target_is_what_was_named_or_the_models_own_guess(demo) -> None:
    encoding = encode(demo.tokenizer, "The cat sat on the mat. The cat")
    own = attribution.resolve_target(demo, encoding)
    (clean,) = ablate(demo, encoding, [])
    assert (own.token_id, own.text, own.named) == (clean.guess, " sat", False)
    named = attribution.resolve_target(demo, encoding, "sat", "ran")
    assert (named.text, named.against, named.named) == (" sat", " ran", True)
    assert [named.token_id, named.against_id] == [
        ids_of(demo.tokenizer, text)[0] for text in (" sat", " ran")
    ]
    long = attribution.resolve_target(demo, encoding, "extraordinarily", "sat")
    assert long.part_of == "extraordinarily"
    assert "extraordinarily".startswith(long.text.strip())


@pytest.mark.parametrize(("answer", "against"), [("sat", "sat"), ("sat", " sat"), ("", "sat")])
def test_two_equal_tokens_have_no_difference(answer: str, against: str, demo) -> None:
    encoding = encode(demo.tokenizer, "The cat sat on the mat. The cat")
    with pytest.raises(HeadrolesError, match="Both tokens are “·sat”"):
        attribution.resolve_target(demo, encoding, answer, against)


# ------------------------------------------------------------------ chance


def test_chance_is_the_mean_over_prompts_with_other_names(demo) -> None:
    """Names are exchanged one by one here, by their text, and each prompt is run alone."""
    encoding, target, found = _taken_apart(demo, "John saw Mary. John ran to Mary. Then", "Mary")
    chance = attribution.chance(demo, encoding, target, n=100)
    names = [name for name in attribution.against_chance.KINDS["names"] if name not in IOI]
    others = []
    for name in names:
        changed = encode(demo.tokenizer, f"John saw {name}. John ran to {name}. Then")
        if len(changed.token_ids) == len(encoding.token_ids):
            others.append(attribution.contribute(demo, changed, target).heads)
    assert chance.n == len(others) == 28
    assert chance.what == "On 28 copies of this prompt with random other names in place of “Mary”."
    assert_close(chance.mean, torch.stack(others).mean(0), atol=1e-4, rtol=1e-4)
    head = Head(*divmod(int(found.heads.argmax()), demo.num_heads))
    each = [float(one[head]) for one in others]
    assert float(chance.spread[head]) == pytest.approx(statistics.stdev(each), abs=1e-4)


def test_both_names_are_exchanged_for_two_different_ones(demo, monkeypatch) -> None:
    rows: list[list[int]] = []
    real = attribution.against_chance.record_rows
    monkeypatch.setattr(
        attribution.against_chance,
        "record_rows",
        lambda loaded, ids, **settings: rows.extend(ids) or real(loaded, ids, **settings),
    )
    encoding, target, _ = _taken_apart(demo, IOI, "Mary", "John")
    chance = attribution.chance(demo, encoding, target, n=30, seed=3)
    assert chance.n == len(rows) == len(set(map(tuple, rows))) == 30
    places = {text: [n for n, one in enumerate(encoding.tokens) if one == text]
              for text in (" Mary", " John")}  # fmt: skip
    assert list(map(len, places.values())) == [1, 2]
    for row in rows:
        (io,) = {row[place] for place in places[" Mary"]}
        (subject,) = {row[place] for place in places[" John"]}
        assert len({io, subject, target.token_id, target.against_id}) == 4
        same = [n for n, one in enumerate(row) if one == encoding.token_ids[n]]
        assert len(same) == len(row) - 3
    assert attribution.chance(demo, encoding, target, n=2).what.startswith("On 2 copies")
    again = attribution.chance(demo, encoding, target, n=30, seed=3)
    assert torch.equal(again.mean, chance.mean)
    assert not torch.equal(attribution.chance(demo, encoding, target, n=30).mean, chance.mean)


def test_an_answer_that_does_not_stand_there_is_held_against_other_places(demo) -> None:
    encoding, target, _ = _taken_apart(demo, "The cat sat on the mat. The cat", "ran")
    chance = attribution.chance(demo, encoding, target, n=12)
    assert chance.n == 12
    assert chance.what == (
        "At 12 random places in other sentences, where “·ran” does not come next."
    )
    assert chance.spread.max() > 0


@pytest.mark.parametrize(
    ("tokens", "word", "expected"),
    [
        (["<s>", "Mary", " saw", " Mary", "."], "Mary", [1, 3]),
        (["<s>", " Mar", "lowe", " saw"], "Mar", []),
        (["<s>", " a", " so", "Mary"], "Mary", []),
        (["<s>", "(", "Mary", ")"], "Mary", [2]),
        (["<s>", " 17", " 17"], "17", []),
        (["Mary", " saw"], "Mary", []),
    ],
    ids=["twice", "a beginning", "an ending", "in brackets", "a number", "the start token"],
)
def test_only_whole_words_are_exchanged(tokens: list[str], word: str, expected: list[int]) -> None:
    assert _places(tokens, word) == expected


@pytest.mark.parametrize("n", [0, 1, 101])
def test_chance_has_bounds(n: int, demo) -> None:
    assert n not in limits.CHANCE
    encoding, target, _ = _taken_apart(demo, IOI)
    with pytest.raises(HeadrolesError, match="cannot be taken from"):
        attribution.chance(demo, encoding, target, n=n)


# ------------------------------------------------------------------ the command


def test_the_command_prints_the_sum_and_a_ranking(capsys) -> None:
    assert (
        command.main(["--prompt", IOI, "--answer", "Mary", "--against", "John", "--top", "3"]) == 0
    )
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("L3H5 looked at “·drink” (100%) and wrote for “·Mary” rather than")
    begins = told.index("“·Mary” over “·John” after “·to” (position 14), in logits:")
    rows = [line.split(maxsplit=1) for line in told[begins + 1 : begins + 8]]
    assert [name for _, name in rows] == [
        "embedding", "learned position", "heads", "attention biases", "MLPs", "final biases", "sum",
    ]  # fmt: skip
    *parts, total = (float(value.replace("−", "-")) for value, _ in rows)
    assert sum(parts) == pytest.approx(total, abs=0.03)
    assert f"pass is {total:.2f} " in told[begins + 8]
    ranking = [line for line in told if "of its attention" in line]
    assert [line.split()[1] for line in ranking] == ["L3H5", "L1H1", "L3H3"]
    assert ranking[0].startswith("     +2.77")
    assert "other prompts" in ranking[0]
    assert "with random other names in place of “Mary” and “John”" in told[-1]


def test_the_command_writes_a_table_whose_parts_add_up(capsys, tmp_path) -> None:
    table = tmp_path / "parts.csv"
    assert command.main(["--prompt", IOI, "--chance", "4", "--json", "--csv", str(table)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["prompt"], told["chance"]["n"]) == ("demo", IOI, 4)
    lines = table.read_text("utf-8-sig").splitlines()
    assert "# other_prompts: 4" in lines
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    total = sum(float(row["contribution_logits"]) for row in rows)
    assert total == pytest.approx(told["logit"], abs=1e-4)


def test_the_command_gives_every_number(capsys, demo) -> None:
    assert command.main(["--prompt", IOI, "--position", "5", "--json", "--no-chance"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "chance" not in told
    assert told["conclusion"].endswith(f"{told['logit']:.2f}.")
    encoding = encode(demo.tokenizer, IOI)
    target = attribution.resolve_target(demo, encoding, position=5)
    found = attribution.contribute(demo, encoding, target, position=5)
    assert told["target"]["text"] == target.text
    assert_close(torch.tensor(told["by_head"]), found.heads)
    assert told["sum"] == pytest.approx(told["logit"], abs=1e-4)
    assert told["sum"] == pytest.approx(found.total)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prompt", IOI, "--position", "99"], "There is no position 99"),
        (["--prompt", IOI, "--answer", "a", "--against", "a"], "Both tokens are"),
        (["--prompt", IOI, "--chance", "1"], "from 2 to 100"),
        (["--prompt", " "], "is empty"),
    ],
)
def test_the_command_says_what_cannot_be_used(arguments: list[str], says: str, capsys) -> None:
    assert command.main(arguments) == command_line.UNUSABLE
    assert says in capsys.readouterr().err

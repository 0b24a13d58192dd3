"""Patching: by hand, against plain hooks on every family, and identities that hold exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from headroles import texts
from headroles.ablation import pairs, patching
from headroles.ablation.pairs import Pair, make_pair
from headroles.ablation.tables import Answer
from headroles.analysis import load_bridge
from headroles.capture.interventions import output_projections
from headroles.errors import HeadrolesError, PairError, UnknownHeadError
from headroles.models import LoadedModel, load_model
from headroles.texts import encode, token_texts
from headroles.types import Encoding, Head
from tests.facts import says
from tests.families import FAMILIES, HEADS, LAYERS

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

TOLERANCE = {"rtol": 0, "atol": 2e-5}
FIRST = "the code is 7391. the code is 73 7"
SECOND = "the code is 7281. the code is 72 7"
DIRECTIONS = ("denoise", "noise")
TREE = "The small bird sang in the tree. The small bird sang in the"
BOX = "The small bird sang in the box. The small bird sang in the"


@pytest.fixture(params=FAMILIES)
def loaded(request, load_family) -> LoadedModel:
    return load_family(request.param)


@pytest.fixture
def pair(loaded: LoadedModel) -> Pair:
    return _pair_of(loaded)


def _pair_of(loaded: LoadedModel) -> Pair:
    """Two prompts of a random model, and the two tokens that tell them best apart."""
    first, second = (encode(loaded.tokenizer, text) for text in (FIRST, SECOND))
    rows = torch.tensor([first.token_ids, second.token_ids])
    with torch.no_grad():
        logits = loaded.model(rows, use_cache=False).logits[:, -1].double()
    change = logits[0] - logits[1]
    answer, against = int(change.argmax()), int(change.argmin())
    texts = token_texts(loaded.tokenizer, [answer, against])
    apart = (logits[:, answer] - logits[:, against]).tolist()
    differ = (rows[0] != rows[1]).nonzero().flatten().tolist()
    return Pair(first, second, tuple(differ), answer, texts[0], against, texts[1], *apart)


def _by_hooks(loaded: LoadedModel, pair: Pair, direction: str, places) -> float:
    """The logit difference with {layer: [(head, position)]} of the other prompt, by plain hooks."""
    taken, run = pair.first.token_ids, pair.second.token_ids
    if direction == "noise":
        taken, run = run, taken
    projections = output_projections(loaded)
    kept: dict[int, torch.Tensor] = {}

    def keep(layer):
        return lambda _module, args: kept.update({layer: args[0].detach().clone()})

    def put(layer):
        def hook(_module, args):
            z, source = (
                one.clone().unflatten(-1, (loaded.num_heads, -1)) for one in (args[0], kept[layer])
            )
            for head, position in places[layer]:
                z[..., position, head, :] = source[..., position, head, :]
            return (z.flatten(-2),)

        return hook

    for ids, hook in ((taken, keep), (run, put)):
        handles = [
            loaded.model.get_submodule(projections[layer]).register_forward_pre_hook(hook(layer))
            for layer in places
        ]
        with torch.no_grad():
            logits = loaded.model(torch.tensor([ids]), use_cache=False).logits[0, -1].double()
        for handle in handles:
            handle.remove()
    return float(logits[pair.answer_id] - logits[pair.against_id])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_heads_at_all_positions_equal_hand_written_hooks(loaded, pair, direction) -> None:
    """Hooks at every position: those before the first differing token change nothing."""
    found = patching.every_head(pair, *loaded.shape, direction=direction).all(loaded)
    every = range(pair.length)
    wanted = [
        [_by_hooks(loaded, pair, direction, {layer: [(head, at) for at in every]})
         for head in range(HEADS)]
        for layer in range(LAYERS)
    ]  # fmt: skip
    torch.testing.assert_close(found.differences, torch.tensor(wanted).double(), **TOLERANCE)
    assert found.share.abs().max() > 0.01


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_single_positions_equal_hand_written_hooks(loaded, pair, direction) -> None:
    heads = [Head(1, 2), Head(0, 0)]
    found = patching.heads_by_position(pair, heads, direction=direction).all(loaded)
    layers = patching.layers_by_position(pair, *loaded.shape, direction=direction).all(loaded)
    assert (found.rows, found.by_position) == (((heads[0],), (heads[1],)), True)
    assert found.share.shape == (2, pair.length)
    assert layers.share.shape == (LAYERS, pair.length)
    for at in (0, pair.start - 1, pair.start, pair.length - 2, pair.length - 1):
        one = _by_hooks(loaded, pair, direction, {1: [(2, at)]})
        whole = _by_hooks(loaded, pair, direction, {0: [(head, at) for head in range(HEADS)]})
        assert found.differences[0, at].item() == pytest.approx(one, abs=2e-5)
        assert layers.differences[0, at].item() == pytest.approx(whole, abs=2e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_identities(loaded, pair, direction) -> None:
    # Positions know of each other through heads alone: with all of them, everything is taken over.
    whole = patching.all_heads(pair, LAYERS, HEADS, direction=direction).all(loaded)
    assert whole.share.item() == pytest.approx(1, abs=1e-3)
    # A prompt put into itself changes nothing.
    same = patching.every_head(pair, LAYERS, HEADS, direction=direction)
    same.source = same.runs
    assert same.all(loaded).share.abs().max() < 1e-3
    # In the last layer nothing but the last position is read.
    last = [Head(LAYERS - 1, head) for head in range(HEADS)]
    by_position = patching.heads_by_position(pair, last, direction=direction).all(loaded).share
    by_head = patching.every_head(pair, *loaded.shape, direction=direction).all(loaded).share
    torch.testing.assert_close(by_position[:, -1], by_head[-1], rtol=0, atol=1e-3)
    assert by_position[:, :-1].abs().max() < 1e-3


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_it_is_what_transformer_lens_finds(load_family, model_folders, family, direction) -> None:
    loaded, bridge = load_family(family), load_bridge(str(model_folders(family)))
    pair = _pair_of(loaded)
    source, runs = (torch.tensor([one.token_ids]) for one in (pair.first, pair.second))
    if direction == "noise":
        source, runs = runs, source
    _, cache = bridge.run_with_cache(source)

    def wanted(layer: int, heads: range, places: slice) -> float:
        name = f"blocks.{layer}.attn.hook_z"

        def put(z, hook):
            for head in heads:
                z[:, places, head] = cache[name][:, places, head]
            return z

        with torch.no_grad():
            logits = bridge.run_with_hooks(runs, fwd_hooks=[(name, put)])[0, -1]
        return float(logits[pair.answer_id] - logits[pair.against_id])

    every = patching.every_head(pair, *loaded.shape, direction=direction).all(loaded).differences
    layers = patching.layers_by_position(pair, *loaded.shape, direction=direction).all(loaded)
    for layer in range(LAYERS):
        for head in range(HEADS):
            one = wanted(layer, range(head, head + 1), slice(None))
            assert every[layer, head].item() == pytest.approx(one, abs=5e-5)
        for at in (pair.start, pair.length - 1):
            whole = wanted(layer, range(HEADS), slice(at, at + 1))
            assert layers.differences[layer, at].item() == pytest.approx(whole, abs=5e-5)


# ------------------------------------------------------------------ shares and the control, by hand


def _made_up(first: float = 3.0, second: float = -1.0) -> Pair:
    encoding = Encoding((0, 1, 2), ("start", "a", "b"), "start", False, 3)
    other = replace(encoding, token_ids=(0, 3, 2))
    return Pair(encoding, other, (1,), 5, " x", 6, " y", first, second)


def test_shares_by_hand() -> None:
    """3 and -1 are 4 apart: a patched 1 is half of the way, from either end."""
    at = torch.tensor([-1.0, 0.0, 1.0, 3.0, 5.0, -3.0]).double()
    assert patching.share_of(_made_up(), at, "denoise").tolist() == [0, 0.25, 0.5, 1, 1.5, -0.5]
    assert patching.share_of(_made_up(), at, "noise").tolist() == [1, 0.75, 0.5, 0, -0.5, 1.5]


def _table(*differences: float) -> patching.Patched:
    rows = tuple((Head(0, head),) for head in range(len(differences)))
    grid = torch.tensor(differences).double()[:, None]
    return patching.Patched(_made_up(), "denoise", rows, by_position=False, differences=grid)


def test_the_control_by_hand() -> None:
    """Exchanges of .02, .04 and .06 are .04 ± .02: a share counts from .04 + 4.3 * .023 on."""
    heads = replace(_table(1.0, -2.0), rows=((Head(0, 0), Head(0, 1)),))
    heads = replace(heads, differences=heads.differences.T)
    assert patching.strongest(heads) == (Head(0, 0), Head(0, 1))
    controls = [_table(4 * share - 1, 4 * -share - 1) for share in (0.02, 0.04, 0.06)]
    plus, minus = patching.beside_control(heads, controls)
    assert (plus.head, plus.share, plus.exchanges) == (Head(0, 0), 0.5, 3)
    assert (plus.control_mean, plus.control_spread) == pytest.approx((0.04, 0.02), abs=1e-6)
    assert (minus.share, minus.control_mean) == pytest.approx((-0.25, -0.04), abs=1e-6)
    assert (plus.verdict, minus.verdict) == ("holds_up", "holds_up")
    within = replace(heads, differences=torch.tensor([[4 * 0.12 - 1, -1.0]]).double())
    assert patching.beside_control(within, controls)[0].verdict == "not_special"
    assert patching.beside_control(heads, controls[:1])[0].verdict == "not_tested"
    assert patching.beside_control(heads, []) == ()


# ------------------------------------------------------------------ pairs of the bundled model


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_model("demo")


def test_a_pair_by_the_models_own_guesses(demo) -> None:
    pair = make_pair(demo, TREE, BOX)
    assert (pair.answer, pair.against) == (pair.first_guess, pair.second_guess) == (" tree", " box")
    assert [pair.first.tokens[at] for at in pair.differ] == [" tree"]
    assert pair.is_told_apart
    with torch.no_grad():
        rows = torch.tensor([pair.first.token_ids, pair.second.token_ids])
        logits = demo.model(rows).logits[:, -1].double()
    apart = (logits[:, pair.answer_id] - logits[:, pair.against_id]).tolist()
    assert (pair.first_difference, pair.second_difference) == pytest.approx(apart, abs=1e-4)
    assert pair.gap == pytest.approx(apart[0] - apart[1], abs=1e-4)


@pytest.mark.parametrize(
    ("first", "second", "answers", "words"),
    [
        ("The cat sat", "The cat sat", {}, ["same tokens", "Exchange a word"]),
        ("The cat sat", "The small cat sat", {}, ["4 tokens", "second 5", "nothing", "“·small”"]),
        ("The big cat", "The plum cat", {}, ["4 tokens", "second 5", "·pl|um", "as many tokens"]),
        (TREE, BOX, {"answer": " box", "against": " box"}, ["“·box”", "different first tokens"]),
        (TREE, BOX, {"against": " tree"}, ["Both answers", "“·tree”"]),
        (TREE, BOX, {"answer": " box", "against": " tree"}, ["wrong way round", "two prompts"]),
        (TREE, TREE.replace("tree.", "tree!"), {"answer": " king", "against": " queen"}, ["logit"]),
        ("a " * 5000, "b " * 5000, {}, ["are read at most", "Shorten"]),
    ],
)  # fmt: skip
def test_pairs_that_cannot_be_used_say_the_way_out(demo, first, second, answers, words) -> None:
    with pytest.raises(PairError) as caught:
        make_pair(demo, first, second, **answers)
    assert says(str(caught.value), *words)
    assert caught.value.value is not None


def test_a_pair_that_is_not_told_apart_names_both_numbers() -> None:
    same = Answer(5, " x", named=True), Answer(6, " y", named=True)
    with pytest.raises(PairError) as caught:
        pairs._check_gap(*same, 1.25, 1.2)
    assert says(str(caught.value), "“·x”", "“·y”", "1.25", "1.20", "does not tell")
    pairs._check_gap(*same, 1.4, 1.2)


def test_a_longer_answer_is_watched_by_its_first_token(demo) -> None:
    pair = make_pair(demo, TREE, BOX, answer="treehouse")
    assert pair.answer == " tree"
    assert says(*pair.remarks, "“treehouse”", "“·tree”")
    assert make_pair(demo, TREE, BOX, answer="tree", against="box").remarks == ()


def test_an_empty_prompt_is_refused(demo) -> None:
    with pytest.raises(HeadrolesError, match="empty"):
        make_pair(demo, "", BOX)


# ------------------------------------------------------------------ ready pairs


def test_ready_pairs_are_named_and_differ_in_little() -> None:
    names = [(ready.kind, ready.name) for ready in texts.READY_PAIRS]
    assert len(set(names)) == len(names) >= 20
    assert {kind for kind, _ in names} == set(texts.PAIR_KINDS)
    for ready in texts.READY_PAIRS:
        assert ready.answer != ready.against
        one, other = ready.first.split(), ready.second.split()
        assert len(one) == len(other)
        assert 1 <= sum(a != b for a, b in zip(one, other, strict=True)) <= 3
        assert all(
            ready.exchange[0] in text and text not in texts.exchanged(text, ready.exchange)
            for text in (ready.first, ready.second)
            if ready.exchange
        )


def test_ready_pairs_that_the_bundled_model_tells_apart(demo) -> None:
    """One call for all says what each pair says by itself."""
    found = pairs.told_apart(demo, texts.READY_PAIRS)
    assert {ready.kind for ready in found} == set(texts.PAIR_KINDS)
    for ready in texts.READY_PAIRS:
        try:
            own = pairs.ready_pair(demo, ready).is_told_apart
        except PairError:
            own = False
        assert own == (ready in found)
    assert pairs.told_apart(demo, []) == ()


def test_the_control_of_a_ready_pair_recovers_little(demo) -> None:
    """Name movers of the bundled model: their share is far from what other places do."""
    pair = pairs.ready_pair(demo, texts.READY_PAIRS[0])
    patched = patching.every_head(pair, *demo.shape).all(demo)
    heads = patching.strongest(patched, 3)
    assert {head.layer for head in heads} == {3}
    sources = patching.control_sources(demo, pair)
    assert len(sources) == 4
    controls = [one.all(demo) for one in patching.control_patches(pair, heads, sources)]
    found = patching.beside_control(patched, controls)
    assert [one.head for one in found] == list(heads)
    assert all(one.verdict == "holds_up" and abs(one.control_mean) < 0.1 for one in found)
    assert patched.share[heads[0]] > 0.4
    place = next(at for at, token in enumerate(pair.second.tokens) if token == " store")
    hooked = _by_hooks_of(demo, sources[0], pair, heads[0], range(place, pair.length))
    assert controls[0].differences[0, 0].item() == pytest.approx(hooked, abs=1e-4)
    plain = make_pair(demo, pair.first_text, pair.second_text)
    assert patching.control_sources(demo, plain) == ()


def _by_hooks_of(loaded, source: Encoding, pair: Pair, head: Head, places: range) -> float:
    """As :func:`_by_hooks`, from another source into the second prompt."""
    taken = replace(pair, first=source)
    return _by_hooks(loaded, taken, "denoise", {head.layer: [(head.head, at) for at in places]})


def test_parts_hold_every_patch_once_and_progress_is_told(demo) -> None:
    pair = make_pair(demo, TREE, BOX)
    todo = patching.every_head(pair, demo.num_layers, demo.num_heads)
    assert [one for part in todo.parts for one in part] == list(todo.conditions)
    assert len(todo.conditions) == 32
    seen = []
    whole = patching.every_head(pair, *demo.shape).all(demo, lambda *done: seen.append(done))
    assert seen[-1] == (32, 32)
    bits = todo.result([todo.run(demo, [one]) for one in todo.conditions])
    torch.testing.assert_close(whole.differences, bits.differences, rtol=0, atol=1e-4)


def test_an_unknown_head_is_refused(demo) -> None:
    with pytest.raises(UnknownHeadError):
        patching.heads_by_position(make_pair(demo, TREE, BOX), [Head(9, 0)]).all(demo)

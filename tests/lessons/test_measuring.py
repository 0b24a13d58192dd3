"""Measures of lessons, against plain hooks on transformers' own model and the naive formulas."""

from __future__ import annotations

import statistics

import pytest
import torch

from headroles import ablation
from headroles.circuits import CircuitSettings, head_factors, weights
from headroles.errors import HeadrolesError
from headroles.lessons import answers, measuring, places
from headroles.lessons.lesson import Case, Largest
from headroles.lessons.measures import MEASURES
from headroles.models import load_model
from headroles.paths import DEMO_MODEL
from headroles.texts import encode, ids_of
from headroles.types import Head
from tests.plain_hooks import PlainModel

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own

PROMPT = "red dog tree apple king river red dog tree apple king"
INDUCTION, BEFORE = Head(1, 4), Head(0, 6)
"""The first heads that the bundled model's analysis lists in these roles."""


@pytest.fixture(scope="module")
def loaded():
    return load_model("demo")


@pytest.fixture(scope="module")
def plain(loaded) -> PlainModel:
    return PlainModel(DEMO_MODEL, loaded.num_heads)


@pytest.fixture(scope="module")
def ids(loaded) -> list[int]:
    return list(encode(loaded.tokenizer, PROMPT).token_ids)


def hooked(loaded, plain: PlainModel, ids, heads) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention [layer head query key] and logits [pos vocab], by hooks that put in the means."""
    means = ablation.reference_means(loaded).z

    def put_mean(layer: int):
        def before(_module, args):
            z = args[0].unflatten(-1, (plain.heads, -1)).clone()
            for head in heads:
                if head.layer == layer:
                    z[:, :, head.head] = means[layer, head.head]
            return (z.flatten(-2), *args[1:])

        return before

    layers = sorted({head.layer for head in heads})
    handles = [plain.projection(n).register_forward_pre_hook(put_mean(n)) for n in layers]
    try:
        tensor = torch.tensor([ids])
        return plain.attention(tensor), plain.logits(tensor)[0].double()
    finally:
        for handle in handles:
            handle.remove()


def naive_induction(pattern: torch.Tensor, ids) -> float:
    """Mean share of the attention beyond the first token that falls behind an earlier copy."""
    shares = []
    for q in range(1, len(ids)):
        behind = [k + 1 for k in range(1, q) if ids[k] == ids[q] and k + 1 < q]
        if behind:
            shares.append((float(pattern[q, behind].sum()), float(pattern[q, 1:].sum())))
    mass, work = (statistics.fmean(column) for column in zip(*shares, strict=True))
    return mass / max(work, 0.02)


def losses(logits: torch.Tensor, ids) -> torch.Tensor:
    return -logits[:-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]


@pytest.mark.parametrize("heads", [[], [BEFORE], [BEFORE, Head(0, 7)]])
def test_an_activation_without_heads_is_that_of_hooks(loaded, plain, ids, heads) -> None:
    attention, _ = hooked(loaded, plain, ids, heads)
    case = Case(
        prompt=PROMPT, head="induction", role="induction", without=tuple(h.label for h in heads)
    )
    expected = naive_induction(attention[INDUCTION.layer, INDUCTION.head], ids)
    assert measuring.activation(loaded, case) == pytest.approx(expected, abs=1e-5)


def test_the_drop_of_an_activation_in_every_manner(loaded, plain, ids) -> None:
    def naive(heads) -> float:
        return naive_induction(hooked(loaded, plain, ids, heads)[0][1, 4], ids)

    def drop(manner: str | None) -> float:
        case = Case(
            prompt=PROMPT,
            head="induction",
            role="induction",
            without=("previous_token", "L0H7"),
            manner=manner,
        )
        return measuring.activation_drop(loaded, case)

    clean, pair = naive([]), [BEFORE, Head(0, 7)]
    assert drop(None) == drop("together") == pytest.approx(clean - naive(pair), abs=1e-5)
    each = sum(clean - naive([head]) for head in pair)
    assert drop("one_by_one") == pytest.approx(each, abs=1e-5)
    control = ablation.random_others(
        ablation.backup.without(pair),
        num_layers=4,
        num_heads=8,
        length=len(ids),
        draws=measuring.OTHERS,
        listed=measuring.listed_heads(loaded),
    )
    drawn = [one.heads for one in control.conditions]
    assert len(drawn) == measuring.OTHERS
    assert not {head for heads in drawn for head in heads} & set(pair)
    others = statistics.fmean(clean - naive(heads) for heads in drawn)
    assert drop("random_others") == pytest.approx(others, abs=1e-5)


def test_the_loss_of_all_tokens_and_of_one(loaded, plain, ids) -> None:
    (river,) = ids_of(loaded.tokenizer, " river")
    _, clean = hooked(loaded, plain, ids, [])
    _, changed = hooked(loaded, plain, ids, [BEFORE])
    of_all = float((losses(changed, ids) - losses(clean, ids)).mean())
    of_one = float(clean[-1].log_softmax(0)[river] - changed[-1].log_softmax(0)[river])
    case = Case(prompt=PROMPT, without=("previous_token",))
    assert measuring.loss_rise(loaded, case) == pytest.approx(of_all, abs=1e-5)
    one = case.model_copy(update={"token": "river"})
    assert measuring.loss_rise(loaded, one) == pytest.approx(of_one, abs=1e-4)
    assert of_one > of_all > 0.5
    before = measuring.probability(loaded, Case(prompt=PROMPT, token="river"))
    after = measuring.probability(loaded, one)
    assert before / after == pytest.approx(torch.tensor(of_one).exp().item(), rel=1e-3)


def test_a_change_is_held_against_what_was_before_it(loaded, plain, ids) -> None:
    attention, clean = hooked(loaded, plain, ids, [])
    (river,) = ids_of(loaded.tokenizer, " river")
    case = Case(prompt=PROMPT, without=("previous_token",))
    of_all = float(losses(clean, ids).mean())
    assert measuring.beside("loss_rise", loaded, case) == pytest.approx(of_all, abs=1e-5)
    one = case.model_copy(update={"token": "river"})
    of_one = -float(clean[-1].log_softmax(0)[river])
    assert measuring.beside("loss_rise", loaded, one) == pytest.approx(of_one, abs=1e-4)
    drop = case.model_copy(update={"head": "induction", "role": "induction"})
    active = naive_induction(attention[1, 4], ids)
    assert measuring.beside("activation_drop", loaded, drop) == pytest.approx(active, abs=1e-5)
    assert measuring.beside("heads_above", loaded, case) == 32
    assert measuring.beside("attention", loaded, case) is None


def test_every_measure_with_a_sentence_has_its_number() -> None:
    with_sentence = {name for name, measure in MEASURES.items() if measure.beside}
    of_heads = {name for name, measure in MEASURES.items() if measure.unit == "heads"}
    assert with_sentence | of_heads == measuring.BESIDE.keys()


def test_an_answer_in_steps_is_the_whole_one(loaded) -> None:
    step = Largest(
        kind="largest", key="k", title="t", question="q", explain="e", measure="loss_rise",
        case={"prompt": PROMPT},
        options=[
            {"label": "one", "without": ["previous_token"]},
            {"label": "other", "without": ["induction"]},
        ],
    )  # fmt: skip
    numbers = [answers.number_of(step, place, loaded) for place in range(2)]
    whole = answers.answer(step, loaded)
    assert answers.answer(step, loaded, numbers=numbers) == whole
    before = measuring.beside("loss_rise", loaded, Case(prompt=PROMPT))
    assert [option.beside for option in whole.options] == [before, before]  # measured once
    assert [number.beside for number in numbers] == [before, None]
    assert measuring.knocks_out(step)
    of_loss = step.model_copy(update={"options": (), "case": Case(prompt=PROMPT)})
    assert not measuring.knocks_out(of_loss)


def test_what_is_needed_rises_with_chance(loaded) -> None:
    """The threshold is 0.40; clearly above chance is .35 of the way from there to 1."""
    short = "The dog saw the dog."
    long = "red dog tree apple king river milk hand cat hat ball house bird book dog"
    by_chance = measuring.chance(loaded, Case(prompt=short, role="duplicate_token"))
    assert by_chance == pytest.approx(1 / 5)  # one copy, at 2, seen from 5: the start is left out
    found = measuring.needed(loaded, Case(prompt=short, role="duplicate_token"))
    assert found == pytest.approx(by_chance + 0.35 * (1 - by_chance))
    assert measuring.needed(loaded, Case(prompt=long, role="duplicate_token")) == 0.4


def test_all_heads_of_a_role_are_meant_by_a_star(loaded) -> None:
    found = places.heads_of(("induction *", "L0H6", "induction 2"), loaded)
    assert len(found) == len(set(found)) == 8
    assert found[0] == INDUCTION
    assert found[-1] == BEFORE


# ------------------------------------------------------------------ contributions


def test_a_contribution_is_what_the_logit_lacks_without_it(loaded, plain, ids) -> None:
    """PlainModel.direct takes the head away with everything behind it frozen."""
    (river,) = ids_of(loaded.tokenizer, " river")
    (tree,) = ids_of(loaded.tokenizer, " tree")
    logits, _ = plain.direct(torch.tensor([ids]), INDUCTION)
    case = Case(prompt=PROMPT, head="induction", token="river")
    assert measuring.contribution(loaded, case) == pytest.approx(float(logits[-1, river]), abs=1e-3)
    difference = float(logits[-1, river] - logits[-1, tree])
    against = case.model_copy(update={"against": "tree"})
    assert measuring.contribution(loaded, against) == pytest.approx(difference, abs=1e-3)


def test_contributions_by_key_and_by_part_add_up(loaded, plain, ids) -> None:
    (river,) = ids_of(loaded.tokenizer, " river")
    case = Case(prompt=PROMPT, head="induction", token="river")
    by_key = [
        measuring.contribution(loaded, case.model_copy(update={"key": key}))
        for key in range(len(ids))
    ]
    assert sum(by_key) == pytest.approx(measuring.contribution(loaded, case), abs=1e-4)
    parts = {
        part: measuring.part_contribution(loaded, Case(prompt=PROMPT, token="river", part=part))
        for part in ("heads", "mlps", "embedding")
    }
    every = sum(
        measuring.contribution(loaded, case.model_copy(update={"head": head.label}))
        for head in (Head(layer, n) for layer in range(4) for n in range(8))
    )
    assert parts["heads"] == pytest.approx(every, abs=1e-3)
    biases = float(plain.logits(torch.tensor([ids]))[0, -1, river]) - sum(parts.values())
    assert abs(biases) < 0.5  # what is left is that of the biases, which are small here
    assert abs(parts["mlps"]) > 1


# ------------------------------------------------------------------ weights


def test_composition_is_that_of_whole_matrices(loaded) -> None:
    early, late = weights.layer_weights(loaded, 0), weights.layer_weights(loaded, 1)
    norm = weights.attention_norm(loaded, 1)
    gain = norm.weight[:, None]

    def read(side: torch.Tensor) -> torch.Tensor:
        side = side * gain
        return side - side.mean(0, keepdim=True)  # a layer norm centres

    ov = early.W_V[early.kv_of[6]] @ early.W_O[6]
    qk = read(late.W_Q[4]) @ read(late.W_K[late.kv_of[4]]).T
    for reads, matrix in (("Q", qk), ("K", qk.T)):
        expected = float((ov @ matrix).norm() / ov.norm() / matrix.norm())
        case = Case(head="previous_token", reader="induction", reads=reads)
        assert measuring.composition(loaded, case) == pytest.approx(expected, rel=1e-3)
    generator = torch.Generator().manual_seed(1)
    wide, narrow = early.W_V.shape[1:]

    def low_rank() -> torch.Tensor:
        thin = (torch.randn(size, generator=generator) for size in ((wide, narrow), (narrow, wide)))
        return torch.linalg.multi_dot(list(thin))

    pairs = [(low_rank(), low_rank()) for _ in range(20)]
    ratios = [float((one @ two).norm() / one.norm() / two.norm()) for one, two in pairs]
    by_chance = measuring.beside("composition", loaded, Case())
    assert by_chance == pytest.approx(statistics.fmean(ratios), rel=0.05)
    keys = Case(head="previous_token", reader="induction")
    assert measuring.composition(loaded, keys) == pytest.approx(expected, rel=1e-3)
    with pytest.raises(HeadrolesError):
        measuring.composition(loaded, Case(head="induction", reader="previous_token"))


@pytest.fixture(scope="module")
def tables(loaded) -> tuple[torch.Tensor, torch.Tensor]:
    """QK and OV of the first induction head, whole: [vocab vocab] each."""
    factors = head_factors(loaded, INDUCTION, CircuitSettings())
    return factors.query @ factors.key.T, factors.value @ factors.out


def test_numbers_of_weights_are_those_of_the_whole_tables(loaded, tables) -> None:
    qk, ov = tables
    (cat,), (dog,) = (ids_of(loaded.tokenizer, word) for word in (" cat", " dog"))
    case = Case(head="induction")
    writes = case.model_copy(update={"key": "cat", "token": "dog"})
    assert measuring.writes(loaded, writes) == pytest.approx(float(ov[cat, dog]), abs=1e-3)
    wants = case.model_copy(update={"query": "cat", "key": "dog"})
    assert measuring.wants(loaded, wants) == pytest.approx(float(qk[cat, dog]), abs=1e-3)
    match = (qk.diagonal().mean() - qk.mean()) / qk.std()
    assert measuring.self_match(loaded, case) == pytest.approx(float(match), rel=1e-3)
    values = torch.linalg.eigvals(ov.double())
    share = float(values.real.sum() / values.abs().sum())
    assert measuring.copying(loaded, case) == pytest.approx(share, abs=1e-3)


def test_the_share_of_words_that_are_copied(loaded, tables) -> None:
    ov = tables[1]
    often = measuring.store.read_frequencies("demo", len(ov)).probabilities
    words = often.topk(measuring.COMMON).indices
    own = ov[words, words]
    among = (ov[words] >= own[:, None]).sum(1) <= 5
    assert measuring.copies(loaded, Case(head="induction")) == pytest.approx(
        float(among.float().mean()), abs=2 / measuring.COMMON
    )


def test_a_word_in_pieces_is_refused(loaded) -> None:
    with pytest.raises(HeadrolesError):
        places.token_of("floccinaucinihilipilification", loaded)


def test_a_case_says_nothing_that_its_measure_ignores() -> None:
    asked = {"kind": "largest", "key": "a", "title": "A", "question": "?", "explain": "!"}
    options = [{"label": "a", "reads": "Q"}, {"label": "b", "reads": "V"}]
    case = {"head": "previous_token", "reader": "induction"}
    assert Largest(measure="composition", case=case, options=options, **asked)
    with pytest.raises(ValueError, match="does not look at reads"):
        Largest(measure="copying", case={"head": "L0H0"}, options=options, **asked)

"""How alike heads are by their attention: worked out by hand, by naive loops, and with twins."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.capture import capture, each_layer
from headroles.corpus import Reading, read, tokenize
from headroles.corpus.likeness import PARTS, PatternProducts, by_profile
from headroles.corpus.profiles import ProfileCollector
from headroles.models import load_model
from headroles.scoring import likeness
from headroles.store.real_text import Profiles
from headroles.texts import token_classes
from headroles.texts.sources import STORIES, Document, own_text, read_passages
from tests.families import HEADS, LAYERS, save


def profiles(first, entropy, distance, copies, classes) -> Profiles:
    """Of one layer, a column per head."""
    return Profiles(
        rows=10,
        first=[first],
        entropy=[entropy],
        distance=[[row] for row in distance],
        copies=[[row] for row in copies],
        classes={name: [row] for name, row in classes.items()},
    )


BY_HAND = profiles(
    first=[0.5, 0.75],
    entropy=[0.2, 0.6],
    distance=[[0.1, 0.0], [0.3, 0.25], [0.1, 0.0]],  # itself, one back, further
    copies=[[0.25, 0.0], [0.0, 0.0]],
    classes={"word": [0.5, 0.125], "comma": [0.0, 0.125]},
)


def test_the_likeness_of_two_heads_by_hand() -> None:
    found = by_profile(BY_HAND, BY_HAND)
    assert tuple(found.parts) == tuple(PARTS)
    # Of what does not rest, head 0 divides .2, .6, .2 by distance, and head 1 0, 1, 0.
    by_part = {"distance": 0.6, "copies": 0.5, "classes": 0.5, "first": 0.75, "entropy": 0.6}
    for name, expected in by_part.items():
        assert float(found.parts[name][0, 1]) == pytest.approx(expected, abs=1e-6)
    assert float(found.total[0, 1]) == pytest.approx(sum(by_part.values()) / 5, abs=1e-6)
    torch.testing.assert_close(found.total, found.total.T)
    torch.testing.assert_close(found.total.diagonal(), torch.ones(2))


def test_a_class_that_one_model_never_saw_has_no_share_there() -> None:
    other = BY_HAND.model_copy(update={"classes": {"number": [[0.5, 0.25]]}})
    assert by_profile(BY_HAND, other).parts["classes"].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_head_that_only_rests_is_like_itself_and_like_no_other() -> None:
    rests = profiles([1.0, 0.5], [0.0, 0.0], [[0.0, 0.5]], [[0.0, 0.0], [0.0, 0.0]],
                     {"word": [0.0, 0.5]})  # fmt: skip
    found = by_profile(rests, rests)
    assert found.total[0, 0] == 1
    assert all(float(found.parts[name][0, 1]) == 0 for name in ("distance", "copies", "classes"))


@pytest.fixture(scope="module")
def demo():
    return load_model("demo")


@pytest.fixture(scope="module")
def corpus(demo):
    return tokenize(demo.tokenizer, read_passages(STORIES)[:6])


def naive_profile(loaded, corpus, layer: int, head: int) -> dict[str, object]:
    """Cell by cell, in plain loops."""
    rows, first, distance, copies = 0, 0.0, [0.0] * 18, [0.0, 0.0]
    classes = dict.fromkeys(token_classes.CLASSES, 0.0)
    for passage in corpus.passages:
        run = capture(loaded, passage.text)
        kinds, ids = token_classes.classes(run.tokens), run.token_ids
        pattern = run.attention[layer, head].tolist()
        for q in range(1, len(ids)):
            rows += 1
            first += pattern[q][0]
            for k in range(1, q + 1):
                weight = pattern[q][k]
                distance[min(q - k, 17)] += weight
                classes[kinds[k]] += weight
                is_copy, follows = ids[k] == ids[q] and k < q, ids[k - 1] == ids[q]
                if k < q - 1 and follows and not is_copy:
                    copies[0] += weight
                if k < q - 1 and is_copy and not follows:
                    copies[1] += weight
    return {
        "rows": rows,
        "first": first / rows,
        "distance": [one / rows for one in distance],
        "copies": [one / rows for one in copies],
        "classes": {name: one / rows for name, one in classes.items() if one > 0},
    }


@pytest.mark.parametrize(("layer", "head"), [(0, 5), (1, 4)])
def test_a_profile_is_what_plain_loops_count(demo, corpus, layer: int, head: int) -> None:
    collector = ProfileCollector(demo.shape)
    read(corpus, [collector], partial(each_layer, demo))
    record, naive = collector.record(), naive_profile(demo, corpus, layer, head)
    assert record.rows == naive["rows"] == corpus.tokens
    assert record.first[layer][head] == pytest.approx(naive["first"], abs=2e-5)
    for name in ("distance", "copies"):
        own = [one[layer][head] for one in getattr(record, name)]
        assert own == pytest.approx(naive[name], abs=2e-5)
    for name, expected in naive["classes"].items():
        assert record.classes[name][layer][head] == pytest.approx(expected, abs=2e-5)


def test_every_unit_of_attention_is_divided_completely_in_each_way(demo, corpus) -> None:
    collector = ProfileCollector(demo.shape)
    read(corpus, [collector], partial(each_layer, demo))
    record = collector.record()
    first = torch.tensor(record.first)
    for parts in (record.distance, list(record.classes.values())):
        torch.testing.assert_close(
            first + torch.tensor(parts).sum(0), torch.ones(demo.shape), rtol=0, atol=1e-3
        )


def test_products_of_patterns_are_those_of_plain_loops(demo, corpus) -> None:
    collector = PatternProducts(demo.shape)
    reading = Reading(corpus, [collector])
    for place in range(len(corpus)):
        reading.step(partial(each_layer, demo), torch.tensor([place]))
    vectors = [
        capture(demo, passage.text).attention[:, :, 1:, 1:].flatten(0, 1).flatten(1).double()
        for passage in corpus.passages
    ]
    whole = torch.cat(vectors, 1)
    expected = torch.nn.functional.cosine_similarity(whole[:, None], whole[None], dim=-1)
    torch.testing.assert_close(collector.likeness().double(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(collector.products, collector.products.T)


def test_padding_changes_nothing(demo, corpus) -> None:
    together, apart = PatternProducts(demo.shape), PatternProducts(demo.shape)
    Reading(corpus, [together]).step(partial(each_layer, demo), torch.arange(len(corpus)))
    for place in range(len(corpus)):
        Reading(corpus, [apart]).step(partial(each_layer, demo), torch.tensor([place]))
    torch.testing.assert_close(together.products, apart.products, rtol=1e-5, atol=1e-4)


@pytest.fixture(scope="module")
def with_twin(model_folders, tmp_path_factory):
    """A tiny GPT-2 in whose first layer head 3 is a copy of head 1."""
    model = AutoModelForCausalLM.from_pretrained(str(model_folders("gpt2")))
    attention = model.transformer.h[0].attn
    width = attention.c_attn.weight.shape[0]
    size = width // HEADS
    with torch.no_grad():
        for part in range(3):  # queries, keys, values side by side
            one, twin = (
                slice(part * width + head * size, part * width + (head + 1) * size)
                for head in (1, 3)
            )
            attention.c_attn.weight[:, twin] = attention.c_attn.weight[:, one]
            attention.c_attn.bias[twin] = attention.c_attn.bias[one]
        attention.c_proj.weight[3 * size :] = attention.c_proj.weight[size : 2 * size]
    folder = tmp_path_factory.mktemp("twin")
    save(model, folder)
    return load_model(str(folder))


def test_a_planted_twin_is_found_in_both_ways(with_twin) -> None:
    source = own_text(
        [Document("one", "The cat sat on the mat. The cat slept, said the dog. " * 3)]
    )
    corpus = tokenize(with_twin.tokenizer, read_passages(source), max_tokens=60)
    profile, products = ProfileCollector(with_twin.shape), PatternProducts(with_twin.shape)
    read(corpus, [profile, products], partial(each_layer, with_twin))
    for matrix in (by_profile(profile.record(), profile.record()).total, products.likeness()):
        assert matrix.shape == (LAYERS * HEADS, LAYERS * HEADS)
        others = matrix[1].clone()
        assert float(others[1]) == pytest.approx(1, abs=1e-5)
        others[1] = -1
        assert int(others.argmax()) == 3
        assert float(others[3]) == pytest.approx(1, abs=1e-4)
        assert float(others.topk(2).values[1]) < 0.999


def test_across_models_a_copy_of_the_model_has_each_head_first(demo, corpus) -> None:
    one, other = ProfileCollector(demo.shape), ProfileCollector(demo.shape)
    read(corpus, [one, other], partial(each_layer, demo))
    found = by_profile(one.record(), other.record()).total
    assert found.argmax(1).tolist() == list(range(len(found)))


# ------------------------------------------------------------------ ranks and shares


def test_spearman_by_hand_and_against_numpy() -> None:
    # Ranks 1 2 3 4 and 2 1 4 3: differences of one each, 1 - 6 * 4 / (4 * 15) = .6.
    assert likeness.spearman([1.0, 2.0, 3.0, 4.0], [0.2, 0.1, 0.9, 0.5]) == (0.6, 4)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 40).astype(float), rng.normal(size=40)  # with equal numbers
    expected = np.corrcoef(likeness.ranks(x), likeness.ranks(y))[0, 1]
    found = likeness.spearman(x.tolist(), y.tolist())
    assert found.rho == pytest.approx(expected)
    assert found.n == 40


@pytest.mark.parametrize(
    ("ones", "n"), [([1.0, 1.0, 1.0, 1.0], 4), ([1.0, 2.0, None, None], 2), ([None] * 4, 0)]
)
def test_without_an_order_there_is_no_correlation(ones, n: int) -> None:
    assert likeness.spearman(ones, [1.0, 2.0, 3.0, 4.0]) == (None, n)


def test_pairs_of_one_model_count_once_and_never_with_themselves() -> None:
    matrix = torch.tensor([[1.0, 0.2, 0.3], [0.2, 1.0, 0.4], [0.3, 0.4, 1.0]])
    assert likeness.pairs(matrix, same=True).tolist() == pytest.approx([0.2, 0.3, 0.4])
    assert len(likeness.pairs(matrix[:2], same=False)) == 6
    assert likeness.share_below(0.35, likeness.pairs(matrix, same=True)) == pytest.approx(2 / 3)
    assert likeness.share_below(0.5, torch.empty(0)) == 0

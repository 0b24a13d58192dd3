"""Circuits: thin matrices against the whole ones, hand-worked cases, and what models really do."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.testing import assert_close

from headroles.circuits import composition, effective, qk_ov, summary, weights
from headroles.circuits.qk_ov import CircuitError, CircuitSettings, Factors
from headroles.models import load_model
from headroles.paths import ATTN_ONLY_1L, DEMO_MODEL
from headroles.types import Head
from tests.families import LAYOUTS

BARE = CircuitSettings(
    norm="none", biases=False, minus_bos=False, minus_mean=False, embedding="bare"
)
NORMED_AND_BIASED = ("qwen3", "gemma2", "opt")
"""What no layout has: norms of queries and keys, norms after the block, a bias everywhere."""


@pytest.fixture(scope="module")
def demo():
    return load_model(str(DEMO_MODEL))


def naive(loaded, head: Head, wanted: CircuitSettings) -> tuple[torch.Tensor, torch.Tensor]:
    """Both whole tables in double precision, as seeds of this analysis write them."""
    own = weights.layer_weights(loaded, head.layer)
    norm, end = weights.attention_norm(loaded, head.layer), weights.final_norm(loaded)
    x = weights.embedding(loaded)
    if head.layer and wanted.embedding == "first_block":  # tests/test_effective_embedding.py
        x = effective.effective_embedding(loaded)
    x = x.double()
    if wanted.norm != "none":
        if norm.kind == "LayerNorm":
            x = x - x.mean(-1, keepdim=True)
        if wanted.norm == "applied":
            x = x / (x.square().mean(-1, keepdim=True) + norm.eps).sqrt()
        x = x * norm.weight + (norm.bias if wanted.biases else 0)
    b = 1.0 if wanted.biases else 0.0
    kv = own.kv_of[head.head]
    q = x @ own.W_Q[head.head].double() + b * own.b_Q[head.head]
    k = x @ own.W_K[kv].double() + b * own.b_K[kv]
    v = x @ own.W_V[kv].double() + b * own.b_V[kv]
    if own.q_norm is not None:
        q, k = own.q_norm.apply(q), own.k_norm.apply(k)
    qk = own.scale * q @ k.T  # [vocab vocab]
    written = v @ own.W_O[head.head].double()
    if wanted.norm != "none":
        if end.kind == "LayerNorm":
            written = written - written.mean(-1, keepdim=True)
        written = written * end.weight
    ov = written @ weights.unembedding(loaded)[0].double()
    if wanted.minus_bos:
        qk = qk - qk[:, loaded.start.token_id, None]
    if wanted.minus_mean:
        ov = ov - ov.mean(1, keepdim=True)
    return qk, ov


@pytest.mark.parametrize("family", [*LAYOUTS, *NORMED_AND_BIASED])
@pytest.mark.parametrize("norm", qk_ov.NORMS)
@pytest.mark.parametrize("rest", [True, False], ids=["all on", "all off"])
@pytest.mark.parametrize("embedding", qk_ov.EMBEDDINGS)
def test_thin_matrices_give_the_whole_tables(load_family, family, norm, rest, embedding) -> None:
    loaded = load_family(family)
    wanted = CircuitSettings(norm, rest, rest, rest, embedding)
    for head in (Head(0, 3), Head(1, 1)):
        qk, ov = naive(loaded, head, wanted)
        found = qk_ov.head_factors(loaded, head, wanted)
        size_qk, size_ov = max(1.0, float(qk.abs().max())), max(1.0, float(ov.abs().max()))
        assert_close(
            (found.query @ found.key.T).double() / size_qk, qk / size_qk, atol=1e-5, rtol=0
        )
        assert_close((found.value @ found.out).double() / size_ov, ov / size_ov, atol=1e-5, rtol=0)


def test_the_bare_table_is_w_e_w_q_w_k_w_e_as_transformer_lens_has_it(load_family, model_folders):
    from headroles.analysis.bridge import load_bridge

    bridge = load_bridge(str(model_folders("gpt2")))
    found = qk_ov.head_factors(load_family("gpt2"), Head(1, 2), BARE)
    W_E, W_U = bridge.W_E, bridge.W_U
    qk = W_E @ bridge.W_Q[1, 2] @ bridge.W_K[1, 2].T @ W_E.T
    ov = W_E @ bridge.W_V[1, 2] @ bridge.W_O[1, 2] @ W_U
    assert_close(found.query @ found.key.T * 8**0.5, qk, atol=1e-5, rtol=1e-5)
    assert_close(found.value @ found.out, ov, atol=1e-5, rtol=1e-5)


def seed_table(qk, ov, p, n_keys: int, n_each: int):
    """The notebook's own selection, on whole matrices."""
    score = qk.max(0).values * ov.max(1).values * p**0.1
    keys = torch.topk(score, n_keys).indices.tolist()
    queries = [torch.topk(qk[:, key] * p**0.1, n_each).indices.tolist() for key in keys]
    promoted = [torch.topk(ov[key], n_each).indices.tolist() for key in keys]
    suppressed = [torch.topk(-ov[key], n_each).indices.tolist() for key in keys]
    return keys, queries, promoted, suppressed


@pytest.mark.parametrize("block", [100, 10**9], ids=["many blocks", "one block"])
def test_the_pivot_table_is_the_one_of_the_whole_matrices(load_family, monkeypatch, block) -> None:
    loaded = load_family("gpt2")
    monkeypatch.setattr(qk_ov, "BLOCK_BYTES", block)
    torch.manual_seed(0)
    vocab = weights.embedding(loaded).shape[0]
    p = torch.rand(vocab).softmax(0)
    told = []
    found = qk_ov.head_factors(loaded, Head(0, 1), CircuitSettings())
    rows = qk_ov.key_table(found, p, keys=7, each=5, on_block=lambda *at: told.append(at))
    qk, ov = (whole.float() for whole in naive(loaded, Head(0, 1), CircuitSettings()))
    keys, queries, promoted, suppressed = seed_table(qk, ov, p, 7, 5)
    assert [row.token_id for row in rows] == keys
    assert [[item.token_id for item in row.queries] for row in rows] == queries
    assert [[item.token_id for item in row.promoted] for row in rows] == promoted
    assert [[item.token_id for item in row.suppressed] for row in rows] == suppressed
    for row in rows:
        for item in row.queries:  # the value is QK itself, not the weighted one
            assert item.value == pytest.approx(float(qk[item.token_id, row.token_id]), abs=1e-4)
        assert row.importance == pytest.approx(
            row.max_qk * row.max_ov * float(p[row.token_id]) ** 0.1
        )
    assert told[-1] == (vocab, vocab)
    assert len(told) > 1 or block > 100


@pytest.mark.parametrize("block", [100, 10**9], ids=["many blocks", "one block"])
def test_a_table_of_some_tokens_is_the_one_of_that_part_of_the_matrices(monkeypatch, block) -> None:
    monkeypatch.setattr(qk_ov, "BLOCK_BYTES", block)
    factors = random_factors(3, vocab=40)
    words = torch.tensor([31, 2, 7, 19, 25, 8])
    p = torch.rand(40, generator=torch.Generator().manual_seed(0)).softmax(0)
    qk, ov = factors.query @ factors.key.T, factors.value @ factors.out
    rows = qk_ov.key_table(factors.among(words), p, keys=3, each=2)
    expected = seed_table(qk[words][:, words], ov[words][:, words], p[words], 3, 2)
    keys, queries, promoted, suppressed = (torch.tensor(ids) for ids in expected)
    assert [row.token_id for row in rows] == words[keys].tolist()
    assert [[item.token_id for item in row.queries] for row in rows] == words[queries].tolist()
    assert [[item.token_id for item in row.promoted] for row in rows] == words[promoted].tolist()
    assert [[i.token_id for i in row.suppressed] for row in rows] == words[suppressed].tolist()
    assert rows[0].max_qk == pytest.approx(float(qk[words, rows[0].token_id].max()))
    assert sorted(qk_ov.likely_first(factors.among(words), p).tolist()) == sorted(words.tolist())
    # A token that is none of them can be looked up, among their queries and outputs.
    (row,) = qk_ov.rows_for(factors.among(words), p, [11], each=6)
    assert {item.token_id for item in row.promoted} == set(words.tolist())
    assert row.promoted[0].value == pytest.approx(float(ov[11, words].max()))


@settings(max_examples=20)
@given(some.integers(0, 10_000))
def test_a_search_in_likely_order_ends_at_the_same_table(seed: int) -> None:
    factors = random_factors(seed, vocab=60)
    p = torch.rand(60, generator=torch.Generator().manual_seed(seed)).softmax(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qk_ov, "RIVALS", 5)
        patch.setattr(qk_ov, "BLOCK_BYTES", 4 * 60 * 7)
        order = qk_ov.likely_first(factors, p)
        blocks = qk_ov.key_blocks(order)
    assert sorted(order.tolist()) == list(range(60))
    assert [len(block) for block in blocks] == [7] * 8 + [4]
    parts = [qk_ov.block_peaks(factors, block) for block in blocks]
    everything = qk_ov.join_peaks(parts)
    assert qk_ov.key_table(factors, p, keys=6, maxima=everything) == qk_ov.key_table(
        factors, p, keys=6
    )
    started = qk_ov.best_keys(parts[0], p, 10)  # of seven keys
    assert sorted(started) == sorted(blocks[0].tolist())


def test_the_likely_order_finds_the_keys_of_the_bundled_model_early(demo) -> None:
    even = qk_ov.uniform(2816)
    for head in (Head(0, 6), Head(1, 4), Head(3, 2)):
        factors = qk_ov.head_factors(demo, head, CircuitSettings())
        order = qk_ov.likely_first(factors, even).tolist()
        best = sorted(map(order.index, qk_ov.best_keys(qk_ov.peaks(factors), even, 10)))
        assert best[4] < 30
        assert best[-1] < len(order) / 3


def test_a_stop_while_searching_ends_it(demo) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    found = qk_ov.head_factors(demo, Head(0, 0), CircuitSettings())
    with pytest.raises(KeyboardInterrupt):
        qk_ov.peaks(found, on_block=stop)


def test_what_is_taken_away_is_zero_afterwards(demo) -> None:
    found = qk_ov.head_factors(demo, Head(1, 4), CircuitSettings())
    bos = demo.start.token_id
    assert found.qk(range(50), [bos]).abs().max() < 1e-6
    assert found.ov(range(50), range(found.vocab_size)).mean(1).abs().max() < 1e-5


def random_factors(seed: int, vocab: int = 40, d: int = 5) -> Factors:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    return Factors(draw(vocab, d), draw(vocab, d), draw(vocab, d), draw(d, vocab))


@settings(max_examples=20)
@given(some.integers(0, 10_000))
def test_numbers_of_the_thin_matrices_are_those_of_the_whole_ones(seed: int) -> None:
    found = random_factors(seed)
    qk, ov = (found.query @ found.key.T).double(), (found.value @ found.out).double()
    every = torch.linalg.eigvals(ov)
    assert summary.copying_score(found) == pytest.approx(
        float(every.real.sum() / every.abs().sum()), abs=1e-4
    )
    expected = (qk.diagonal().mean() - qk.mean()) / qk.std(correction=0)
    assert summary.self_match(found) == pytest.approx(float(expected), abs=1e-5)
    hits = (ov.argmax(1) == torch.arange(40)).double().mean()
    assert summary.copied_share(found, range(40), among=1) == pytest.approx(float(hits))
    for sign in (1, -1):
        own = sign * ov.diagonal()[:, None]
        hits = ((sign * ov > own).sum(1) < summary.AMONG).double().mean()
        assert summary.copied_share(found, range(40), sign=sign) == pytest.approx(float(hits))


@settings(max_examples=20)
@given(some.integers(0, 10_000))
def test_copies_are_counted_the_same_with_few_rivals_first(seed: int) -> None:
    found = random_factors(seed)
    copies = Factors(found.query, found.key, found.value, found.value.T)  # many copy themselves
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "RIVALS", 3)
        shares = [
            [summary.copied_share(factors, range(40), among=among) for among in (1, 2, 5)]
            for factors in (found, copies)
        ]
    for factors, share in zip((found, copies), shares, strict=True):
        order = (factors.value @ factors.out).argsort(1, descending=True)
        own = order == torch.arange(40)[:, None]
        expected = [float(own[:, :among].any(1).double().mean()) for among in (1, 2, 5)]
        assert share == pytest.approx(expected)


@pytest.mark.parametrize("family", ["llama", "qwen3", "bloom", "gpt2"])
@pytest.mark.parametrize("minus_bos", [True, False])
def test_positions_are_the_same_from_the_thin_matrices(load_family, family, minus_bos) -> None:
    loaded, wanted = load_family(family), CircuitSettings(minus_bos=minus_bos)
    p = torch.rand(weights.embedding(loaded).shape[0]).softmax(0)
    factors = qk_ov.head_factors(loaded, Head(1, 2), wanted)
    table = summary.positional_table(loaded, Head(1, 2), wanted, p)
    again = summary.positional_table(loaded, Head(1, 2), wanted, p, factors=factors)
    assert_close(again.scores, table.scores, atol=1e-5, rtol=1e-5)


def test_copying_by_hand() -> None:
    eye, none = torch.eye(3), torch.zeros(3, 3)
    copies = Factors(none, none, eye, eye)
    assert summary.copying_score(copies) == pytest.approx(1)
    assert summary.copied_share(copies, range(3), among=1) == 1
    assert summary.copied_share(copies, range(3), among=1, sign=-1) == 0
    against = Factors(none, none, eye, -eye)
    assert summary.copying_score(against) == pytest.approx(-1)
    assert summary.copied_share(against, range(3), among=1) == 0
    assert summary.copied_share(against, range(3), among=1, sign=-1) == 1
    lots = torch.zeros(9, 3)
    assert summary.copied_share(Factors(lots, lots, lots, lots.T), range(9)) == 0  # writes nothing
    turn = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # i, -i and 1
    assert summary.copying_score(Factors(none, none, eye, turn)) == pytest.approx(1 / 3)
    assert summary.copying_score(Factors(none, none, none, none)) == 0
    assert summary.self_match(Factors(none, none, none, none)) == 0


def test_self_match_by_hand() -> None:
    # QK is the identity of size 4: mean 1/4, spread sqrt(3)/4, so (1 - 1/4) / (sqrt(3)/4) = sqrt(3)
    eye = torch.eye(4)
    assert summary.self_match(Factors(eye, eye, eye, eye)) == pytest.approx(3**0.5)


@settings(max_examples=20)
@given(some.integers(0, 10_000))
def test_composition_is_that_of_the_whole_matrices(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    a, b = torch.randn(12, 3, generator=g), torch.randn(3, 12, generator=g)
    c, d = torch.randn(12, 3, generator=g), torch.randn(3, 12, generator=g)
    one, two = a @ b, c @ d
    expected = (one @ two).norm() / (one.norm() * two.norm())
    assert composition.composed((a, b), (c, d)) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("kind", composition.KINDS)
@pytest.mark.parametrize("norm", ["none", "folded"])
def test_composition_of_a_model_with_shared_keys(load_family, kind: str, norm: str) -> None:
    loaded = load_family("llama")
    found = composition.composition(loaded, kind, norm=norm)
    one, two = (weights.layer_weights(loaded, layer) for layer in (0, 1))
    gain = weights.attention_norm(loaded, 1).weight if norm == "folded" else torch.ones(32)
    write = one.value_of(2) @ one.W_O[2]
    read = {
        "Q": (gain[:, None] * two.W_Q[3]) @ (gain[:, None] * two.key_of(3)).T,
        "K": (gain[:, None] * two.key_of(3)) @ (gain[:, None] * two.W_Q[3]).T,
        "V": (gain[:, None] * two.value_of(3)) @ two.W_O[3],
    }[kind]
    expected = (write @ read).norm() / (write.norm() * read.norm())
    place = found.heads.index(Head(0, 2)), found.heads.index(Head(1, 3))
    assert float(found.score[place]) == pytest.approx(float(expected), rel=1e-4)
    assert found.score[place[1]].isnan().all()  # nobody comes after the last layer


@pytest.mark.parametrize("kind", composition.KINDS)
def test_composition_centres_what_reads_a_layer_norm(load_family, kind: str) -> None:
    """All pairs of a model with LayerNorm, by the whole matrices."""
    loaded = load_family("gpt2")
    score = composition.composition(loaded, kind).score
    one, two = (weights.layer_weights(loaded, layer) for layer in (0, 1))
    gain = weights.attention_norm(loaded, 1).weight
    centre = (torch.eye(len(gain)) - 1 / len(gain)) * gain
    for first, second in itertools.product(range(4), range(4)):
        write = one.value_of(first) @ one.W_O[first]
        query, key = centre @ two.W_Q[second], centre @ two.key_of(second)
        value = centre @ two.value_of(second) @ two.W_O[second]
        read = {"Q": query @ key.T, "K": key @ query.T, "V": value}[kind]
        expected = (write @ read).norm() / (write.norm() * read.norm())
        assert float(score[first, 4 + second]) == pytest.approx(float(expected), rel=1e-5)


def test_a_head_that_writes_nothing_composes_with_nobody() -> None:
    nothing, something = torch.zeros(12, 3), torch.ones(3, 12)
    assert composition.composed((nothing, something), (nothing, something)) == 0


def test_random_matrices_compose_as_they_should() -> None:
    # |A B| / |A||B| of independent random matrices is near 1/sqrt(d_model)
    mean, spread = composition.random_composition(64, 8)
    assert mean == pytest.approx(1 / 8, rel=0.1)
    assert 0 < spread < 0.02


def test_the_previous_token_head_feeds_the_induction_heads_of_the_bundled_model(demo) -> None:
    """Of all 384 pairs, the four strongest are L0H6 and an induction head, far over random."""
    found = composition.composition(demo, "K")
    pairs = [
        (float(found.score[i, j]), first, second)
        for i, first in enumerate(found.heads)
        for j, second in enumerate(found.heads)
        if second.layer > first.layer
    ]
    best = sorted(pairs, reverse=True)[:4]
    assert len(pairs) == 384
    assert {first for _, first, _ in best} == {Head(0, 6)}
    assert {second for *_, second in best} == {Head(1, 1), Head(1, 4), Head(1, 6), Head(1, 7)}
    assert all(score > found.baseline + 10 * found.spread for score, *_ in best)
    # The duplicate-token head does not read it, and Q- and V-composition do not show the link.
    score = dict(zip(found.heads, found.score[found.heads.index(Head(0, 6))].tolist(), strict=True))
    assert score[Head(1, 2)] < found.baseline
    for kind in "QV":
        other = composition.composition(demo, kind)
        assert float(other.score[6, 12]) < other.baseline + 3 * other.spread


def test_positions_tell_the_previous_token_head_of_the_bundled_model(demo) -> None:
    even = qk_ov.uniform(2816)
    shares = {}
    for number in range(8):
        table = summary.positional_table(demo, Head(0, number), CircuitSettings(), even)
        shares[number], chance = summary.previous_affinity(table)
    assert table.by_offset
    assert table.kind == "rotary"
    assert chance == pytest.approx(sum(1 / (n + 1) for n in range(2, 64)) / 62)
    assert max(shares, key=shares.get) == 6
    assert shares[6] > 0.8 > 2 * sorted(shares.values())[-2] - 0.1


@pytest.mark.parametrize(("family", "kind"), [("gpt2", "learned"), ("bloom", "bias")])
def test_positional_tables_of_other_kinds(load_family, family: str, kind: str) -> None:
    loaded = load_family(family)
    even = qk_ov.uniform(weights.embedding(loaded).shape[0])
    table = summary.positional_table(loaded, Head(1, 0), CircuitSettings(), even, count=16)
    assert (table.kind, table.by_offset) == (kind, kind != "learned")
    if kind == "bias":  # ALiBi's first slope of four heads is 1/4
        steps = table.offsets[:-1] - table.offsets[1:]
        assert_close(steps, torch.full_like(steps, 0.25), atol=1e-3, rtol=0)
    else:
        own, norm = weights.layer_weights(loaded, 1), weights.attention_norm(loaded, 1)
        tokens = effective.effective_embedding(loaded)
        x = norm.apply(tokens.mean(0) + weights.positions(loaded)[:16])
        q, k = x @ own.W_Q[0] + own.b_Q[0], x @ own.W_K[0] + own.b_K[0]
        assert_close(table.scores, q @ k.T * own.scale, atol=1e-4, rtol=1e-4)


def test_an_unknown_norm_or_kind_names_the_known_ones(demo) -> None:
    with pytest.raises(CircuitError, match="applied, folded, none"):
        CircuitSettings(norm="layer")
    with pytest.raises(CircuitError, match="first_block, bare"):
        CircuitSettings(embedding="second")
    with pytest.raises(CircuitError, match="Q, K or V"):
        composition.composition(demo, "X")


needs_pair = pytest.mark.skipif(
    not (ATTN_ONLY_1L / "config.json").exists(), reason="the attention-only model is not there"
)


@needs_pair
def test_tables_and_positions_predict_the_attention_of_a_one_layer_model() -> None:
    """With rotary positions a score is the token's query turned by the distance: exact in layer 0.

    And the token table alone, without positions, still tells much of what is attended to.
    """
    from headroles.capture.attention import capture

    loaded = load_model(str(ATTN_ONLY_1L))
    run = capture(loaded, "The old man gave a red ball to the girl. The girl gave the ball to him.")
    ids = list(run.token_ids)
    turn = weights.rotation(loaded, 0)
    hidden = torch.full((len(ids), len(ids)), -torch.inf).triu(1)
    alone = []
    for number in range(loaded.num_heads):
        wanted = CircuitSettings(minus_bos=False)
        found = qk_ov.head_factors(loaded, Head(0, number), wanted)
        query = torch.stack([turn.apply(found.query[t], n) for n, t in enumerate(ids)])
        key = torch.stack([turn.apply(found.key[t], n) for n, t in enumerate(ids)])
        assert_close(
            (query @ key.T + hidden).softmax(-1), run.attention[0, number], atol=1e-4, rtol=0
        )
        guess = (found.qk(ids, ids) + hidden).softmax(-1)
        below = torch.ones_like(guess, dtype=torch.bool).tril()
        pair = torch.stack([guess[below], run.attention[0, number][below]])
        alone.append(float(torch.corrcoef(pair)[0, 1]))
    print("correlation of the token table alone, head by head:", [round(r, 2) for r in alone])
    assert sorted(alone)[len(alone) // 2] > 0.5

"""Proposed patterns and kinds of tokens: by hand on planted heads, and against plain loops."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest
import torch

from headroles.capture import capture, each_layer
from headroles.corpus import Batch, Corpus, Reading, Setting, read, tokenize
from headroles.corpus.candidates import (
    CELLS,
    KEYED,
    KINDS,
    PATTERNS,
    SINGLE,
    Candidates,
    even_beside_first,
    narrowed,
)
from headroles.corpus.kinds import KEYS, QUERIES, KindsPart
from headroles.corpus.proposals import GROUPS, SIMPLE, ProposalsPart, groups_of
from headroles.models import load_model
from headroles.roles import cells, expression
from headroles.texts import classes
from headroles.texts.sources import MANUAL, STORIES, Document, own_text, read_passages
from headroles.types import Head


def corpus_of(passages) -> Corpus:
    return tokenize(load_model("demo").tokenizer, passages)


@pytest.fixture(scope="module")
def stories() -> Corpus:
    return corpus_of(read_passages(STORIES)[:12])


@pytest.fixture(scope="module")
def manual() -> Corpus:
    return corpus_of(read_passages(MANUAL)[::20])


def whole(corpus: Corpus) -> Batch:
    rows = torch.arange(len(corpus))
    return Batch(corpus, rows, corpus.prompts.some(rows))


def setting(corpus: Corpus, shape: tuple[int, int]) -> Setting:
    return Setting(corpus, shape, None, 0)


def of_documents(n: int) -> Corpus:
    """Many short documents with brackets, commas and numbers at changing places."""
    words = [
        "the",
        "cat",
        "saw",
        "a",
        "dog",
        "and",
        "sat",
        "on",
        "the",
        "old",
        "red",
        "mat",
        "with",
        "Tom",
    ]
    documents = []
    for place in range(n):
        rng = torch.Generator().manual_seed(place)
        drawn = [words[int(one)] for one in torch.randint(len(words), (30,), generator=rng)]
        for at in torch.randint(30, (4,), generator=rng).tolist():
            drawn[at] = f"({drawn[at]})" if at % 2 else f"{drawn[at]},"
        documents.append(Document(f"text {place}", " ".join(drawn)))
    return corpus_of(read_passages(own_text(documents)))


class Planted:
    """A layer of three heads that were made by hand, on any batch of a corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self.kinds = {one.token_ids: classes(one.tokens) for one in corpus.encodings}

    def __call__(self, token_ids, on_layer) -> None:
        on_layer(0, self.attention(token_ids), None)

    def attention(self, token_ids) -> torch.Tensor:
        batch, length = token_ids.shape
        attention = torch.zeros(batch, 3, length, length)
        for row, ids in enumerate(token_ids.tolist()):
            kinds = next(
                kinds for own, kinds in self.kinds.items() if tuple(ids[: len(own)]) == own
            )
            for q in range(len(kinds)):
                openings = [k for k in range(q) if kinds[k] == "opening"]
                attention[row, 0, q, openings[-1] if openings else 0] = 1
                attention[row, 1, q, 0] = 1
                commas = [k for k in range(q) if kinds[k] == "comma"]
                target = commas[-1] if kinds[q] == "function" and commas else max(q - 2, 0)
                attention[row, 2, q, target] = 0.5
                attention[row, 2, q, 0] += 0.5
        return attention


@pytest.fixture(scope="module")
def planted():
    corpus = of_documents(60)
    proposals, kinds = (make(setting(corpus, (1, 3))) for make in (ProposalsPart, KindsPart))
    read(corpus, [proposals, kinds], Planted(corpus))
    return corpus, proposals.record(), kinds.record()


def test_a_head_on_the_last_opening_bracket_gets_exactly_that(planted) -> None:
    _, record, _ = planted
    best = record.of(Head(0, 0))[0]
    assert record.patterns[best.pattern] in ('last(kind(k) == "opening")', "last(is_opening(k))")
    assert (best.fit, best.share, best.error) == (1000, 1000, 0)
    assert 0 < best.chance < 300
    assert best.gain == 1000
    assert min(record.chosen_on, record.held_out) > 300


def test_a_head_that_only_rests_gets_no_pattern(planted) -> None:
    _, record, _ = planted
    assert record.of(Head(0, 1)) == []
    assert record.free[0][1] == 0


def test_two_habits_are_found_as_a_union_in_the_second_pass_of_batches() -> None:
    corpus = of_documents(60)
    part = ProposalsPart(setting(corpus, (1, 3)))
    reading = Reading(corpus, [part], max_cells=12_000)
    assert len(reading.batches) > 2
    for rows in reading.batches:
        reading.step(Planted(corpus), rows)
    record = part.record()
    best = record.of(Head(0, 2))[0]
    pattern = record.patterns[best.pattern]
    assert pattern == 'k == q - 2 or last(kind(k) == "comma")'  # no narrower than it need be
    assert best.share > 990
    # Naive: its cells on the held-out half, passage by passage.
    kinds, free, on = Planted(corpus), 0.0, 0.0
    assert expression.parse(pattern)
    held = held_out(corpus)
    for place in range(len(corpus)):
        if held[place]:
            one = corpus.prompts.only(place)
            drawn = cells.where(one, pattern)[0]
            attention = kinds.attention(one.sequences.token_ids)[0, 2]
            attention[:, 0] = 0
            free += float(attention.sum())
            on += float((attention * drawn).sum())
    assert on / free == pytest.approx(best.share / 1000, abs=0.02)


def held_out(corpus: Corpus) -> list[bool]:
    """[passage] every other document by the digest of its name."""
    digests = [
        hashlib.sha256(f"{one.source}/{one.document}".encode()).hexdigest()
        for one in corpus.passages
    ]
    return [sorted(set(digests)).index(one) % 2 == 1 for one in digests]


def test_few_documents_are_divided_by_passages() -> None:
    text = "\n\n".join(f"This is paragraph {place}, and it is long. " * 9 for place in range(9))
    groups = groups_of(corpus_of(read_passages(own_text([Document("one", text)])))).tolist()
    assert groups.count(0) == (len(groups) + 1) // 2 > 2


def test_what_the_table_of_kinds_says_of_planted_heads(planted) -> None:
    corpus, _, table = planted
    opening, word = KEYS.index("opening"), QUERIES.index("word")
    mean, even = table.of(Head(0, 0))
    naive = [
        any(kind == "opening" for kind in kinds[:q])
        for kinds in map(classes, (one.tokens for one in corpus.encodings))
        for q in range(1, len(kinds))
        if kinds[q] == "word"
    ]
    assert mean[word][opening] == round(1000 * sum(naive) / len(naive))
    assert table.rows[word] == len(naive)
    resting, _ = table.of(Head(0, 1))
    assert all(row[0] == 1000 for row, n in zip(resting, table.rows, strict=True) if n)
    for row, n in zip(even, table.rows, strict=True):
        assert sum(row) == pytest.approx(1000 if n else 0, abs=len(KEYS) / 2)


def test_the_table_of_kinds_is_what_a_loop_counts(stories) -> None:
    loaded = load_model("demo")
    part = KindsPart(setting(stories, loaded.shape))
    read(stories, [part], partial(each_layer, loaded))
    table = part.record()
    sums, rows = torch.zeros(len(QUERIES), len(KEYS)), torch.zeros(len(QUERIES))
    for passage in stories.passages:
        run = capture(loaded, passage.text)
        kinds = classes(run.tokens)
        for q in range(1, len(kinds)):
            rows[QUERIES.index(kinds[q])] += 1
            for k in range(q + 1):
                kind = kinds[k] if k < q else "itself"
                sums[QUERIES.index(kinds[q]), KEYS.index(kind)] += run.attention[2, 3, q, k]
    expected = sums / rows.clamp_min(1).unsqueeze(-1) * 1000
    found = torch.tensor(table.of(Head(2, 3))[0]).float()
    torch.testing.assert_close(found, expected, rtol=0, atol=0.51)
    assert table.rows == rows.int().tolist()


@pytest.mark.parametrize("kind", [0, 1, 9])
def test_every_candidate_is_the_expression_that_it_says(manual, kind: int) -> None:
    some = corpus_of(manual.passages[:6])
    batch = whole(some)
    candidates = Candidates(batch)
    random = torch.rand(len(some), 2, *[batch.is_text.shape[1]] * 2).tril()
    random[..., 0] = 0
    random *= batch.is_text[:, None, :, None]
    explained = candidates.explained(random)
    for place, pattern in enumerate(PATTERNS):
        drawn = cells.where(batch.prompts, narrowed(pattern, KINDS[kind]))
        drawn[..., 0] = 0
        assert torch.equal(candidates.where(place, kind), drawn), pattern
        if kind == 0:
            expected = (random * drawn.unsqueeze(1)).sum(-1)
            torch.testing.assert_close(explained[..., place], expected)
    assert len(set(PATTERNS)) == len(PATTERNS) == len(SINGLE) + len(KEYED) + len(CELLS)


def test_shares_and_chance_are_what_a_loop_adds_up(stories) -> None:
    loaded = load_model("demo")
    part = ProposalsPart(setting(stories, loaded.shape))
    read(stories, [part], partial(each_layer, loaded))
    share, chance, _ = part.sums.half(1)
    at, held = Head(1, 4), held_out(stories)
    for pattern, kind in (("t[k-1] == t[q] and k < q", None), ("k == q - 1", "comma")):
        on = even = free = 0.0
        for place, passage in enumerate(stories.passages):
            if not held[place]:
                continue
            run = capture(loaded, passage.text)
            drawn = cells.where(stories.prompts.only(place), narrowed(pattern, kind))[0]
            for q in range(1, len(run.tokens)):
                left = float(run.attention[at.layer, at.head, q, 1:].sum())
                free += left
                hits = [k for k in range(1, q + 1) if drawn[q, k]]
                on += sum(float(run.attention[at.layer, at.head, q, k]) for k in hits)
                even += left * len(hits) / q
        place = (at.layer, at.head, PATTERNS.index(pattern), KINDS.index(kind))
        assert float(share[place]) == pytest.approx(on / free, abs=1e-4)
        assert float(chance[place]) == pytest.approx(even / free, abs=1e-4)


def test_noise_gets_no_pattern_that_counts() -> None:
    corpus = of_documents(40)
    part = ProposalsPart(setting(corpus, (1, 1)))

    def noise(token_ids, on_layer) -> None:
        batch, length = token_ids.shape
        logits = torch.randn(batch, 1, length, length, generator=torch.Generator().manual_seed(1))
        hidden = torch.ones(length, length).triu(1).bool()
        on_layer(0, logits.masked_fill(hidden, -torch.inf).softmax(-1), None)

    read(corpus, [part], noise)
    assert all(one.gain < 1000 * SIMPLE for one in part.record().of(Head(0, 0)))


def test_chance_is_over_what_a_head_can_see() -> None:
    near = torch.ones(5, 5).tril().triu(-1).bool()
    assert even_beside_first(5, near)[4].tolist() == [0, 0, 0, 0.5, 0.5]
    assert even_beside_first(5, None)[2].tolist() == [0, 0.5, 0.5, 0, 0]
    assert not even_beside_first(5, None)[0].any()


def test_the_error_is_over_groups_of_documents(planted) -> None:
    _, record, _ = planted
    assert GROUPS > 2
    # Some words fall into pieces that differ: what is no perfect pattern varies over groups.
    imperfect = [one for one in record.of(Head(0, 2)) if 0 < one.share < 1000]
    assert imperfect
    assert all(one.error > 0 for one in imperfect)


def test_passages_of_a_document_are_in_one_group() -> None:
    documents = [
        Document(f"text {place}", "\n\n".join(f"Page {at} of {place}. " * 30 for at in range(4)))
        for place in range(40)
    ]
    corpus = corpus_of(read_passages(own_text(documents)))
    assert len(corpus) > 100
    by_document: dict[str, set[int]] = {}
    for passage, group in zip(corpus.passages, groups_of(corpus).tolist(), strict=True):
        by_document.setdefault(passage.document, set()).add(group)
    assert {len(groups) for groups in by_document.values()} == {1}
    held = [group for (group,) in by_document.values() if group]
    assert len(held) == 20
    assert {held.count(group) for group in range(1, GROUPS + 1)} == {2, 3}  # by turns


def test_the_error_is_that_of_a_quotient_by_hand(planted) -> None:
    """R = sum m / sum w over groups; its error is sqrt(n / (n - 1) sum (m - R w)^2) / sum w."""
    corpus, record, _ = planted
    best, groups = record.of(Head(0, 2))[0], groups_of(corpus).tolist()
    pattern, heads = record.patterns[best.pattern], Planted(corpus)
    m, w = [0.0] * GROUPS, [0.0] * GROUPS
    for place, group in enumerate(groups):
        if group:
            one = corpus.prompts.only(place)
            attention = heads.attention(one.sequences.token_ids)[0, 2]
            attention[:, 0] = 0
            w[group - 1] += float(attention.sum())
            m[group - 1] += float((attention * cells.where(one, pattern)[0]).sum())
    share = sum(m) / sum(w)
    squares = sum((on - share * free) ** 2 for on, free in zip(m, w, strict=True))
    error = (GROUPS / (GROUPS - 1) * squares) ** 0.5 / sum(w)
    assert best.share == round(1000 * share)
    assert best.error == round(1000 * error) > 0


def test_two_passages_have_no_error() -> None:
    """One of them is held out: a share of one group has no spread, and is not sure to .0."""
    text = "\n\n".join(f"This is paragraph {place}, and it is long. " * 12 for place in range(2))
    corpus = corpus_of(read_passages(own_text([Document("one", text)])))
    assert len(corpus) == 2
    loaded = load_model("demo")
    part = ProposalsPart(setting(corpus, loaded.shape))
    read(corpus, [part], partial(each_layer, loaded))
    every = [one for head in Head.every(*loaded.shape) for one in part.record().of(head)]
    assert every
    assert {one.error for one in every} == {None}

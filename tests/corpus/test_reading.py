"""A pass over real text: every token is seen once, by PyVene and by TransformerLens alike."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from headroles.analysis import bridge
from headroles.capture import capture, each_layer
from headroles.corpus import Batch, Reading, read, tokenize
from headroles.errors import EmptyPromptError
from headroles.models import load_model
from headroles.texts.sources import STORIES, Document, own_text, read_passages


class MeanOnFirst:
    """[layer head] attention on the start token, summed over the tokens of the text."""

    def __init__(self) -> None:
        self.total = torch.zeros(4, 8)
        self.rows = 0
        self.seen: list[int] = []

    def begin(self, batch: Batch) -> None:
        self.batch = batch
        self.seen += batch.rows.tolist()

    def on_layer(self, layer: int, attention: Tensor, visible: Tensor | None) -> None:
        first = attention[..., 0] * self.batch.is_text.unsqueeze(1)  # [batch head query]
        self.total[layer] += first.sum((0, 2))

    def end(self) -> None:
        self.rows += int(self.batch.is_text.sum())


@pytest.fixture(scope="module")
def corpus():
    return tokenize(load_model("demo").tokenizer, read_passages(STORIES)[:12])


def test_every_passage_runs_once_and_no_padding_counts(corpus) -> None:
    loaded = load_model("demo")
    collector, told = MeanOnFirst(), []
    read(
        corpus,
        [collector],
        partial(each_layer, loaded),
        progress=lambda done, total: told.append((done, total)),
    )
    assert sorted(collector.seen) == list(range(12))
    assert collector.rows == corpus.tokens == told[-1][0] == told[-1][1]
    naive = sum(
        capture(loaded, passage.text).attention[:, :, 1:, 0].sum(-1) for passage in corpus.passages
    )
    torch.testing.assert_close(collector.total, naive, rtol=1e-5, atol=1e-4)


def test_transformer_lens_hands_out_the_same(corpus) -> None:
    ours, theirs = MeanOnFirst(), MeanOnFirst()
    read(corpus, [ours], partial(each_layer, load_model("demo")))
    read(corpus, [theirs], partial(bridge.each_layer, bridge.load_bridge("demo")))
    torch.testing.assert_close(ours.total, theirs.total, rtol=1e-5, atol=1e-4)


def test_a_bound_on_tokens_ends_the_corpus_before_it() -> None:
    tokenizer = load_model("demo").tokenizer
    bounded = tokenize(tokenizer, read_passages(STORIES), most_tokens=200)
    assert 150 < bounded.tokens <= 200
    one = tokenize(tokenizer, read_passages(STORIES), most_tokens=1)
    assert len(one) == 1


def test_long_passages_are_cut_and_empty_ones_left_out() -> None:
    tokenizer = load_model("demo").tokenizer
    source = own_text([Document("long", "the cat sat " * 60), Document("short", "a")])
    corpus = tokenize(tokenizer, read_passages(source), max_tokens=20)
    assert [len(encoding.token_ids) for encoding in corpus.encodings] == [20] * len(corpus)
    with pytest.raises(EmptyPromptError):
        tokenize(tokenizer, [])


def test_steps_and_the_whole_are_the_same(corpus) -> None:
    loaded = load_model("demo")
    whole, steps = MeanOnFirst(), MeanOnFirst()
    read(corpus, [whole], partial(each_layer, loaded))
    reading = Reading(corpus, [steps], max_cells=1)
    assert [len(rows) for rows in reading.batches] == [1] * len(corpus)
    for rows in reversed(reading.batches):
        reading.step(partial(each_layer, loaded), rows)
    torch.testing.assert_close(whole.total, steps.total)

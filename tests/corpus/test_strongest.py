"""Evidence by passage: the strongest and the typical, by hand and by a plain loop."""

from __future__ import annotations

import pytest
import torch

from headroles.capture import capture
from headroles.corpus import strongest
from headroles.corpus.strongest import Series, looks
from headroles.models import load_model
from headroles.types import Head
from tests.corpus.passes import by_hand, on_stories, pattern, whole


def test_a_look_is_at_an_earlier_token_that_is_not_the_first() -> None:
    attention = pattern(
        [1.0],
        [0.5, 0.5],
        [0.7, 0.1, 0.2],
        [0.0, 0.3, 0.6, 0.1],
        [0.1, 0.2, 0.0, 0.3, 0.4],
    )
    torch.testing.assert_close(looks(attention), torch.tensor([[[0.0, 0.0, 0.1, 0.6, 0.3]]]))


def series_of(corpus, activation, attention, counts, monkeypatch=None) -> Series:
    lengths = corpus.prompts.sequences.lengths
    order = torch.linspace(0, 1, int(lengths.sum()))
    found = Series([Head(0, 0)], order, lengths.cumsum(0) - lengths)
    batch = whole(corpus)
    found.begin(batch, counts)
    found.on_layer(0, activation, attention, counts.unsqueeze(1))
    return found


def test_the_strongest_passages_by_hand(monkeypatch) -> None:
    """Three passages of four tokens; of each its best token, and only two are kept."""
    monkeypatch.setattr(strongest, "STRONGEST", 2)
    corpus = by_hand((0, 1, 2, 3), (0, 4, 5, 6), (0, 7, 8, 9))
    activation = torch.tensor([[0, 0.1, 0.9, 0.3], [0, 0.2, 0.1, 0.0], [0, 0.0, 0.4, 0.95]])
    one = pattern([1.0], [0.5, 0.5], [0.1, 0.9, 0.0], [0.05, 0.0, 0.95, 0.0])
    found = series_of(
        corpus, activation.unsqueeze(1), one.expand(3, 1, 4, 4), activation > 0
    ).record(0)["L0H0"]
    assert found.strongest == [[2, 3, 950, 2, 950, 0, 50], [0, 2, 900, 1, 900, 0, 100]]


def test_a_sample_has_one_token_of_each_tenth() -> None:
    """Activations 1 to 100 hundredths: each tenth has its own ten."""
    corpus = by_hand((0, *range(1, 101)))
    activation = torch.arange(101.0).reshape(1, 1, -1) / 100
    attention = torch.eye(101).expand(1, 1, 101, 101)
    found = series_of(corpus, activation, attention, activation[:, 0] > 0).record(3)["L0H0"]
    assert len(found.typical) == 10
    for tenth, (_, query, thousandths, *keys) in enumerate(found.typical):
        assert tenth * 10 < query <= (tenth + 1) * 10
        assert thousandths == 10 * query
        assert keys == [query, 1000]
    again = series_of(corpus, activation, attention, activation[:, 0] > 0).record(4)["L0H0"]
    assert again.typical != found.typical


def test_the_sample_is_of_the_smallest_random_numbers(monkeypatch) -> None:
    """Five of ten tokens: those with the smallest numbers, in whatever batches they come."""
    monkeypatch.setattr(strongest, "SAMPLE", 5)
    corpus = by_hand((0, *range(1, 6)), (0, *range(6, 11)))
    order = torch.tensor([9, 0.9, 0.1, 0.8, 0.2, 0.7, 9, 0.3, 0.6, 0.4, 0.5, 0.95])
    from headroles.corpus import Batch

    attention = torch.eye(6).expand(1, 1, 6, 6)
    counts = torch.tensor([[False] + [True] * 5])
    for rows in ([0, 1], [1, 0]):
        found = Series([Head(0, 0)], order, torch.tensor([0, 6]))
        for row in rows:
            which = torch.tensor([row])
            found.begin(Batch(corpus, which, corpus.prompts.some(which)), counts)
            values = (torch.arange(6.0) + 6 * row).reshape(1, 1, 6) / 100
            found.on_layer(0, values, attention, counts.unsqueeze(1))
        places = {tuple(one[:2]) for one in found.record(0)["L0H0"].typical}
        assert places == {(0, 2), (0, 4), (1, 1), (1, 3), (1, 4)}
        assert found.tokens == 10


# ------------------------------------------------------------------ a plain loop


@pytest.fixture(scope="module")
def stories():
    return on_stories(12)


def test_a_plain_loop_finds_the_same_strongest_looks(stories) -> None:
    done, setting = stories
    evidence = done.parts["evidence"].record()
    runs = [capture(load_model("demo"), one.text).attention for one in setting.corpus.passages]
    for head in Head.every(4, 8):
        best = []
        for passage, attention in enumerate(runs):
            A = attention[head]
            cells = [(float(A[q, k]), q) for q in range(5, len(A)) for k in range(1, q)]
            best.append((max(cells, default=(0.0, 0)), passage))
        best.sort(key=lambda one: -one[0][0])
        ours = evidence.heads[head.label].strongest
        assert len(ours) == 6
        for (passage, query, thousandths, *keys), ((value, at), of) in zip(
            ours, best, strict=False
        ):
            assert thousandths == pytest.approx(1000 * value, abs=1)
            if thousandths < 999:  # else several passages are as good
                assert (passage, query) == (of, at)
            for key, weight in zip(keys[::2], keys[1::2], strict=True):
                assert weight == pytest.approx(1000 * float(runs[passage][head][query, key]), abs=1)


def test_each_listed_head_has_evidence_for_its_role(stories) -> None:
    done, setting = stories
    evidence = done.parts["evidence"].record()
    for key, heads in evidence.roles.items():
        assert set(heads) == {head.label for head in setting.listed(key)}
    head = setting.listed("induction")[0]
    tokens = [one.token_ids for one in setting.corpus.encodings]
    for passage, query, *_ in evidence.of(head, "induction").strongest:
        ids = tokens[passage]
        assert any(ids[k] == ids[query] and ids[k + 1] == ids[query + 1] for k in range(1, query))


def test_the_typical_lies_between_nothing_and_the_strongest(stories) -> None:
    done, _ = stories
    for one in done.parts["evidence"].record().heads.values():
        values = [example[2] for example in one.typical]
        assert values == sorted(values)
        assert len(values) == 10
        assert values[-1] <= one.strongest[0][2]

"""The loss behind each token that might stand at position 0, against plain transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.analysis.bridge import load_bridge
from headroles.analysis.measure import ProbeTexts
from headroles.analysis.run import _tokenization
from headroles.analysis.start_tokens import TEXTS, measure_starts, note_of
from headroles.models import load_tokenizer
from headroles.store import StartCandidate, Tokenization
from headroles.texts import probe_texts
from headroles.ui.head_map import position_zero
from tests.chat_tokenizers import chatml_tokenizer, save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return save_model(tmp_path_factory.mktemp("starts") / "model", chatml_tokenizer())


@pytest.fixture(scope="module")
def probe(folder) -> ProbeTexts:
    tokenizer = load_tokenizer(folder)
    sentences = probe_texts.sentence_sequences(tokenizer)
    repeats = probe_texts.repeated_sequences(
        probe_texts.ordinary_ids(tokenizer), 5, start_id=0, rng=np.random.default_rng(1)
    )
    return ProbeTexts(sentences=sentences, control=sentences, repeats=repeats)


def naive_loss(folder: str, texts, start: int | None, *, repeats: bool) -> float:
    """Token by token, through the model alone, without any code of the analysis."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    losses = []
    for row, length in zip(texts.token_ids[:TEXTS].tolist(), texts.lengths.tolist(), strict=False):
        text = row[1:length]
        before = [] if start is None else [start]
        with torch.no_grad():
            logits = model(torch.tensor([before + text])).logits[0].log_softmax(-1)
        pairs = set()
        for place in range(1, len(text)):
            pair = (text[place - 1], text[place])
            if not repeats or pair in pairs:
                losses.append(-float(logits[len(before) + place - 1, text[place]]))
            pairs.add(pair)
    return sum(losses) / len(losses)


def test_every_candidate_has_the_loss_that_plain_transformers_gives(folder, probe) -> None:
    found = measure_starts(load_bridge(folder), load_tokenizer(folder), probe)
    assert [(one.token, one.token_id) for one in found] == [
        ("<|endoftext|>", 0),
        ("<|im_start|>", 1),
        ("<|im_end|>", 2),
        (None, None),
    ]
    for one in found:
        wanted = naive_loss(folder, probe.sentences, one.token_id, repeats=False)
        assert one.sentence_loss == pytest.approx(wanted, abs=1e-4)
        wanted = naive_loss(folder, probe.repeats, one.token_id, repeats=True)
        assert one.repeat_loss == pytest.approx(wanted, abs=1e-4)
    assert len({round(one.repeat_loss, 5) for one in found}) == 4


def candidate(token: str | None, sentences: float, repeats: float) -> StartCandidate:
    return StartCandidate(
        token=token, token_id=None if token is None else 0, sentence_loss=sentences,
        repeat_loss=repeats,
    )  # fmt: skip


def test_a_clearly_better_one_is_noted() -> None:
    used = candidate("<s>", 3.0, 2.0)
    assert note_of([used, candidate(None, 3.1, 1.75)]) == []  # .075 better
    (note,) = note_of([used, candidate(None, 3.0, 1.7), candidate("<e>", 9, 9)])  # .15 better
    assert "no start token" in note
    assert "2.35 against 2.50 nats" in note
    assert note_of([]) == []


def test_it_is_stored_shown_and_missing_in_an_older_entry(folder) -> None:
    kept = _tokenization(load_tokenizer(folder), [candidate("<|endoftext|>", 1, 2).model_dump()])
    assert (kept.start_token_id, kept.is_stand_in, kept.passed_over) == (0, True, "<|im_start|>")
    kept = kept.model_copy(update={"candidates": [*kept.candidates, candidate(None, 3, 4)]})
    again = Tokenization.model_validate_json(kept.model_dump_json(exclude_none=True))  # as stored
    assert again == kept
    assert position_zero.rows(again.candidates) == [
        ["<|endoftext|> (used)", "1.00 nats", "2.00 nats"],
        ["nothing", "3.00 nats", "4.00 nats"],
    ]
    older = Tokenization(start_token="<s>", start_token_id=1, is_stand_in=False)
    assert (older.candidates, older.passed_over) == ([], "")

"""Small passes for the tests of what one pass over real text finds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from headroles.capture import each_layer
from headroles.corpus import Batch, Corpus, Pass, Setting, tokenize
from headroles.models import load_model
from headroles.store import read_entry
from headroles.texts.sources import STORIES, Passage, read_passages
from headroles.types import Encoding


def by_hand(*passages: Sequence[int]) -> Corpus:
    """Passages of these ids; each begins with 0, the start token."""
    encodings = [
        Encoding(tuple(ids), tuple(f" t{one}" for one in ids), "<s>", False, len(ids))
        for ids in passages
    ]
    texts = [Passage("own", "by hand", place, str(ids)) for place, ids in enumerate(passages)]
    return Corpus(tuple(texts), tuple(encodings))


def whole(corpus: Corpus) -> Batch:
    """All passages as one batch."""
    rows = torch.arange(len(corpus))
    return Batch(corpus, rows, corpus.prompts.some(rows))


def pattern(*rows: Sequence[float]) -> Tensor:
    """[1 1 query key] one head's attention; rows may end where the zeros begin."""
    length = len(rows)
    return torch.tensor([[[list(row) + [0.0] * (length - len(row)) for row in rows]]])


def on_stories(n: int, *, run=None, seed: int = 0) -> tuple[Pass, Setting]:
    """The bundled model on some stories."""
    loaded = load_model("demo")
    setting = Setting(
        tokenize(loaded.tokenizer, read_passages(STORIES)[:n]), (4, 8), read_entry("demo"), seed
    )
    done = Pass(setting)
    for place in range(len(done)):
        done.step(place, run or partial(each_layer, loaded))
    return done, setting

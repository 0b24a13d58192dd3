"""Damaged files of what heads do on real text: refused in a sentence, or shown without a fault."""

from __future__ import annotations

import functools
import gzip
import json
import random
from pathlib import Path

from headroles import disk, store
from headroles.paths import ROOT
from headroles.store import RealText
from headroles.types import Head
from headroles.view import passages, real_text
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.kinds.categories import spoilt

SHARE = 0.2
TOKENS = ("<s>", *(f" t{place}" for place in range(1, 40)))


@functools.cache
def own() -> bytes:
    """What is stored of a bundled model, as JSON."""
    path = store.real_text.path_of("attn-only-1l-tiny", ROOT / "data")
    return store.real_text.plain(disk.read(path)[0])


def case(rng: random.Random) -> Case:
    """A file with a flaw in its bytes, or in a value."""
    if rng.random() < 0.4:
        packed = rng.random() < 0.5
        content = odd.damaged(rng, gzip.compress(own(), mtime=0) if packed else own())
    else:
        tree = spoilt(rng, json.loads(own()))
        content = json.dumps(tree).encode("utf-8", "replace")
    return Case(f"a real_text file of {len(content)} bytes", functools.partial(look, content))


def look(content: bytes) -> None:
    """Read it, and show what a page shows of it."""
    path = Path(odd.folder()) / "real_text.json"
    path.write_bytes(content)
    show(store.real_text.read_file(path))


def show(record: RealText) -> None:
    """Every sentence, table and tinted passage."""
    roles = real_text.wild(record, None)
    real_text.what_was_read(record, [None] * len(record.passages))
    real_text.conclusion(roles)
    real_text.activity_rows(roles)
    if record.copy_suppression:
        real_text.suppression_sentence(record.copy_suppression)
        real_text.suppression_rows(record.copy_suppression)
    for one in roles:
        real_text.map_records(one)
        real_text.head_rows(one)
        real_text.map_sentence(one)
        real_text.shuffled_sentence(one)
    for head in Head.every(record.num_layers, record.num_heads):
        found = record.evidence and record.evidence.of(head, None)
        real_text.evidence_sentence(head, None, found)
        for example in (*found.strongest, *found.typical) if found else ():
            if example[1] < len(TOKENS):
                passages.say(TOKENS, example)
                passages.tinted(TOKENS, example)

"""Roles of the class and of links: files and texts that anybody may have changed."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from headroles import roles
from headroles.errors import HeadrolesError
from headroles.roles import SavedRole, saved_roles
from headroles.store import class_file, class_roles
from headroles.types import Head
from scripts.fuzz.cases import Case
from scripts.fuzz.kinds.categories import spoilt
from scripts.fuzz.kinds.expressions import spec_of

HEADS = ((Head(0, 6), 0.9), (Head(3, 2), 0.5))
SOUND = (
    SavedRole(roles.offset(2), "demo", HEADS),
    SavedRole(roles.of_expression("t[k-1] == t[q] and k < q", title="Mine"), "gpt2", HEADS[:1]),
    SavedRole(roles.of_matrix([[0.0, 0.0], [1.0, 0.0]]), "demo", HEADS),
)


def case(rng: random.Random) -> Case:
    """A file of the class, or the text of a link, with a few flaws."""
    if rng.random() < 0.3:
        return _link(rng)
    plain: object = {
        "format": class_file.FORMAT,
        "roles": [saved_roles.to_plain(role) for role in rng.sample(SOUND, rng.randrange(1, 4))],
    }
    if rng.random() < 0.3:
        plain["roles"][0]["pattern"] = spec_of(rng)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        plain = spoilt(rng, plain)
    text = json.dumps(plain)
    if rng.random() < 0.1:
        text = text[: rng.randrange(len(text) + 1)]
    return Case(f"class roles {text[:150]}", lambda: _used(text))


def _link(rng: random.Random) -> Case:
    plain: object = json.loads(saved_roles.to_link(SOUND))
    for _ in range(rng.choice([0, 1, 1, 2])):
        plain = spoilt(rng, plain)
    text = json.dumps(plain)
    return Case(f"linked roles {text[:150]}", lambda: _linked(text))


def _linked(text: str) -> None:
    found = saved_roles.from_link(text)
    assert saved_roles.from_link(saved_roles.to_link(found)) == found, "a link changes"


def _used(text: str) -> None:
    """Reading never fails; a good file is written as it is read, a damaged one stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / class_roles.FILE
        file.write_text(text, encoding="utf-8", errors="replace")
        raw = file.read_bytes()
        kept = class_roles.read(file)
        try:
            class_roles.keep(SavedRole(roles.offset(63), "x", HEADS), file)
        except HeadrolesError:
            assert file.read_bytes() == raw, "a refused change changes the file"
            raise
        assert kept.fault is None, "a damaged file was written over"
        assert class_roles.read(file).roles[:-1] == kept.roles, "a role is lost"

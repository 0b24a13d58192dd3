"""Files of head categories: the project's own and another dashboard's, with odd values in them."""

from __future__ import annotations

import copy
import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import torch

import headroles
from headroles.errors import ShapeError
from headroles.paths import ROOT
from headroles.store import categories, contents
from scripts.fuzz.cases import Case

LAYERS, HEADS, TOKENS = 1, 8, 7
OWN = "attn-only-1l-tiny"
NAMES = (OWN, "gpt2", "openai-community/gpt2", "GPT2", "checkpoint-500-3fa2b1", "demo", "", "x\0y")
ODD = (
    *(None, True, False, 0, -1, 1, 3, 8, 95, 0.5, -0.0, 1e308, float("nan"), float("inf"), 10**400),
    *("", " ", "0.5", "L0H1", "high", "induction", "2026-02-30", "\ud800", "None", "a" * 5000),
    *([], {}, [[]], [[0.5]], [None], [{}], {"": {}}, {"induction": []}, {"layer": 0}, [[0.1] * 8]),
    *({"induction": [["a"]]}, {"layer": 0, "head": 0}, {"layer": True, "head": 1.5, "score": "1"}),
)
"""What takes the place of a value."""
KEYS = (
    *("induction", "Induction", "previous_token_head", "successor", "other", "positional", "", "0"),
    *("layer", "head", "score", "definitions_version", "schema_version", "extended", "top_heads"),
)
"""What takes the place of a name."""


@functools.cache
def own() -> dict[str, Any]:
    """An entry of the project's own file."""
    return json.loads((ROOT / "data" / "head_categories.json").read_text())[OWN]


def theirs(rng: random.Random) -> dict[str, Any]:
    """An entry as another dashboard writes it."""
    keys = rng.sample(("previous_token", "induction", "duplicate_token", "diffuse", "x"), k=3)
    tops = [
        {"layer": 0, "head": head, "score": round(rng.random(), 2)}
        for head in rng.sample(range(HEADS), k=rng.randrange(4))
    ]
    described = {"display_name": "A role", "description": "What it does", "icon": "repeat"}
    return {
        "model_name": rng.choice(NAMES),
        "num_layers": LAYERS,
        "num_heads": HEADS,
        "analysis_date": "2026-02-16",
        "categories": {key: {**described, "top_heads": copy.deepcopy(tops)} for key in keys},
        "all_scores": {key: [[rng.random() for _ in range(HEADS)]] for key in keys[:2]},
    }


def spoilt(rng: random.Random, value: Any) -> Any:
    """A value with one flaw, somewhere within."""
    if rng.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return copy.deepcopy(rng.choice(ODD))
    place = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    drawn = rng.random()
    if drawn < 0.15:
        del value[place]
    elif drawn < 0.25 and isinstance(value, dict):
        value[rng.choice(KEYS)] = value.pop(place)
    elif drawn < 0.3 and isinstance(value, list):
        value.insert(place, copy.deepcopy(rng.choice((*ODD, value[place]))))
    else:
        value[place] = spoilt(rng, value[place])
    return value


def written(rng: random.Random) -> tuple[str, str]:
    """The text of a file, and the name of a model, which is mostly in it."""
    entries = {
        rng.choice(NAMES): copy.deepcopy(own()) if rng.random() < 0.4 else theirs(rng)
        for _ in range(rng.choice([1, 1, 2]))
    }
    for name, entry in entries.items():
        if rng.random() < 0.8:
            entry["model_name"] = name
    plain: Any = entries
    name = rng.choice(NAMES if rng.random() < 0.3 else list(entries))
    for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
        plain = spoilt(rng, plain)
    text = json.dumps(plain)
    return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.05 else text, name


def case(rng: random.Random) -> Case:
    """A file, the name of a model, and a prompt's attention."""
    text, name = written(rng)
    attention = torch.rand(LAYERS, HEADS, TOKENS, TOKENS, generator=_torch(rng)).tril()
    attention = attention / attention.sum(-1, keepdim=True)
    data = {"attention": attention, "token_ids": [rng.randrange(3) for _ in range(TOKENS)]}
    return Case(f"{name!r} in {text[:150]}", lambda: _used(text, name, data))


def _torch(rng: random.Random) -> torch.Generator:
    return torch.Generator().manual_seed(rng.randrange(2**31))


def _used(text: str, name: str, data: dict[str, object]) -> None:
    """Read the file, judge the prompt, and write the file again with nothing lost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head_categories.json"
        path.write_text(text, encoding="utf-8", errors="replace")
        contents.key_in(contents.held(path), name)  # what pickers ask of any file
        entries = categories.read_all(path)
        kept = categories.to_json(entries)
        path.write_text(kept, encoding="utf-8")
        assert categories.to_json(categories.read_all(path)) == kept, "a file changes when written"
        read = headroles.load_head_categories(name, path)
        try:
            summary = headroles.get_active_head_summary(data, name, path=path)
        except ShapeError:
            if (read["num_layers"], read["num_heads"]) == (LAYERS, HEADS):
                raise AssertionError("a shape that fits is refused") from None
            raise
        for rows in summary.values():
            for row in rows:
                assert 0 <= row["activation_score"] <= 1.00001, "an activation is no share"

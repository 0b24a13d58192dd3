"""Other files that are read: lists of models, named heads, token counts, weights, prompts."""

from __future__ import annotations

import functools
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch

from headroles import paths, roles, store, texts
from headroles.models import list_file, listed
from headroles.paths import ROOT
from scripts import convert_attention_only
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo

LIST = b"""hide = ["bloom-560m"]
order = ["demo"]

[[model]]
hub = "EleutherAI/pythia-160m"
key = "pythia"
revision = "main"
name = "Pythia"
about = "A model."
licence = "mit"
"""
FOLDER = "files"


def case(rng: random.Random) -> Case:
    """One kind of file, damaged in one way or another."""
    make, use = rng.choice(KINDS)
    content = make(rng)
    return Case(f"{use.__name__[1:]} {content[:150]!r}", lambda: use(_written(content)))


def _written(content: bytes) -> Path:
    path = odd.folder() / FOLDER / "file"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _json(name: str) -> Callable[[random.Random], bytes]:
    @functools.cache
    def tree() -> object:
        return json.loads((ROOT / "data" / name).read_text(encoding="utf-8"))

    def make(rng: random.Random) -> bytes:
        written = json.dumps(odd.changed(rng, tree())).encode()
        return odd.damaged(rng, written) if rng.random() < 0.2 else written

    return make


def _toml(rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return odd.damaged(rng, LIST)
    lines = LIST.decode().splitlines()
    place = rng.randrange(len(lines))
    name = lines[place].partition(" = ")[0]
    given = rng.choice(
        [json.dumps(odd.text(rng)), odd.number_text(rng), "[[]]", "{a = 1}", "1979-05-27"]
    )
    lines[place] = rng.choice([f"{name} = {given}", "", lines[place] * 2, f"[[{name}]]"])
    return "\n".join(lines).encode("utf-8", "replace")


def _text(rng: random.Random) -> bytes:
    text = odd.text(rng, longest=300).encode("utf-8", "replace")
    return odd.damaged(rng, text) if rng.random() < 0.6 else text


@functools.cache
def _state() -> dict[str, torch.Tensor]:
    wide = {"W_Q": (2, 8, 4), "W_K": (2, 8, 4), "W_V": (2, 8, 4), "W_O": (2, 4, 8)}
    flat = {"b_Q": (2, 4), "b_K": (2, 4), "b_V": (2, 4), "b_O": (8,)}
    return {
        **{f"blocks.0.attn.{name}": torch.ones(size) for name, size in {**wide, **flat}.items()},
        "embed.W_E": torch.ones(11, 8),
        "pos_embed.W_pos": torch.ones(7, 8),
        "unembed.W_U": torch.ones(8, 11),
        "unembed.b_U": torch.zeros(11),
    }


def _weights(rng: random.Random) -> bytes:
    state: object = dict(_state())
    name = rng.choice(list(_state()))
    if rng.random() < 0.3:
        del state[name]
    elif rng.random() < 0.8:
        odd_ones = (
            torch.ones(3),
            torch.ones(()),
            torch.ones(2, 8, 5),
            torch.ones(8, dtype=torch.int8),
        )
        state[name] = rng.choice([*odd_ones, odd.value(rng), torch.full((11, 8), torch.nan)])
    else:
        state = rng.choice([odd.value(rng), [state], {}, torch.ones(3)])
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return odd.damaged(rng, buffer.getvalue()) if rng.random() < 0.4 else buffer.getvalue()


def _models_list(path: Path) -> None:
    list_file.parse(path.read_bytes(), folder=path.parent)
    assert listed.read(path)


def _named_heads(path: Path) -> None:
    for model in ("gpt2", "demo"):
        roles.named_heads(model, path=path)


def _token_counts(path: Path) -> None:
    counts = path.parent / "token_frequencies" / "demo.json"
    counts.parent.mkdir(exist_ok=True)
    counts.write_bytes(path.read_bytes())
    with mock.patch.object(paths, "DATA", path.parent):
        found = store.read_frequencies("demo", 2_816)
    assert bool(found.probabilities.isfinite().all()), "a probability that is none"
    assert abs(float(found.probabilities.sum()) - 1) < 1e-4, "probabilities that do not sum to 1"


def _prompts(path: Path) -> None:
    lines = [line for line in texts.read_text(path).splitlines() if line.strip()]
    roles.read_prompts(demo().tokenizer, lines[:20], max_tokens=demo().max_tokens)


def _attention_only(path: Path) -> None:
    made = convert_attention_only.converted(path)
    assert made.model


KINDS = (
    (_toml, _models_list),
    (_json("known_heads.json"), _named_heads),
    (_json("token_frequencies/attn-only-1l-tiny.json"), _token_counts),
    (_text, _prompts),
    (_weights, _attention_only),
)

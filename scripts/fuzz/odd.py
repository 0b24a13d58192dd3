"""Odd texts, numbers, values and files, for every kind of input to draw from."""

from __future__ import annotations

import functools
import json
import random
import string
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

CHARACTERS = (
    *string.printable,
    *"äßçÉøœ€“”…—–×µ½²",
    *"日本語한글العربيةעבריתไทยहिन्दी",
    *"😀👩‍👩‍👧🇩🇪🏳️‍🌈",
    *"\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x85\xa0\xad",
    *"\u200b\u200c\u200d\u200e\u202e\u2028\u2029\u2066\ufeff\ufffd\ufffe\U000e0001",
    *"e\u0301ﬁǅİıſ𝔸０１٣",
    "\ud800",
    "\udcff",
)
"""Letters, controls, invisible signs, halves of surrogates (what a command line that is not UTF-8
leaves)."""
WORDS = (
    "",
    " ",
    "\n",
    "None",
    "null",
    "true",
    "nan",
    "-inf",
    "1e999",
    "0x10",
    "1_000",
    "٣",
    "-1",
    "--help",
    "-",
    "..",
    "/",
    "../../etc/passwd",
    "C:\\x",
    "<script>alert(1)</script>",
    "**bold** [link](http://x) $x$ :red[x]",
    "%s%d{}{0}{x!r}",
    "';--",
    "<|endoftext|>",
    "<s>",
    "[MASK]",
    "<|im_start|>user",
    "L0H0",
    "L99H99",
    "The cat sat on the mat. The cat sat on the mat.",
)
NUMBERS = (
    0, -0.0, 1, -1, 2, 0.5, -0.5, 1e-300, 1e308, -1e308, float("nan"), float("inf"),
    -float("inf"), 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**24, 10**400,
)  # fmt: skip
LEAVES = (None, True, False, "", "x", [], {}, [None], {"": None}, "0", 1.5)


def text(rng: random.Random, *, longest: int = 60) -> str:
    """A text of odd characters and words; now and then a long one."""
    if rng.random() < 0.3:
        return rng.choice(WORDS)
    if rng.random() < 0.02:
        return rng.choice(["a", "a ", "é", "😀", "\u200b", "(", "[" * 9]) * rng.randrange(1, 60_000)
    parts = (
        rng.choice(WORDS) if rng.random() < 0.2 else rng.choice(CHARACTERS)
        for _ in range(rng.randrange(longest))
    )
    return "".join(parts)


def number(rng: random.Random) -> float:
    """A whole or broken number, often one at which something overflows."""
    drawn = rng.random()
    if drawn < 0.6:
        return rng.choice(NUMBERS)
    return rng.randint(-100, 100) if drawn < 0.8 else rng.uniform(-10, 10)


def number_text(rng: random.Random) -> str:
    """A number as somebody writes it, or what is none."""
    drawn = rng.random()
    if drawn < 0.15:
        return text(rng, longest=8)
    if drawn < 0.2:
        return "9" * rng.randrange(1, 5000)
    value = number(rng)
    return str(value) if not isinstance(value, int) or value.bit_length() < 1000 else f"{10:d}e400"


def value(rng: random.Random, *, depth: int = 3) -> object:
    """Any value that JSON or TOML may hold."""
    drawn = rng.random()
    if depth and drawn < 0.15:
        return [value(rng, depth=depth - 1) for _ in range(rng.randrange(5))]
    if depth and drawn < 0.3:
        return {text(rng, longest=6): value(rng, depth=depth - 1) for _ in range(rng.randrange(5))}
    if drawn < 0.55:
        return number(rng)
    return text(rng) if drawn < 0.75 else rng.choice(LEAVES)


def changed(rng: random.Random, tree: object) -> object:
    """A copy of a JSON value with one place of it removed, doubled or replaced by an odd value."""
    copy = json.loads(json.dumps(tree))
    places: list[tuple[dict | list, object]] = []

    def collect(node: object) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in pairs:
            places.append((node, key))
            if isinstance(child, dict | list):
                collect(child)

    if isinstance(copy, dict | list):
        collect(copy)
    if not places or rng.random() < 0.03:
        return value(rng)
    node, key = rng.choice(places)
    drawn = rng.random()
    if drawn < 0.25:
        del node[key]
    elif drawn < 0.35 and isinstance(node, list):
        node.append(node[key])
    elif drawn < 0.45 and isinstance(node, dict):
        node[text(rng, longest=8)] = node.pop(key)
    else:
        node[key] = value(rng)
    return copy


def damaged(rng: random.Random, content: bytes) -> bytes:
    """A file's content cut off, with bytes changed, removed or put in, or of another encoding."""
    actions: Sequence[Callable[[], bytes]] = (
        lambda: content[: rng.randrange(len(content) + 1)],
        lambda: content[rng.randrange(len(content) + 1) :],
        lambda: content + rng.randbytes(rng.randrange(1, 40)),
        lambda: bytes(b ^ (rng.random() < 0.02) * rng.randrange(256) for b in content[:4000]),
        lambda: content.decode("utf-8", "replace").encode("utf-16"),
        lambda: content.decode("utf-8", "replace").encode("cp1252", "replace"),
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.replace(b"\n", b"\r"),
        lambda: b"",
        lambda: rng.randbytes(rng.randrange(200)),
        lambda: b"\x00" * rng.randrange(1, 200),
    )
    return rng.choice(actions)()


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="fuzz-")  # removed when Python ends


def folder() -> Path:
    """A folder that is this run's own, and gone with it."""
    return Path(_scratch().name)

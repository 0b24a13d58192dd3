"""Command lines: every script's own options with odd values, in this process.

Each is read as its script reads it. The light ones, which only read the bundled model, also run to
their end; what would train, analyse, fetch or measure ends where its work would begin.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from headroles import ablation, models
from headroles.paths import DEMO_MODEL
from scripts import command_line
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.tiny import demo

SHARE = 2.0
READ = (
    "analyze_heads", "check_known_heads", "convert_attention_only", "count_tokens", "fetch_model",
    "models_list", "train_attention_only", "train_components", "train_demo_model",
    "warm_up", "benchmark.__main__",
    "load_test.__main__", "fuzz.__main__",
)  # fmt: skip
"""Scripts whose command lines are read and not carried out."""
RUN = (
    "ablate_heads", "circuits", "components", "contributions", "detect_heads", "find_heads",
    "keep_heads", "patch_paths", "patch_prompts",
)  # fmt: skip
MODELS = ("demo", "attn-only-1l-tiny", "gpt2", "nonsense", str(DEMO_MODEL), "a/b", "a/b/c", "~")
SENTENCES = ("The cat sat. The cat", "The dog sat. The dog", "The cat sat. The dog", "The cat sat.")
SETS = (
    "L0Q0", "L0Q0, L0K3; L1V5 @ H2", "L0Q0 @ H9", "L9Q0", "L0Q999", "L0Q0;", ";", "L0H0",
    "L0Q0,L0Q0", "L0Q0 @ H0 @ H1", "L0Q" + "9" * 5000,
)  # fmt: skip
"""Sets of components, for ``--components`` and in their place on the line."""
SOUND = {
    "--role": ("induction", "diffuse", "inductoin"),
    "--heads": ("L0H0", "L1H4,L1H1", "L0H0,", "L99H0", "0.0", "H1", "L" + "9" * 5000 + "H0"),
    "--head": ("L0H0", "L9H0", "l1-h2", "1.2", "L-1H0"),
    "--pattern": ("induction", "offset:2", "offset:-1", "expression:k == q", "expression:k ="),
    "--ready": ("Repetition", "tree and box", "Mary and John, store"),
    "--into": ("logits", "L1H4.query", "L3H0.k", "L0H0.v", "L9H9.q", "L1H4", "L1H4.x"),
    "--from": ("L0H0", "L0H0,L0H6", "L3H7", "L9H9", "L0H0,"),
    "--position": ("0", "-1", "7", "random", "99", "-99"),
    "--layers": ("0", "0,1", "0-3", "9", "3-0", ","),
    "--a": ("L0H6", "L0H6,L1H4", "L9H0"),
    "--b": ("L1H1", "L0H6", "L9H0"),
    "--attention": ("all", "L1H4", "L9H9"),
    "--exchange": ("cat,dog,man", "cat", "cat,,dog", "mat,cat,cat"),
    "--matrix": ("L0Q", "L3O", "0k", "L9V", "L0X", "L0", "L" + "9" * 3 + "Q"),
    "--components": SETS,
    "--induction": ("L1H4", "L1H4,L0H0", "L9H0", "L1H4,"),
    "--texts": ("2", "3", "1", "0", "-2", "2.0"),
    "--samples": ("1", "8", "9", "0"),
    "--control": ("0", "1", "2", "-1"),
    "--top": ("1", "3", "0", "1e9"),
    "--kind": ("svd", "trained", "SVD"),
    "--threshold": ("induction=0.4", "induction=nan", "=1", "induction", "x=0.5", "induction=1e9"),
}


def case(rng: random.Random) -> Case:
    """A script with a few of its options."""
    name = rng.choice(RUN if rng.random() < 0.15 else READ)
    words = [word.replace("\0", "") for word in _words(rng, _parser(name))]
    return Case(f"{name} {words}", lambda: _ended(name, words))


def _words(rng: random.Random, parser: argparse.ArgumentParser) -> list[str]:
    options = [action for action in parser._actions if action.option_strings]
    places = [action for action in parser._actions if not action.option_strings]
    words: list[str] = []
    for action in rng.choices(options, k=rng.choice([0, 1, 1, 2, 3, 6])):
        name = rng.choice(action.option_strings)
        if name in ("-h", "--help") and rng.random() < 0.9:
            continue
        if rng.random() < 0.02:
            name = name[:-1] + rng.choice(["", "-", "é", "\udcff"])
        given = [] if action.nargs == 0 and rng.random() < 0.9 else [_value(rng, action, name)]
        if given and given[0].startswith("-"):
            words.append(f"{name}={given[0]}")
        else:
            words += [name, *given]
    for action in places:
        if isinstance(action, argparse._SubParsersAction):
            chosen = rng.choice(list(action.choices))
            words += [chosen, *_words(rng, action.choices[chosen])]
        elif rng.random() < 0.7:
            words += [_value(rng, action, "") for _ in range(rng.choice([1, 1, 1, 2]))]
    return words


def _value(rng: random.Random, action: argparse.Action, name: str) -> str:
    kind = getattr(action.type, "__name__", "")
    is_place = kind in ("file", "folder", "output", "new_file", "new_folder", "path")
    if rng.random() < 0.15:
        text = odd.text(rng)
        return text.replace("..", "").lstrip("/~") if is_place else text  # never beyond the desk
    if action.choices and rng.random() < 0.7:
        return str(rng.choice(list(action.choices)))
    if name in SOUND and rng.random() < 0.8:
        return rng.choice(SOUND[name])
    if action.dest in ("prompt", "first", "second"):
        return rng.choice(SENTENCES) if rng.random() < 0.8 else odd.text(rng)
    if kind == "sets":
        return rng.choice(SETS) if rng.random() < 0.8 else odd.text(rng)
    if name in ("", "--model", "--tokenizer"):
        return rng.choice(MODELS)
    if is_place:
        return str(rng.choice(_places()))
    return odd.number_text(rng) if kind == "number" else odd.text(rng)


@functools.cache
def _places() -> tuple[Path | str, ...]:
    """Files, folders and what is neither."""
    folder = odd.folder() / "arguments"
    (folder / "folder").mkdir(parents=True, exist_ok=True)
    made = {
        "empty": b"",
        "text.csv": b"The cat sat on the mat.\nThe cat\n",
        "matrix.csv": b"0,0\n1,0\n",
        "utf16.csv": "The cat".encode("utf-16"),
        "bytes.json": bytes(range(256)),
        "large.csv": b"0," * 2_000_000,
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(folder / "pipe")
    with contextlib.suppress(FileExistsError):
        (folder / "nowhere").symlink_to(folder / "missing" / "file")
    new = ("new.csv", "new.json", "new.html", "é\udcff.csv", "missing/new.csv", "empty/new.csv")
    return (
        *(folder / name for name in (*made, "folder", "pipe", "nowhere", "loop/../x", *new)),
        *("/dev/null", "/dev/full", "/proc/self/mem", "/", ".", "..", "", "~", "x" * 300),
    )


@functools.cache
def _desk() -> Path:
    """Where the command lines are typed: any odd text may name a file that is written."""
    folder = odd.folder() / "arguments" / "some" / "desk"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def _module(name: str) -> object:
    return importlib.import_module(f"scripts.{name}")


@functools.cache
def _parser(name: str) -> argparse.ArgumentParser:
    """The parser that a script makes for itself."""
    with (
        mock.patch.object(command_line.Parser, "parse_args", _hand_out),
        contextlib.suppress(_ParserError),
    ):
        _module(name).parse_arguments([])
        raise AssertionError(f"{name} reads no arguments")
    return _ParserError.last


class _ParserError(Exception):
    last: argparse.ArgumentParser


def _hand_out(parser: argparse.ArgumentParser, *_: object) -> None:
    _ParserError.last = parser
    raise _ParserError


def _ended(name: str, words: list[str]) -> None:
    """Carry out a command line, and hold its end to what the command lines promise."""
    script = _module(name)
    run: Callable = script.main
    if name in READ:
        run = command_line.command(lambda argv: script.parse_arguments(argv) and 0)
    errors = io.StringIO()
    with (
        contextlib.redirect_stderr(errors),
        _shared_model(),
        _few_texts(),
        contextlib.chdir(_desk()),
    ):
        code = run(words)
    lines = [line for line in errors.getvalue().splitlines() if line.strip()]
    told = lines[-1] if lines else ""
    assert code in (0, 1, 2, 77), f"exit code {code}: {told}"
    assert "Traceback" not in errors.getvalue(), f"a traceback is printed: {told}"
    assert not told.startswith("Something went wrong that should not"), told
    if code == command_line.UNUSABLE:
        assert len(lines) == 1, f"{len(lines)} lines: {lines}"


@contextlib.contextmanager
def _few_texts() -> Iterator[None]:
    """However many texts and samples are asked for, two of each are run."""
    rows, samples = ablation.repeated_rows, ablation.draw_samples
    with (
        mock.patch.object(
            ablation, "repeated_rows", lambda *a, n=2, **more: rows(*a, n=min(n, 2), **more)
        ),
        mock.patch.object(
            ablation, "draw_samples", lambda *a, n=2, **more: samples(*a, n=min(n, 2), **more)
        ),
    ):
        yield


@contextlib.contextmanager
def _shared_model() -> Iterator[None]:
    """The bundled model is loaded once."""
    load, shared = models.load_model, demo()
    with mock.patch.object(
        models, "load_model", lambda name: shared if name == "demo" else load(name)
    ):
        yield

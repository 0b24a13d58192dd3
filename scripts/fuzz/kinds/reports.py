"""Reports of models: entries with odd values in them, and damaged results on real text."""

from __future__ import annotations

import copy
import json
import random
import re
import tempfile
from pathlib import Path
from unittest import mock

from headroles import paths, store, view
from headroles.errors import HeadrolesError
from headroles.paths import ROOT
from headroles.store import categories
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.kinds.categories import OWN, own, written

SHARE = 0.1
"""A report takes a hundred times as long as most inputs."""
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p",
    "main", "nav", "ol", "ul", "li", "a", "section", "div", "table", "caption", "thead", "tbody",
    "tr", "th", "td", "details", "summary", "figure", "figcaption", "svg", "g", "text", "rect",
    "path", "bdi", "wbr", "span", "footer",
}  # fmt: skip
"""Tags that a report is made of; whatever else there is came out of a name or a token."""


def real_text(rng: random.Random) -> bytes:
    """What may lie where results on real text are: ours, changed or damaged, or nothing."""
    path = store.real_text.path_of(OWN, ROOT / "data")
    whole = store.real_text.plain(path.read_bytes()) if path.is_file() else b"{}"
    drawn = rng.random()
    if drawn < 0.4:
        return odd.damaged(rng, whole)
    return json.dumps(odd.changed(rng, json.loads(whole))).encode() if drawn < 0.8 else whole


def _text(rng: random.Random) -> str:
    """An odd text without halves of surrogates, which no JSON file can hold."""
    return odd.text(rng).encode("utf-8", "replace").decode()


def worded(rng: random.Random) -> tuple[str, str]:
    """A file in order whose texts are anybody's, and the name of its model."""
    entry, name = copy.deepcopy(own()), rng.choice([_text(rng), OWN])
    entry["notes"] = [_text(rng) for _ in range(rng.randrange(3))]
    entry["model_name"], entry["source"], entry["revision"] = name, _text(rng), _text(rng)
    entry["tokenization"]["start_token"] = _text(rng)
    for category in entry["categories"].values():
        category["threshold_reason"], category["measured_on"] = _text(rng), _text(rng)
    for control in entry["controls"].values():
        control["name"] = _text(rng)
    for hints in entry["hints"].values():
        for hint in hints["prompts"]:
            hint["prompt"] = _text(rng) or "x"
    return json.dumps({name: entry}), name


def case(rng: random.Random) -> Case:
    """A file of scores, and what lies beside it."""
    text, name = worded(rng) if rng.random() < 0.4 else written(rng)
    beside = real_text(rng)
    return Case(f"{name!r} in {text[:150]}", lambda: _made(text, name, beside))


def _made(text: str, name: str, beside: bytes) -> None:
    """Both reports; no text in them becomes a tag, and the tables are the same."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(paths, "DATA", Path(folder)):
        path = Path(folder) / "head_categories.json"
        path.write_text(text, encoding="utf-8", errors="replace")
        entries = categories.read_all(path)
        (Path(folder) / "real_text").mkdir()
        for model in entries:
            file = store.real_text.path_of(model, Path(folder))
            try:
                file.write_bytes(beside)
            except (OSError, ValueError):  # a name that no file can have
                continue
        try:
            gathered = view.report.gather(name, path=path)
        except HeadrolesError:
            if name in entries:
                raise AssertionError("a model that is there has no report") from None
            raise
        page, markdown = view.report.html(gathered), view.report.markdown(gathered)
    page.encode()
    markdown.encode()
    tags = set(
        re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", re.sub(r"<style>.*?</style>", "", page, flags=re.S))
    )
    assert tags <= ALLOWED, f"tags of nobody's: {tags - ALLOWED}"
    tables = re.findall(r"^(?:\|.*\n?)+", markdown, flags=re.M)
    maps = [table for table in tables if table.startswith("| head | layer ")]  # pictures in HTML
    assert len(maps) == page.count("<svg"), "a map is left out"
    rows = sum(table.count("\n| ") for table in tables if table not in maps)
    assert page.count("<tr>") == rows, "a table has other rows"

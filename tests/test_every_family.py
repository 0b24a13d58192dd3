"""Every causal family that transformers knows: right, or refused in one of our sentences.

A tiny random model of each is loaded as a user would load it. What is captured must be the
family's own eager attention, a knock-out what plain hooks do, a direct effect and a cell of OV what
taking the head away takes from the logits, the parts of a logit must sum to it, and the analysis
must see the same patterns; or one of
our errors says why not. What came out stands in ``docs/families.md``.

``pytest tests/test_every_family.py --update-families`` writes that page anew.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

from headroles import attribution
from headroles.analysis import analyze, load_bridge
from headroles.analysis.direct import Direct
from headroles.capture import capture, run_edited
from headroles.capture.interventions import output_projections
from headroles.circuits import CircuitSettings, head_factors
from headroles.circuits.layouts import parts_of
from headroles.errors import HeadrolesError
from headroles.models import LoadedModel, load_model
from headroles.paths import ROOT
from headroles.reference import AnalysisSettings
from headroles.scoring import write_effects
from headroles.texts import encode
from headroles.types import Head
from tests.every_family import CAUSAL, VOCABULARY, config_of, save_tiny
from tests.families import byte_level_tokenizer
from tests.plain_hooks import PlainModel

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the libraries' own
    pytest.mark.slow,
]

PAGE = ROOT / "docs" / "families.md"
PROMPT = "The cat sat on the mat. The cat sat"
EXACT = "exact"
ABILITIES = ("attention", "knock-outs", "direct effects", "contributions", "QK and OV", "analysis")
WANTED = torch.tensor([7, 60, 201])
"""Tokens whose logits are looked at."""

Row = dict[str, str]
"""{ability: ``exact``, or why not}"""


# ------------------------------------------------------------------ the families


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory):
    """``rows("llama")``: what each ability came to, measured once; it fails where one is wrong."""
    root = tmp_path_factory.mktemp("every_family")

    @cache
    def row_of(family: str) -> Row | str:
        folder = root / family
        try:
            save_tiny(family, folder)
        except HeadrolesError:
            raise
        except Exception as error:  # whatever keeps transformers from building its own family
            return _not_built(family, folder, error)
        try:
            return measure(folder)
        finally:
            shutil.rmtree(folder)

    return row_of


def _not_built(family: str, folder: Path, error: Exception) -> str:
    """Why a family is left out; a folder that says it is of that family must still be refused."""
    try:
        config = config_of(family)
    except Exception:
        return _short(f"{type(error).__name__}: {error}")
    config.save_pretrained(folder)
    byte_level_tokenizer().save_pretrained(folder)
    save_file({"no.such.weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(HeadrolesError):
        load_model(str(folder))
    return _short(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("family", CAUSAL)
def test_right_or_refused(family: str, rows) -> None:
    row = rows(family)
    if isinstance(row, str):
        pytest.skip(f"transformers builds no tiny model of it: {row}")
    assert set(row) == set(ABILITIES)


# ------------------------------------------------------------------ one family


def measure(folder: Path) -> Row:
    """``exact`` or the reason why not, by ability.

    Raises:
        AssertionError: if something that is not refused is wrong.
    """
    logging.disable(logging.WARNING)  # every refusal is logged with its cause
    try:
        loaded = load_model(str(folder))
        plain = PlainModel(folder, loaded.num_heads)
        return {
            "attention": _attention(loaded, plain),
            "knock-outs": _said(lambda: _knock_outs(loaded, plain)),
            "direct effects": _said(lambda: _direct_effects(loaded, plain)),
            "contributions": _said(lambda: _contributions(loaded, plain)),
            "QK and OV": _said(lambda: _ov(loaded, plain)),
            "analysis": _said(lambda: _analysis(loaded)),
        }
    except HeadrolesError as error:  # when loading, or when it is run for the first time
        return dict.fromkeys(ABILITIES, _reason(error))
    finally:
        logging.disable(logging.NOTSET)


def _said(check: Callable[[], str]) -> str:
    try:
        return check()
    except HeadrolesError as error:
        return _reason(error)


def _reason(error: HeadrolesError) -> str:
    why = _short(error.message.partition("cannot be used here: ")[2] or error.message)
    return f"{why[:1].upper()}{why[1:]}"


def _short(text: str) -> str:
    """In one line, without what a library says in brackets."""
    line = " ".join(text.split())
    return re.sub(r" \((?!layer).*\)", "", line)[:300].rstrip(".")


def _ids(loaded: LoadedModel) -> Tensor:
    return torch.tensor([capture(loaded, PROMPT).token_ids])


def _some_heads(loaded: LoadedModel) -> list[Head]:
    """The first and the last head of each layer."""
    ends = {0, loaded.num_heads - 1}
    return [Head(layer, head) for layer in range(loaded.num_layers) for head in sorted(ends)]


def _attention(loaded: LoadedModel, plain: PlainModel) -> str:
    """Equal to the family's own, and named by the layers of the configuration."""
    run = capture(loaded, PROMPT)
    own = plain.attention(torch.tensor([run.token_ids]))
    assert own is not None
    assert_close(run.attention, own, rtol=0, atol=1e-5)
    assert run.attention.triu(1).abs().max() == 0
    config = loaded.model.config.get_text_config(decoder=True)
    layers = getattr(config, "decoder_layers", None) or config.num_hidden_layers
    assert loaded.num_layers == layers == len(plain.blocks)
    numbers = [int(re.search(r"\.(\d+)\.", path)[1]) for path in loaded.probe_paths]
    assert numbers == list(range(layers))
    flat = run.attention.flatten(2).flatten(0, 1)  # equal ones could be swapped
    assert (torch.cdist(flat, flat) + torch.eye(len(flat))).min() > 1e-4
    return EXACT


def _knock_outs(loaded: LoadedModel, plain: PlainModel) -> str:
    """At the pattern and at the head's output, as plain hooks before the projection.

    Where heads do not lie side by side there, as plain zeros behind the softmax.
    """
    ids = _ids(loaded)
    whole, refused = plain.logits(ids), ""
    try:
        output_projections(loaded)
    except HeadrolesError as error:
        refused = _reason(error)
    for head in _some_heads(loaded):
        expected = (plain.without_rows if refused else plain.without)(ids, head)
        assert (expected - whole).abs().max() > 1e-4
        run = run_edited(loaded, ids, patterns={head.layer: _zero(head.head, 1)})
        _close(run.logits, expected)
        if not refused:
            run = run_edited(loaded, ids, outputs={head.layer: _zero(head.head, 2)})
            _close(run.logits, expected)
    return refused or EXACT


def _zero(head: int, dimension: int) -> Callable[[Tensor], Tensor]:
    def edit(tensor: Tensor) -> Tensor:
        tensor.select(dimension, head).zero_()
        return tensor

    return edit


def _close(found: Tensor, expected: Tensor) -> None:
    assert_close(found, expected, rtol=1e-4, atol=1e-4 * max(1, float(expected.abs().max())))


def _direct_effects(loaded: LoadedModel, plain: PlainModel) -> str:
    """Of the analysis, on the logits after the last token."""
    ids = _ids(loaded)
    bridge = load_bridge(loaded.source)
    direct = Direct(bridge)
    along = direct.directions(WANTED, torch.zeros(bridge.cfg.d_model))
    found: dict[int, Tensor] = {}

    def on_layer(layer: int, seen) -> None:
        effects = []
        for direction in seen.before(along):
            wrote = write_effects(seen.values[0], seen.output, direction.expand(ids.shape[1], -1))
            effects.append(torch.einsum("hk,kh->h", seen.pattern[0, :, -1], wrote))
        scale = seen.post_scale[0, -1] if seen.post else 1.0
        found[layer] = torch.stack(effects, 1) / scale  # [head token]

    scale, _ = direct.run(ids, on_layer)
    assert len(found) == loaded.num_layers
    for head in _some_heads(loaded):
        expected, _ = plain.direct(ids, head)
        whole, cap = plain.logits(ids)[0, -1], getattr(direct, "cap", None)
        expected = _uncapped(whole, cap) - _uncapped(whole - expected[-1], cap)
        _alike(found[head.layer][head.head] / scale[0, -1], expected)
    return EXACT


def _contributions(loaded: LoadedModel, plain: PlainModel) -> str:
    """All parts sum to the logit, those by token to the head, and heads are what hooks take."""
    encoding = encode(loaded.tokenizer, PROMPT)
    ids = torch.tensor([encoding.token_ids])
    seen = attribution.record(loaded, encoding)
    parts = [
        attribution.project(loaded, seen, attribution.Target(int(token), "")) for token in WANTED
    ]
    whole = _uncapped(plain.logits(ids)[0, -1], parts[0].cap)
    for token, found in zip(WANTED, parts, strict=True):
        assert found.error < 1e-4 * found.size
        assert abs(found.logit - float(whole[token])) < 1e-4 * found.size
        assert_close(found.by_key.sum(-1), found.heads, rtol=0, atol=1e-4 * found.size)
    for head in _some_heads(loaded):
        expected, _ = plain.direct(ids, head)
        capped = plain.logits(ids)[0, -1]
        expected = whole - _uncapped(capped - expected[-1], parts[0].cap)
        _alike(torch.stack([found.heads[head] for found in parts]), expected)
    if parts[0].remainders:
        return "Of some layers, no single module gives what is added besides the attention"
    return EXACT


def _uncapped(logits: Tensor, cap: float | None) -> Tensor:
    logits = logits.double()
    return cap * torch.atanh(logits / cap) if cap else logits


def _alike(found: Tensor, expected: Tensor) -> None:
    """Effects on the wanted tokens, against those on all of them."""
    size = float(expected.abs().max())
    assert size > 1e-5
    assert_close(found.double(), expected[WANTED].double(), rtol=5e-3, atol=5e-3 * size)


def _ov(loaded: LoadedModel, plain: PlainModel) -> str:
    """A cell of OV is what the head adds of a token alone, times what the norms divide by.

    In the first two layers: later ones find more of a token than the tables are made of.
    """
    plain.without_positions()
    for head in _some_heads(loaded)[:4]:
        factors = head_factors(loaded, head, CircuitSettings(minus_mean=False, minus_bos=False))
        cap = parts_of(loaded).layout.logit_cap
        for token in (9, 120):
            ids = torch.tensor([[token]])
            expected, scale = plain.direct(ids, head)
            whole = plain.logits(ids)[0, -1]
            expected = _uncapped(whole, cap) - _uncapped(whole - expected[0], cap)
            looks = plain.attention(ids)[head.layer, head.head, 0, 0]  # the rest is a sink's
            _alike(factors.ov([token], range(VOCABULARY))[0][WANTED], expected * scale[0] / looks)
    return EXACT


def _analysis(loaded: LoadedModel) -> str:
    """Finished, on the same patterns as the app's."""
    entry = analyze(loaded.source, AnalysisSettings(sequences=2, seed=0))
    assert (entry.num_layers, entry.num_heads) == (loaded.num_layers, loaded.num_heads)
    run = capture(loaded, PROMPT)
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(loaded.num_layers)]
    with torch.no_grad():
        _, kept = load_bridge(loaded.source).run_with_cache(
            torch.tensor([run.token_ids]), names_filter=names
        )
    theirs = torch.cat([kept[name].reshape(1, *run.attention.shape[1:]) for name in names])
    assert_close(run.attention, theirs, rtol=0, atol=1e-5)
    return EXACT


# ------------------------------------------------------------------ the page


def test_the_page_of_families_says_what_was_measured(rows, request) -> None:
    if {test.name for test in request.session.items} < {
        f"test_right_or_refused[{family}]" for family in CAUSAL
    }:
        pytest.skip("only some of the families were asked for")
    found = {family: rows(family) for family in CAUSAL}
    page = _page(found)
    print(page.partition("\n\n")[2].partition("\n\n## ")[0])
    if request.config.getoption("--update-families"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def _page(found: dict[str, Row | str]) -> str:
    """``docs/families.md``."""
    built = {family: row for family, row in found.items() if not isinstance(row, str)}
    read = {family: row for family, row in built.items() if row["attention"] == EXACT}
    refused = {family: row["attention"] for family, row in built.items() if family not in read}
    left_out = {family: row for family, row in found.items() if isinstance(row, str)}
    others = ABILITIES[1:]
    reasons = sorted({row[one] for row in read.values() for one in others} - {EXACT})
    numbers = {reason: str(place) for place, reason in enumerate(reasons, 1)} | {EXACT: "yes"}
    return _TEXT.format(
        all=len(found),
        version=version("transformers"),
        read=len(read),
        refused=len(refused),
        left_out=len(left_out),
        counts=_table(
            ("of them", "families"),
            [(one, sum(row[one] == EXACT for row in read.values())) for one in others],
        ),
        table=_table(
            ("family", *others),
            [(f"`{name}`", *(numbers[row[one]] for one in others)) for name, row in read.items()],
        ),
        reasons="\n".join(f"{numbers[reason]}. {reason}." for reason in reasons),
        why=_table(
            ("family", "why"),
            [(f"`{family}`", f"{reason}.") for family, reason in refused.items()],
        ),
        not_built=_table(("family", "why"), [(f"`{f}`", why) for f, why in left_out.items()]),
    )


def _table(head: tuple, lines: list[tuple]) -> str:
    rows = [head, tuple("---" for _ in head), *lines]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


_TEXT = """# What each family of models can do here

transformers {version} knows {all} families of models that continue a text. Of each one, a tiny
model with random weights was loaded and compared with transformers' own eager attention and with
plain hooks (`tests/test_every_family.py`; `--update-families` renews this page). **{read} are read
exactly**, {refused} are refused in one sentence, and of {left_out} transformers builds no tiny
model here. Of those that are read:

{counts}

- *Read exactly*: the attention of every head equals the family's own to 1e-5, and layers and heads
  bear the numbers of `config.json`.
- *knock-outs*: taking a head out equals a plain hook that zeroes the head's output before the
  projection. Where a number stands, a head can be silenced, but not replaced by its mean.
- *direct effects*: what a head adds to the logits equals what they lose when the head is taken away
  and everything after it stays as it was. Without them, the roles that rest on them are *not
  measured*.
- *contributions*: the parts of a logit (embedding, heads, MLPs, biases) sum to it to 1e-4, and so
  do a head's tokens to the head; the heads are proved as direct effects are. Where a number stands
  and it is about single modules, the sum is there, too, with a rest instead of these MLPs.
- *QK and OV*: the tables of the page Circuits, proved in the same way.
- *analysis*: the offline analysis finishes, and it sees the same patterns as the app.

A real model may have other settings than the tiny one of its family. So everything is checked again
when a model is loaded: it is right, or it is refused.

## Read exactly

{table}

Why not:

{reasons}

## Refused

{why}

## Not built

{not_built}
"""

"""What else a knock-out changes, as :mod:`scripts.ablate_heads` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles import ablation, store, texts, verdicts
from headroles.ablation.conditions import UNTOUCHED
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.view import attention_shift, changed_roles, token_by_token

if TYPE_CHECKING:
    import argparse

    from headroles.ablation import Condition, Looks
    from headroles.models import LoadedModel
    from headroles.types import Encoding

DRAWS = 10
"""Draws of random other heads, without ``--control``."""
MOST_SHOWN = 8
"""Heads that ``--attention all`` tells of."""


def write(
    loaded: LoadedModel, encoding: Encoding, heads: Sequence[Head], options: argparse.Namespace
) -> None:
    """What else the heads' knock-out (to their mean) changes, beside random other heads."""
    condition = ablation.Condition("to mean", (ablation.HeadOutput(tuple(heads), "mean"),))
    without = f"without {ablation.short_list(heads)}"
    others = ablation.random_others(
        condition,
        num_layers=loaded.num_layers,
        num_heads=loaded.num_heads,
        length=len(encoding.tokens),
        draws=options.control or DRAWS,
        seed=options.seed,
    ).conditions
    if options.token_by_token:
        print_tokens(loaded, encoding, [condition, *others], without)
    if options.attention or options.roles:
        t = ablation.many.place_of_t(encoding, options.position, seed=options.seed)
        untouched, after = ablation.looks(loaded, encoding, [UNTOUCHED, condition], position=t)
        draws = [
            look
            for other in others
            for look in ablation.looks(loaded, encoding, [other], position=t, untouched=untouched)
        ]
        runs = [untouched, after, *draws]
        if options.attention:
            print_attention(runs, encoding, heads, options.attention, without)
        if options.roles:
            print_roles(loaded, runs, encoding, heads, without, given=options.model)


def print_tokens(
    loaded: LoadedModel, encoding: Encoding, conditions: Sequence[Condition], without: str
) -> None:
    """A line per token."""
    clean, own, *others = (
        outcome.losses.tolist() for outcome in ablation.ablate(loaded, encoding, conditions)
    )
    of_prompt = token_by_token.lines(encoding, clean, own, others)
    if not of_prompt:
        print("  token by token: there is no token to guess")
        return
    print(f"\n  token by token: {token_by_token.sentence(of_prompt, without)}")
    print_rows(token_by_token.HEADERS, token_by_token.table_rows(of_prompt))


def print_attention(
    runs: Sequence[Looks], encoding: Encoding, heads: Sequence[Head], asked: str, without: str
) -> None:
    """Where one head looks, or a sentence for each of those that change most."""
    before, after, *draws = runs
    layers, width = before.at.shape[:2]
    first = min(head.layer for head in heads)
    later = attention_shift.later_heads(before, first, heads)
    every = attention_shift.shifts(before, after, draws, later)
    watched = list(every.moved)[:MOST_SHOWN] if asked == "all" else [Head.parse(asked)]
    if not watched:
        print(f"\n  {attention_shift.nothing_later(heads)}")
    labels = texts.token_labels(encoding.tokens)[: before.at.shape[-1]]
    for head in watched:
        head.check(layers, width)
        shift = attention_shift.shift(before, after, draws, head, every)
        said = attention_shift.shift_sentence(
            shift, labels, without, knocked_out=heads, first=first
        )
        print(f"\n  {said}")
        if asked != "all":
            print_rows(attention_shift.TOKEN_HEADERS, attention_shift.token_rows(shift, labels))


def print_roles(
    loaded: LoadedModel,
    runs: Sequence[Looks],
    encoding: Encoding,
    heads: Sequence[Head],
    without: str,
    *,
    given: str,
) -> None:
    """The heads that gain or lose a role, by the stored thresholds or provisional ones."""
    before, after, *draws = runs
    later = attention_shift.later_heads(before, min(head.layer for head in heads), heads)
    if not later:
        print(f"\n  {attention_shift.nothing_later(heads)}")
        return
    try:
        thresholds = verdicts.thresholds_in(store.read_entry(loaded.key, given=given))
    except HeadrolesError:
        thresholds = verdicts.DEFAULT_THRESHOLDS
    changes = changed_roles.role_changes(
        before, after, draws, heads=later, thresholds=thresholds, num_tokens=len(encoding.tokens)
    )
    print(f"\n  {changed_roles.roles_sentence(changes, without, draws=len(draws))}")
    print_rows(changed_roles.ROLE_HEADERS, changed_roles.role_rows(changes))


def print_rows(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in columns."""
    lines = [headers, *rows] if rows else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("    " + "  ".join(cells).rstrip())

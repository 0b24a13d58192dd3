"""HTML pieces of the knock-out lab. Pure functions; typed and decoded text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import exp
from typing import TYPE_CHECKING

from headroles import export
from headroles.formatting import decimal, legend, percent, quoted, told_apart, visible

if TYPE_CHECKING:
    from headroles.ablation import Comparison, Judgement, Moved, PromptTable
    from headroles.types import NextToken
    from headroles.view.knocked_out import KnockedOut

STILL = 0.05
"""Nats: a change that nobody would notice. Where no knock-out does more, nothing can be missed."""


def conclusion(
    result: PromptTable,
    judgement: Judgement | None,
    *,
    measure: str,
    subject: KnockedOut,
    why: str = "",
) -> str:
    """What one knock-out shows, beside that of random others, in a sentence or two.

    Args:
        result: the prompt under the condition.
        judgement: the effect beside the random ones; None while they are not there.
        measure: the field of a comparison that the judgement is about.
        subject: what was knocked out.
        why: why this prompt cannot tell; empty where it can.
    """
    it = subject.them
    what = _what_changed(result, measure)
    if judgement is None:
        return f"<b>{_capital(what)}.</b> Whether any others would do as much: see below."
    if judgement.verdict == "not_tested":
        return f"<b>{_capital(what)}.</b> There are too few others to compare with."
    if why:
        return f"<b>This prompt cannot tell whether the model needs {it}:</b> {escape(why)}"
    beside = _beside(judgement, others=subject.others)
    if judgement.verdict == "holds_up":
        return f"<b>{subject.matter} here:</b> {what}; {beside}."
    if judgement.verdict == "reversed":
        return f"<b>The model does better without {it} here:</b> {what}; {beside}."
    if abs(judgement.effect) < STILL:
        return f"<b>The model does as well without {it} here:</b> {what}."
    return f"<b>No more than chance:</b> {what}; {beside}."


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _what_changed(result: PromptTable, measure: str) -> str:
    """The effect in words, as HTML, e.g. ``“·sat” became 9.6 times less likely (72% → 8%)``."""
    after = result.rows[0].comparison
    if measure == "kl":
        return f"the whole guess shifted by {decimal(after.kl)} nats (KL)"
    if measure == "repeat_loss_change":
        change = after.repeat_loss_change or 0.0
        way = "rose" if change > 0 else "fell"
        return f"the loss on repeated tokens {way} by {decimal(abs(change))} nats per token"
    token = escape(quoted(result.answer.text))
    before, now = told_apart(after.probability_before, after.probability)
    numbers = escape(f"({before} → {now})")
    if abs(after.surprise) < STILL:
        return f"{token} stayed as likely {numbers}"
    way = "less likely" if after.surprise > 0 else "likelier"
    return f"{token} became {_times(after)} {way} {numbers}"


def _times(comparison: Comparison) -> str:
    """How many times likelier or less likely."""
    times = exp(min(abs(comparison.surprise), 100.0))
    return f"{times:.1f} times" if times < 100 else "over 100 times"


def _beside(judgement: Judgement, *, others: str) -> str:
    """How many of the random others did as much."""
    draws, gains = judgement.draws, judgement.effect >= 0
    many = draws - judgement.smaller if gains else judgement.smaller
    if judgement.verdict == "not_special" and not many:
        return f"the {draws} {others} came close"
    number = {0: "none", draws: "all"}.get(many, str(many))
    return f"{number} of {draws} {others} did as much"


def guesses(result: PromptTable) -> str:
    """The likeliest next tokens before and after, side by side; the watched one is marked."""
    return (
        '<div class="hr-guesses">'
        f"{_guesses('Before', result.rows[0].guesses_before, result)}"
        f"{_guesses('Now', result.rows[0].guesses, result)}</div>"
    )


def _guesses(name: str, likeliest: Sequence[NextToken], result: PromptTable) -> str:
    lines = "".join(
        f"<li{' class=hr-watched' if guess.token_id == result.answer.token_id else ''}>"
        f"<bdi>{escape(visible(guess.text))}</bdi>"
        f'<i><b style="width:{100 * guess.probability:.1f}%"></b></i>'
        f"<span>{escape(percent(guess.probability))}</span></li>"
        for guess in likeliest
    )
    return f"<section><h4>{name}</h4><ol>{lines}</ol></section>"


def logit_table(rose: Sequence[Moved], fell: Sequence[Moved]) -> str:
    """Two rows, one token per cell: what rose and what fell, with sign and number."""
    said = escape(legend(visible(moved.text) for moved in (*rose, *fell)))
    return (
        '<div class="hr-table hr-one-line" tabindex="0"><table class="hr-logits">'
        f"{_cells('▲ rose', rose)}{_cells('▼ fell', fell)}</table></div>"
        + (f'<div class="hr-small">{said}</div>' if said else "")
    )


def _cells(name: str, moved: Sequence[Moved]) -> str:

    cells = "".join(export.moved_cells(moved))
    return f'<tr><th scope="row">{name}</th>{cells or "<td>nothing</td>"}</tr>'


def facts(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Small tiles: (name, number, what it is out of)."""
    tiles = "".join(
        f'<div class="hr-fact"><span>{escape(name)}</span><b>{escape(number)}</b>'
        f"<small>{escape(note)}</small></div>"
        for name, number, note in pairs
    )
    return f'<div class="hr-facts">{tiles}</div>'

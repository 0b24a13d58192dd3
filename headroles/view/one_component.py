"""One component in words, rows and records: its tokens on the prompt and in text, and what is
missing without it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, percent, quoted, signed, visible
from headroles.view.components import AFTER, BEFORE, TINTED, Listed, head_names, words_of
from headroles.view.html import LONG_STRIP

if TYPE_CHECKING:
    from headroles.ablation.component_profiles import AtToken, Effect, OnPrompt, OnText

ALIKE = 0.005
"""Tints that differ by less are the same number where they are shown."""
NOTHING = 5e-4
"""Nats: an effect that is shown as 0.000."""

# ------------------------------------------------------------------ tokens


@dataclass(frozen=True)
class AtPosition:
    """One token of the prompt, and what a component does there."""

    position: int
    token: str
    """As text."""
    tint: float
    """0..1: its importance; for those of the SVD what it writes, out of the most on the prompt."""
    shown: str
    """Its importance, or its share of what is written there."""
    inner: float
    """The inner activation."""


def positions(prompt: OnPrompt, number: int, tokens: Sequence[str]) -> list[AtPosition]:
    """A component token by token; the most that it writes is sought behind the start token."""
    inner = prompt.activations[:, number].tolist()
    if prompt.importances is not None:
        weights = prompt.importances[:, number].tolist()
        shown = [decimal(weight) for weight in weights]
    else:
        written = prompt.written[:, number]
        most = max(written[1:].tolist() or written.tolist()) or 1.0
        weights = [min(length / most, 1.0) for length in written.tolist()]
        total = prompt.written.sum(1).tolist()
        shown = [
            percent(length / whole if whole else 0.0)
            for length, whole in zip(written.tolist(), total, strict=True)
        ]
    return [AtPosition(place, *line) for place, line in enumerate(zip(
        tokens, weights, shown, inner, strict=True))]  # fmt: skip


def strip(lines: Sequence[AtPosition], *, what: str) -> str:
    """HTML: every token as a box, tinted by how much the component matters there.

    Args:
        lines: the tokens.
        what: what their number is.
    """
    boxes = []
    for line in lines:
        is_on = line.tint > TINTED
        tint = f" hr-look hr-look-{min(int(line.tint * 4), 3)}" if is_on else ""
        text = "start" if line.position == 0 else escape(visible(line.token))
        number = f"<sup>{line.shown}</sup>" if is_on else ""
        title = (
            f"position {line.position} · {what} {line.shown} · inner activation "
            f"{decimal(line.inner)}"
        )
        boxes.append(
            f'<span class="hr-token{" hr-start" * (not line.position)}{tint}" title="{title}">'
            f"<bdi>{text}</bdi>{number}</span>"
        )
    scrolls = len(lines) > LONG_STRIP
    return (
        f'<div class="hr-strip{" hr-scroll" if scrolls else ""}" role="group" '
        f'aria-label="{what} token by token"{" tabindex=0" if scrolls else ""}>'
        f"{''.join(boxes)}</div>"
    )


def position_rows(lines: Sequence[AtPosition]) -> list[list[str]]:
    """The table twin of the strip."""
    return [
        [f"{line.position} {quoted(line.token)}", line.shown, signed(line.inner)] for line in lines
    ]


def in_context(tokens: Sequence[str], at: AtToken) -> str:
    """HTML: a token of a text that switches a component on, framed, with what is around it."""
    first, last = max(1, at.position - BEFORE), min(len(tokens), at.position + AFTER + 1)
    pieces = ['<span class="hr-gap">…</span>'] if first > 1 else []
    for place in range(first, last):
        text = escape(tokens[place])
        if place == at.position:
            word = tokens[place].lstrip() or visible(tokens[place])
            space = tokens[place][: len(tokens[place]) - len(tokens[place].lstrip())]
            text = f'{escape(space)}<b class="hr-asks">{escape(word)}</b>'
        pieces.append(text)
    pieces += ['<span class="hr-gap">…</span>'] if last < len(tokens) else []
    how = f"inner activation {decimal(at.activation)}"
    if at.importance is not None:
        how += f", importance {decimal(at.importance)}"
    return (
        f'<div class="hr-small">{how}</div><div class="hr-passage" role="group" '
        f'aria-label="{escape(quoted(tokens[at.position]))}: {how}">{"".join(pieces)}</div>'
    )


def switches(text: OnText, number: int) -> list[tuple[str, list[AtToken]]]:
    """The tokens of text that drive a component most, at both ends of its inner activation, the
    stronger end first; an end that it never reaches is left out."""
    ends = [
        ("above zero", [at for at in text.highest[number] if at.activation > 0]),
        ("below zero", [at for at in text.lowest[number] if at.activation < 0]),
    ]
    there = [(name, found) for name, found in ends if found]
    return sorted(there, key=lambda end: -abs(end[1][0].activation))


# ------------------------------------------------------------------ one component


def one_conclusion(
    one: Listed, lines: Sequence[AtPosition], effects: Sequence[Effect] | None
) -> str:
    """What a component does on the prompt, and what is missing without it (HTML)."""
    label, own = one.component.label, list(lines[1:] or lines)
    if one.alive is None:
        said = (
            f"<b>{label} writes {percent(one.weight)}</b> of what "
            f"{words_of(one.component.place)} writes on this prompt{_most(own, 'most strongly')}."
        )
    elif not one.alive:
        said = f"<b>{label} is not alive on this prompt</b>: no token needs it."
    else:
        alive = sum(line.tint > TINTED for line in own)
        said = (
            f"<b>{label} is alive on {alive} of {count(len(own), 'token')}</b> of this prompt"
            f"{_most(own, 'most')} (importance {max(own, key=_tint).shown})."
        )
    if effects is None:
        return said
    everywhere, *alone = effects
    kl = everywhere.comparison.kl
    if max(effect.comparison.kl for effect in effects) < NOTHING:
        return f"{said} Without it the next guess stays as it is."
    said += f" Without it in all heads the next guess moves by {decimal(kl, digits=3)} nats (KL)"
    if len(alone) < 2:
        return f"{said}."
    most_alone = max(alone, key=lambda effect: effect.comparison.kl)
    (name,) = head_names([most_alone.heads])
    moved = decimal(most_alone.comparison.kl, digits=3)
    return f"{said}; in one head alone at most by {moved}, in {name}."


def _tint(line: AtPosition) -> float:
    return line.tint


def _most(own: Sequence[AtPosition], how: str) -> str:
    """Where it does most, unless it does as much on every token (HTML)."""
    most = max(own, key=_tint)
    if len(own) == 1:
        return ""
    if min(own, key=_tint).tint > most.tint - ALIKE:
        return ", on all alike"
    return f", {how} on {escape(f'{quoted(most.token)} ({most.position})')}"


def tables(
    one: Listed,
    lines: Sequence[AtPosition],
    text: OnText,
    effects: Sequence[Effect] | None,
) -> list[tuple[str, list[str], list[list[str]]]]:
    """All tables of a component, for a page of their own: (caption, headers, rows)."""
    weight = "Share" if one.alive is None else "Importance"
    ends = [
        [
            quoted(text.texts[at.text][at.position]),
            name,
            signed(at.activation),
            "–" if at.importance is None else decimal(at.importance),
            "".join(text.texts[at.text][1:]),
        ]
        for name, found in switches(text, one.component.number)
        for at in found
    ]
    shares = list(map(list, zip(one.heads, map(percent, one.shares), strict=True)))
    return [
        ("On the prompt", ["Token", weight, "Inner activation"], position_rows(lines)),
        (
            "What switches it on, in text",
            ["Token", "End", "Inner activation", "Importance", "Text"],
            ends,
        ),
        ("In which heads it is", ["Head", "Share"], shares),
        (
            "What is missing without it",
            EFFECT_HEADERS,
            effect_rows(one, effects) if effects else [],
        ),
    ]


EFFECT_HEADERS = ["Missing in", "Share of it", "KL (nats)", "Loss (nats per token)"]
"""The head of :func:`effect_rows`."""


def effect_rows(one: Listed, effects: Sequence[Effect]) -> list[list[str]]:
    """All heads, then each."""
    return [
        [
            "all heads" if effect.heads is None else head_names([effect.heads])[0],
            percent(share),
            decimal(effect.comparison.kl, digits=4),
            _loss(effect),
        ]
        for effect, share in zip(effects, (1.0, *one.shares), strict=True)
    ]


def _loss(effect: Effect) -> str:
    change = effect.comparison.loss_change
    return "–" if change is None else signed(change, digits=4)


def effect_records(effects: Sequence[Effect]) -> list[dict[str, object]]:
    """For :func:`headroles.charts.components.effects`."""
    return [
        {
            "what": "all heads" if effect.heads is None else head_names([effect.heads])[0],
            "cost": effect.comparison.kl,
            "shown": decimal(effect.comparison.kl, digits=4),
        }
        for effect in effects
    ]


def token_export(lines: Sequence[AtPosition], *, trained: bool) -> list[dict[str, object]]:
    """The prompt token by token, for a file."""
    return [
        {
            "position": line.position,
            "token": line.token,
            "inner_activation": line.inner,
            "importance" if trained else "written_out_of_most": line.tint,
        }
        for line in lines
    ]


def effect_export(one: Listed, effects: Sequence[Effect]) -> list[dict[str, object]]:
    """The effects for a file."""
    return [
        {
            "component": one.component.label,
            "missing_in": "all heads" if effect.heads is None else head_names([effect.heads])[0],
            "share": share,
            "kl_nats": effect.comparison.kl,
            "loss_change_nats": effect.comparison.loss_change,
        }
        for effect, share in zip(effects, (1.0, *one.shares), strict=True)
    ]


def switch_export(text: OnText, number: int) -> list[dict[str, object]]:
    """The tokens of text for a file."""
    return [
        {
            "end": name,
            "token": text.texts[at.text][at.position],
            "inner_activation": at.activation,
            "importance": at.importance,
            "text": "".join(text.texts[at.text][1:]),
            "position": at.position,
        }
        for name, found in switches(text, number)
        for at in found
    ]

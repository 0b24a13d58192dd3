"""What a step to read shows from the model: the tokens of a prompt, a head's pattern, the roles."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, lessons, scoring, texts, verdicts
from headroles.formatting import percent
from headroles.roles import BASIC_ROLES, ROLES
from headroles.types import Head
from headroles.ui.app import address, caches, elements, scope, session
from headroles.ui.lessons import caches as lesson_caches
from headroles.view import html, lamps, role_cards

if TYPE_CHECKING:
    from headroles.roles import Role
    from headroles.types import Evidence
    from headroles.ui.lessons.caches import Asked


def draw(asked: Asked) -> None:
    """Draw what the step shows, if it shows anything.

    Raises:
        HeadrolesError: if the prompt cannot be run, or the model has no analysis or no such head.
    """
    if asked.step.shows is None:
        return
    prompt = lessons.places.text_of(asked.step.prompt, asked.model)
    with st.spinner("Reading the prompt …"):
        answer = caches.answer(asked.model, prompt)
    shows = {"tokens": _tokens, "pattern": _pattern, "roles": _roles}
    with st.container(key="lessons-shown", border=True):
        shows[asked.step.shows](asked, answer)


def _tokens(asked: Asked, answer: caches.Answer) -> None:
    encoding = answer.run.encoding
    elements.html(html.token_strip(encoding))
    elements.note(html.escape(html.strip_sentence(encoding)))


def _quoted(prompt: str) -> None:
    elements.html(
        f'<p class="hr-explain">The prompt: <q class="hr-prompt">{html.escape(prompt)}</q></p>'
    )


def _open(label: str, page: str, asked: Asked, **values: object) -> None:
    """The way to a page with the same; not where it would change the model of all pages."""
    if asked.model == st.session_state[session.MODEL]:
        scope.button(
            page,
            label,
            icon=":material/open_in_full:",
            type="tertiary",
            key="lessons-look_closer",
            on_click=partial(address.follow, page, **values),
        )


# ------------------------------------------------------------------ a head's pattern


def _pattern(asked: Asked, answer: caches.Answer) -> None:
    """The heatmap of the close-up, with the cells outlined that a role predicts."""
    head, role = Head.parse(lesson_caches.head(asked)), _role_of(asked)
    attention = answer.run.attention[head]
    targets: tuple[Evidence, ...] = ()
    if role.has_cells:
        targets = scoring.evidence(
            attention,
            answer.run.copy_ids,
            role.key,
            visible=answer.scores.visible_to(head.layer),
        )
    labels = texts.token_labels(answer.run.tokens)
    _quoted(answer.run.prompt)
    resting = float(answer.scores.resting[head])
    hidden = st.toggle(
        f"Hide the resting column ({percent(resting)} of {head.label}'s attention on average)",
        key=session.HIDE_REST,
        persist_state="session",
    )
    drawn = scoring.without_rest(attention).attention if hidden else attention
    said = _sentences(role, answer, head, targets, labels)
    cells = charts.attention.pattern_cells(drawn, targets)
    with st.container(width=charts.attention.pattern_width(cells, labels)):
        elements.chart(
            charts.attention.attention_pattern(cells, labels, role, rest_hidden=hidden),
            key="lessons-pattern",
            alt_text=f"Attention of {head.label}. {' '.join(said)}",
        )
    outlined = "; outlined: where the role predicts it looks" if targets else ""
    elements.note(f"Each row is a token, and its cells say where it looks{outlined}.")
    elements.html("".join(f"<p>{html.escape(sentence)}</p>" for sentence in said))
    elements.strongest_cells(drawn, labels, targets)
    role_key = role.key if role.key in BASIC_ROLES and role.is_scored else None
    _open(
        f"Open {head.label} in close-up", session.CLOSEUP, asked,
        prompt=answer.run.prompt, head=head, role=role_key,
    )  # fmt: skip


def _role_of(asked: Asked) -> Role:
    """The role whose cells are outlined: the step's, or the one by which it names the head."""
    named = asked.step.role
    if named is None:
        head = lessons.places.text_of(asked.step.head, asked.model)
        named = re.match("[a-z_]*", head)[0]
    return ROLES.get(named, ROLES["other"])


def _sentences(
    role: Role,
    answer: caches.Answer,
    head: Head,
    targets: tuple[Evidence, ...],
    labels: list[str],
) -> list[str]:
    """What the pattern shows, in numbers."""
    activation = answer.scores.activations.get(role.key)
    if activation is not None:
        return role_cards.pattern_sentences(
            role, activation, head, targets, labels, largest=answer.scores.largest_of(head)
        )
    rows = answer.run.attention[head][1:]
    (weight, place) = rows.flatten().max(0)
    query, key = divmod(int(place), rows.shape[-1])
    return [
        f"Its strongest look is from “{labels[query + 1]}” ({query + 1}) to “{labels[key]}” "
        f"({key}): {percent(float(weight))}."
    ]


# ------------------------------------------------------------------ the roles


def _roles(asked: Asked, answer: caches.Answer) -> None:
    """A lamp per role, as on Your Prompt."""
    reference = caches.reference(answer)
    cards = role_cards.role_cards(
        verdicts.summarize(reference.entry, answer.scores), reference.entry
    )
    row = [
        lamps.lamp(
            "●" if card.awake else "○",
            card.role.name,
            f"{card.active} of {len(card.rows)}" if card.rows else "no head",
            unit=" active" * bool(card.rows),
            lit=card.awake,
        )
        for card in cards
    ]
    _quoted(answer.run.prompt)
    elements.html(f'<ul class="hr-lamps">{"".join(row)}</ul>')
    elements.conclusion(html.escape(role_cards.overall(cards)))
    _open("Open on Your Prompt", session.YOUR_PROMPT, asked, prompt=answer.run.prompt)

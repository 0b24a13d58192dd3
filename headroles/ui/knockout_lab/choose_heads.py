"""What is knocked out on the student's prompt: the boxes, and the condition that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, verdicts, view
from headroles.formatting import in_one_line
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.knockout_lab import state

if TYPE_CHECKING:
    from headroles.ablation import Condition
    from headroles.store import ModelEntry
    from headroles.ui.app.caches import Answer, Reference

FIRST = 3
"""How many heads are knocked out when the page opens; more would leave none for the control."""


class Chosen(NamedTuple):
    """The condition that the boxes describe."""

    condition: Condition
    """The condition."""
    marked: tuple[int, ...]
    """Positions to mark in the prompt; none where the condition acts everywhere."""
    word: str
    """The label of a marked position."""
    position: int
    """The position t that is watched; the last one where the condition acts everywhere."""


def listed(entry: ModelEntry | None) -> dict[str, list[str]]:
    """{role key: labels of its listed heads}, roles without any left out."""
    if entry is None:
        return {}
    by_role = {}
    for role in SCORED_ROLES:
        category = entry.categories.get(role.key)
        if category is not None and category.top_heads:
            by_role[role.key] = [Head(top.layer, top.head).label for top in category.top_heads]
    return by_role


def first_heads(entry: ModelEntry | None, active: Sequence[str] = ()) -> list[str]:
    """The heads that the page begins with: of the induction list, those at work here first.

    Args:
        entry: the stored analysis; None where there is none.
        active: labels of the induction heads that are active on the prompt, strongest first.
    """
    roles = listed(entry)
    labels = roles.get("induction") or next(iter(roles.values()), [])
    if not labels:
        return list(active[:FIRST]) or ["L0H0"]
    return sorted(labels, key=lambda label: label not in active)[:FIRST]


def at_work(answer: Answer, reference: Reference) -> list[str]:
    """Labels of all heads that are active as induction heads on the prompt, strongest first."""
    layers, heads = answer.scores.resting.shape
    every = [Head(layer, head) for layer in range(layers) for head in range(heads)]
    threshold = reference.thresholds.get("induction")
    judged = [verdicts.judge(head, "induction", answer.scores, threshold) for head in every]
    active = [verdict for verdict in judged if verdict.is_active]
    active.sort(key=lambda verdict: -verdict.activation.value)
    return [verdict.head.label for verdict in active]


def draw(answer: Answer, reference: Reference) -> Chosen | None:
    """The boxes; None, with the reason shown, while nothing is chosen."""
    layers, heads = answer.scores.resting.shape
    named = state.linked(state.SECTION_NAMES[0], layers=layers, heads=heads)
    model = st.session_state[session.MODEL]
    if st.session_state.get(state.LAB_MODEL) != model:
        first = named or first_heads(reference.entry, at_work(answer, reference))
        state.begin(model, first)
    what = st.segmented_control(
        "What is knocked out",
        state.WHATS,
        default=state.HEADS,
        key=state.LAB_WHAT,
        persist_state="session",
        help="Whole heads, a single look of a head, or the value vectors that all heads read.",
    )
    if what == state.VALUES:
        return _values(answer)
    heads = _heads(answer, reference)
    if not heads:
        st.info("Choose at least one head, or press one of the roles.")
        return None
    _where_it_matters(heads, reference.entry)
    return _edge(answer, heads) if what == state.EDGE else _outputs(answer, heads)


def _heads(answer: Answer, reference: Reference) -> tuple[Head, ...]:
    layers, heads = answer.scores.resting.shape
    every = [Head(layer, head).label for layer in range(layers) for head in range(heads)]
    labels = st.multiselect(
        "Heads",
        every,
        key=state.LAB_HEADS,
        placeholder="Type or choose, for example L1H4",
        persist_state="session",
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        roles = listed(reference.entry)
        if roles:
            st.html('<span class="hr-small">or all heads of</span>', width="content")
        for role in SCORED_ROLES:
            if role.key in roles:
                st.button(
                    f"{role.name} ({len(roles[role.key])})",
                    key=f"knockout_lab-role_{role.key}",
                    on_click=state.take_heads,
                    args=(roles[role.key],),
                    help=", ".join(roles[role.key]),
                )
        if st.session_state[state.LAB_PREVIOUS_HEADS] is not None:
            st.button(
                "Back to my heads", icon=":material/undo:", key="knockout_lab-undo",
                on_click=state.heads_back,
            )  # fmt: skip
    return tuple(sorted(Head.parse(label) for label in labels))


def _where_it_matters(heads: Sequence[Head], entry: ModelEntry | None) -> None:
    """A prompt that cannot be continued without heads of this kind, where the present one can."""
    labels = {head.label for head in heads}
    role = next(
        (ROLES[key] for key, of_role in listed(entry).items() if labels <= {*of_role}), None
    )
    if role is None or not role.requires_repetition:
        return
    hints = role.story_hints if session.knows_stories_only() else role.text_hints
    if st.session_state[session.PROMPT] in hints:
        return
    st.button(
        f"On a prompt that needs them: “{in_one_line(hints[0], limit=40)}”",
        key="knockout_lab-try",
        icon=":material/lightbulb:",
        on_click=session.use_example,
        args=(hints[0],),
        help=hints[0],
    )


def _outputs(answer: Answer, heads: Sequence[Head]) -> Chosen:

    left, right = st.columns(2, gap="medium")
    with left:
        how = st.selectbox(
            "How", state.HOWS, key=state.LAB_HOW, persist_state="session", help=_HOW_HELP
        )
    with right:
        where = _positions(answer, "At which positions", "all positions", key=state.LAB_WHERE)
    positions = tuple(where) or None
    make = {
        state.TO_ZERO: lambda: ablation.HeadOutput(tuple(heads), positions=positions),
        state.TO_MEAN: lambda: ablation.HeadOutput(tuple(heads), "mean", positions),
        state.TO_FIRST: lambda: ablation.Pattern(tuple(heads), "first_token", positions),
        state.TO_EVEN: lambda: ablation.Pattern(tuple(heads), "uniform", positions),
    }
    name = f"{ablation.short_list(heads)}: {how.lower()}"
    last = len(answer.run.tokens) - 1
    position = where[-1] if where else last
    return Chosen(ablation.Condition(name, (make[how](),)), tuple(where), "off here", position)


_HOW_HELP = (
    "**Output to its mean**: the head adds what it adds on average, so the rest of the model sees "
    "nothing unusual. **Output to zero**: it adds nothing at all. **Look at the first token "
    "only**: where heads rest. **Look evenly**: the same weight on every token so far."
)


def _edge(answer: Answer, heads: Sequence[Head]) -> Chosen:

    labels = labels_of(answer)
    last = len(labels) - 1
    left, right = st.columns(2, gap="medium")
    with left:
        query = st.selectbox(
            "The token that looks", range(last + 1), index=last, format_func=labels.__getitem__,
            key=f"{state.LAB_QUERY}_{last}", persist_state="session",
        )  # fmt: skip
    pattern = answer.run.attention[heads[0].layer, heads[0].head, query]
    with right:
        key = st.selectbox(
            "The token that it looks at",
            range(query + 1),
            index=int(pattern.argmax()),
            format_func=lambda place: f"{labels[place]} ({heads[0].label}: {pattern[place]:.0%})",
            key=f"{state.LAB_KEY}_{query}_{heads[0].label}",
            help="Initially the token that the first of your heads looks at most.",
        )
    scale = st.toggle(
        "Scale the rest of the row up to 100%",
        key=state.LAB_SCALE,
        persist_state="session",
        help="Off: what was read there is missing, and nothing else gets more attention. On: "
        "the head looks at the other tokens more instead.",
    )
    name = f"{ablation.short_list(heads)} not looking from {labels[query]} to {labels[key]}"
    change = ablation.Edge(tuple(heads), query, key, renormalise=scale)
    return Chosen(ablation.Condition(name, (change,)), (query, key), "cut look", query)


def _values(answer: Answer) -> Chosen | None:

    labels = labels_of(answer)
    last = len(labels) - 1
    left, middle, right = st.columns(3, gap="medium")
    with left:
        t = st.selectbox(
            "Position t", range(1, last + 1), index=last - 1, format_func=labels.__getitem__,
            key=f"{state.LAB_T}_{last}",
        )  # fmt: skip
    with middle:
        back = st.selectbox(
            "Value vectors at", state.BACKS, key=state.LAB_VALUES, persist_state="session",
            help="A value vector is what a token hands to the heads that look at it.",
        )  # fmt: skip
    layers = answer.scores.resting.shape[0]
    with right:
        layer = st.selectbox(
            "In", [None, *range(layers)], key=state.LAB_LAYER,
            format_func=lambda layer: "all layers" if layer is None else f"layer {layer}",
        )  # fmt: skip
    if back == state.CHOSEN:
        positions = tuple(
            _positions(answer, "Positions", "choose positions", key="knockout_lab-places")
        )
    else:
        first = {state.BACK_ONE: t - 1, state.BACK_TWO: max(0, t - 2), state.BACK_ALL: 0}[back]
        positions = tuple(range(first, t))
    if not positions:
        st.info("Choose at least one position.")
        return None
    where = "all layers" if layer is None else f"layer {layer}"
    place = f"at {back}" if back != state.CHOSEN else "at " + ", ".join(map(str, positions))
    change = ablation.Values(positions, None if layer is None else (layer,))
    return Chosen(
        ablation.Condition(f"values {place}, {where}", (change,)), positions, "value zero", t
    )


def _positions(answer: Answer, label: str, placeholder: str, *, key: str) -> list[int]:
    labels = labels_of(answer)
    chosen = st.multiselect(
        label,
        range(len(labels)),
        format_func=labels.__getitem__,
        key=f"{key}_{len(labels)}",
        placeholder=placeholder,
    )
    return sorted(chosen)


def labels_of(answer: Answer) -> list[str]:
    """[pos] the label of a position in a box: its number and its token."""
    tokens = view.token_labels(answer.run.encoding)
    return [f"{place} {token}" for place, token in enumerate(tokens)]

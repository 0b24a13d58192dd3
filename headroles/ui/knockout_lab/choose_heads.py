"""What is knocked out on the student's prompt: the boxes, and the condition that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, limits, verdicts, view
from headroles.errors import HeadrolesError
from headroles.formatting import listing
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import elements, session
from headroles.ui.knockout_lab import choose_components, state
from headroles.view.html import count

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from headroles.ablation import Condition
    from headroles.store import ModelEntry
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view.knocked_out import KnockedOut

FIRST = 3
"""How many heads are knocked out when the page opens; more would leave none for the control."""


class Chosen(NamedTuple):
    """The condition that the boxes describe."""

    condition: Condition
    """The condition."""
    says: str
    """What is different now, in a sentence (plain text)."""
    marked: tuple[int, ...]
    """Positions to mark in the prompt; none where the condition acts everywhere."""
    word: str
    """The label of a marked position."""
    position: int
    """The position t that is watched; the last one where the condition acts everywhere."""

    @property
    def subject(self) -> KnockedOut:
        """What is knocked out, in words."""
        return view.knocked_out.of(self.condition)


def listed(entry: ModelEntry | None) -> dict[str, list[str]]:
    """{role key: labels of its listed heads}, roles without any left out."""
    if entry is None:
        return {}
    return {
        role.key: [head.label for head in heads]
        for role in SCORED_ROLES
        if (heads := entry.listed(role.key))
    }


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
    every = Head.every(layers, heads)
    threshold = reference.thresholds.get("induction")
    judged = [verdicts.judge(head, "induction", answer.scores, threshold) for head in every]
    active = [verdict for verdict in judged if verdict.is_active]
    active.sort(key=lambda verdict: -verdict.activation.value)
    return [verdict.head.label for verdict in active]


def draw(answer: Answer, reference: Reference) -> Chosen | None:
    """The boxes; None, with the reason shown, while nothing is chosen."""
    layers, width = answer.scores.resting.shape
    named = state.linked(state.SECTION_NAMES[0], layers=layers, heads=width)
    model = st.session_state[session.MODEL]
    if st.session_state.get(state.LAB_MODEL) != model:
        first = named or first_heads(reference.entry, at_work(answer, reference))
        state.begin(model, first)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        what = st.segmented_control(
            "What is knocked out",
            state.WHATS,
            default=state.HEADS,
            key=state.LAB_WHAT,
            persist_state="session",
            label_visibility="collapsed",
            help="Whole heads, a single look of a head, the value vectors that all heads read, or "
            "components: small parts of a layer’s matrices.",
        )
        if what in (state.HEADS, state.EDGE):
            role_buttons(reference.entry)
        options = st.popover("Options", icon=":material/tune:", key="knockout_lab-options")
        if what in (state.HEADS, state.EDGE):
            _where_it_matters(reference.entry)
    with options:
        _expected_token()
    if what == state.VALUES:
        return _values(answer)
    if what == state.COMPONENTS:
        return _components(answer, reference.entry, options)
    heads = _heads(answer)
    if not heads:
        st.info("Choose at least one head, or all heads of a role.")
        return None
    make = _edge if what == state.EDGE else _outputs
    return make(answer, heads, options)


def _expected_token() -> None:
    st.text_input(
        "What should come next?",
        key=state.LAB_ANSWER,
        placeholder="empty: the model's own first guess",
        max_chars=limits.ANSWER.most,
        persist_state="session",
    )
    st.slider(
        "Tokens in the lists", *limits.LISTED_TOKENS, 8, key=state.LAB_TOP, persist_state="session"
    )


def role_buttons(
    entry: ModelEntry | None, *, heads: str = state.LAB_HEADS, name: str = "knockout_lab-"
) -> None:
    """A button for each role that takes all its heads, and the way back.

    Args:
        entry: the stored analysis; None where there is none.
        heads: the session key of the heads that they replace.
        name: how the keys of the buttons begin.
    """
    roles = listed(entry)
    if roles:
        with st.popover("All heads of a role", key=f"{name}roles"):
            for role in SCORED_ROLES:
                if role.key in roles:
                    st.button(
                        f"{role.name} ({len(roles[role.key])})",
                        key=f"{name}role_{role.key}",
                        on_click=state.take_heads,
                        args=(roles[role.key], heads),
                        help=", ".join(roles[role.key]),
                        width="stretch",
                    )
    if st.session_state.get(state.PREVIOUS[heads]) is not None:
        st.button(
            "Back to my heads", icon=":material/undo:", key=f"{name}undo",
            on_click=state.heads_back, args=(heads,),
        )  # fmt: skip


def _heads(answer: Answer) -> tuple[Head, ...]:
    layers, heads = answer.scores.resting.shape
    every = [head.label for head in Head.every(layers, heads)]
    labels = st.multiselect(
        "Heads to knock out",
        every,
        key=state.LAB_HEADS,
        placeholder="Type or choose, for example L1H4",
        persist_state="session",
        label_visibility="collapsed",
    )
    return tuple(sorted(Head.parse(label) for label in labels))


def _where_it_matters(entry: ModelEntry | None) -> None:
    """A prompt that cannot be continued without heads of this kind, where the present one can."""
    labels = set(st.session_state[state.LAB_HEADS])
    role = next(
        (ROLES[key] for key, of_role in listed(entry).items() if labels <= {*of_role}), None
    )
    if not labels or role is None or not role.requires_repetition:
        return
    hints = role.story_hints if session.knows_stories_only() else role.text_hints
    if st.session_state[session.PROMPT] in hints:
        return
    st.button(
        "Try a prompt that needs them",
        key="knockout_lab-try",
        icon=":material/lightbulb:",
        on_click=session.use_example,
        args=(hints[0],),
        help=hints[0],
    )


def _outputs(answer: Answer, heads: Sequence[Head], options: DeltaGenerator) -> Chosen:

    with options:
        how = st.selectbox(
            "What the heads do instead",
            state.HOWS,
            key=state.LAB_HOW,
            persist_state="session",
            help=_HOW_HELP,
        )
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
    condition = ablation.Condition(name, (make[how](),))
    return Chosen(condition, doing(heads, how, where), tuple(where), "off here", position)


def doing(heads: Sequence[Head], how: str, where: Sequence[int] = ()) -> str:
    """What knocked-out heads do now, in a sentence (plain text).

    >>> doing([Head(1, 1), Head(1, 4)], state.TO_MEAN)
    'L1H1 and L1H4 now output only their average.'
    >>> doing([Head(1, 4)], state.TO_ZERO, [3])
    'At position 3, L1H4 now outputs nothing.'
    """
    one = len(heads) == 1
    does = {
        state.TO_MEAN: "outputs only its average" if one else "output only their average",
        state.TO_ZERO: "outputs nothing" if one else "output nothing",
        state.TO_FIRST: f"look{'s' if one else ''} at the first token only",
        state.TO_EVEN: f"look{'s' if one else ''} evenly at all tokens so far",
    }[how]
    places = listing([str(place) for place in where])
    at = f"At position{'s' if len(where) > 1 else ''} {places}, " if where else ""
    return f"{at}{ablation.short_list(heads)} now {does}."


_HOW_HELP = (
    "**Only their average output**: a head adds what it adds on average, so the rest of the model "
    "sees nothing unusual. **No output**: it adds nothing at all. **Look at the first token "
    "only**: where heads rest. **Look evenly at all tokens**: the same weight on every token so "
    "far."
)


def _edge(answer: Answer, heads: Sequence[Head], options: DeltaGenerator) -> Chosen:

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
            help="At first the token that the first of your heads looks at most.",
        )
    with options:
        scale = st.toggle(
            "Scale the rest of the row up to 100%",
            key=state.LAB_SCALE,
            persist_state="session",
            help="Off: what was read there is missing, and nothing else gets more attention. On: "
            "the head looks at the other tokens more instead.",
        )
    who, where = ablation.short_list(heads), f"from {labels[query]} to {labels[key]}"
    change = ablation.Edge(tuple(heads), query, key, renormalise=scale)
    condition = ablation.Condition(f"{who} not looking {where}", (change,))
    looks = "look" if len(heads) > 1 else "looks"
    says = f"{who} no longer {looks} {where}."
    return Chosen(condition, says, (query, key), "cut look", query)


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
    condition = ablation.Condition(f"values {place}, {where}", (change,))
    at = f"{count(len(positions), 'position')} ({listing([str(p) for p in positions[:12]])})"
    says = f"In {where}, heads read nothing at {at}: the value vectors there are zero."
    return Chosen(condition, says, positions, "value zero", t)


def components(model: str, entry: ModelEntry | None) -> Condition | None:
    """The components that are taken away; None, with the reason shown, where there are none."""
    looks_back = listed(entry).get("previous_token", ["L0H0"])
    try:
        with st.spinner("Taking the matrices apart."):
            return choose_components.draw_one(model, Head.parse(looks_back[0]).layer)
    except HeadrolesError as error:
        elements.show_error(error)
        return None


def _components(answer: Answer, entry: ModelEntry | None, options: DeltaGenerator) -> Chosen | None:
    condition = components(st.session_state[session.MODEL], entry)
    if condition is None:
        return None
    with options:
        where = _positions(answer, "At which positions", "all positions", key=state.LAB_WHERE)
    says = choose_components.doing(condition, where)
    position = where[-1] if where else len(answer.run.tokens) - 1
    return Chosen(condition.at(tuple(where) or None), says, tuple(where), "off here", position)


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

"""What a knock-out does to the other heads: where they look then, and which roles change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts, view
from headroles.errors import UnknownHeadError
from headroles.formatting import count, percent, quoted
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import elements, long_work, session
from headroles.ui.knockout_lab import caches, files, state
from headroles.ui.knockout_lab.random_heads import AT_ONCE
from headroles.view import attention_shift as shifts
from headroles.view import changed_roles
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.ablation import Condition, Looks, PromptTable, Sample
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.files import File
    from headroles.ui.app.run_prompt import Reference
    from headroles.ui.knockout_lab.choose_heads import Chosen

DRAWS = 10
"""Draws of random others."""
OTHERS = 20
"""Random others that a mean over other texts goes through."""
PLACES = 48
"""Places in other texts that a mean is over."""
PLACES_AT_ONCE = 8
"""Places of one step."""


class Seen(NamedTuple):
    """A knock-out on a prompt, with where every head looks."""

    model: str
    """The catalogue key."""
    chosen: Chosen
    """What was knocked out."""
    result: PromptTable
    """The prompt under it."""
    before: Looks
    """The run that it is compared with."""
    after: Looks
    """With it."""
    draws: list[Looks]
    """With random others; empty while they are not all there."""
    since: int
    """The first layer whose heads can change."""
    heads: list[Head]
    """The heads that can change."""

    @property
    def runs(self) -> tuple[str, str]:
        """The names of both runs."""
        return self.chosen.subject.before, self.chosen.subject.without

    @property
    def knocked_out(self) -> tuple[Head, ...]:
        """The heads that are."""
        return self.chosen.condition.heads


def see(chosen: Chosen, result: PromptTable) -> Seen | None:
    """Run it, once somebody asked for it where it takes long; None before it is there."""
    model = st.session_state[session.MODEL]
    name = (model, result.encoding.token_ids, result.encoding.is_chat, chosen.position,
            repr(chosen.condition))  # fmt: skip
    control = caches.others(
        model,
        repr(chosen.condition),
        length=len(result.encoding.tokens),
        draws=DRAWS,
        _condition=chosen.condition,
    ).conditions
    rows = 2 + len(control)
    seconds = rows * len(result.encoding.tokens) / 10 * caches.row_seconds(model)
    label = "Look at the other heads"
    if not long_work.offer("looks", name, label, what="look at the other heads", seconds=seconds):
        return None
    run = partial(_looks, model, chosen, result)
    both = long_work.run(
        "looks", name, lambda: long_work.Plan([run], _first), doing="Running it again"
    )
    if both is None:
        return None
    parts = [control[start : start + AT_ONCE] for start in range(0, len(control), AT_ONCE)]
    draws = long_work.run(
        "looks_control",
        name,
        lambda: long_work.Plan([partial(_others, model, chosen, result, part) for part in parts]),
        doing="Knocking random others out",
    )
    before, after = both
    since = chosen.condition.looks_from
    heads = shifts.later_heads(before, since, chosen.condition.heads)
    every = [look for part in draws or [] for look in part]
    return Seen(model, chosen, result, before, after, every, since, heads)


def _first(done: list) -> list[Looks]:
    return done[0]


def _looks(model: str, chosen: Chosen, result: PromptTable) -> list[Looks]:
    return caches.looks(
        model,
        result.encoding.token_ids,
        position=chosen.position,
        key=f"{chosen.condition!r} {result.encoding.is_chat}",
        _encoding=result.encoding,
        _condition=chosen.condition,
    )


def _others(
    model: str, chosen: Chosen, result: PromptTable, part: tuple[Condition, ...]
) -> list[Looks]:
    before, _ = _looks(model, chosen, result)
    with caches.model(model) as loaded:
        return ablation.looks(
            loaded, result.encoding, part, position=chosen.position, untouched=before
        )


# ------------------------------------------------------------------ where a head looks


def draw_looks(seen: Seen) -> list[File]:
    """One head's attention at the watched position, on this prompt and on average; its files."""
    every = shifts.shifts(seen.before, seen.after, seen.draws, seen.heads)
    if not seen.heads:
        st.info(shifts.nothing_later(seen.since))
    head, difference = _choose(seen, every.moved)
    shift = shifts.shift(seen.before, seen.after, seen.draws, head, every)
    labels = view.token_labels(seen.result.encoding)[: len(shift.before)]
    summary = shifts.shift_sentence(
        shift, labels, seen.runs[1], knocked_out=seen.knocked_out, since=seen.since
    )
    st.markdown(f"**{plain(summary)}**")
    drawing = partial(_token_chart, shift, labels, seen.runs, difference)
    elements.chart(
        drawing(),
        key=f"knockout_lab-looks_{difference}",
        alt_text=f"The attention of {head.label} from {quoted(labels[-1])}. {summary}",
    )
    st.caption(_looks_note(seen, shift, difference))
    with st.expander("Every token as a table", key="knockout_lab-looks_table"):
        rows = table(shifts.TOKEN_HEADERS, shifts.token_rows(shift, labels))
        elements.html(f'<div class="hr-one-line">{rows}</div>')
    offered = files.of_what_else(
        "Attention",
        seen.model,
        seen.chosen,
        seen.result,
        partial(shifts.token_file, [shift], labels),
        drawing,
        title=summary,
        head=head.label,
        random_draws=len(seen.draws),
    )
    return offered + _on_average(seen, head, difference)


def _choose(seen: Seen, moved: dict[Head, float]) -> tuple[Head, bool]:
    """The boxes: the head, and both runs or the difference."""
    layers, width = seen.before.at.shape[:2]
    every = Head.every(layers, width)
    first = next(iter(moved), every[0])
    names = {
        head.label: f"{head.label} ({percent(change)} moves)" for head, change in moved.items()
    }
    names |= {head.label: f"{head.label} (as before)" for head in every if head not in moved}
    names |= {head.label: f"{head.label} (knocked out)" for head in seen.knocked_out}
    options = {state.CHANGES_MOST: f"{first.label}: changes most", **names}
    if (asked := st.session_state.get(state.LAB_WATCHED, state.CHANGES_MOST)) not in options:
        elements.show_error(UnknownHeadError(asked, layers=layers, heads=width), kind=st.warning)
        st.session_state[state.LAB_WATCHED] = state.CHANGES_MOST
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        label = st.selectbox(
            "Whose attention", list(options), format_func=options.__getitem__,
            key=state.LAB_WATCHED, persist_state="session",
            help="The head whose attention changes most stands first.",
        )  # fmt: skip
    with right:
        shown = st.segmented_control(
            "Attention", state.VIEWS, default=state.BOTH, key=state.LAB_VIEW, required=True,
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
    head = first if label == state.CHANGES_MOST else Head.parse(label)
    return head, shown == state.DIFFERENCE


def _token_chart(
    shift: shifts.Shift, labels: list[str], runs: tuple[str, str], difference: bool
) -> Drawing:
    names = (runs[1], shifts.OTHERS) if difference else runs
    kept = shifts.kept_rows(shift)
    return charts.looks_by_token(
        shifts.token_records(shift, labels, runs, difference=difference),
        [f"{key} {labels[key]}" for key in kept],
        names=names,
        title="change (percentage points)" if difference else "share of its attention",
        signed=difference,
    )


def _looks_note(seen: Seen, shift: shifts.Shift, difference: bool) -> str:
    t = seen.chosen.position
    said = f"It looks from position {t}, the position t. {shifts.left_out(shift)}".strip()
    if difference and seen.draws:
        said += f" Whiskers: one standard deviation over {len(seen.draws)} random draws."
    elif not seen.draws:
        said += " Random others are not there to compare with."
    return said


# ------------------------------------------------------------------ on average


def _on_average(seen: Seen, head: Head, difference: bool) -> list[File]:
    """The same as a mean over places in other texts, by offset; its files."""
    st.markdown("**And in other texts?**")
    length = len(seen.result.encoding.tokens)
    condition = ablation.counted_back(
        seen.chosen.condition, position=seen.chosen.position, length=length
    )
    if condition is None:
        st.caption(
            "This is not averaged: what is knocked out lies more than "
            f"{ablation.attention_shift.OFFSETS} tokens before t, and other texts have no such "
            "place."
        )
        return []
    measured = _measured(seen, condition)
    if measured is None:
        return []
    points = ablation.by_offset(measured, head)
    _, kind = caches.places(seen.model, n=PLACES, offsets=ablation.attention_shift.OFFSETS)
    summary = shifts.offset_sentence(points, head, seen.runs[1], len(measured))
    st.markdown(plain(summary))
    drawing = partial(_offset_chart, points, seen.runs, difference, measured.shape[1] > 2)
    elements.chart(
        drawing(),
        key=f"knockout_lab-looks_back_{difference}",
        alt_text=f"The mean attention of {head.label} by offset. {summary}",
    )
    st.caption(
        f"Mean over {len(measured)} random places in {kind}; bars: one standard error. Offset 0 is "
        "the token that looks; the start token stands apart, wherever it is."
    )
    with st.expander("The offsets as a table", key="knockout_lab-offsets_table"):
        elements.html(table(shifts.OFFSET_HEADERS, shifts.offset_rows(points)))
    return files.of_what_else(
        "Mean attention",
        seen.model,
        seen.chosen,
        seen.result,
        partial(shifts.offset_file, points, head),
        drawing,
        title=summary,
        head=head.label,
        places=len(measured),
        texts=kind,
    )


def _offset_chart(
    points: list[ablation.OffsetPoint], runs: tuple[str, str], difference: bool, is_beside: bool
) -> Drawing:
    names = (runs[1], shifts.OTHERS) if difference and is_beside else runs
    return charts.looks_by_offset(
        shifts.offset_records(points, runs, difference=difference),
        [point.place for point in points],
        names=names,
        title="change (percentage points)" if difference else "mean share of its attention",
        signed=difference,
    )


def _measured(seen: Seen, condition: Condition) -> Tensor | None:
    """[sample run layer head place]; None before it is there."""
    samples, _ = caches.places(seen.model, n=PLACES, offsets=ablation.attention_shift.OFFSETS)
    others = ()
    if seen.chosen.subject.named:
        others = caches.others(
            seen.model, repr(condition), length=1, draws=OTHERS, _condition=condition
        ).conditions
    cycled = [others[place % len(others)] for place in range(len(samples))] if others else []
    name = (seen.model, repr(condition))
    rows = len(samples) * (3 if others else 2)
    if not long_work.offer(
        "looks_back",
        name,
        "Average over other texts",
        what="mean attention over other texts",
        seconds=rows * caches.row_seconds(seen.model),
    ):
        return None
    starts = range(0, len(samples), PLACES_AT_ONCE)
    return long_work.run(
        "looks_back",
        name,
        lambda: long_work.Plan(
            [partial(_measure, seen.model, condition, samples[start : start + PLACES_AT_ONCE],
                     cycled[start : start + PLACES_AT_ONCE]) for start in starts],
            ablation.attention_shift.together,
        ),
        doing="Reading other texts",
    )  # fmt: skip


def _measure(
    model: str, condition: Condition, samples: list[Sample], others: list[Condition]
) -> Tensor:
    with caches.model(model) as loaded:
        return ablation.looks_back(loaded, samples, condition, others)


# ------------------------------------------------------------------ roles


def draw_roles(seen: Seen, reference: Reference) -> list[File]:
    """Which heads gain or lose a role on this prompt; their files."""
    if not seen.heads:
        st.info(shifts.nothing_later(seen.since))
        return []
    changes = changed_roles.role_changes(
        seen.before,
        seen.after,
        seen.draws,
        heads=seen.heads,
        thresholds=reference.thresholds,
        num_tokens=len(seen.result.encoding.tokens),
    )
    summary = changed_roles.roles_sentence(changes, seen.runs[1], draws=len(seen.draws))
    st.markdown(f"**{plain(summary)}**")
    if not changes:
        return []
    key = _choose_role(changes)
    drawing = partial(_role_map, seen, changes, key)
    elements.chart(
        drawing(),
        key="knockout_lab-role_map",
        alt_text=f"The change of every head's activation as {ROLES[key].name}. {summary}",
    )
    st.caption(_roles_note(seen))
    rows = changed_roles.role_rows(changes)
    if rows:
        changed = count(len(rows), "change")
        with st.expander(f"{changed} as a table", key="knockout_lab-roles_table"):
            elements.html(table(changed_roles.ROLE_HEADERS, rows))
    return files.of_what_else(
        "Roles",
        seen.model,
        seen.chosen,
        seen.result,
        partial(changed_roles.role_file, changes),
        drawing,
        title=summary,
        thresholds=reference.thresholds,
        random_draws=len(seen.draws),
    )


def _choose_role(changes: dict[str, list[changed_roles.RoleChange]]) -> str:
    most = changed_roles.most_changed(changes)
    options = {state.CHANGES_MOST: f"{ROLES[most].name}: changed most"}
    options |= {
        key: f"{ROLES[key].name} ({sum(change.crosses for change in of_role)})"
        for key, of_role in changes.items()
    }
    if st.session_state.get(state.LAB_ROLE, state.CHANGES_MOST) not in options:
        st.session_state[state.LAB_ROLE] = state.CHANGES_MOST  # it does not apply to this prompt
    shown = st.selectbox(
        "Role", list(options), format_func=options.__getitem__, key=state.LAB_ROLE,
        persist_state="session", help="In brackets: heads that gain or lose the role.",
    )  # fmt: skip
    return most if shown == state.CHANGES_MOST else shown


def _role_map(seen: Seen, changes: dict[str, list[changed_roles.RoleChange]], key: str) -> Drawing:
    records = changed_roles.role_records(seen.before, changes[key], knocked_out=seen.knocked_out)
    return charts.heads.head_map(
        records, f"{ROLES[key].name}: change in percentage points", clickable=False
    )


def _roles_note(seen: Seen) -> str:
    chance = (
        f"A change counts if it is at least {ablation.attention_shift.LEAST * 100:.0f} points and "
        f"larger than with random others knocked out ({len(seen.draws)} draws; a t test, corrected "
        "for the number of heads)."
        if len(seen.draws) > 1
        else "Random others are not there to compare with."
    )
    return (
        "Blue with +: more than before; orange with −: less, in percentage points. Ring: the head "
        "gains or loses the role. Dashed: knocked out, or not in a later layer, where nothing can "
        f"change. {chance}"
    )

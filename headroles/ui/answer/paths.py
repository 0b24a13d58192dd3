"""A circuit that grows by clicks: which head tells which other head, and which write the answer."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts
from headroles.errors import HeadrolesError, LinkError, UnknownHeadError
from headroles.formatting import rough_duration
from headroles.types import Head
from headroles.ui.answer import pair_caches, pair_files, pair_input, pair_state
from headroles.ui.app import caches, elements, long_work, session
from headroles.view import path_words
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headroles.ablation import Arrow, Circuit, Pair, Receiver, SenderMap, SenderWork
    from headroles.ui.answer.pair_caches import Asked, Measured

MOST_LISTED = 12
"""Most senders of a map that are held against their control."""
MOST_PUT_IN = 4
"""Most arrows that one button puts in."""
LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ carries the first '
    'sentence’s answer</span><span><i class="hr-key hr-key-against"></i>− works against it</span>'
    "<span><b>thick</b>: larger than chance</span><span>thin and dashed: not</span>"
    "<span><b>q k v</b>: into queries, keys, values</span>"
    "<span><b>Σ</b>: each head of a box alone, added up</span></div>"
)
MAP_LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ carries the answer</span>'
    '<span><i class="hr-key hr-key-against"></i>− works against it</span>'
    '<span><i class="hr-key hr-key-ring"></i>larger than chance</span>'
    '<span><i class="hr-key hr-key-dot"></i>drawn</span>'
    "<span>Click a head to put its arrow into the drawing.</span></div>"
)
RULE = (
    "The first sentence runs. One head at a time says what it says in the second sentence, to one "
    "place only; all other heads are held. A number is what the difference between the two answers "
    "loses. Larger than chance: it stands out from what the other heads of its layer send along "
    "the same path (5% level, as many tests as heads allowed for)."
)


class Subject(NamedTuple):
    """What the section is about."""

    asked: Asked
    """The two prompts."""
    measured: Measured
    """Them, run."""
    pairs: tuple[Pair, ...]
    """Them, and the same with other names: what numbers are a mean over."""
    roles: Mapping[Head, str]
    """{head: its role}."""

    @property
    def about(self) -> tuple[Asked, int]:
        """What names results: the two prompts, and over how many pairs they are a mean."""
        return self.asked, len(self.pairs)


def draw() -> None:
    """Draw the section."""
    given = pair_input.draw()
    if given is None:
        return
    asked, measured = given
    subject = Subject(asked, measured, _pairs(asked, measured.pair), _roles(asked.model))
    _begin(subject)
    place = st.container()
    drawing = st.container()
    grows = st.session_state[pair_state.GROWING] and not _grow(subject)
    with drawing:
        arrows = _arrows(subject)
        _drawing(subject, arrows)
    with place:
        said = path_words.conclusion(arrows, subject.roles, subject.measured.pair)
        elements.conclusion(escape(said))
    if not grows:  # the map of the answer's senders is a part of the search
        _senders(subject, arrows)
    over = path_words.over(len(subject.pairs))
    elements.note(escape(f"{RULE} {over}"))


def _pairs(asked: Asked, pair: Pair) -> tuple[Pair, ...]:
    """What numbers are a mean over; pairs without first names have no others."""
    most = st.segmented_control(
        "Pairs of sentences",
        pair_state.MOST_PAIRS,
        format_func=lambda n: "this pair" if n == 1 else f"{n} pairs with other names",
        key=pair_state.PAIRS,
        required=True,
        persist_state="session",
        help="One pair is about these two sentences only. Several take as many times as long.",
    )
    pairs = pair_caches.more_pairs(asked.model, asked, most or 1)
    if len(pairs) < (most or 1):
        elements.note(escape(path_words.fewer(len(pairs), most)))
    return pairs


def _roles(model: str) -> Mapping[Head, str]:
    try:
        return path_words.roles_of(caches.stored(model).entry)
    except HeadrolesError:  # a model that nobody has analysed has no roles
        return {}


def _begin(subject: Subject) -> None:
    """Leave out arrows of another model, and report a link's arrows that this one cannot have."""
    now, measured = st.session_state, subject.measured
    if now[pair_state.DRAWN_FOR] not in (None, subject.asked.model):
        pair_state.start_over()
    now[pair_state.DRAWN_FOR] = subject.asked.model
    wrong = {path: _why_not(path, measured) for path in now[pair_state.PATHS]}
    if errors := [error for found in wrong.values() for error in found]:
        now[pair_state.PATHS] = tuple(path for path, found in wrong.items() if not found)
        session.link_errors(errors)
        st.rerun()  # the warnings are drawn above the page


def _why_not(path: str, measured: Measured) -> list[HeadrolesError]:
    """What is wrong with an arrow that a link names; nothing of one that can be drawn."""
    sender, receivers = _edge(path)
    ends = [one.head for one in receivers if one.head is not None]
    layers, heads = measured.layers, measured.heads
    errors: list[HeadrolesError] = [
        UnknownHeadError(head.label, layers=layers, heads=heads)
        for head in (sender, *ends)
        if not (head.layer < layers and head.head < heads)
    ]
    if not errors and (early := next((head for head in ends if head.layer <= sender.layer), None)):
        errors.append(
            LinkError(
                f"The link names an arrow from {sender.label} to {early.label}, but a head tells "
                "only heads of later layers.",
                hint="The page leaves it out.",
                value=path,
            )
        )
    return errors


def _edge(path: str) -> tuple[Head, tuple[Receiver, ...]]:
    sender, _, receivers = path.partition(">")
    return Head.parse(sender), ablation.Receiver.parse_group(receivers)


# ------------------------------------------------------------------ the numbers of the drawing


def _arrows(subject: Subject) -> list[Arrow]:
    """The arrows of the drawing with their numbers: from maps that are there, else run now."""
    edges = [_edge(path) for path in st.session_state[pair_state.PATHS]]
    known = _known(subject)
    found, missing = {}, []
    for sender, receivers in edges:
        full = known.get(receivers) or _kept_map(subject, receivers)
        if full is None:
            missing.append((sender, receivers))
        elif sender in full.senders:
            found[sender, receivers] = full.judged(sender)
    if missing:
        maps = {one.receivers: one for one in _measure(subject, missing) or ()}
        found |= {
            (sender, receivers): maps[receivers].judged(sender)
            for sender, receivers in missing
            if receivers in maps and sender in maps[receivers].senders
        }
    return [found[edge] for edge in edges if edge in found]


def _clear(found: SenderMap) -> list[Head]:
    """The senders that are larger than their control, the largest first."""
    return [sent.sender for sent in found.strongest(MOST_LISTED) if sent.is_clear]


def _work(
    subject: Subject,
    groups: Sequence[Sequence[Receiver]],
    senders: Sequence[Head] | None = None,
) -> SenderWork:
    measured = subject.measured
    return ablation.every_sender(
        subject.pairs, groups, measured.layers, measured.heads, senders=senders
    )


def _measure(
    subject: Subject, edges: Sequence[tuple[Head, tuple[Receiver, ...]]]
) -> tuple[SenderMap, ...] | None:
    """The maps of some receivers, from the layers of these senders alone."""
    receivers = sorted({receivers for _, receivers in edges}, key=ablation.group_label)
    layers = sorted({sender.layer for sender, _ in edges})
    senders = [Head(layer, head) for layer in layers for head in range(subject.measured.heads)]
    work = _work(subject, receivers, senders)
    return long_work.run(
        "paths_arrows",
        (subject.about, tuple(receivers), tuple(layers)),
        partial(_plan, subject.asked.model, work),
        doing="Measuring the arrows",
    )


def _plan(model: str, work: SenderWork) -> long_work.Plan:
    steps = [partial(pair_caches.run_part, model, work, part) for part in work.parts]
    return long_work.Plan(steps, work.result)


def _kept_map(subject: Subject, receivers: tuple[Receiver, ...]) -> SenderMap | None:
    kept = long_work.kept("paths_map", (subject.about, receivers))
    return kept[0] if kept else None


# ------------------------------------------------------------------ the strongest by itself


def _stages(subject: Subject) -> tuple[Circuit, int]:
    """The circuit as far as its stages are kept, and how many these are."""
    measured = subject.measured
    circuit = ablation.path_circuit.begin(subject.pairs, measured.layers, measured.heads)
    stage = 0
    while circuit.next() is not None:
        maps = long_work.kept(*_stage(subject, stage))
        if maps is None:
            break
        circuit, stage = circuit.grown(maps), stage + 1
    return circuit, stage


def _known(subject: Subject) -> dict[tuple[Receiver, ...], SenderMap]:
    """The maps of the search for the strongest paths."""
    circuit, _ = _stages(subject)
    return {found.receivers: found for found in circuit.maps}


def _grow(subject: Subject) -> bool:
    """Stage by stage, from the answer backwards; the drawing takes over what was found.

    Returns:
        Whether it is done.
    """
    circuit, stage = _stages(subject)
    while (work := circuit.next()) is not None:
        maps = long_work.run(
            *_stage(subject, stage),
            partial(_plan, subject.asked.model, work),
            doing=f"Looking for the strongest paths, part {stage + 1}",
            heavy="search for paths",
        )
        if maps is None:
            return False
        circuit, stage = circuit.grown(maps), stage + 1
    st.session_state[pair_state.PATHS] = ()
    pair_state.add_paths(f"{arrow.sender.label}>{arrow.into}" for arrow in circuit.arrows)
    st.session_state[pair_state.GROWING] = False
    return True


def _stage(subject: Subject, stage: int) -> tuple[str, tuple]:
    """Part and name of a stage; the first is the map of what goes into the answer."""
    if stage == 0:
        return "paths_map", (subject.about, (ablation.LOGITS,))
    return "paths_grow", (subject.about, stage)


# ------------------------------------------------------------------ the drawing


def _drawing(subject: Subject, arrows: Sequence[Arrow]) -> None:
    pair, roles = subject.measured.pair, subject.roles
    opened = _opened(arrows)
    with st.container(horizontal=True, vertical_alignment="center", key="answer-path_ways"):
        st.button(
            "Draw the strongest for me",
            icon=":material/auto_awesome:",
            key="answer-grow",
            on_click=pair_state.grow,
            help="Looks for the heads that write the answer, then for those that tell all of these "
            "together what to do, and once more.",
        )
        empty = not st.session_state[pair_state.PATHS]
        st.button(
            "Undo", icon=":material/undo:", key="answer-path_undo", disabled=empty,
            on_click=pair_state.take_back,
        )  # fmt: skip
        st.button(
            "Start over", icon=":material/delete:", key="answer-path_start_over", disabled=empty,
            on_click=pair_state.start_over,
        )  # fmt: skip
        if empty and not st.session_state[pair_state.GROWING]:
            st.caption(f"Takes about {rough_duration(_whole_search(subject))} with this model.")
        pair_files.draw_paths(subject.asked, pair, arrows, roles)
    elements.html(LEGEND)
    boxes = path_words.boxes(arrows, roles, pair, opened=opened)
    elements.chart(
        charts.circuit_of_paths(boxes, path_words.paths(arrows)),
        key=session.chart_key(pair_state.DRAWING),
        alt_text=path_words.alt_text(arrows, roles, pair),
        on_select=partial(pair_state.click_box, _names(arrows)),
    )
    if arrows:
        with st.expander("The arrows as a table", key="answer-paths_table"):
            elements.html(table(path_words.HEADERS, path_words.table_rows(arrows, roles)))


def _names(arrows: Sequence[Arrow]) -> dict[Head, str]:
    """{first head of a box: what the choice of boxes calls it}."""
    return {box[0]: path_words.group_name(box) for box in path_words.box_heads(arrows)}


def _opened(arrows: Sequence[Arrow]) -> tuple[Head, ...]:
    """The heads of the box that is looked at; none for the answer."""
    chosen = st.session_state[pair_state.NODE]
    return next((g for g in path_words.choices(arrows) if path_words.group_name(g) == chosen), ())


# ------------------------------------------------------------------ the map of senders


def _senders(subject: Subject, arrows: Sequence[Arrow]) -> None:
    """Which heads send to the box that is looked at, as a map to click."""
    st.subheader("Who tells it?", anchor=False)
    receivers = _receivers(arrows)
    if (found := _known(subject).get(receivers)) is not None:
        _map(subject, found)
        return
    work = _work(subject, [receivers])
    name = (subject.about, receivers)
    if not long_work.offer(
        "paths_map",
        name,
        f"See which heads send into {path_words.receiver_words(receivers)}",
        what="path patching",
        seconds=_seconds(subject, work),
    ):
        return
    maps = long_work.run(
        "paths_map", name, partial(_plan, subject.asked.model, work), doing="Trying every sender"
    )
    if maps is not None:
        _map(subject, maps[0])


def _receivers(arrows: Sequence[Arrow]) -> tuple[Receiver, ...]:
    """The heads whose senders are shown, and what they read with."""
    groups = {path_words.group_name(group): group for group in path_words.choices(arrows)}
    labels = [pair_state.ANSWER_BOX, *groups]
    if st.session_state[pair_state.NODE] not in labels:
        st.session_state[pair_state.NODE] = pair_state.ANSWER_BOX
    with st.container(horizontal=True, vertical_alignment="bottom", key="answer-receiver"):
        node = st.selectbox(
            "Box", labels, key=pair_state.NODE, width=300,
            help="Heads of a layer that do the same are asked together: what tells all of them "
            "hardly shows at one.",
        )  # fmt: skip
        if node == pair_state.ANSWER_BOX:
            return (ablation.LOGITS,)
        read = st.segmented_control(
            "What it reads with" if len(groups[node]) == 1 else "What they read with",
            pair_state.INPUTS,
            format_func=path_words.INPUTS.__getitem__,
            key=pair_state.INPUT,
            required=True,
            persist_state="session",
        )
    return tuple(ablation.Receiver(head, read or "query") for head in groups[node])


def _seconds(subject: Subject, work: SenderWork) -> float:
    """How long a map is likely to take: into the answer, one token of a row is run."""
    paths = sum(len(part.paths) for part in work.parts)
    measured, first = subject.measured, work.groups[0][0].head
    if first is None:
        return paths * measured.seconds / measured.pair.length
    late = 1 - first.layer / measured.layers
    return paths * measured.seconds * (late + 0.5)


def _whole_search(subject: Subject) -> float:
    """How long the strongest paths are likely to take: two levels, three inputs of all heads."""
    heads = subject.measured.layers * subject.measured.heads
    passes = heads * len(pair_state.INPUTS) * len(subject.pairs)
    return subject.measured.seconds * passes * 2 / 3


def _map(subject: Subject, found: SenderMap) -> None:
    clear, into = _clear(found), ablation.group_label(found.receivers)
    here = f">{into}"
    drawn = [
        Head.parse(path.removesuffix(here))
        for path in st.session_state[pair_state.PATHS]
        if path.endswith(here)
    ]
    said = path_words.map_sentence(found, clear, subject.roles)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    new = [head for head in clear[:MOST_PUT_IN] if head not in drawn]
    if new:
        st.button(
            f"Put {', '.join(head.label for head in new)} into the drawing",
            icon=":material/add:",
            key="answer-put_in",
            on_click=pair_state.add_paths,
            args=([f"{head.label}{here}" for head in new],),
        )
    elements.html(MAP_LEGEND)
    if found.senders:
        elements.chart(
            charts.heads.head_map(
                path_words.sender_records(found, clear=clear, drawn=drawn), path_words.SHARE
            ),
            key=session.chart_key(pair_state.SENDERS),
            alt_text=f"Map of all heads as senders. {said}",
            on_select=partial(pair_state.click_sender, into),
        )
    if found.shared_with:
        shared = ", ".join(head.label for head in found.shared_with)
        elements.note(
            escape(f"{shared} read with the same {path_words.INPUTS[found.receivers[0].input]}.")
        )
    with st.expander("The strongest senders as a table", key="answer-senders_table"):
        headers = ["Head", "Effect (logits)", "Share"]
        elements.html(table(headers, path_words.sender_rows(found, subject.roles)))

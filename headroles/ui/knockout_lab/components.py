"""Components: which part of a head does the work?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Literal, NamedTuple

import streamlit as st

from headroles import charts
from headroles.errors import HeadrolesError
from headroles.formatting import decimal, percent, signed
from headroles.types import Head
from headroles.ui.app import (
    address,
    caches,
    elements,
    long_work,
    prompt_form,
    run_prompt,
    scope,
    session,
)
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import choose_heads, component_caches, files, state
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.ablation import OffsetScores, Removed
    from headroles.types import PromptRun
    from headroles.ui.knockout_lab.component_caches import Split

COMPONENTS = "pages/components.py"
"""Where there are components of a whole layer."""
KINDS = {"OV": "OV: what it writes", "QK": "QK: what it looks for"}
"""The two maps of a head."""
TEXTS = 16
"""Reference sentences of the offset profile."""
LINES = 4
"""Components with a line of their own in it."""


class Asked(NamedTuple):
    """The head and the map that are split."""

    model: str
    """The catalogue key."""
    head: Head
    """The head."""
    kind: Literal["OV", "QK"]
    """Which of its two maps."""
    top: int
    """How many components are shown."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "A head is two maps: **QK** decides where it looks, **OV** what it writes. Each splits "
        "into *components*. Is one big part doing the work, or many small ones?"
    )
    asked = _choose()
    if asked is None:
        return
    try:
        split = component_caches.split(asked.model, asked.head, asked.kind)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    shown = asked._replace(top=min(asked.top, len(split.components.S)))
    place, download = st.empty(), st.container()
    with place:
        elements.conclusion(escape(share_sentence(shown, split.components.shares.tolist())))
    st.subheader("Without one of them, on your prompt", anchor=False)
    run, removed = _effects(shown, split)
    if removed:
        with place:
            elements.conclusion(conclusion(shown, split, removed))
    _shares(shown, split)
    scores = None
    if asked.kind == "QK":
        st.subheader("What they add to the scores, by distance", anchor=False)
        scores = _offsets(shown)
    with download:
        files.draw(files.of_components(shown, split, run, removed, scores))
    with st.expander(
        "What these components are, and what they are not", key="knockout_lab-about_components"
    ):
        _about(split)


def _choose() -> Asked | None:
    model = st.session_state[session.MODEL]
    try:
        with st.spinner("Loading the model."):
            layers, heads = knockout_lab_caches.shape(model)
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    if st.session_state.get(state.COMPONENT_MODEL) != model:
        named = state.linked(state.SECTION_NAMES[4], layers=layers, heads=heads)
        st.session_state[state.COMPONENT_MODEL] = model
        try:
            listed = choose_heads.listed(caches.stored(model).entry)
        except HeadrolesError:
            listed = {}
        first = named or listed.get("previous_token", ["L0H0"])
        st.session_state[state.COMPONENT_HEAD] = first[0]
    left, middle, right = st.columns(3, gap="medium")
    with left:
        labels = [head.label for head in Head.every(layers, heads)]
        label = st.selectbox("Head", labels, key=state.COMPONENT_HEAD, persist_state="session")
    with middle:
        kind = st.segmented_control(
            "Map",
            list(KINDS),
            format_func=KINDS.get,
            default="OV",
            key=state.COMPONENT_KIND,
            persist_state="session",
        )
    with right:
        top = st.slider(
            "Components, up to", 2, 32, 8, key=state.COMPONENT_TOP, persist_state="session"
        )
    return Asked(model, Head.parse(label), kind or "OV", top)


# ------------------------------------------------------------------ weight


def _shares(asked: Asked, split: Split) -> None:

    st.subheader("How much of the map each carries", anchor=False)
    values = split.components.shares.tolist()
    sentence = share_sentence(asked, values)
    st.markdown(plain(sentence))
    elements.chart(
        charts.shares([{"component": n + 1, "share": value} for n, value in enumerate(values)]),
        key="knockout_lab-component_shares",
        alt_text=f"Share of the weight of every component of {asked.head.label}'s {asked.kind} "
        f"map. {sentence}",
    )
    with st.expander("The numbers", key="knockout_lab-component_share_numbers"):
        elements.html(f'<div class="hr-one-line">{table(SHARE_COLUMNS, share_rows(split))}</div>')


SHARE_COLUMNS = [
    "Component",
    "Share of weight",
    "Sum so far",
    "Singular value",
    "Spread over heads",
]
"""The head of :func:`share_rows`."""


def share_rows(split: Split) -> list[list[str]]:
    """The table twin of the chart: every component, the largest first."""
    shares = split.components.shares
    return [
        [
            str(number + 1),
            f"{100 * share:.1f}%",
            f"{100 * so_far:.1f}%",
            f"{size:.3f}",
            f"{heads:.1f}",
        ]
        for number, share, so_far, size, heads in zip(
            range(len(shares)),
            shares.tolist(),
            shares.cumsum(0).tolist(),
            split.components.S.tolist(),
            split.spread.effective_heads.tolist(),
            strict=True,
        )
    ]


def share_sentence(asked: Asked, values: Sequence[float]) -> str:
    """How concentrated the map is (plain text)."""
    total, needed = 0.0, 0
    for value in values:
        total, needed = total + value, needed + 1
        if total >= 0.9:
            break
    return (
        f"The largest component carries {percent(values[0])} of the weight of "
        f"{asked.head.label}'s {asked.kind} map; {needed} of {len(values)} carry 90%. If they "
        f"were all alike, each would carry {percent(1 / len(values))}."
    )


# ------------------------------------------------------------------ effects


def _effects(asked: Asked, split: Split) -> tuple[PromptRun | None, list[list[Removed]]]:
    """The prompt's run, and what was removed; nothing of the latter before all is done."""
    prompt_form.folded(key="knockout_lab-components_prompt")
    answer = run_prompt.run()
    if answer is None:
        return None, []
    elements.cut_off(answer.run.encoding)
    if len(answer.run.token_ids) < 2:
        st.info("Type a prompt: without a word there is nothing to guess.")
        return answer.run, []
    ids = answer.run.token_ids
    if not long_work.offer(
        "components",
        (asked, ids),
        "Knock the components out",
        what="test of components",
        seconds=(asked.top + 1) * len(ids) * knockout_lab_caches.row_seconds(asked.model),
    ):
        return answer.run, []
    removed = partial(component_caches.removed, asked.model, ids, asked.head, asked.kind)
    done = long_work.run(
        "components",
        (asked, ids),
        lambda: long_work.Plan([partial(removed, n) for n in (None, *range(asked.top))]),
        doing="Knocking components out",
        show=partial(_show, asked, split),
    )
    return answer.run, done or []


def _show(asked: Asked, split: Split, removed: Sequence[list[Removed]], is_all: bool) -> None:
    whole_head = removed[0][0]
    if not is_all:
        st.markdown(f"**{plain(effect_sentence(asked, removed))}** (so far)")
    body = table(COLUMNS, effect_rows(asked, split, removed))
    elements.html(f'<div class="hr-one-line hr-wide">{body}</div>')
    how = (
        "its output is zero"
        if asked.kind == "OV"
        else "it looks evenly at all tokens, like a head that asks for nothing"
    )
    st.caption(
        "Loss: its change in nats per token over this prompt; above 0 the model guesses worse. KL: "
        "how far the guess of the next token moves, in nats. This is one prompt, so ignore small "
        f"differences. With the whole head off, {how}. Spread: how many of the layer's "
        f"{count(split.spread.shares.shape[1], 'head')} share the direction (e to the entropy); "
        "1 means a single head, this one or another. The model's own first guess had "
        f"{percent(whole_head.comparison.probability_before)}."
    )


COLUMNS = [
    "Removed", "Share of weight", "Spread over heads", "Loss, this head", "KL, this head",
    "Loss, all heads", "KL, all heads",
]  # fmt: skip
"""The head of :func:`effect_rows`."""


def effect_rows(asked: Asked, split: Split, removed: Sequence[list[Removed]]) -> list[list[str]]:
    """The whole head, then every component: weight, spread, and both effects."""

    def numbers(effect: Removed) -> list[str]:
        return [
            signed(effect.comparison.loss_change or 0.0, digits=4),
            decimal(effect.comparison.kl, digits=4),
        ]

    rows = [[f"all of {asked.head.label}", "100%", "–", *numbers(removed[0][0]), "–", "–"]]
    shares, effective = split.components.shares, split.spread.effective_heads
    for number, (_, alone, everywhere) in enumerate(removed[1:]):
        strongest = int(split.spread.shares[number].argmax())
        rows.append(
            [
                f"component {number + 1}",
                percent(float(shares[number])),
                f"{float(effective[number]):.1f}, most in H{strongest}",
                *numbers(alone),
                *numbers(everywhere),
            ]
        )
    return rows


def conclusion(asked: Asked, split: Split, removed: Sequence[list[Removed]]) -> str:
    """Whether one component does the head's work on this prompt, in a sentence or two (HTML)."""
    whole = removed[0][0].comparison.kl
    moved = [effects[1].comparison.kl for effects in removed[1:]]
    head, numbers = asked.head.label, escape(effect_sentence(asked, removed))
    if whole < 0.01 or not moved:
        lead = f"This prompt cannot tell: the model hardly misses {head} here"
    elif max(moved) >= whole / 2:
        lead = f"One component does much of {head}'s work here"
    else:
        lead = f"No single component does {head}'s work here"
    return f"<b>{lead}.</b> {numbers}"


def effect_sentence(asked: Asked, removed: Sequence[list[Removed]]) -> str:
    """The component that matters most beside the whole head (plain text)."""
    whole_head = decimal(removed[0][0].comparison.kl, digits=3)
    head = f"Without all of {asked.head.label} the next guess moves by {whole_head} nats (KL)"
    if len(removed) < 2:
        return f"{head}."
    moved = [effects[1].comparison.kl for effects in removed[1:]]
    best = max(range(len(moved)), key=moved.__getitem__)
    alone = decimal(moved[best], digits=3)
    everywhere = decimal(removed[1 + best][2].comparison.kl, digits=3)
    return (
        f"{head}; without its component {best + 1} alone by {alone}, the most of "
        f"{count(len(moved), 'component')}; without that direction in all heads of layer "
        f"{asked.head.layer}, by {everywhere}."
    )


# ------------------------------------------------------------------ distance


def _offsets(asked: Asked) -> OffsetScores | None:

    lines = min(LINES, asked.top)
    try:
        with st.spinner(f"Running {count(TEXTS, 'sentence')}."):
            scores = component_caches.offsets(asked.model, asked.head, lines, TEXTS)
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    names = offset_names(asked, lines)
    sentence = offset_sentence(asked, scores)
    st.markdown(f"**{plain(sentence)}**")
    elements.chart(
        charts.offsets(offset_records(scores, names), names=names),
        key="knockout_lab-component_offsets",
        alt_text=f"Contribution to the attention score by distance. {sentence}",
    )
    st.caption(
        f"Mean over the pairs of tokens at that distance in {scores.texts} reference sentences; "
        "only differences within a row matter to attention, so each row's mean is subtracted. The "
        "lines of the components and of the rest sum to the head's."
    )
    with st.expander("The numbers", key="knockout_lab-component_offset_numbers"):
        elements.html(f'<div class="hr-one-line">{table(*offset_table(scores, names))}</div>')
    return scores


def offset_names(asked: Asked, lines: int) -> list[str]:
    """The lines' names: the head, its components, the rest."""
    return [f"all of {asked.head.label}", *(f"component {n + 1}" for n in range(lines)), "the rest"]


def offset_records(scores: OffsetScores, names: Sequence[str]) -> list[dict[str, object]]:
    """One record per line and distance; distances that no sentence reaches are left out."""
    values = [scores.total, *scores.parts]
    return [
        {"who": name, "offset": offset, "value": float(line[offset])}
        for name, line in zip(names, values, strict=True)
        for offset, pairs in enumerate(scores.pairs)
        if pairs
    ]


def offset_sentence(asked: Asked, scores: OffsetScores) -> str:
    """Where the scores are highest, and which part puts them there (plain text)."""
    reached = [offset for offset, pairs in enumerate(scores.pairs) if pairs]
    best = max(reached, key=lambda offset: float(scores.total[offset]))
    named = scores.parts[:-1, best].tolist()
    part = max(range(len(named)), key=named.__getitem__)
    where = "the token itself" if best == 0 else f"{count(best, 'token')} back"
    return (
        f"{asked.head.label}'s scores are highest for {where}: {signed(float(scores.total[best]))} "
        f"above the row's mean; component {part + 1} adds {signed(named[part])} of it."
    )


def offset_table(scores: OffsetScores, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The table twin of the chart."""
    rows = [
        [str(offset), f"{pairs:,}", signed(float(scores.total[offset]), digits=4),
         *(signed(float(part), digits=4) for part in scores.parts[:, offset])]
        for offset, pairs in enumerate(scores.pairs)
        if pairs
    ]  # fmt: skip
    return ["Tokens back", "Pairs", *names], rows


# ------------------------------------------------------------------ what they are


def _about(split: Split) -> None:
    st.markdown(
        "These are **SVD components**: the singular vectors of the head's map, ranked by size and "
        "at right angles to each other. Nothing was trained to make one component mean one thing, "
        "and large is not the same as important. The page *Components* takes a layer’s whole "
        "matrices apart, all heads together, and has components that were trained to be few."
    )
    scope.button(
        COMPONENTS, "Components", icon=":material/workspaces:", key="knockout_lab-to_components",
        on_click=address.follow, args=(COMPONENTS,),
    )  # fmt: skip
    if split.remarks:
        st.markdown(f"For this model: {' '.join(split.remarks)}")
    st.markdown(
        "**OV:** the head's output loses its part along the direction that the component writes. "
        "**QK:** the head's query no longer reads the component's direction. **All heads:** every "
        "head of the layer loses the same direction."
    )

"""Working backward from an answer: only some heads kept, fewer and fewer, and who backs up whom."""

from __future__ import annotations

from functools import partial
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts, limits, view
from headroles.errors import HeadrolesError
from headroles.formatting import decimal, percent, quoted, signed
from headroles.types import Head
from headroles.ui.app import elements, long_work, prompt_form, run_prompt, session
from headroles.ui.knockout_lab import (
    backward_files,
    caches,
    choose_heads,
    files,
    random_heads,
    state,
)
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation import Comparison, Condition, Judgement, PromptTable
    from headroles.ui.app.caches import Answer, Reference

SECTION = state.SECTION_NAMES[5]
OTHER_PARTS = {state.CURVE: "one_after_another", state.BACKUP: "backup"}
"""{part: its module}; the first part stands here."""
AT_ONCE = 5
"""Random draws, or layers, per step."""
AXIS = "log-probability gained over no head kept (nats)"


class Watched(NamedTuple):
    """The prompt and the token that every part of the section is about."""

    model: str
    """The catalogue key."""
    untouched: PromptTable
    """The untouched run."""
    expected: str
    """What was typed as the next token; empty for the model's own guess."""
    shape: tuple[int, int]
    """Layers and heads per layer."""

    @property
    def total(self) -> int:
        """Heads of the model."""
        return self.shape[0] * self.shape[1]

    @property
    def labels(self) -> list[str]:
        """Labels of all heads."""
        layers, heads = self.shape
        return [head.label for head in Head.every(layers, heads)]

    @property
    def name(self) -> tuple[object, ...]:
        """What tells work on it from other work."""
        return self.model, self.untouched.encoding.token_ids, self.untouched.answer.token_id

    def seconds(self, rows: int) -> float:
        """How long some rows are likely to take."""
        tokens = len(self.untouched.encoding.tokens)
        return rows * tokens / 10 * caches.row_seconds(self.model)


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "Start from the answer and take heads away. Which few are enough for it, where does it "
        "fall, and who stands in for whom?"
    )
    prompt_form.folded(key="knockout_lab-prompt")
    answer = run_prompt.run()
    if answer is None:
        return
    elements.cut_off(answer.run.encoding)
    reference = run_prompt.reference_or_provisional(answer)
    _begin(answer, reference)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        part = st.segmented_control(
            "What is asked", state.BACKWARD_PARTS, key=state.BACKWARD_PART, required=True,
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
        with st.popover("Options", icon=":material/tune:", key="knockout_lab-backward_options"):
            st.text_input(
                "What should come next?",
                key=state.BACKWARD_ANSWER,
                placeholder="empty: the model's own first guess",
                max_chars=limits.ANSWER.most,
                persist_state="session",
            )
    watched = _watched(answer)
    if watched is None:
        return
    if part in OTHER_PARTS:
        module = import_module(f"headroles.ui.knockout_lab.{OTHER_PARTS[part]}")
        module.draw(watched, answer, reference)
    else:
        _keep(watched, answer, reference)


def _begin(answer: Answer, reference: Reference) -> None:
    """First values; another model begins anew, because it has other heads."""
    st.session_state.setdefault(state.BACKWARD_PART, state.KEEP)
    model, (layers, heads) = st.session_state[session.MODEL], answer.scores.resting.shape
    if st.session_state.get(state.BACKWARD_MODEL) == model:
        return
    backup = st.session_state[state.BACKWARD_PART] == state.BACKUP
    named = state.linked(SECTION, layers=layers, heads=heads)
    # Where a head of B is missing, the page is drawn anew: the heads of A wait for that.
    state.link_to(SECTION, tuple(map(Head.parse, named)))
    partners = state.linked(SECTION, layers=layers, heads=heads, of=state.LINKED_B)
    state.link_to(SECTION, ())
    st.session_state[state.BACKWARD_MODEL] = model
    st.session_state[state.BACKWARD_LAYERS] = []
    for box in (state.BACKWARD_HEADS, state.BACKUP_A, state.BACKUP_B):
        st.session_state[state.PREVIOUS[box]] = None
    listed = choose_heads.listed(reference.entry)
    every = listed.get("induction", []) + listed.get("previous_token", [])
    first = choose_heads.first_heads(reference.entry, choose_heads.at_work(answer, reference))
    st.session_state[state.BACKWARD_HEADS] = (not backup and named) or every or first
    a = named if backup and named else first[:1]
    others = [label for label in first if label not in a] or [
        head.label for head in Head.every(layers, heads) if head.label not in a
    ]  # fmt: skip
    st.session_state[state.BACKUP_A], st.session_state[state.BACKUP_B] = a, partners or others[:1]


def _watched(answer: Answer) -> Watched | None:
    """The untouched run with the watched token, in a sentence; None where it cannot be had."""
    model = st.session_state[session.MODEL]
    typed = st.session_state[state.BACKWARD_ANSWER] or ""
    expected = typed if typed.strip() else ""
    try:
        with st.spinner("Running the prompt."):
            untouched = caches.watch(
                model, answer.run.prompt, expected, chat=answer.run.encoding.is_chat
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    named = "the token you named" if untouched.answer.named else "the model's own first guess"
    st.caption(
        f"Watched: {plain(quoted(untouched.answer.text))}, {named}. A head that is taken away "
        "outputs only its average."
    )
    if untouched.answer.part_of:
        whole, first = quoted(untouched.answer.part_of), quoted(untouched.answer.text)
        st.caption(plain(f"{whole} is more than one token; its first one, {first}, is watched."))
    return Watched(model, untouched, expected, answer.scores.resting.shape)


def choose(label: str, watched: Watched, *, key: str, reference: Reference) -> tuple[Head, ...]:
    """A box for heads, and a button for each role that puts all its heads there."""
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", key=f"{key}_with_roles"
    ):
        labels = st.multiselect(
            label, watched.labels, key=key, persist_state="session", wrap=True,
            placeholder="Type or choose, for example L1H4",
        )  # fmt: skip
        choose_heads.role_buttons(reference.entry, heads=key, name=f"{key}_")
    return tuple(sorted(map(Head.parse, labels)))


# ------------------------------------------------------------------ keep only these


class Kept(NamedTuple):
    """The kept heads, where the others go, and what that does."""

    watched: Watched
    """The prompt."""
    heads: tuple[Head, ...]
    """The kept heads."""
    layers: tuple[int, ...] | None
    """The layers in which others go; None for all."""
    table: PromptTable
    """The prompt with only these kept, then with none kept."""


def _keep(watched: Watched, answer: Answer, reference: Reference) -> None:
    heads = choose("Heads to keep", watched, key=state.BACKWARD_HEADS, reference=reference)
    layers = _layers(watched, heads)
    if layers == ():
        st.info("Choose at least one layer or one head to keep, or let heads go in all layers.")
        return
    conditions = [
        ablation.keep_only(some, shape=watched.shape, layers=layers) for some in (heads, ())
    ]
    kept = Kept(watched, heads, layers, _run(watched, conditions))
    place = st.empty()
    said = view.working_backward.kept(kept.table, heads, watched.total)
    with place:
        elements.conclusion(escape(said))
    elements.html(table(*_standings(kept)))
    download = st.container()
    if heads:
        elements.chips(heads)
    st.caption(caches.mean_note(watched.model))
    judgement, draws = _beside_random(kept, reference, said, place)
    with download:
        files.draw(backward_files.of_kept(answer, reference, kept, judgement, draws, AXIS))


def _layers(watched: Watched, heads: Sequence[Head]) -> tuple[int, ...] | None:
    """Where the other heads go: None for all layers, nothing while none is chosen."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        where = st.selectbox(
            "All other heads go to their mean in", state.CUTS, key=state.BACKWARD_CUT,
            persist_state="session",
            help="In the layers of the kept heads, the layers between them stay whole: an easier "
            "test, because other layers may still do the work.",
        )  # fmt: skip
        if where == state.CUT_SOME:
            chosen = st.multiselect(
                "Layers", range(watched.shape[0]), key=state.BACKWARD_LAYERS,
                persist_state="session", wrap=True,
            )  # fmt: skip
            return tuple(sorted(chosen))
    if where == state.CUT_OWN:
        return tuple(sorted({head.layer for head in heads}))
    return None


def _run(watched: Watched, conditions: Sequence[Condition]) -> PromptTable:
    with st.spinner("Running the prompt with only these."):
        return caches.knock_out(
            watched.model,
            watched.untouched.prompt,
            watched.expected,
            key=repr(conditions),
            chat=watched.untouched.encoding.is_chat,
            _conditions=conditions,
        )


def _standings(kept: Kept) -> tuple[list[str], list[tuple[str, ...]]]:
    """All kept, these kept, none kept."""
    own, none = kept.table.rows
    before = own.comparison
    vocabulary = f"{kept.table.vocabulary:,}"
    says, sure = kept.table.says, kept.table.says_probability
    rows = [
        (
            f"all {kept.watched.total:,}", f"{before.rank_before:,} of {vocabulary}",
            percent(before.probability_before), "", f"{quoted(says)} ({percent(sure)})",
        )
    ]  # fmt: skip
    for name, row in ((f"only these {len(kept.heads):,}", own), ("none", none)):
        after = row.comparison
        rows.append(
            (
                name, f"{after.rank:,} of {vocabulary}", percent(after.probability),
                signed(after.loss_change or 0.0), f"{quoted(row.says)} "
                f"({percent(row.says_probability)})",
            )
        )  # fmt: skip
    headers = ["Heads kept", "Rank of the answer", "Its probability",
               "Loss on the prompt, change (nats per token)", "The model says"]  # fmt: skip
    return headers, rows


def _beside_random(
    kept: Kept, reference: Reference, said: str, place: object
) -> tuple[Judgement | None, list[tuple[str, Comparison]]]:
    """As many random heads kept instead, and the other heads of one layer after another."""
    shape, layers = kept.watched.shape, kept.layers
    listed = [
        Head.parse(label) for of in choose_heads.listed(reference.entry).values() for label in of
    ]
    control = ablation.random_kept(kept.heads, shape=shape, layers=layers, listed=listed)
    single = ablation.working_backward.layer_by_layer(kept.heads, shape=shape, layers=layers)
    st.subheader("Would any heads do?", anchor=False)
    st.caption(control.note)
    conditions = [*control.conditions, *(condition for _, condition in single)]
    name = (*kept.watched.name, kept.heads, layers)
    rows = len(conditions) + -(-len(conditions) // AT_ONCE)
    if not long_work.offer(
        "kept", name, "Compare with random heads", what="comparison with random heads",
        seconds=kept.watched.seconds(rows),
    ):  # fmt: skip
        return None, []
    parts = [conditions[n : n + AT_ONCE] for n in range(0, len(conditions), AT_ONCE)]
    found = long_work.run(
        "kept", name,
        lambda: long_work.Plan([partial(_compare, kept, part) for part in parts], _flat),
        doing="Keeping others",
    )  # fmt: skip
    if found is None:
        return None, []
    draws, layers_alone = found[: len(control.conditions)], found[len(control.conditions) :]
    judgement = _judged(kept, draws)
    first = sum(comparison.rank == 1 for _, comparison in draws)
    beside = view.working_backward.kept_beside(judgement, first)
    with place:
        elements.conclusion(escape(f"{said} {beside}"))
    if draws:
        elements.chart(
            charts.control_strip(judgement, _gains(kept, draws), name="yours", axis=AXIS),
            key="knockout_lab-kept_strip",
            alt_text=f"{AXIS}: yours beside random heads. {beside}",
        )
    _tables(
        kept, draws, [(layer, c) for (layer, _), (_, c) in zip(single, layers_alone, strict=True)]
    )
    return judgement, draws


def _flat(parts: list[list]) -> list:
    return [one for part in parts for one in part]


def _compare(kept: Kept, part: Sequence[Condition]) -> list[tuple[str, Comparison]]:
    untouched = kept.watched.untouched
    with caches.model(kept.watched.model) as loaded:
        clean, *others = ablation.ablate(loaded, untouched.encoding, part, losses=False)
    answer = untouched.answer.token_id
    return [
        (other.condition.name, ablation.compare(clean, other, answer=answer)) for other in others
    ]


def _gains(kept: Kept, draws: Sequence[tuple[str, Comparison]]) -> list[tuple[str, float]]:
    """(what was kept, nats that the answer gains over no head kept)."""
    none = kept.table.rows[-1].comparison.surprise
    return [(name, none - comparison.surprise) for name, comparison in draws]


def _judged(kept: Kept, draws: Sequence[tuple[str, Comparison]]) -> Judgement:
    own, none = (row.comparison.surprise for row in kept.table.rows)
    return ablation.judge(none - own, [gain for _, gain in _gains(kept, draws)])


def _tables(
    kept: Kept,
    draws: Sequence[tuple[str, Comparison]],
    layers: Sequence[tuple[int, Comparison]],
) -> None:
    """The draws, and what the other heads of each layer alone cost."""
    with st.expander("The draws as a table, and the rule"):
        st.caption(random_heads.RULE)
        rows = [
            (name, f"{c.rank:,}", percent(c.probability), signed(gain))
            for (name, c), (_, gain) in zip(draws, _gains(kept, draws), strict=True)
        ]
        elements.html(table(["Kept instead", "Rank", "Probability", "Gained (nats)"], rows))
    with st.expander("Layer by layer: only one layer's other heads go"):
        st.caption(
            "The kept heads and all other layers stay as they are. A sum far from what all layers "
            "at once cost shows that layers stand in for each other, or work through each other."
        )
        rows = [
            (f"layer {layer}", f"{c.rank:,}", percent(c.probability), signed(c.surprise))
            for layer, c in layers
        ]
        total = sum(c.surprise for _, c in layers)
        rows.append(("sum", "", "", decimal(total)))
        headers = ["Others go in", "Rank", "Probability", "Answer loses (nats)"]
        elements.html(table(headers, rows))

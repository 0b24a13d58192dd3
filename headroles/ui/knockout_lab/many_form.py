"""What a table of many prompts is made of: heads, the position t, prompts, random others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, limits, texts
from headroles.errors import HeadrolesError
from headroles.formatting import in_one_line, rough_duration, visible
from headroles.texts import READY, ReadyPrompt
from headroles.types import ComponentSet, Head
from headroles.ui.app import caches, draft_box, elements, long_work
from headroles.ui.app.part import part
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import choose_components, choose_heads, state
from headroles.view.html import count, named, plain

if TYPE_CHECKING:
    from headroles.ablation import Settings
    from headroles.store import ModelEntry

FIRST = 4
"""Prompts in the table when the section opens."""
RUN = "knockout_lab-many_run"
"""The key of the button that makes the table."""
CONDITIONS = 15
"""Conditions around the heads of a prompt, about."""
TOKEN = 4
"""Characters of a token, about."""


class Asked(NamedTuple):
    """The choices behind a table."""

    model: str
    """The catalogue key."""
    settings: Settings
    """What is done to every prompt."""
    prompts: tuple[ReadyPrompt, ...]
    """The prompts."""


def draw(model: str, ranks: Sequence[int]) -> Asked | None:
    """The boxes; the table is made of what they hold when the button is pressed.

    Args:
        model: the catalogue key.
        ranks: [ready prompt] the rank of its answer in the untouched model.
    """
    order = sorted(range(len(READY)), key=lambda place: (ranks[place] > 1, place))
    right = [place for place in order if ranks[place] == 1]
    _begin(model, right or order)
    if st.session_state[state.MANY_ASKED] is None and _is_light(model, right):
        _ask(model, right)
    with st.container(key="knockout_lab-many_asking"):
        _choices(model, ranks, order, right)
        draft_box.run_button("Make the table", key=RUN, on_click=_ask, args=(model, right))
    asked = st.session_state[state.MANY_ASKED]
    if isinstance(asked, HeadrolesError):
        elements.show_error(asked)
        return None
    chosen = asked and (asked.settings.heads or asked.settings.sets)
    if asked is not None and not (chosen and asked.prompts):
        st.info("Choose at least one head or component, and one prompt.")
        return None
    return asked


def _is_light(model: str, right: Sequence[int]) -> bool:
    chosen = _chosen(model, right)
    return isinstance(chosen, HeadrolesError) or seconds(chosen) <= long_work.LIGHT


def seconds(asked: Asked) -> float:
    """How long a table is likely to take: rows of batches, by the length of their prompts."""
    tokens = sum(1 + len(ready.prompt) / TOKEN for ready in asked.prompts)
    rows = 1 + conditions(asked) * (1 + asked.settings.draws)
    return rows * tokens / 10 * knockout_lab_caches.row_seconds(asked.model)


def conditions(asked: Asked) -> int:
    """How many conditions every prompt has, about."""
    settings = asked.settings
    return CONDITIONS * bool(settings.heads) + len(settings.sets) + bool(settings.sets)


@part
def _choices(model: str, ranks: Sequence[int], order: Sequence[int], right: Sequence[int]) -> None:
    """The boxes; what they hold stays until it is run, on other pages too."""
    now, shown = _chosen(model, right), st.session_state[state.MANY_ASKED]
    with st.container(border=True, key="knockout_lab-many_draft"):
        draft_box.changed(
            "What the table is made of",
            is_changed=shown is not None and str(now) != str(shown),
            run=RUN,
            below="What is shown is from the last run.",
        )
        _heads(model)
        _components(model)
        _prompts(ranks, order, right)
        _position_and_others()
        if isinstance(now, Asked) and (long := seconds(now)) > long_work.LIGHT:
            st.caption(f"Takes about {rough_duration(long)} with this model.")


def _heads(model: str) -> None:
    layers, heads = knockout_lab_caches.shape(model)
    st.multiselect(
        "Heads",
        [head.label for head in Head.every(layers, heads)],
        key=state.MANY_HEADS,
        persist_state="session",
    )
    with st.container(horizontal=True, gap="small"):
        choose_heads.role_buttons(_entry(model), heads=state.MANY_HEADS, name="knockout_lab-many_")


def _components(model: str) -> None:
    """Sets of components, beside the heads."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_area(
            "Components, one set per line",
            key=state.MANY_SETS,
            placeholder="L0Q17, L0K3\nL1V5 @ H2",
            help=f"{choose_components.HELP} What stands on one line, or before a semicolon, is "
            "removed together.",
            height=80,
            max_chars=limits.COMPONENT_SETS.most,
            persist_state="session",
            width="stretch",
        )
        choose_components.kind_box(model, state.MANY_KIND)


def _prompts(ranks: Sequence[int], order: Sequence[int], right: Sequence[int]) -> None:
    st.multiselect(
        f"Ready prompts (✓ marks the {len(right)} of {len(READY)} that the model gets right)",
        order,
        format_func=lambda place: _label(READY[place], ranks[place]),
        key=state.MANY_PROMPTS,
        persist_state="session",
    )
    st.checkbox(
        f"All {len(right)} that the model gets right",
        key=state.MANY_ALL,
        disabled=not right,
        persist_state="session",
    )
    st.text_area(
        "Own prompts, one per line",
        key=state.MANY_OWN,
        placeholder="The dog ran home. The dog ran => home",
        help="After => the token that should come next; without it, the model's own guess is "
        "watched.",
        height=80,
        max_chars=limits.PROMPTS_TEXT.most,
        persist_state="session",
    )
    with st.expander("Or a file", type="compact", key="knockout_lab-many_file_box"):
        _file()


def _file() -> None:
    """A file of prompts; what was read stays when the box that took it is gone."""
    st.file_uploader(
        "Prompts with their answers",
        type=list(texts.prompt_files.ENDINGS),
        key=state.MANY_FILE,
        on_change=_take_file,
        help="Text: prompt => answer on every line. CSV: a first row with the names prompt and "
        'answer. JSON lines: {"prompt": "…", "answer": "…"} on every line.',
    )
    filed = st.session_state[state.MANY_FILED]
    if filed is None:
        return
    name, read = filed
    if isinstance(read, HeadrolesError):
        elements.show_error(read)
        return
    taken = f"{count(len(read.prompts), 'prompt')} of {named(name, limit=limits.NAME.most)}."
    if not read.unread:
        st.caption(taken)
    else:
        rows = count(len(read.unread), "row")
        st.warning(f"{taken} {rows} could not be read. {plain(read.note)}")
    if st.session_state.get(state.MANY_FILE) is None:
        st.button("Remove these prompts", key="knockout_lab-many_unfile", on_click=_take_file)


def _take_file() -> None:
    """Read the file that is in the box; without one, forget what was read before."""
    file = st.session_state.get(state.MANY_FILE)
    st.session_state[state.MANY_FILED] = None
    if file is None:
        return
    try:
        limits.UPLOAD.check(file.size)
        text = texts.as_text(file.getvalue(), name=file.name)
        read = texts.read_prompts(text, name=file.name)
    except HeadrolesError as error:
        read = error
    st.session_state[state.MANY_FILED] = (file.name, read)


def _position_and_others() -> None:
    """Where t is, how many random others are drawn, and what fixes both."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        t = st.selectbox(
            "Position *t*",
            state.TS,
            key=state.MANY_T,
            persist_state="session",
            width=190,
            help="The next token is guessed after *t*, and some conditions act only there. Where "
            "*t* is not the last token, the token that really comes next is watched: a token after "
            "=> is for the end of its prompt. A random *t* is the same whenever the seed is.",
        )
        if t == state.T_BACK:
            st.number_input(
                "How far before the last", *limits.FROM_END, key=state.MANY_BACK,
                persist_state="session", width=190,
            )  # fmt: skip
        st.number_input(
            "Random others", *limits.TABLE_DRAWS, key=state.MANY_DRAWS, persist_state="session",
            width=150,
            help="So many times, the same is done to as many random other heads of the same "
            "layers, or to value vectors at other positions. 0 leaves the comparison out.",
        )  # fmt: skip
        st.number_input(
            "Seed", *limits.SEED, key=state.MANY_SEED, persist_state="session", width=130
        )
        st.number_input(
            "Tokens in the lists", *limits.LISTED_TOKENS, key=state.MANY_TOP,
            persist_state="session", width=150,
        )  # fmt: skip


def _ask(model: str, right: Sequence[int]) -> None:
    """Take over the choices in the boxes, or keep what is wrong with them."""
    st.session_state[state.MANY_ASKED] = _chosen(model, right)


def _chosen(model: str, right: Sequence[int]) -> Asked | HeadrolesError:
    """The choices in the boxes, or what is wrong with them."""
    now = st.session_state
    _, filed = now[state.MANY_FILED] or ("", texts.prompt_files.Prompts())
    if isinstance(filed, HeadrolesError):
        return filed
    try:
        own = (*own_prompts(now[state.MANY_OWN] or ""), *filed.prompts)
        limits.OWN_PROMPTS.check(len(own))
        kind, sets = _sets(model)
    except HeadrolesError as error:
        return error
    every = right if now[state.MANY_ALL] else []
    chosen = dict.fromkeys([*now[state.MANY_PROMPTS], *every])
    settings = ablation.Settings(
        tuple(sorted(map(Head.parse, now[state.MANY_HEADS]))),
        state.position(),
        now[state.MANY_DRAWS],
        now[state.MANY_SEED],
        now[state.MANY_TOP],
        sets=sets,
        kind=kind,
    )
    return Asked(model, settings, (*(READY[place] for place in chosen), *own))


def _sets(model: str) -> tuple[str, tuple[ComponentSet, ...]]:
    """The kind and the sets of components that are in the boxes.

    Raises:
        HeadrolesError: if one is not written so, or not there.
    """
    sets = ComponentSet.parse_all(st.session_state[state.MANY_SETS] or "")
    kind = choose_components.kind_in(model, state.MANY_KIND)
    if sets:
        limits.SETS.check(len(sets))
        knockout_lab_caches.check_sets(model, kind, sets)
    return kind, sets


def _begin(model: str, order: Sequence[int]) -> None:
    """First values; another model begins anew, because it has other heads."""
    for key, first in (
        (state.MANY_ALL, False),
        (state.MANY_OWN, ""),
        (state.MANY_SETS, ""),
        (state.MANY_TOP, 5),
        (state.MANY_T, state.T_LAST),
        (state.MANY_BACK, 1),
        (state.MANY_DRAWS, state.DRAWS),
        (state.MANY_SEED, 0),
        (state.MANY_FILED, None),
        (state.MANY_ASKED, None),
    ):
        st.session_state.setdefault(key, first)
    if st.session_state.get(state.MANY_MODEL) == model:
        return
    st.session_state[state.MANY_KIND] = choose_components.kind_in(model, state.MANY_KIND)
    if st.session_state.get(state.MANY_MODEL) is not None:
        st.session_state[state.MANY_SETS] = ""
    layers, heads = knockout_lab_caches.shape(model)
    linked = state.linked(state.SECTION_NAMES[1], layers=layers, heads=heads)
    st.session_state[state.MANY_MODEL] = model
    st.session_state[state.MANY_HEADS] = linked or choose_heads.first_heads(_entry(model))
    st.session_state[state.MANY_PREVIOUS_HEADS] = None
    ready = st.session_state.pop(state.MANY_READY, None)
    first = st.session_state[state.MANY_FIRST] = _first_prompts(order)
    st.session_state[state.MANY_PROMPTS] = list(first if ready is None else ready)
    st.session_state[state.MANY_ASKED] = None


def _first_prompts(order: Sequence[int]) -> list[int]:
    """One prompt of each of the last kinds."""
    kinds: dict[str, int] = {}
    for place in order:
        kinds.setdefault(READY[place].kind, place)
    return list(kinds.values())[-FIRST:]


def _entry(model: str) -> ModelEntry | None:
    try:
        return caches.stored(model).entry
    except HeadrolesError:
        return None


def _label(ready: ReadyPrompt, rank: int) -> str:
    mark = "✓" if rank == 1 else "✗"
    prompt = in_one_line(ready.prompt, limit=58)
    return f"{mark} {ready.kind}: {prompt} → {visible(ready.answer)}"


def own_prompts(text: str) -> tuple[ReadyPrompt, ...]:
    """Prompts that were typed, one per line, with their answers.

    >>> own_prompts("one two => three\\n\\nThe cat")
    (ReadyPrompt(kind='Own', prompt='one two', answer='three'), \
ReadyPrompt(kind='Own', prompt='The cat', answer=''))

    Raises:
        LimitError: if there are too many, or if a prompt or an answer is too long.
        TextFileError: if a line has an answer and no prompt.
    """
    return texts.prompt_files.from_lines(text)

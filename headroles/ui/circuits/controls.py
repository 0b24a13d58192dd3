"""Which head, and what is done to its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import circuits, models
from headroles.errors import HeadrolesError
from headroles.limits import ROWS
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import address, caches, copy_link, session
from headroles.ui.circuits import own_words, state
from headroles.view import glossary, html

if TYPE_CHECKING:
    from headroles.circuits import CircuitSettings
    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies

NORM_WORDS = {
    "applied": "applied, as the model does it",
    "folded": "gain and centring only",
    "none": "left out",
}
EMBEDDING_WORDS = {"first_block": "after the first block", "bare": "bare"}


def head(loaded: LoadedModel) -> Head:
    """Draw the box of the head; the head in it."""
    address.check(*loaded.shape)  # a link may have named the head
    heads = [head.label for head in Head.every(*loaded.shape)]
    roles = role_words()
    if st.session_state.get(state.HEAD) not in heads:
        wanted = st.session_state[session.HEAD]
        listed = wanted.label if wanted else next(iter(roles), heads[0])
        st.session_state[state.HEAD] = listed if listed in heads else heads[0]
    with st.container(horizontal=True, vertical_alignment="bottom", key="circuits-choose"):
        label = st.selectbox(
            "Head",
            heads,
            format_func=lambda name: f"{name} · {roles[name]}" if name in roles else name,
            key=state.HEAD,
            persist_state="session",
            width=320,
        )
        copy_link.draw()
    return Head.parse(label)


def settings(head: Head, frequencies: TokenFrequencies) -> CircuitSettings:
    """Draw what is done to the weights before they are read, folded away; the settings."""
    with st.expander("Settings", icon=":material/tune:", key="circuits-settings"):
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        with left:
            embedding = _embedding(head)
        norm = middle.selectbox(
            "Layer norm",
            list(NORM_WORDS),
            format_func=NORM_WORDS.get,
            key=state.NORM,
            persist_state="session",
            help=f"{glossary.sentence('layer_norm')} It centres them, divides them by their size "
            "and multiplies each by a gain. Of the final norm, before the logits, only gain and "
            "centring can be known: its division depends on the whole prompt.",
        )
        right.number_input("Rows of the table", *ROWS, key=state.KEYS, persist_state="session")
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        left.number_input("Queries of a key", *ROWS, key=state.QUERIES, persist_state="session")
        middle.number_input(
            "Outputs of a key", *ROWS, key=state.OUTPUTS, persist_state="session",
            help="So many that it promotes, and so many that it suppresses.",
        )  # fmt: skip
        with right:
            own_words.draw()
        with st.container(horizontal=True, vertical_alignment="center"):
            chosen = circuits.CircuitSettings(
                norm=norm, embedding=embedding, **_switches(frequencies)
            )
            st.button(
                "Reset", icon=":material/restart_alt:", on_click=state.reset, key="circuits-reset"
            )
    return chosen


def _switches(frequencies: TokenFrequencies) -> dict[str, bool]:
    """Draw the switches; their settings by name."""
    switches = {
        "biases": _toggle(
            "Biases", state.BIASES, f"{glossary.sentence('bias')} Off: queries, keys and values "
            "are read without theirs."
        ),
        "minus_bos": _toggle(
            "QK minus start token",
            state.MINUS_BOS,
            "Takes off each query's score for the start token, where heads rest. 0 then means: "
            "wanted no more than resting.",
        ),
        "minus_mean": _toggle(
            "OV minus mean",
            state.MINUS_MEAN,
            "Takes off what a token adds to all outputs alike, which changes no probability.",
        ),
    }  # fmt: skip
    if frequencies.words is not None:
        _toggle(
            "Fragments",
            state.FRAGMENTS,
            "On: the table has every token, parts of words and code too, not only common whole "
            "words.",
        )
    return switches


def _embedding(head: Head) -> str:
    """What the head is taken to find of a token; the first layer leaves no choice."""
    if not head.layer:
        st.selectbox("Embedding", ["bare (first layer)"], disabled=True)
        return st.session_state[state.EMBEDDING]
    return st.selectbox(
        "Embedding",
        list(EMBEDDING_WORDS),
        format_func=EMBEDDING_WORDS.get,
        key=state.EMBEDDING,
        persist_state="session",
        help=f"{glossary.sentence('effective_embedding')} Each token is run through that block "
        "alone. Heads of the first layer find the bare embedding.",
    )


def _toggle(label: str, key: str, tip: str) -> bool:
    return st.toggle(label, key=key, help=tip, persist_state="session")


def role_words() -> dict[str, str]:
    """{head label: its roles in words} of the stored analysis; empty without one."""
    words: dict[str, list[str]] = {}
    for role, heads in _listed().items():
        for head in heads:
            words.setdefault(head.label, []).append(ROLES[role].name)
    return {label: ", ".join(names) for label, names in words.items()}


def role_keys(head: Head) -> list[str]:
    """The roles under which the stored analysis lists a head; none without one."""
    return [role for role, heads in _listed().items() if head in heads]


def _listed() -> dict[str, list[Head]]:
    try:
        entry = caches.stored(st.session_state[session.MODEL]).entry
    except HeadrolesError:
        return {}
    return {role.key: list(entry.listed(role.key)) for role in SCORED_ROLES}


def _before(layer: int, settings: CircuitSettings) -> str:
    """What else stands in the stream that a head of the layer reads."""
    if settings.embedding_at(layer) == "bare":
        return "earlier layers have written"
    if layer == 1:
        return "the first block has fetched from other tokens"
    return f"layers 1 to {layer - 1} have written" if layer > 2 else "layer 1 has written"


def left_out(loaded: LoadedModel, head: Head, settings: CircuitSettings) -> None:
    """What the tables leave out for this head, in plain sentences."""

    traits = circuits.layout(loaded)
    lines = []
    if head.layer:
        lines.append(
            f"**Earlier layers.** {head.label} is in layer {head.layer}: on a prompt it also reads "
            f"what {_before(head.layer, settings)}. The tables leave that out, so take them as a "
            "hint."
        )
    else:
        lines.append("**First layer:** nothing comes between the tokens and this head.")
    where = {
        "rotary": "this model turns queries and keys by their place (rotary positions). The table "
        "is about two tokens at the same place.",
        "learned": "this model adds a learned vector for each place before the norm. The table "
        "leaves it out.",
        "bias": "this model lowers a score with distance (ALiBi). The table leaves that out.",
        "none": "this model has no positions of its own.",
    }
    lines.append(f"**Position:** {where[traits.positions]}")
    if traits.qk_normed and settings.norm != "none":
        lines.append("**Queries and keys** are normed once more in this model; that is applied.")
    if traits.score_cap:
        lines.append(
            f"**Scores** are squashed to ±{traits.score_cap:g} afterwards; not in the table."
        )
    if traits.output_normed or traits.order == "post-norm":
        lines.append(
            "**After the head**, this model norms once more before it adds the result. That "
            "division depends on the prompt, and OV leaves it out."
        )
    if lost := models.left_out(loaded.model.config):
        said = html.plain(html.bias_sentence(models.name_of(loaded.key), lost))
        lines.append(
            f"**Published bias:** {said}"
            if loaded.key in models.known_models()
            else f"**Published bias:** b_U, up to {lost:.2f} logits, is left out of the guesses."
        )
    lines += [
        "**Units:** one more in QK makes the attention e ≈ 2.7 times larger (scores are scaled by "
        "1/√d_head where the model does so). OV is in logits before the final norm's division, so "
        "compare it within a table only.",
        "**The output bias** b_O belongs to all heads of a layer, and so to none of them.",
    ]
    with st.expander("What these tables leave out", icon=":material/info:"):
        st.markdown("\n".join(f"- {line}" for line in lines))

"""Which head, and what is done to its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import circuits, models
from headroles.errors import HeadrolesError
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import address, caches, copy_link, session
from headroles.ui.circuits import state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.circuits import CircuitSettings
    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies

NORM_WORDS = {
    "applied": "applied: each embedding is normed as the model does it",
    "folded": "folded in: gain and centring only, no division by size",
    "none": "left out: W_E W_Q W_Kᵀ W_Eᵀ",
}
EMBEDDING_WORDS = {"first_block": "after the first block", "bare": "bare"}


def draw(loaded: LoadedModel, frequencies: TokenFrequencies) -> tuple[Head, CircuitSettings]:
    """Draw the boxes; returns the head and the settings."""
    address.check(loaded.num_layers, loaded.num_heads)  # a link may have named the head
    heads = [Head(n, h).label for n in range(loaded.num_layers) for h in range(loaded.num_heads)]
    roles = role_words()
    if st.session_state.get(state.HEAD) not in heads:
        wanted = st.session_state[session.HEAD]
        listed = wanted.label if wanted else next(iter(roles), heads[0])
        st.session_state[state.HEAD] = listed if listed in heads else heads[0]
    left, between, middle, right = st.columns([3, 3, 3, 2], vertical_alignment="bottom")
    label = left.selectbox(
        "Head",
        heads,
        format_func=lambda head: f"{head} · {roles[head]}" if head in roles else head,
        key=state.HEAD,
        persist_state="session",
    )
    with between:
        embedding = _embedding(Head.parse(label))
    norm = middle.selectbox(
        "Layer norm",
        list(NORM_WORDS),
        format_func=NORM_WORDS.get,
        key=state.NORM,
        persist_state="session",
        help="Before a head reads a token, the model's layer norm centres it, divides it by its "
        "size and multiplies each number by a gain. Of the final norm, before the logits, only "
        "gain and centring can be known: its division depends on the whole prompt.",
    )
    keys = right.number_input(
        "Key tokens", 1, 100, key=state.KEYS, persist_state="session", help="Rows of the table."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        settings = circuits.CircuitSettings(
            norm=norm,
            embedding=embedding,
            biases=_toggle("Biases", state.BIASES, "Add b_Q, b_K and b_V, and the norm's bias."),
            minus_bos=_toggle(
                "QK minus BOS",
                state.MINUS_BOS,
                "Subtract, for each query, its value for the start token, where heads rest when "
                "nothing else is wanted. 0 then means: no more wanted than resting.",
            ),
            minus_mean=_toggle(
                "OV minus mean",
                state.MINUS_MEAN,
                "Subtract what a source token adds to every output alike: it changes no "
                "probability.",
            ),
        )
        if frequencies.words is not None:
            _toggle(
                "Fragments",
                state.FRAGMENTS,
                "The table is about common whole words. Switch on to have every token in it: parts "
                "of words, marks, code.",
            )
        st.button(
            "Reset", icon=":material/restart_alt:", on_click=state.reset, key="circuits-reset"
        )
        copy_link.draw()
    _ = keys
    return Head.parse(label), settings


def _embedding(head: Head) -> str:
    """What the head is taken to find of a token; the first layer leaves no choice."""
    if not head.layer:
        st.selectbox("Embedding", ["bare, as the first layer finds it"], disabled=True)
        return st.session_state[state.EMBEDDING]
    return st.selectbox(
        "Embedding",
        list(EMBEDDING_WORDS),
        format_func=EMBEDDING_WORDS.get,
        key=state.EMBEDDING,
        persist_state="session",
        help="What the head is taken to find of a token. The first block rewrites every token, so "
        "a head above it does not meet bare embeddings. After the first block: each token is run "
        "through it alone (attention to itself only, and the MLP). For heads of the first layer "
        "nothing stands before them.",
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


def limits(loaded: LoadedModel, head: Head, settings: CircuitSettings) -> None:
    """What the tables leave out for this head, in plain sentences."""

    traits = circuits.layout(loaded)
    lines = []
    if head.layer:
        lines.append(
            f"**Direct path only.** {head.label} is in layer {head.layer}: on a prompt it also "
            f"reads what {_before(head.layer, settings)}, which these tables leave out. Read "
            "them as a hint."
        )
    else:
        lines.append("**First layer:** nothing stands between the tokens and this head.")
    where = {
        "rotary": "Rotary positions turn queries and keys by where they stand; the token table is "
        "for tokens at the same place.",
        "learned": "Learned positions are added to every token before the norm; the token table "
        "leaves them out.",
        "bias": "Scores also fall with distance (ALiBi); the token table leaves that out.",
        "none": "This model has no positions of its own.",
    }
    lines.append(f"**Position:** {where[traits.positions]}")
    if traits.qk_normed and settings.norm != "none":
        lines.append("**Queries and keys** are normed once more in this model; that is applied.")
    if traits.score_cap:
        lines.append(
            f"**Scores** are squashed to ±{traits.score_cap:g} afterwards; not shown here."
        )
    if traits.output_normed or traits.order == "post-norm":
        lines.append(
            "**After the head** this model norms again before the result is added; that division "
            "depends on the prompt and is left out of OV."
        )
    if lost := models.left_out(loaded.model.config):
        lines.append(
            f"**Published bias:** {html.bias_sentence(models.name_of(loaded.key), lost)}"
            if loaded.key in models.known_models()
            else f"**Published bias:** b_U, up to {lost:.2f} logits, is left out of the guesses."
        )
    with st.expander("What these tables leave out", icon=":material/info:"):
        st.markdown("\n".join(f"- {line}" for line in lines))
        st.markdown(
            "- **Units:** QK is in units of the score before the softmax (scaled by "
            "1/√d_head where the model does so): one more makes the attention e ≈ 2.7 times "
            "larger. OV is in logits before the final norm's division, so compare within a table."
            "\n- **The output bias** b_O is shared by all heads and belongs to none."
        )

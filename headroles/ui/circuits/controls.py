"""Which head, and what is done to its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import circuits, models
from headroles.errors import HeadrolesError
from headroles.roles import SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import address, caches, copy_link, session
from headroles.ui.circuits import state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.circuits import CircuitSettings
    from headroles.models import LoadedModel

NORM_WORDS = {
    "applied": "applied: each embedding is normed as the model does it",
    "folded": "folded in: gain and centring only, no division by size",
    "none": "left out: bare embeddings, W_E W_Q W_Kᵀ W_Eᵀ",
}


def draw(loaded: LoadedModel) -> tuple[Head, CircuitSettings]:
    """Draw the boxes; returns the head and the settings."""
    address.check(loaded.num_layers, loaded.num_heads)  # a link may have named the head
    heads = [Head(n, h).label for n in range(loaded.num_layers) for h in range(loaded.num_heads)]
    roles = role_words(loaded)
    if st.session_state.get(state.HEAD) not in heads:
        wanted = st.session_state[session.HEAD]
        listed = wanted.label if wanted else next(iter(roles), heads[0])
        st.session_state[state.HEAD] = listed if listed in heads else heads[0]
    left, middle, right = st.columns([3, 4, 2], vertical_alignment="bottom")
    label = left.selectbox(
        "Head",
        heads,
        format_func=lambda head: f"{head} · {roles[head]}" if head in roles else head,
        key=state.HEAD,
        persist_state="session",
    )
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
        st.button(
            "Reset", icon=":material/restart_alt:", on_click=state.reset, key="circuits-reset"
        )
        copy_link.draw()
    _ = keys
    return Head.parse(label), settings


def _toggle(label: str, key: str, tip: str) -> bool:
    return st.toggle(label, key=key, help=tip, persist_state="session")


def role_words(loaded: LoadedModel) -> dict[str, str]:
    """{head label: its roles in words} of the stored analysis; empty without one."""
    try:
        entry = caches.stored(st.session_state[session.MODEL]).entry
    except HeadrolesError:
        return {}
    words: dict[str, list[str]] = {}
    for role in SCORED_ROLES:
        for head in entry.listed(role.key):
            words.setdefault(head.label, []).append(role.name)
    return {label: ", ".join(names) for label, names in words.items()}


def limits(loaded: LoadedModel, head: Head, settings: CircuitSettings) -> None:
    """What the tables leave out for this head, in plain sentences."""

    traits = circuits.layout(loaded)
    lines = []
    if head.layer:
        lines.append(
            f"**Direct path only.** {head.label} is in layer {head.layer}: on a prompt it also "
            "reads what earlier layers have written, which these tables leave out. Read "
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

"""Where the components come from: what was done to the matrix, and how near their sum is to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, circuits, models, view
from headroles.errors import HeadrolesError
from headroles.ui.app import elements
from headroles.ui.components import caches
from headroles.view.html import escape, table

if TYPE_CHECKING:
    from headroles.circuits.component_sets import Card
    from headroles.ui.components.subject import Subject

TRAINED = (
    "A layer's matrix turns what it reads into queries, keys, values or the layer's output, for "
    "all its heads at once. **Stochastic parameter decomposition** (SPD; Bushnaq, Braun and "
    "Sharkey 2025, [arXiv 2506.20790](https://arxiv.org/abs/2506.20790)) writes the matrix as a "
    "sum of simple parts, the *components*: each reads one direction and writes one direction.\n\n"
    "Three things are trained at once. **Faithfulness**: the parts add up to the matrix. "
    "**Reconstruction**: a part that a token can do without may be turned down by any random "
    "amount, and the model must still say the same. **Minimality**: each token should need as few "
    "parts as possible. A small network for each part says, from what the part reads, how much the "
    "token needs it: its *causal importance*, 0 to 1.\n\n"
    "Heads play no part in this: a component may be in one head or in all heads of its layer."
)
SVD = (
    "A layer's matrix turns what it reads into queries, keys, values or the layer's output, for "
    "all its heads at once. The **singular value decomposition** (SVD) writes any matrix as a sum "
    "of simple parts, the *components*: each reads one direction and writes one direction, and all "
    "of them are at right angles to each other. Their sum is exactly the matrix.\n\n"
    "The SVD knows nothing of text: it sorts parts by size. Nothing makes one part mean one thing, "
    "and large is not the same as important."
)
CURVES = {
    "reconstruction": "Reconstruction (KL, nats)",
    "minimality": "Minimality (importances, summed)",
    "faithfulness": "Faithfulness (squared error)",
}
"""{name in the history: what it is called}; the lower, the better."""


def draw(asked: Subject) -> None:
    """The part at the end of the list."""
    st.subheader("Where they come from", anchor=False)
    st.markdown(TRAINED if asked.is_trained else SVD)
    encoding = asked.answer.run.encoding
    try:
        with st.spinner("Running the prompt with all components."):
            found = caches.all_components(
                asked.chosen.model, asked.chosen.kind, encoding.token_ids, encoding
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return
    said = view.components.all_sentence(found, is_trained=asked.is_trained)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    if asked.is_trained:
        _card(asked)


def _card(asked: Subject) -> None:
    """How the training went, where that was written down."""
    try:
        card = circuits.component_sets.card_of(asked.chosen.model)
    except HeadrolesError as error:
        elements.show_error(error, kind=st.warning)
        return
    if card is None:
        return
    name = escape(models.name_of(asked.chosen.model))
    if card.figures:
        headers, rows = card.table()
        elements.html(table(headers, rows))
    if len(card.history) > 1:
        _curves(card)
        elements.note(f"The training of the components of {name}, all matrices together.")


def _curves(card: Card) -> None:
    drawn = [what for what in CURVES if card.curve(what)]
    for place, what in zip(st.columns(max(len(drawn), 1), gap="medium"), drawn, strict=False):
        with place:
            st.caption(CURVES[what])
            records = card.curve(what)
            first, last = records[0], records[-1]
            elements.chart(
                charts.components.training(records, title=CURVES[what]),
                key=f"components-training_{what}",
                alt_text=f"{CURVES[what]} over the training: "
                f"{circuits.component_sets.shown(first['value'])} at step "
                f"{first['step']:,}, "
                f"{circuits.component_sets.shown(last['value'])} at step {last['step']:,}.",
            )
    with st.expander("The curves as a table", key="components-training_table"):
        headers, rows = card.history_table(list(CURVES))
        elements.html(f'<div class="hr-one-line">{table(headers, rows)}</div>')

"""Pieces that several parts of a page share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.elements import exception
from streamlit.runtime.pages_manager import PagesManager

from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import scope, session
from headroles.view import glossary
from headroles.view.html import cautions, plain, sentence, table, truncation_sentence

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.charts.drawing import Drawing
    from headroles.types import Encoding, Evidence

# What a page says about a fault of the program; what it was stands in the server's log.
exception._GENERIC_UNCAUGHT_EXCEPTION_TEXT = (
    "Something in this app is broken, and you did nothing wrong. Reload the page; if it happens "
    "again, try another prompt or model, and tell your instructor when it was: the server's log "
    "says what happened."
)


def begin() -> None:
    """Every page calls this first: session keys, and the way through the entry."""
    session.begin()
    if not st.session_state.pop(session.ENTERED, False):
        _enter()


def _enter() -> None:
    """Start over with the entry script.

    Until ``st.navigation`` was called once, Streamlit takes the folder ``pages/`` for its older
    kind of app and runs a page alone: without page settings, picker and navigation. That happens
    when the first address that a fresh server is asked for is a page's own, and in AppTest.
    """
    PagesManager.uses_pages_directory = False
    st.rerun()


_EXPLAINS = ('<p class="hr-explain', '<div class="hr-legend')
"""How pieces begin whose words explain themselves (:mod:`headroles.view.glossary`)."""


def html(body: str, **settings: object) -> None:
    """Show HTML made by :mod:`headroles.view.html`, where everything typed is escaped."""
    st.html(glossary.mark(body) if body.startswith(_EXPLAINS) else body, **settings)


def note(body: str) -> None:
    """A small line below a chart or a table, in HTML; its words explain themselves."""
    html(f'<p class="hr-small">{glossary.mark(body)}</p>')


def look_for(said: str) -> None:
    """What to look for in a ready experiment or on an example; nothing where that is not said."""
    if said:
        html(f'<p class="hr-explain"><b>What to look for.</b> {escape(said)}</p>')


def title(
    name: str, *, answers: str, first: str = "", beside: Callable[[], None] | None = None
) -> None:
    """The head of a page: its name, what it answers in one line, and what to do first.

    Args:
        name: the title.
        answers: HTML.
        first: HTML; empty where the controls say it.
        beside: draws what stands at the other end of the title's line.
    """
    if beside is None:
        st.title(name, anchor=False)
    else:
        with st.container(
            horizontal=True, wrap=False, vertical_alignment="center", key="app-title_line"
        ):
            st.title(name, anchor=False, width="content")
            beside()
    do = f' <span class="hr-first">{first}</span>' if first else ""
    html(f'<p class="hr-lead">{glossary.mark(answers + do, everyday=True)}</p>')


def conclusion(body: str) -> None:
    """What a reader may conclude from what the page shows now: one or two sentences of HTML."""
    html(f'<p class="hr-conclusion" role="status">{glossary.mark(body)}</p>')


def show_error(error: HeadrolesError, *, kind: Callable[..., object] = st.error) -> None:
    """Say what is wrong and what to do about it."""
    body = f"**{plain(error.message)}**"
    kind(f"{body}  \n{sentence(error.hint)}" if error.hint else body)


def cut_off(encoding: Encoding) -> None:
    """Say so if the end of a prompt was left out, or another part is not read as it was typed."""
    if encoding.truncated:
        st.warning(truncation_sentence(encoding), icon=":material/content_cut:")
    if said := cautions(encoding):
        st.warning(plain(" ".join(said)), icon=":material/data_array:")


def chart(
    drawing: Drawing,
    *,
    key: str,
    alt_text: str,
    on_select: Callable[[], None] | None = None,
    width: str | int = "stretch",
) -> None:
    """Show a chart with its take-away as alt text; clickable if ``on_select`` is given."""
    clickable = {"on_select": on_select} if on_select else {}
    st.vega_lite_chart(spec=drawing.for_page(), key=key, alt=alt_text, width=width, **clickable)


STRONGEST = 40
"""Rows of the table twin of a pattern."""


def strongest_cells(
    attention: Float[Tensor, "query key"], labels: Sequence[str], predicted: Iterable[Evidence]
) -> None:
    """The table twin of an attention pattern, from its single cells, however it is drawn.

    Args:
        attention: [query key] what is drawn.
        labels: [pos] the tokens as short text.
        predicted: the cells that are outlined.
    """
    outlined = {(cell.query, cell.key) for cell in predicted}
    length = len(labels)
    weights, places = attention.flatten().topk(min(STRONGEST, length * (length + 1) // 2))
    cells = [
        (*divmod(place, length), weight)
        for place, weight in zip(places.tolist(), weights.tolist(), strict=True)
        if weight > 0
    ]
    with st.expander(f"As a table: the {len(cells)} strongest cells"):
        html(
            table(
                ["Token", "Looks at", "Attention", "Outlined"],
                [
                    [
                        f"{labels[query]} ({query})",
                        f"{labels[key]} ({key})",
                        f"{weight:.1%}",
                        "yes" if (query, key) in outlined else "–",
                    ]
                    for query, key, weight in cells
                ],
            )
        )


@contextlib.contextmanager
def opened(label: str, *, key: str) -> Iterator[bool]:
    """A box that is closed at first; the block is told whether it is open, and else draws nothing.

    For what takes more than a moment to make; the rest stands in a plain ``st.expander``.
    """
    box = st.expander(label, key=key, on_change="rerun")
    with box:
        yield bool(box.open)


def bar_legend(*, paired: bool = False) -> None:
    """What the bars of the cards are made of, in one line.

    Args:
        paired: whether two bars of a head stand one above the other, for two prompts.
    """
    opens = "<span>Click a bar to open its head.</span>"
    numbers = "<span><b>1</b> first prompt</span><span><b>2</b> second prompt</span>"
    html(
        f'<div class="hr-legend">{numbers * paired}'
        '<span><i class="hr-key hr-key-active"></i>active</span>'
        '<span><i class="hr-key hr-key-quiet"></i>quiet</span>'
        '<span><i class="hr-key hr-key-threshold"></i>needed here</span>'
        '<span><i class="hr-key hr-key-chance hr-key-tick"></i>chance</span>'
        f"{opens * scope.offers(session.CLOSEUP)}</div>",
        width="content",
    )


def how_to_read() -> None:
    """The short help behind a button."""
    with st.popover("How to read a bar", icon=":material/help:", type="tertiary"):
        st.markdown(
            "**The bar** shows how much of its attention a head puts where its role predicts, "
            "averaged over the tokens where the role can show: from 0% to 100%. For *Induction* "
            "and *Duplicate token* it is the share of the attention that does not rest on the "
            "first token.\n\n"
            "**The dashed line** is what a head needs on this prompt. A head whose bar reaches it "
            "is active. The line stands at the role's threshold (usually 40%; *Diffuse*: 70%), or "
            "further right where chance alone would already fill much of the bar.\n\n"
            "**The short thick tick** is *chance*: what a head would get on this prompt if it "
            "spread its attention evenly over all tokens so far.\n\n"
            "- **active**: it reaches the line\n"
            "- **quiet**: it could do its job here, but does something else\n"
            "- **nothing to do here**: the pattern it looks for is not in the prompt\n"
            "- **too short to tell**: too few tokens to judge by (a dashed bar, no line)\n\n"
            "*First token (resting)* needs more than a long bar: what the head writes must "
            "hardly change from token to token. For *Diffuse* the bar shows how even the "
            "attention is, so its tick stands at 100%: perfectly even.\n\n"
            "**Order**: the strongest head on this prompt comes first; with two prompts, the head "
            "that changes most. **L1H3** means layer 1, head 3; both count from 0. A head on two "
            "lists counts on each of them."
        )


MOST_CHIPS = 24
"""More heads than this stand in a box to choose from instead of chips."""


def heading(*, awake: bool | None, name: str, headline: str, anchor: str = "") -> None:
    """The name of a card with its circle, and how many of its heads are active.

    ``anchor`` is the HTML id by which a link leads here.
    """
    place = f' id="{anchor}"' if anchor else ""
    circle = {True: "●", False: "○", None: "◌"}[awake]
    meaning = {True: "active", False: "inactive", None: "neutral"}[awake]
    html(
        f'<div class="hr-cardhead{" hr-awake" if awake else ""}"{place}>'
        f'<span class="hr-dot" role="img" aria-label="{meaning}">{circle}</span>'
        f'<h3>{escape(name)}</h3><span class="hr-count">{escape(headline)}</span></div>'
    )


def chips(heads: Sequence[Head]) -> None:
    """The heads that fit nothing, each a way to its close-up."""
    if not heads:
        return
    labels = [head.label for head in heads]
    if len(heads) > MOST_CHIPS:
        st.selectbox(
            f"Open one of these {len(heads)}",
            labels,
            index=None,
            placeholder=f"Choose or type, for example {labels[0]}",
            key=session.OTHER_HEAD,
            on_change=_open_other,
        )
        return
    st.pills("Open one of them", labels, key=session.OTHER_HEAD, on_change=_open_other)


def _open_other() -> None:
    label = st.session_state[session.OTHER_HEAD]
    if label is not None:
        session.open_closeup(Head.parse(label), "other")

"""The session keys of the page Find heads, and the functions that change more than one of them.

The head that is chosen here is the session's, so the close-up opens with it.
"""

from __future__ import annotations

import streamlit as st

from headroles import charts, view
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

PAGE = "pages/find_heads.py"
"""The page's path."""
key = Keys(__name__)
SECTIONS = {
    "Any two numbers": "scatter",
    "Heads like this one": "alike",
    "A layer at a glance": "one_layer",
    "Across models": "across",
    "When the pattern changes": "sequences",
}
"""{what the reader sees: the module of this package}; the first one is open at first."""
LINK_NAMES = ("numbers", "alike", "layer", "models", "periods")
"""What a link calls the sections, in their order."""
COLOURS = ("layer", "role")
"""What the colour and the shape of a point stand for."""
WAYS = ("profile", "pattern", "weights", "writes")
"""By what heads are held against each other."""
FIRST_NUMBERS = ("previous_token", "induction")
"""The numbers along and up, at first."""
REGION = key("region", None)
"""What is marked of the scatter: left, right, lower and upper edge; None for nothing."""
PRESETS = key("presets")
"""The row of questions."""
SCATTER, MAP = key("scatter"), key("map")
"""The charts of the section *Any two numbers*."""
TABLE = key("table")
"""Its table."""
THUMBNAILS = key("thumbnails")
"""The small pictures of a layer."""
HEAD_BOX = key("head_box")
"""The chosen head in its box; one key per model."""
ALIKE_MAP, ALIKE_PICTURES = key("alike_map"), key("alike_pictures")
"""The charts of the section *Heads like this one*."""
ALIKE_TABLE = key("alike_table")
"""Its table."""
DEPTH = key("depth")
"""The chart of the section *Across models*."""
MODELS = key("models")
"""The models that it compares."""
FIRST_MODELS = key("first_models")
"""Those that it compares unless others are chosen."""
# widget keys
SECTION = key("section", next(iter(SECTIONS)))
"""The open section."""
ALONG, UP = key("along", FIRST_NUMBERS[0]), key("up", FIRST_NUMBERS[1])
"""The two numbers of the scatter, by their keys."""
COLOUR = key("colour", COLOURS[0])
"""One of :data:`COLOURS`."""
MARKING = key("marking", False)
"""Whether the pointer draws a rectangle."""
WAY = key("way", WAYS[0])
"""One of :data:`WAYS`."""
OTHER = key("other", None)
"""The second model in which heads like the chosen one are looked for; None for the same model."""
LAYER = key("layer", 0)
"""The layer whose heads are shown."""
HIDE = key("hide", True)
"""Whether the first column is hidden in the small pictures."""
ROLE = key("role", "induction")
"""The role whose place is compared across models."""

begin = key.begin


def open_section(name: str) -> None:
    """Lead to another section of the page."""
    st.session_state[SECTION] = name


def take_preset(presets: dict[str, tuple[str, str]]) -> None:
    """Show the two numbers of the question that was clicked."""
    chosen = st.session_state.get(PRESETS)
    if chosen in presets:
        st.session_state[ALONG], st.session_state[UP] = presets[chosen]
        st.session_state[REGION] = None


def swap() -> None:
    """The number along becomes the one up."""
    now = st.session_state
    now[ALONG], now[UP] = now[UP], now[ALONG]
    if now[REGION] is not None:
        left, right, low, high = now[REGION]
        now[REGION] = (low, high, left, right)


def forget_region() -> None:
    """Mark nothing: other numbers have other edges."""
    st.session_state[REGION] = None


def take_region() -> None:
    """Take over the rectangle that was drawn; a mere click draws none."""
    chart = session.chart_key(SCATTER)
    drawn = charts.scatter.region_of_event(st.session_state.get(chart))
    if drawn is not None:
        st.session_state[REGION] = drawn
        session.forget_selection(SCATTER)


def click(chart: str) -> None:
    """Choose the head that was clicked on a chart of the page."""
    head = charts.head_of_event(st.session_state.get(session.chart_key(chart)))
    if head is not None:
        session.forget_selection(chart)
        session.move_to(head)


def choose(box: str) -> None:
    """Choose the head in a box."""
    session.move_to(Head.parse(st.session_state[box]))


def open_of_model() -> None:
    """Lead to the close-up of the head that was clicked, in its own model."""
    event = st.session_state.get(session.chart_key(DEPTH))
    head, model = charts.head_of_event(event), charts.depth.model_of_event(event)
    if head is not None and model in view.offer.offered():
        session.forget_selection(DEPTH)
        session.open_closeup(head, model=model)

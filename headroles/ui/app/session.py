"""The session that all pages share, and the only functions that change more than one key of it.

The prompt that is *run* (``PROMPT``) is not the text in the box (``BOX``): the box may hold
text that has not been run yet. ``PREVIOUS_PROMPT`` keeps what the box held before a button
replaced it. Keys that only one page uses are in that page's ``state.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from headroles import charts, models
from headroles.errors import HeadrolesError, LinkError
from headroles.models import DEFAULT_MODEL
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app.keys import Keys
from headroles.view.html import plain

STORED, PROMPTED = "Reference scores (measured beforehand)", "This prompt"
SOURCES = (STORED, PROMPTED)

YOUR_PROMPT, CLOSEUP, MAP = "pages/your_prompt.py", "pages/head_closeup.py", "pages/head_map.py"
"""The pages that a click can open."""
LESSONS = "pages/lessons.py"
"""Predict what a head does, then look."""
ANSWER_PAGE = "pages/answer.py"
"""Which part of the model wrote the answer, and which carries a difference between two prompts."""
DETECTOR_LAB = "pages/detector_lab.py"
"""Any pattern against every head."""
REAL_TEXT = "pages/real_text.py"
"""What heads do on a lot of text."""
ADMIN = "pages/admin.py"
"""The page for instructors."""

key = Keys(__name__)

# widget keys
MODEL = key("model", DEFAULT_MODEL)
"""The catalogue key of the chosen model."""
MODEL_LABEL = key("model_label", None)
"""How the picker last named that model."""
BOX = key("prompt_box", DEFAULT_PROMPT)
"""The text in the prompt box."""
SECOND_BOX = key("second_box")
"""The text in the box of the second prompt."""
CHAT = key("chat_format", False)
"""Whether prompts are wrapped by the model's chat template, where it has one."""
HIDE_REST = key("hide_rest", False)
"""Whether the close-up hides the resting column."""
MAP_SOURCE = key("map_source", STORED)
"""Which numbers the head map shows: one of :data:`SOURCES`."""
LARGE_ROLE = key("large_role", None)
"""The role whose map the head map shows alone and large; None for all of them side by side."""
PAIR_ROLE = key("pair_role", "induction")
"""The role on which the head map compares two models."""
OTHER_HEAD = key("other_head")
"""The chip that is chosen in the card of heads that fit nothing."""

# what the pages show
PROMPT = key("prompt", DEFAULT_PROMPT)
"""The prompt that was run; the default one counts as run."""
PREVIOUS_PROMPT = key("previous_prompt", None)
"""The student's own text, while an example stands in the box; else None."""
SECOND = key("second_prompt", None)
"""The second prompt, with which the first is compared; None while there is none."""
SECOND_MODEL = key("second_model", None)
"""The model with which the chosen one is compared, by its key; None while there is none."""
UNWRAPPED = key("unwrapped", False)
"""True while a tested prompt has switched the chat format off, which the way back undoes."""
HEAD = key("head", None)
"""The head that the close-up shows; None until one is chosen."""
ROLE = key("role", None)
"""The role under which it is viewed; None for the head's own main role."""

# between two runs
NAVIGATE_TO = key("navigate_to", None)
"""The path of the page that a click opens; None in every other run."""
CLASS = key("class", None)
"""The names of the pages to which a class link keeps this visit; None for the whole app."""
LINK_READ = key("link_read", False)
"""True once the link that opened the session was read."""
LINK_ERRORS = key("link_errors", ())
"""Errors about that link, each a :class:`HeadrolesError`, until they are dismissed."""
PAGE = key("page")
"""The path of the page that is shown."""
ENTERED = key("entered")
"""True between the entry script and the page that it runs."""
_MOUNTS = key("chart_mounts", dict)
"""How often each chart was remounted, which is how its selection is cleared."""

begin = key.begin


def enter() -> None:
    """Let the page know that it is run by the entry script, which does this just before."""
    st.session_state[ENTERED] = True


def is_edited() -> bool:
    """Whether the box holds text that has not been run."""
    return st.session_state[BOX] != st.session_state[PROMPT]


def fill_boxes() -> None:
    """On another page, tell the browser what its boxes hold.

    Streamlit takes for granted that the browser knows, because the last page had the same box; but
    there it is a new one, which would be empty, and would hand over that nothing as a draft.
    """
    for box in (BOX, SECOND_BOX):
        if st.session_state.get(box) is not None:
            st.session_state[box] = st.session_state[box]


def run(prompt: str) -> None:
    """Put a prompt into the box as the student's own text, and run it."""
    st.session_state[BOX] = st.session_state[PROMPT] = prompt
    st.session_state[PREVIOUS_PROMPT] = None
    st.session_state[UNWRAPPED] = False


def run_box() -> None:
    """Run what stands in the box: the student's own text."""
    run(st.session_state[BOX])


def revisit(prompt: str) -> None:
    """Run the prompt of a link, or an earlier one; text not run yet is kept for the way back.

    The prompt that is shown already changes nothing.
    """
    if prompt != st.session_state[PROMPT]:
        (use_example if is_edited() else run)(prompt)


def use_example(prompt: str) -> None:
    """Put an example into the box and run it; the student's own text is kept for the way back."""
    typed = st.session_state[BOX]
    if st.session_state[PREVIOUS_PROMPT] is None or (is_edited() and typed.strip()):
        st.session_state[PREVIOUS_PROMPT] = typed
    st.session_state[BOX] = st.session_state[PROMPT] = prompt


def use_tested(prompt: str) -> None:
    """Run a prompt that was tried as it stands, not wrapped as a chat message."""
    st.session_state[UNWRAPPED] = st.session_state[UNWRAPPED] or bool(st.session_state[CHAT])
    st.session_state[CHAT] = False
    use_example(prompt)


def undo() -> None:
    """Put the student's own text back and run it, as a chat message if it was one."""
    own = st.session_state[PREVIOUS_PROMPT]
    st.session_state[PREVIOUS_PROMPT] = st.session_state[BOX] if is_edited() else None
    if own is not None:
        st.session_state[BOX] = st.session_state[PROMPT] = own
        if st.session_state[UNWRAPPED]:
            st.session_state[CHAT] = True
    st.session_state[UNWRAPPED] = False


def compare_with(second: str | None) -> None:
    """Put a second prompt beside the first, in place of a second model, or take it away."""
    st.session_state[SECOND] = second
    if second is not None:
        st.session_state[SECOND_BOX] = second
        st.session_state[SECOND_MODEL] = None


def revisit_second(second: str | None) -> None:
    """Take over a link's second prompt; the one that is shown already changes nothing."""
    if second != st.session_state.get(SECOND):
        compare_with(second)


def run_both() -> None:
    """Run what stands in the box, or in both boxes."""
    run_box()
    if st.session_state[SECOND] is not None:
        st.session_state[SECOND] = st.session_state[SECOND_BOX]


def link_errors(errors: Sequence[HeadrolesError]) -> None:
    """Keep errors about a link, to be shown above the page; none of them twice."""
    kept = list(st.session_state[LINK_ERRORS])
    known = {error.message for error in kept}
    st.session_state[LINK_ERRORS] = (
        *kept,
        *(error for error in errors if error.message not in known),
    )


def note(error: HeadrolesError) -> None:
    """Say why a click leads nowhere: over the page, for above it nobody would look who clicked
    further down."""
    said = f"**{plain(error.message)}** {plain(error.hint or '')}"
    st.toast(said, icon=":material/info:", duration="long")


def dismiss_link_errors() -> None:
    """Clear the errors about a link, which the reader has seen."""
    st.session_state[LINK_ERRORS] = ()


def use_model(model: str) -> None:
    """Choose a model by its key in the catalogue."""
    if model != st.session_state[MODEL]:
        st.session_state[MODEL] = model
        forget_head()


def use_default_model() -> None:
    """Back to the bundled model."""
    st.session_state[MODEL] = DEFAULT_MODEL
    forget_head()


def knows_stories_only() -> bool:
    """Whether the chosen model wants examples in the words of simple stories."""
    return models.entry_of(st.session_state[MODEL]).stories


def keep_model() -> None:
    """Set the chosen model once more, so that the browser is told of it."""
    st.session_state[MODEL] = st.session_state[MODEL]


def forget_head() -> None:
    """Another model has other heads: let the close-up choose one; the role stays."""
    st.session_state[HEAD] = None


def open_closeup(head: Head, role: str | None = None, *, model: str | None = None) -> None:
    """Lead to the close-up of a head.

    Args:
        head: the head.
        role: the role that it was clicked for; None for the head's main role.
        model: the head's model, where it is not the present one.
    """
    if model not in (None, st.session_state[MODEL]):
        if st.session_state.get(CLASS) is not None:
            note(_other_model(head, model))
            return
        st.session_state[MODEL] = model
    st.session_state[HEAD], st.session_state[ROLE] = head, role
    st.session_state[NAVIGATE_TO] = CLOSEUP


def _other_model(head: Head, model: str) -> LinkError:
    return LinkError(
        f"{head.label} is a head of {models.name_of(model)}, and the class link fixes the model.",
        hint="“Open the whole app” in the sidebar leads out of the class.",
        value=model,
    )


def move_to(head: Head) -> None:
    """Show another head on the close-up; the role stays, so that two heads can be compared."""
    st.session_state[HEAD] = head


def show_all_heads(role: str | None = None) -> None:
    """Lead to the map of all heads on this prompt."""
    st.session_state[MAP_SOURCE] = PROMPTED
    if role is not None:
        st.session_state[PAIR_ROLE] = role
    st.session_state[NAVIGATE_TO] = MAP


def show_role(role: str | None) -> None:
    """Lead to the map of all heads with the reference scores of a basic role, large; or of all."""
    st.session_state[MAP_SOURCE], st.session_state[LARGE_ROLE] = STORED, role
    st.session_state[NAVIGATE_TO] = MAP


def show_view(view: str) -> None:
    """Show the heads on this prompt on the head map (a link's ``all``), or the reference scores."""
    st.session_state[MAP_SOURCE] = PROMPTED if view == "all" else STORED


def view() -> str:
    """What the head map shows, as a link calls it."""
    return "all" if st.session_state[MAP_SOURCE] == PROMPTED else "reference"


def pop_navigation() -> str | None:
    """The page that the last click leads to, once."""
    page = st.session_state.get(NAVIGATE_TO)
    st.session_state[NAVIGATE_TO] = None
    return page


def chart_key(chart: str) -> str:
    """The widget key of a clickable chart or table; it changes when its selection is cleared."""
    return f"{chart}_{st.session_state[_MOUNTS].get(chart, 0)}"


def on_click(chart: str, role: str | None, *, model: str | None = None) -> Callable[[], None]:
    """The callback of a clickable chart: lead to the head that was clicked."""

    def clicked() -> None:

        head = charts.head_of_event(st.session_state.get(chart_key(chart)))
        if head is not None:
            forget_selection(chart)
            open_closeup(head, role, model=model)

    return clicked


def on_row(
    table: str, heads: Sequence[Head], role: str | None = None, *, model: str | None = None
) -> Callable[[], None]:
    """The callback of a table with one head per row: lead to the head of the chosen row.

    Args:
        table: its key.
        heads: [row] them.
        role: the role under which they are opened; None for each one's main role.
        model: the heads', where it is not the present one.
    """

    def chosen() -> None:
        head = head_of_row(st.session_state.get(chart_key(table)), heads)
        if head is not None:
            forget_selection(table)
            open_closeup(head, role, model=model)

    return chosen


def head_of_row(event: object, heads: Sequence[Head]) -> Head | None:
    """The head of the chosen row, from what Streamlit hands back for a table; None for no row.

    >>> head_of_row({"selection": {"rows": [1]}}, [Head(0, 0), Head(0, 1)])
    Head(layer=0, head=1)
    """
    if not isinstance(event, Mapping):
        return None
    try:
        (row,) = (event.get("selection") or {}).get("rows") or []
        return heads[row] if row >= 0 else None
    except (IndexError, TypeError, ValueError):
        return None


def forget_selection(chart: str) -> None:
    """Remount a chart or table, so that the same head can be clicked again."""
    mounts = st.session_state[_MOUNTS]
    st.session_state[_MOUNTS] = {**mounts, chart: mounts.get(chart, 0) + 1}

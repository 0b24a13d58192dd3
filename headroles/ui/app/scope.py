"""How much of the app a visit may open: all of it, a frame in somebody's page, or a class's part.

One question serves every page: :func:`offers`. A frame (``?embed=true``) has no Admin page, for
nobody should sign in within somebody else's page. A class link names the pages of a class in its
address and fixes the model: ``?class=your_prompt,head_closeup&model=demo``. Every address of the
visit then keeps the name (:mod:`headroles.ui.app.address`), so a reload and the way back stay in
the class. It is a help for class and no protection: whoever takes the name out of the address has
the whole app.

>>> register({"pages/head_map.py": "Head map"})
>>> name_of("pages/head_map.py"), title("pages/head_map.py")
('head_map', 'Head map')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from headroles.errors import HeadrolesError, LinkError, near_match
from headroles.formatting import count, in_one_line
from headroles.ui.app import session

NAME = "class"
"""The name in the address whose value is the pages of the class."""
GLOSSARY = "pages/glossary.py"
"""It belongs to every class: its words are explained on every page."""
MOST_BAD = 3
"""Most pages of a link that are no pages and get a sentence each."""

_titles: dict[str, str] = {}


def register(titles: Mapping[str, str]) -> None:
    """Register {path of a page: its title}, in the order of the navigation."""
    _titles.clear()
    _titles.update(titles)


def name_of(page: str) -> str:
    """What a page is called in an address, by its path."""
    return page.removeprefix("pages/").removesuffix(".py")


def title(page: str) -> str:
    """What the navigation calls a page."""
    return _titles[page]


def for_classes() -> dict[str, str]:
    """{path: title} of the pages that a class link can name."""
    return {page: title for page, title in _titles.items() if page != session.ADMIN}


# ------------------------------------------------------------------ what this visit has


def is_embedded() -> bool:
    """Whether the app is shown in a frame."""
    return bool(st.context.is_embedded)


def is_class() -> bool:
    """Whether a class link is on, so that the model is fixed and some pages are left out."""
    return st.session_state.get(session.CLASS) is not None


def offers(page: str) -> bool:
    """Whether this visit may open a page, by its path."""
    if page == session.ADMIN and (is_embedded() or is_class()):
        return False
    return not is_class() or page == GLOSSARY or name_of(page) in st.session_state[session.CLASS]


def class_pages() -> list[str]:
    """The paths of the pages that a class link names; none without one."""
    return [f"pages/{name}.py" for name in st.session_state.get(session.CLASS) or ()]


def first_page() -> str:
    """The path of the page that this visit begins with."""
    return session.YOUR_PROMPT if offers(session.YOUR_PROMPT) else class_pages()[0]


def leave() -> None:
    """The whole app from now on; the page, the model and everything typed stay."""
    st.session_state[session.CLASS] = None


def refusal(page: str) -> LinkError:
    """Why a page cannot be opened, and the way on."""
    if not is_class():
        return LinkError(
            f"The page {title(page)} cannot be opened within another site's page.",
            hint="“Open in a new tab” leads to the whole app.",
            value=page,
        )
    return LinkError(
        f"The page {title(page)} is not part of this class.",
        hint="“Open the whole app” in the sidebar leads out of the class.",
        value=page,
    )


def destination() -> str | None:
    """The page that the last click leads to, once; a note beside the click if it is left out."""
    page = session.pop_navigation()
    if page is None or offers(page):
        return page
    session.note(refusal(page))
    return None


def button(page: str, label: str, **settings: object) -> None:
    """A button that leads to another page; none where this visit cannot open that page."""
    if offers(page):
        st.button(label, **settings)


# ------------------------------------------------------------------ from and into the address


def read(given: Iterable[str]) -> list[HeadrolesError]:
    """Take over the pages that an address names; the errors about names that are none.

    Pages that exist are taken even if others do not: one mistyped name must not open everything.

    Args:
        given: the values of :data:`NAME`, with commas between pages; none for the whole app.
    """
    values = list(given)
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    known = {name_of(page) for page in for_classes()}
    pages = tuple(dict.fromkeys(name for name in names if name in known))
    st.session_state[session.CLASS] = pages or None
    bad = list(dict.fromkeys(name for name in names if name not in known))
    errors: list[HeadrolesError] = [_no_page(name, known) for name in bad[:MOST_BAD]]
    if more := bad[MOST_BAD:]:
        message = f"The class link names {count(len(more), 'more page')} that cannot be in a class."
        errors.append(LinkError(message, hint="They are left out.", value=more))
    if values and not pages:
        errors.append(
            LinkError(
                "The class link names no page, so this is the whole app.",
                hint="Ask whoever sent the link for a new one.",
                value=values,
            )
        )
    return errors


def _no_page(name: str, known: Iterable[str]) -> LinkError:
    shown = in_one_line(name, limit=40)
    if name == name_of(session.ADMIN):
        message = f"The class link names the page “{shown}”, which is in no class."
    else:
        message = f"The class link names a page “{shown}”, which does not exist."
    meant = near_match(name.lower(), sorted(known))
    return LinkError(f"{message}{meant}", hint="It is left out.", value=name)


def query(pages: Iterable[str] | None = None) -> dict[str, str]:
    """What a class adds to an address; nothing for the whole app.

    Args:
        pages: the names of a class's pages; None for those of this visit.
    """
    names = st.session_state.get(session.CLASS) if pages is None else pages
    return {NAME: ",".join(names)} if names else {}

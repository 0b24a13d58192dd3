"""The names of an address: how each value is read, written, and kept in the session.

Each page has a table of :class:`Row` in its ``link.py``; :mod:`headroles.ui.app.address` goes
through it in one loop. An address holds only what differs from what a page shows anyway, so that it
stays short enough to be sent. Anybody may have written an address: its values are checked
like typed input, and none of them is ever taken for a path or loaded from the network.
What cannot be used is named in a sentence.

>>> to_query((PROMPT, HEAD), {"prompt": "The cat sat.", "head": Head(1, 3)})
{'prompt': 'The cat sat.', 'head': 'L1H3'}
>>> HEAD.value_in({"head": "L1H3"}), HEAD.value_in({"h": "L1H3"})  # old links say "h"
(Head(layer=1, head=3), Head(layer=1, head=3))
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

import streamlit as st

from headroles import limits, models, view
from headroles.errors import HeadrolesError, LinkError, UnknownHeadError, near_match
from headroles.formatting import count, in_one_line
from headroles.roles import BASIC_ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.types import ComponentSet, Head
from headroles.ui.app import chat_format, session

LONGEST = 2_000
"""The longest address, in characters, that every browser, mail program and chat accepts."""
MOST_HEADS = 64
"""Most heads in one link."""
MOST_UNKNOWN = 5
"""Most unknown names that get a warning each."""
VIEWS = ("listed", "all", "reference")
"""Listed heads, all heads on this prompt, all heads in the reference scores."""
FOREIGN = re.compile(
    r"utm_.*|mtm_.*|pk_.*|hsa_.*|_hs.*|mc_[ce]id|[a-z]*clk?id|gclsrc|igshid?|_g[al]|ref|embed(_options)?"
)
"""Names that trackers, mail programs and Streamlit's own frames put into any address."""

KEEP = object()
"""The first value of a row whose session key stays as it is unless a link sets it."""
ABSENT = object()
"""The value of a name that is not in the address."""

_TYPED = "\n\r\t"
"""The control characters that a text box can produce."""
_LAYER = re.compile("[0-9]{1,3}")
_POSITION = re.compile("[0-9]{1,4}")
_WHOLE = re.compile("[0-9]{1,12}")

Query = Mapping[str, "str | Sequence[str]"]
"""{name: value, or all values of a name that is repeated}."""


class Unusable(Exception):  # noqa: N818 - :meth:`Row.value_in` turns it into a LinkError
    """Why a value cannot be used, as the rest of a sentence, and what could be."""

    def __init__(self, why: str, hint: str) -> None:
        self.why, self.hint = why, hint


class Row(NamedTuple):
    """One name of a page's address, and its place in the session."""

    name: str
    """The name in the address."""
    key: str | None
    """The session key; None for a name that is only read."""
    what: str
    """What it is called in a sentence."""
    read: Callable[[str], object]
    """Text to value; raises :class:`Unusable`."""
    write: Callable[[object], str] = str
    """Value to text."""
    first: object = None
    """What the page shows without the name; such a value is left out of the address."""
    old: str = ""
    """The name in older links."""
    put: Callable[[object], None] | None = None
    """Puts a value into the session, where that changes more than the key."""
    get: Callable[[], object] | None = None
    """Reads the value, where the key alone is not enough; None is not written."""
    leads_to: str | None = None
    """The page that a link to the app itself opens when it has this name."""
    written: bool = True
    """Whether it is written into the page's address; otherwise it is only read."""

    def value_in(self, query: Query) -> object:
        """The value in an address; :data:`ABSENT` if the name is missing, or has nothing new.

        Raises:
            LinkError: if the value cannot be used.
        """
        values = [value for name in (self.name, self.old) for value in _all(query.get(name, ()))]
        if not values:
            return ABSENT
        try:
            if len(values) != 1:
                raise Unusable(f"{len(values)} times.", "A link can name it once.")
            return self.read(values[0])
        except Unusable as fault:
            raise self._error(values, fault) from None

    def _error(self, values: Sequence[str], fault: Unusable) -> LinkError:
        alone = len(values) == 1 and values[0].strip()
        named = f" “{in_one_line(values[0], limit=40)}”," if alone else ""
        comma = "," if len(values) == 1 and not named else ""
        article = "an" if self.what[0] in "aeiou" else "a"
        return LinkError(
            f"The link names {article} {self.what}{comma}{named} {fault.why}",
            hint=f"The page ignores it. {fault.hint}",
            value=values[0] if len(values) == 1 else list(values),
        )

    def take(self, value: object) -> None:
        """Put a value into the session."""
        if self.put is not None:
            self.put(value)
        elif self.key is not None:
            st.session_state[self.key] = value

    def value(self) -> object:
        """The value in the session."""
        return self.get() if self.get else st.session_state.get(self.key, self.first)


def _all(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


# ------------------------------------------------------------------ reading one value


def read_model(text: str) -> str:
    """The key of a model that is offered; its Hub id stands for it."""
    offered = view.offer.offered()
    if text in offered:
        return text
    for key in offered:
        entry = models.entry_of(key)
        if text == entry.source and not entry.is_local:
            return key
    # No folder is looked up and no Hub id tried: a link must not make the server load anything.
    raise Unusable(
        f"which this app does not offer.{near_match(text, offered)}",
        "Choose a model in the sidebar."
        if st.session_state.get(session.CLASS) is None  # a class has no picker
        else "Ask whoever sent the link for a new one.",
    )


def read_another_model(text: str) -> str:
    """The key of a model beside the chosen one, which is taken over before this one."""
    model = read_model(text)
    if model == st.session_state[session.MODEL]:
        raise Unusable("which is also the first one.", "Choose another second model.")
    return model


def read_prompt(text: str) -> str:
    """Text that a reader could have typed."""
    if len(text) > limits.PROMPT.most:
        raise Unusable(
            f"which has {len(text):,} characters; at most {limits.PROMPT.most:,} are allowed.",
            limits.PROMPT.hint,
        )
    if not text.strip():
        raise Unusable("which is empty.", "Type a sentence, or take one of the examples.")
    for character in text:
        # Cc: control characters; Cs: halves of a character that no text can hold.
        if unicodedata.category(character) in ("Cc", "Cs") and character not in _TYPED:
            raise Unusable(
                f"which holds the control character U+{ord(character):04X}.",
                "Type the sentence again.",
            )
    return text


def read_token(text: str) -> str:
    """What should come next, as it could have been typed."""
    if len(text) > limits.ANSWER.most:
        raise Unusable(
            f"which has {len(text):,} characters; at most {limits.ANSWER.most} are allowed.",
            "One token is watched: shorten it.",
        )
    return read_prompt(text) if text.strip() else text


def read_head(text: str) -> Head:
    """A head, in any of the ways that people write it."""
    try:
        return Head.parse(text)
    except UnknownHeadError:
        raise Unusable(
            "which is not a head.", "A head is written as layer and head, for example L1H3."
        ) from None


def one_of(names: Iterable[str], them: str) -> Callable[[str], str]:
    """Reads one of some names; ``them`` is what they are, for the sentence."""
    names = tuple(names)

    def read(text: str) -> str:
        if text in names:
            return text
        raise Unusable(
            f"which does not exist.{near_match(text, names)}", f"The {them} are {', '.join(names)}."
        )

    return read


def section(key: str, sections: Mapping[str, str]) -> Row:
    """The row of the open section of a page.

    Args:
        key: where the session keeps what is open.
        sections: {name in a link: what the reader sees}; the first one is open without the name.
    """
    first = next(iter(sections))

    def put(name: str) -> None:
        st.session_state[key] = sections[name]

    def get() -> str:
        shown = st.session_state.get(key)
        return next((name for name, seen in sections.items() if seen == shown), first)

    read = one_of(sections, "sections")
    return Row("section", key, "section", read, first=first, old="s", put=put, get=get)


def some_of(names: Sequence[str], them: str) -> Callable[[str], tuple[str, ...]]:
    """Reads some names with commas between them; they come in their own order, each once."""
    read = one_of(names, them)

    def read_some(text: str) -> tuple[str, ...]:
        given = {read(name) for name in text.split(",")}
        return tuple(name for name in names if name in given)

    return read_some


def read_heads(text: str) -> tuple[Head, ...]:
    """Heads with commas between them, each once."""
    labels = text.split(",")
    if len(labels) > MOST_HEADS:
        raise Unusable(f"which has more than {MOST_HEADS} heads.", "Name fewer heads.")
    try:
        return tuple(dict.fromkeys(Head.parse(label) for label in labels))
    except UnknownHeadError:
        raise Unusable(
            "not all of which are heads.", "Heads are written with commas, for example L1H3,L2H0."
        ) from None


def _read_layer(text: str) -> int:
    if not _LAYER.fullmatch(text):
        raise Unusable("which is not a layer.", "A layer is a number from 0 up, for example 3.")
    return int(text)


def read_position(text: str) -> int:
    """A position in a prompt."""
    if not _POSITION.fullmatch(text):
        raise Unusable("which is not a position.", "A position is a number from 0 up, e.g. 7.")
    return int(text)


def number(within: limits.Range, what: str) -> Callable[[str], float]:
    """Reads a number within a range; ``what`` is what it is, for the sentence."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if value not in within:
            raise Unusable(
                f"which is no {what}.", f"It is from {within.least:g} to {within.most:,g}."
            )
        return value

    return read


def whole(within: limits.Range, what: str) -> Callable[[str], int]:
    """Reads a whole number within a range."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or int(text) not in within:
            raise Unusable(
                f"which is no {what}.",
                f"It is a whole number from {within.least:,} to {within.most:,}.",
            )
        return int(text)

    return read


def flag(meaning: str) -> Callable[[str], bool]:
    """Reads a switch; ``meaning`` says what 1 and 0 do, for the sentence."""

    def read(text: str) -> bool:
        if text not in ("0", "1"):
            raise Unusable("which is neither 0 nor 1.", meaning)
        return text == "1"

    return read


# ------------------------------------------------------------------ rows of several pages


def _prompt_that_runs() -> str | None:
    prompt = st.session_state[session.PROMPT]
    return prompt if prompt.strip() else None


def _second_prompt() -> str | None:
    second = st.session_state.get(session.SECOND)
    return second if second is not None and second.strip() else None


def _wraps() -> bool:
    return chat_format.is_on(st.session_state[session.MODEL])


def read_sets(text: str) -> str:
    """Sets of components as they are typed, with semicolons between them."""
    try:
        limits.COMPONENT_SETS.check(len(text))
        sets = ComponentSet.parse_all(text)
        limits.SETS.check(len(sets))
    except HeadrolesError as error:
        raise Unusable(
            f"which cannot be read. {error.message}",
            "Sets are written with semicolons, for example L0Q17,L0K3;L1V5@H2.",
        ) from None
    return "\n".join(each.label for each in sets)


def write_sets(text: str) -> str:
    """The same without what an address would have to escape."""
    return text.replace(", ", ",").replace(" @ ", "@").replace("\n", ";")


# The model is always in the address, so that no address is empty.
MODEL = Row("model", session.MODEL, "model", read_model, first=KEEP, old="m", put=session.use_model)
PROMPT = Row(
    "prompt", session.PROMPT, "prompt", read_prompt, first=DEFAULT_PROMPT, old="p",
    put=session.revisit, get=_prompt_that_runs,
)  # fmt: skip
SECOND_PROMPT = Row(
    "second_prompt", session.SECOND, "second prompt", read_prompt, old="p2",
    put=session.revisit_second, get=_second_prompt,
)  # fmt: skip
HEAD = Row("head", session.HEAD, "head", read_head, lambda head: head.label, old="h")
ROLE = Row("role", session.ROLE, "role", one_of(BASIC_ROLES, "roles"), old="r")
VIEW = Row(
    "view", session.MAP_SOURCE, "view", one_of(VIEWS, "views"), first="reference", old="v",
    put=session.show_view, get=session.view,
)  # fmt: skip
HIDE_RESTING = Row(
    "hide_resting", session.HIDE_REST, "switch",
    flag("1 hides the resting column, 0 shows it."), lambda on: str(int(on)),
    first=False, old="x",
)  # fmt: skip
CHAT = Row(
    "chat", session.CHAT, "switch",
    flag("1 wraps the prompt as a chat message, 0 runs it as it is."), lambda on: str(int(on)),
    first=False, get=_wraps,
)  # fmt: skip
LAYER = Row("layer", None, "layer", _read_layer, old="l")
"""Other pages show no layer any more; older links to them may name one."""


# ------------------------------------------------------------------ whole addresses


def to_query(rows: Iterable[Row], values: Mapping[str, object]) -> dict[str, str]:
    """The query of an address, in the order of the rows.

    Args:
        rows: the page's table.
        values: {name: value}; what is None, or what the page shows anyway, is left out.
    """
    return {
        row.name: row.write(value)
        for row in rows
        if row.written and (value := values.get(row.name)) is not None and value != row.first
    }


def unknown_names(query: Iterable[str], rows: Iterable[Row]) -> list[LinkError]:
    """An error for every name that no page knows; names of trackers are ignored."""
    rows = list(rows)
    known = {name for row in rows for name in (row.name, row.old) if name}
    unknown = [name for name in query if name not in known and not FOREIGN.fullmatch(name.lower())]
    errors = [
        LinkError(
            f"The link contains “{in_one_line(name, limit=40)}”, which no page knows."
            f"{near_match(name.lower(), [row.name for row in rows])}",
            hint="The page ignores it.",
            value=name,
        )
        for name in unknown[:MOST_UNKNOWN]
    ]
    if more := unknown[MOST_UNKNOWN:]:
        message = f"The link contains {count(len(more), 'more name')} that no page knows."
        them = "it" if len(more) == 1 else "them"
        errors.append(LinkError(message, hint=f"The page ignores {them}.", value=more))
    return errors


def encode(query: Mapping[str, str]) -> str:
    """A query as it is sent; a comma may stay as it is.

    >>> encode({"model": "demo", "prompt": "A & B", "heads": "L1H1,L2H2"})
    'model=demo&prompt=A%20%26%20B&heads=L1H1,L2H2'
    """
    return urlencode(query, safe=",", quote_via=quote, errors="replace")


def too_long_to_share(address: str) -> LinkError | None:
    """An error about an address that some programs would cut off; None if it is short enough."""
    if len(address) <= LONGEST:
        return None
    return LinkError(
        f"This link has {len(address):,} characters; many programs cut off what is longer than "
        f"{LONGEST:,}.",
        hint="Shorten the prompt, or send the prompt itself or the exported file.",
        value=len(address),
    )

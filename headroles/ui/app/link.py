"""The state that a link carries: which model, prompt, role, head and view a page shows.

A link says only what differs from what a page shows anyway, under names of a letter or two, so
that it stays short enough to be sent. Whatever comes *from* a link was written by anybody: it is
checked like typed input, and nothing in it is ever taken for a path or loaded from the network.
What cannot be used is named in a sentence, and the default takes its place.

>>> to_query(Link(prompt="The cat sat.", head=Head(1, 3)))
{'p': 'The cat sat.', 'h': 'L1H3'}
>>> link, errors = from_query({"m": "demo", "h": "L1H3"})
>>> link.head, errors
(Head(layer=1, head=3), [])
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote, urlencode

from headroles.errors import HeadrolesError, LinkError, UnknownHeadError, near_match
from headroles.models import CATALOGUE, DEFAULT_MODEL
from headroles.roles import ROLES
from headroles.texts import MAX_CHARACTERS
from headroles.types import Head

LONGEST = 2_000
"""Characters of an address that every browser, mail program and chat takes."""

VIEWS = ("listed", "all", "reference")
"""Listed heads, all heads on this prompt, all heads in the reference scores."""

NORMS = ("applied", "folded", "none")
"""What the circuits do with the layer norm (:class:`headroles.circuits.qk_ov.CircuitSettings`)."""
SWITCHES = ("biases", "bos", "mean")
"""What the circuits do unless it is switched off: biases added, BOS and the mean taken away."""
SECTIONS = ("one", "many", "offsets", "circuit", "components")
"""The parts of the knock-out lab."""
HOWS = ("mean", "zero", "first", "even")
"""How the knock-out lab takes a head away."""
MOST_HEADS = 64
"""Heads that a link names together."""

_TYPED = "\n\r\t"
"""The control characters that a text box gives."""
_LAYER = re.compile("[0-9]{1,3}")


@dataclass(frozen=True)
class Link:
    """What a link can say. ``None`` is what a link does not say."""

    model: str = DEFAULT_MODEL
    """A key of the catalogue."""
    prompt: str | None = None
    """The text that is run."""
    role: str = "induction"
    """A role's key."""
    head: Head | None = None
    """The head that is looked at."""
    view: str = VIEWS[0]
    """One of :data:`VIEWS`."""
    layer: int | None = None
    """The layer that is looked at."""
    without_rest: bool = False
    """Whether the resting column is hidden."""
    other_prompt: str | None = None
    """A second prompt to compare with."""
    other_model: str | None = None
    """The key of a second model to compare with."""
    norm: str = NORMS[0]
    """One of :data:`NORMS`."""
    switched_off: tuple[str, ...] = ()
    """Some of :data:`SWITCHES`."""
    section: str = SECTIONS[0]
    """One of :data:`SECTIONS`."""
    heads: tuple[Head, ...] | None = None
    """The heads that are taken away."""
    how: str = HOWS[0]
    """One of :data:`HOWS`."""


class _Field(NamedTuple):
    """How one value is written into an address and read back."""

    key: str
    what: str
    read: Callable[[str], object]
    write: Callable[[object], str] = str


# ------------------------------------------------------------------ reading one value


class _Unusable(Exception):  # noqa: N818 - never leaves this module
    """Why a value cannot be used, as the rest of a sentence, and what could be."""

    def __init__(self, why: str, hint: str) -> None:
        self.why, self.hint = why, hint


def _model(text: str) -> str:
    if text in CATALOGUE:
        return text
    for entry in CATALOGUE.values():
        if text == entry.source and not entry.is_bundled:
            return entry.key
    # No folder is looked up and no Hub id tried: a link must not make the server load anything.
    raise _Unusable(
        f"which this app does not offer.{near_match(text, CATALOGUE)}",
        f"A link can name {_listing(CATALOGUE)}.",
    )


def _prompt(text: str) -> str:
    if not text.strip():
        raise _Unusable("which is empty.", "Type a sentence, or take one of the examples.")
    if len(text) > MAX_CHARACTERS:
        raise _Unusable(
            f"which has {len(text):,} characters; this app reads at most {MAX_CHARACTERS:,}.",
            "Shorten it.",
        )
    for character in text:
        # Cc: control characters; Cs: halves of a character that no text can hold.
        if unicodedata.category(character) in ("Cc", "Cs") and character not in _TYPED:
            raise _Unusable(
                f"which holds the control character U+{ord(character):04X}.",
                "Type the sentence anew.",
            )
    return text


def _role(text: str) -> str:
    if text in ROLES:
        return text
    raise _Unusable(
        f"which there is not.{near_match(text, ROLES)}", f"The roles are {_listing(ROLES)}."
    )


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except UnknownHeadError:
        raise _Unusable(
            "which is no head.", "A head is written as layer and head, for example L1H3."
        ) from None


def _one_of(names: Sequence[str], them: str) -> Callable[[str], str]:
    """Reads one of some names; ``them`` is what they are, for the sentence."""

    def read(text: str) -> str:
        if text in names:
            return text
        raise _Unusable(
            f"which there is not.{near_match(text, names)}", f"The {them} are {_listing(names)}."
        )

    return read


def _switches(text: str) -> tuple[str, ...]:
    read = _one_of(SWITCHES, "switches")
    found = {read(one) for one in text.split(",")}
    return tuple(name for name in SWITCHES if name in found)


def _heads(text: str) -> tuple[Head, ...]:
    labels = text.split(",")
    if len(labels) > MOST_HEADS:
        raise _Unusable(f"which has more than {MOST_HEADS} heads.", "Name fewer heads.")
    try:
        return tuple(dict.fromkeys(Head.parse(label) for label in labels))
    except UnknownHeadError:
        raise _Unusable(
            "not all of which are heads.", "Heads are written with commas, for example L1H3,L2H0."
        ) from None


def _layer(text: str) -> int:
    if not _LAYER.fullmatch(text):
        raise _Unusable("which is no layer.", "A layer is a number from 0 up, for example 3.")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise _Unusable("which is neither 0 nor 1.", "1 hides the resting column, 0 shows it.")
    return text == "1"


_FIELDS: dict[str, _Field] = {
    "model": _Field("m", "model", _model),
    "prompt": _Field("p", "prompt", _prompt),
    "role": _Field("r", "role", _role),
    "head": _Field("h", "head", _head, lambda head: head.label),
    "view": _Field("v", "view", _one_of(VIEWS, "views")),
    "layer": _Field("l", "layer", _layer),
    "without_rest": _Field("x", "switch", _flag, lambda on: str(int(on))),
    "other_prompt": _Field("p2", "second prompt", _prompt),
    "other_model": _Field("m2", "second model", _model),
    "norm": _Field("n", "way with the layer norm", _one_of(NORMS, "ways")),
    "switched_off": _Field("o", "switch", _switches, ",".join),
    "section": _Field("s", "section", _one_of(SECTIONS, "sections")),
    "heads": _Field("hs", "list of heads", _heads, lambda heads: ",".join(h.label for h in heads)),
    "how": _Field("w", "way to take heads away", _one_of(HOWS, "ways")),
}
"""Every field of :class:`Link` in the order in which an address names them."""


# ------------------------------------------------------------------ whole links


def to_query(link: Link, *, defaults: Link | None = None) -> dict[str, str]:
    """What stands behind the question mark, in a fixed order; only what differs from the defaults.

    A ``None`` is not written: where the defaults have a value, that value takes its place.

    Args:
        link: the state of a page.
        defaults: what the page shows without a link, e.g. with its own first prompt.
    """
    plain = defaults or Link()
    return {
        field.key: field.write(value)
        for name, field in _FIELDS.items()
        if (value := getattr(link, name)) is not None and value != getattr(plain, name)
    }


def from_query(
    query: Mapping[str, str | Sequence[str]], *, defaults: Link | None = None
) -> tuple[Link, list[HeadrolesError]]:
    """The state that an address asks for, and a sentence for every value that cannot be used.

    Args:
        query: {name: value, or all values of a name that is repeated}. Names that are not ours
            (trackers and hosts add some) are passed over.
        defaults: what the page shows without a link; it takes the place of what cannot be used.

    Returns:
        The link, and the errors in the order of the fields.
    """
    found: dict[str, object] = {}
    errors: list[HeadrolesError] = []
    for name, field in _FIELDS.items():
        given = query.get(field.key, ())
        values = [given] if isinstance(given, str) else list(given)
        if not values:
            continue
        try:
            if len(values) != 1:
                raise _Unusable(f"{len(values)} times.", "A link can name it once.")
            found[name] = field.read(values[0])
        except _Unusable as fault:
            errors.append(_error(field.what, values, fault))
    return replace(defaults or Link(), **found), errors


def _error(what: str, values: Sequence[str], fault: _Unusable) -> LinkError:
    named = f" “{_printable(values[0])}”," if len(values) == 1 and values[0].strip() else ""
    comma = "," if len(values) == 1 and not named else ""
    return LinkError(
        f"The link names a {what}{comma}{named} {fault.why}",
        hint=f"The page shows what it would without it. {fault.hint}",
        value=values[0] if len(values) == 1 else list(values),
    )


def check_head(
    link: Link, *, layers: int, heads: int, defaults: Link | None = None
) -> tuple[Link, list[HeadrolesError]]:
    """Check head and layer against the shape of the model, once that is known.

    Returns:
        The link with the default in place of what the model does not have, and the errors.
    """
    plain, errors = defaults or Link(), []
    if link.head is not None and not (link.head.layer < layers and link.head.head < heads):
        errors.append(UnknownHeadError(link.head.label, layers=layers, heads=heads))
        link = replace(link, head=plain.head)
    if link.layer is not None and not link.layer < layers:
        errors.append(
            LinkError(
                f"The link names the layer {link.layer}, which this model does not have.",
                hint=f"This model has layers 0 to {layers - 1}.",
                value=link.layer,
            )
        )
        link = replace(link, layer=plain.layer)
    return link, errors


def address(link: Link, page: str = "", *, defaults: Link | None = None) -> str:
    """The address that reopens a state.

    Args:
        link: the state.
        page: the address of the page, without a question mark.
        defaults: what the page shows without a link.
    """
    query = urlencode(to_query(link, defaults=defaults), quote_via=quote, errors="replace")
    return f"{page}?{query}" if query else page


def too_long_to_share(address: str) -> LinkError | None:
    """A sentence about an address that some programs would cut off; None if it is short enough."""
    if len(address) <= LONGEST:
        return None
    return LinkError(
        f"This link has {len(address):,} characters; many programs cut off what is longer than "
        f"{LONGEST:,}.",
        hint="Shorten the prompt, or send the prompt itself or the exported file.",
        value=len(address),
    )


def _printable(text: str, *, limit: int = 40) -> str:
    """What can be shown of any text: no control or direction marks, and not much of it."""
    clean = "".join(one if one.isprintable() else "�" for one in text[:limit])
    return clean + "…" if len(text) > limit else clean


def _listing(names: Iterable[str]) -> str:
    return ", ".join(names)

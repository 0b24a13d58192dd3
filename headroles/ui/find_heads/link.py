"""The names in the address of the page Find heads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

import streamlit as st

from headroles import charts
from headroles.formatting import count
from headroles.roles import EXTENDED_ROLES, SCORED_ROLES
from headroles.ui.app import link
from headroles.ui.app.link import Row, Unusable
from headroles.ui.find_heads import sequence_link, state

SECTIONS = dict(zip(state.LINK_NAMES, state.SECTIONS, strict=True))
"""{name in a link: the section}."""
_NUMBER = re.compile("[a-z0-9_.]{1,60}")
_DECIMAL = re.compile("-?[0-9]{1,6}([.][0-9]{1,6})?")


def _read_number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise Unusable("which is no number of heads.", "A number is named, e.g. previous_token.")
    return text


def _read_region(text: str) -> tuple[float, float, float, float]:
    parts = text.split(",")
    if len(parts) != 4 or not all(_DECIMAL.fullmatch(part) for part in parts):
        raise Unusable(
            "which is no rectangle.", "A region has four edges, for example 0,0.2,0.5,1."
        )
    left, right, low, high = map(float, parts)
    if left > right or low > high:
        raise Unusable("whose edges are the wrong way round.", "The lower edge comes first.")
    return left, right, low, high


def _write_region(region: tuple[float, ...]) -> str:
    return ",".join(f"{edge:.4f}".rstrip("0").rstrip(".") for edge in region)


def _read_models(text: str) -> tuple[str, ...]:
    names = text.split(",")
    most = len(charts.depth.LOOKS)
    if len(names) > most:
        raise Unusable(f"which has {count(len(names), 'model')}.", f"Name at most {most}.")
    return tuple(dict.fromkeys(link.read_model(unquote(name)) for name in names))


def _write_models(keys: Sequence[str]) -> str:
    return ",".join(quote(key, safe="/") for key in keys)  # a folder's name may hold a comma


def _choose_models(keys: Sequence[str] | None) -> None:
    st.session_state[state.MODELS] = list(keys or ())  # none chosen: the section takes its own


def _chosen_models() -> tuple[str, ...] | None:
    """None for the models that the section shows without being told."""
    chosen = tuple(st.session_state.get(state.MODELS) or ())
    return chosen if chosen and chosen != st.session_state.get(state.FIRST_MODELS) else None


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.section(state.SECTION, SECTIONS),
    Row("along", state.ALONG, "number", _read_number, first=state.FIRST_NUMBERS[0]),
    Row("up", state.UP, "number", _read_number, first=state.FIRST_NUMBERS[1]),
    Row("region", state.REGION, "region", _read_region, _write_region),
    Row("colour", state.COLOUR, "colour", link.one_of(state.COLOURS, "colours"),
        first=state.COLOURS[0]),
    Row("alike_by", state.WAY, "way of comparing", link.one_of(state.WAYS, "ways"),
        first=state.WAYS[0]),
    Row("second_model", state.OTHER, "second model", link.read_another_model, old="m2"),
    link.LAYER._replace(key=state.LAYER, first=0),
    link.ROLE._replace(
        key=state.ROLE,
        read=link.one_of([role.key for role in (*SCORED_ROLES, *EXTENDED_ROLES.values())], "roles"),
        first="induction",
    ),
    Row("models", state.MODELS, "list of models", _read_models, _write_models,
        put=_choose_models, get=_chosen_models),
    *sequence_link.ROWS,
    link.HEAD,
    link.CHAT,
)  # fmt: skip

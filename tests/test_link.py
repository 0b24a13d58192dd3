"""A link says what a page shows, and can say nothing that a student could not type."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headroles.errors import HeadrolesError, LinkError, UnknownHeadError
from headroles.models import CATALOGUE, DEFAULT_MODEL
from headroles.paths import DEMO_MODEL
from headroles.roles import ROLES
from headroles.texts import MAX_CHARACTERS
from headroles.types import Head
from headroles.ui.app import link as app_link
from headroles.ui.app.link import (
    HOWS,
    LONGEST,
    MOST_HEADS,
    NORMS,
    SECTIONS,
    SWITCHES,
    VIEWS,
    Link,
    address,
    check_head,
    from_query,
    to_query,
    too_long_to_share,
)
from tests.facts import says

MINE = Link(prompt="The cat sat.")
"""What a page shows without a link."""

EVERYTHING = Link(
    model="gpt2",
    prompt="A & B",
    role="diffuse",
    head=Head(5, 1),
    view="all",
    layer=5,
    without_rest=True,
    other_prompt="A & C",
    other_model="distilgpt2",
    norm="folded",
    switched_off=("biases", "mean"),
    section="many",
    heads=(Head(5, 1), Head(0, 3)),
    how="zero",
)


def refused(**query: str | list[str]) -> HeadrolesError:
    """The one error of a query whose default then takes the place of what is wrong with it."""
    link, errors = from_query(query, defaults=MINE)
    assert link == MINE
    (error,) = errors
    assert isinstance(error, LinkError)
    assert error.hint
    return error


# ------------------------------------------------------------------ there and back


def test_an_address_by_hand() -> None:
    assert to_query(EVERYTHING) == {
        "m": "gpt2",
        "p": "A & B",
        "r": "diffuse",
        "h": "L5H1",
        "v": "all",
        "l": "5",
        "x": "1",
        "p2": "A & C",
        "m2": "distilgpt2",
        "n": "folded",
        "o": "biases,mean",
        "s": "many",
        "hs": "L5H1,L0H3",
        "w": "zero",
    }
    assert list(to_query(EVERYTHING)) == [one.key for one in app_link._FIELDS.values()]
    assert from_query(to_query(EVERYTHING)) == (EVERYTHING, [])


def test_every_field_has_its_place_and_a_name_of_its_own() -> None:
    assert list(app_link._FIELDS) == [one.name for one in fields(Link)]
    names = [one.key for one in app_link._FIELDS.values()]
    assert len(set(names)) == len(names)


def test_what_the_page_shows_anyway_is_left_out() -> None:
    assert to_query(Link()) == {}
    assert to_query(MINE, defaults=MINE) == {}
    assert to_query(Link(prompt="Another one."), defaults=MINE) == {"p": "Another one."}
    assert from_query({}, defaults=MINE) == (MINE, [])
    hidden = Link(without_rest=True)
    assert to_query(Link(), defaults=hidden) == {"x": "0"}
    assert from_query({"x": "0"}, defaults=hidden) == (Link(), [])


_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r&=#%+?/ ;é👩‍🚀שלום"),
    min_size=1,
    max_size=60,
).filter(str.strip)
_heads = st.builds(Head, st.integers(0, 999), st.integers(0, 999))
_links = st.builds(
    Link,
    model=st.sampled_from(list(CATALOGUE)),
    prompt=st.none() | _text,
    role=st.sampled_from(list(ROLES)),
    head=st.none() | _heads,
    view=st.sampled_from(VIEWS),
    layer=st.none() | st.integers(0, 999),
    without_rest=st.booleans(),
    other_prompt=st.none() | _text,
    other_model=st.none() | st.sampled_from(list(CATALOGUE)),
    norm=st.sampled_from(NORMS),
    switched_off=st.sets(st.sampled_from(SWITCHES)).map(
        lambda some: tuple(name for name in SWITCHES if name in some)
    ),
    section=st.sampled_from(SECTIONS),
    heads=st.none() | st.lists(_heads, min_size=1, max_size=MOST_HEADS, unique=True).map(tuple),
    how=st.sampled_from(HOWS),
)


@given(_links)
@example(Link(prompt="👩‍🚀 flies &=#%+?"))
@example(Link(prompt="שלום עולם שלום"))
@example(Link(prompt="one\ntwo\r\n\tthree"))
@example(Link(prompt="100%25 + a=b&m=evil#p"))
@example(Link(prompt="  spaces stay  "))
def test_a_link_comes_back_as_it_was(link: Link) -> None:
    assert from_query(to_query(link)) == (link, [])


@given(_links)
def test_a_link_comes_back_through_a_real_address(link: Link) -> None:
    text = address(link, "https://example.org/your_prompt")
    assert text.isascii()
    assert "+" not in text  # a space is %20: some programs do not read a plus as one
    query = parse_qs(urlsplit(text).query, keep_blank_values=True)  # every value in a list
    assert from_query(query) == (link, [])


@given(st.dictionaries(st.sampled_from([one.key for one in app_link._FIELDS.values()]), st.text()))
def test_no_address_breaks_the_page(query: dict[str, str]) -> None:
    link, errors = from_query(query, defaults=MINE)
    assert len(errors) <= len(query)
    assert all(error.message.endswith((".", "?")) for error in errors)
    assert from_query(to_query(link, defaults=MINE), defaults=MINE) == (link, [])


def test_an_address_without_a_state_is_the_page() -> None:
    assert address(Link(), "/head_map") == "/head_map"
    assert address(Link(role="diffuse"), "/head_map") == "/head_map?r=diffuse"
    assert address(Link(prompt="a b")) == "?p=a%20b"
    assert address(Link(prompt="half \ud83d")) == "?p=half%20%3F"  # no such text can be sent


# ------------------------------------------------------------------ what is refused


def test_an_unknown_model_gets_a_near_match() -> None:
    error = refused(m="gtp2")
    assert says(error.message, "“gtp2”", "'gpt2'")
    assert "gpt2, gpt2-medium" in error.hint
    assert says(refused(m2="gtp2").message, "second model", "“gtp2”")


@pytest.mark.parametrize(
    "model", ["someone/new-model", "/etc", ".", "..", "data/demo_model", str(DEMO_MODEL), "GPT2"]
)
def test_a_link_loads_nothing_that_is_not_in_the_catalogue(model: str) -> None:
    assert "does not offer" in refused(m=model).message


def test_no_file_is_looked_at_for_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> bool:
        raise AssertionError("a link must not probe the disk")

    for name in ("exists", "is_dir", "is_file", "resolve"):
        monkeypatch.setattr(Path, name, touched)
    assert "does not offer" in refused(m="/etc").message


def test_the_hub_id_of_an_offered_model_is_that_model() -> None:
    link, errors = from_query({"m": "openai-community/gpt2"})
    assert (link.model, errors) == ("gpt2", [])


def test_an_unknown_role_head_view_layer_or_switch_is_named() -> None:
    assert says(refused(r="inductoin").message, "'induction'")
    assert "previous_token, induction" in refused(r="x").hint
    assert says(refused(h="112").message, "head", "“112”")
    assert "L1H3" in refused(h="5").hint
    assert "Did you mean 'listed'?" in refused(v="list").message
    for layer in ("-1", "1.5", "1000", "three", "²"):
        assert refused(l=layer).message == f"The link names a layer “{layer}”, which is no layer."
    assert "neither 0 nor 1" in refused(x="yes").message


def test_an_unknown_norm_section_way_or_list_is_named() -> None:
    assert "Did you mean 'folded'?" in refused(n="foldd").message
    assert "applied, folded, none" in refused(n="x").hint
    assert "switch “biases,x”" in refused(o="biases,x").message
    assert "switch" in refused(o="").message
    assert "Did you mean 'offsets'?" in refused(s="offset").message
    assert says(refused(hs="L1H1,<b>").message, "not all", "heads")
    assert says(refused(hs="L1H1,").message, "not all", "heads")
    many = ",".join(f"L0H{head}" for head in range(MOST_HEADS + 1))
    assert f"more than {MOST_HEADS} heads" in refused(hs=many).message
    assert "mean, zero, first, even" in refused(w="x").hint


def test_a_list_of_heads_names_each_once() -> None:
    assert from_query({"hs": "L1H1,l1-h1, L0H2"})[0].heads == (Head(1, 1), Head(0, 2))
    assert from_query({"o": "mean,biases,mean"})[0].switched_off == ("biases", "mean")


def test_the_names_are_those_that_the_pages_and_the_circuits_use() -> None:
    from headroles.ui.circuits import controls, state
    from headroles.ui.knockout_lab import state as knockout_lab_state

    assert tuple(controls.NORM_WORDS) == NORMS
    assert len(state.SWITCHES) == len(SWITCHES)
    assert len(knockout_lab_state.SECTION_NAMES) == len(SECTIONS)
    assert len(knockout_lab_state.HOWS) == len(HOWS)


def test_a_head_may_be_written_in_any_way_that_people_type() -> None:
    for text in ("L5H1", "l5-h1", "5.1", " L5H1 "):
        assert from_query({"h": text})[0].head == Head(5, 1)


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_named(prompt: str) -> None:
    assert says(refused(p=prompt).message, "prompt", "empty")


def test_a_prompt_at_the_limit_is_taken_and_one_over_it_is_not() -> None:
    longest = "a" * MAX_CHARACTERS
    assert from_query({"p": longest})[0].prompt == longest
    error = refused(p=longest + "a")
    assert says(error.message, "200,001", "200,000")
    assert len(error.message) < 200  # and the sentence does not repeat them all


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("a\0b", "U+0000"),
        ("\x1b[31m", "U+001B"),
        ("a\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("a\ud800", "U+D800"),
    ],
)
def test_control_characters_are_refused_and_not_shown(prompt: str, code: str) -> None:
    prompt = f"word {prompt}"
    error = refused(p=prompt)
    assert says(error.message, "control character", code)
    assert error.message.isprintable()
    assert error.value == prompt


def test_a_message_shows_no_direction_marks_of_the_value() -> None:
    assert "\u202e" not in refused(m="\u202eevil").message


def test_a_value_that_is_given_twice_is_not_guessed() -> None:
    error = refused(h=["L1H1", "L1H2"])
    assert says(error.message, "head", "2 times")
    assert error.value == ["L1H1", "L1H2"]
    assert from_query({"h": ["L1H1"]})[0].head == Head(1, 1)
    assert from_query({"h": []}, defaults=MINE) == (MINE, [])


def test_one_bad_value_leaves_the_good_ones() -> None:
    link, errors = from_query({"m": "gtp2", "r": "diffuse", "h": "x", "p": "Hello."})
    assert link == Link(model=DEFAULT_MODEL, role="diffuse", prompt="Hello.")
    assert [error.value for error in errors] == ["gtp2", "x"]


def test_names_that_are_not_ours_are_passed_over() -> None:
    assert from_query({"utm_source": "mail", "embed": "true", "P": "x"}) == (Link(), [])


# ------------------------------------------------------------------ the shape of the model


def test_a_head_is_checked_against_the_model_once_that_is_known() -> None:
    link = Link(head=Head(1, 2), layer=1)
    assert check_head(link, layers=2, heads=3) == (link, [])
    for head in (Head(2, 0), Head(0, 3)):
        checked, (error,) = check_head(Link(head=head), layers=2, heads=3)
        assert checked == Link()
        assert isinstance(error, UnknownHeadError)
        assert says(error.hint, "0 to 1", "0 to 2")
    checked, (error,) = check_head(Link(layer=2, role="diffuse"), layers=2, heads=3)
    assert checked == Link(role="diffuse")
    assert says(error.message, "layer 2")
    both, errors = check_head(
        Link(head=Head(9, 0), layer=9), layers=2, heads=3, defaults=Link(head=Head(0, 1), layer=0)
    )
    assert (both.head, both.layer, len(errors)) == (Head(0, 1), 0, 2)


# ------------------------------------------------------------------ length


def test_a_link_that_programs_cut_off_is_not_passed_off_as_one() -> None:
    start = len(address(Link(prompt="a"), "https://example.org/")) - 1
    fits = address(Link(prompt="a" * (LONGEST - start)), "https://example.org/")
    assert len(fits) == LONGEST
    assert too_long_to_share(fits) is None
    error = too_long_to_share(fits + "a")
    assert error is not None
    assert "2,001 characters" in error.message
    assert error.hint


def test_letters_of_other_scripts_count_as_they_are_sent() -> None:
    # Each is two bytes of UTF-8, and each byte three characters of the address.
    assert len(address(Link(prompt="ש" * 100))) == len("?p=") + 600
    assert too_long_to_share(address(Link(prompt="ש" * 333))) is not None
    assert too_long_to_share(address(Link(prompt="ש" * 332))) is None

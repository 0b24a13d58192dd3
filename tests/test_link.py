"""An address says what a page shows, and can say nothing that a student could not type."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import streamlit
from hypothesis import example, given
from hypothesis import strategies as st

from headroles.errors import HeadrolesError, LinkError
from headroles.limits import PROMPT as PROMPT_LIMIT
from headroles.models import CATALOGUE
from headroles.paths import DEMO_MODEL
from headroles.roles import BASIC_ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.answer.pair_link import DIRECTIONS
from headroles.ui.answer.pair_state import MOST_ARROWS, MOST_PAIRS
from headroles.ui.app import session
from headroles.ui.app.link import (
    ABSENT,
    KEEP,
    LONGEST,
    MOST_HEADS,
    MOST_UNKNOWN,
    VIEWS,
    Row,
    encode,
    to_query,
    too_long_to_share,
    unknown_names,
)
from headroles.ui.circuits.link import EMBEDDINGS, NORMS, SWITCHES
from headroles.ui.knockout_lab.link import ABLATIONS, MORES, SECTIONS
from headroles.ui.knockout_lab.link import VIEWS as LOOKS
from tests.facts import says

PAGES = (
    "components", "real_text", "answer", "find_heads", "your_prompt",
    "head_closeup", "head_map", "detector_lab", "knockout_lab", "circuits",
)  # fmt: skip
TABLES = {page: import_module(f"headroles.ui.{page}.link").ROWS for page in PAGES}
EVERY: dict[str, Row] = {row.name: row for table in TABLES.values() for row in table}
EVERY["role"] = EVERY["role"]._replace(read=TABLES["head_closeup"][2].read)
ROWS = tuple(EVERY.values())

EVERYTHING = {
    "model": "gpt2",
    "prompt": "A & B",
    "second_prompt": "A & C",
    "role": "diffuse",
    "hide_resting": True,
    "chat": True,
    "head": Head(5, 1),
    "view": "all",
    "second_model": "distilgpt2",
    "section": "many",
    "heads": (Head(5, 1), Head(0, 3)),
    "ablation": "zero",
    "norm": "folded",
    "without": ("biases", "mean"),
    "answer": " Mary",
    "against": "John",
    "position": 7,
    "direction": "noise",
    "pairs": 4,
    "paths": ("L23H0>logits", "L14H2>L23H0.query"),
}
OLD = {
    "model": "m", "prompt": "p", "role": "r", "head": "h", "view": "v", "layer": "l",
    "hide_resting": "x", "second_prompt": "p2", "second_model": "m2", "norm": "n", "without": "o",
    "section": "s", "heads": "hs", "ablation": "w",
}  # fmt: skip
"""{name: the one in links of before}. These links were sent around: nothing here may change."""


@pytest.fixture(scope="module", autouse=True)
def _session():
    """A plain dict in place of Streamlit's session, with the bundled model chosen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamlit, "session_state", {})
        session.begin()
        yield


def written(values: dict[str, object]) -> dict[str, str]:
    return to_query([row._replace(written=True) for row in ROWS], values)


def read(query: dict[str, str | list[str]]) -> dict[str, object]:
    values = {row.name: row.value_in(query) for row in ROWS}
    return {name: value for name, value in values.items() if value is not ABSENT}


def refused(**query: str | list[str]) -> HeadrolesError:
    """The error about the one name of a query."""
    (name,) = query
    row = next(row for row in ROWS if name in (row.name, row.old))
    with pytest.raises(LinkError) as caught:
        row.value_in(query)
    assert caught.value.hint.startswith("The page ignores it. ")
    return caught.value


# ------------------------------------------------------------------ the tables of the pages


@pytest.mark.parametrize("page", PAGES)
def test_a_table_names_each_thing_once(page: str) -> None:
    names = [name for row in TABLES[page] for name in (row.name, row.old) if name]
    assert len(set(names)) == len(names)
    assert {"model", "prompt"} <= set(names)


def test_a_name_means_the_same_on_every_page() -> None:
    for table in TABLES.values():
        for row in table:
            same = EVERY[row.name]
            assert (row.old, row.what, row.write) == (same.old, same.what, same.write)


def test_the_names_of_before_are_understood_for_ever() -> None:
    assert {row.name: row.old for row in ROWS if row.old} == OLD
    new = written(EVERYTHING | {"layer": 5})
    old = {OLD.get(name, name): value for name, value in new.items()}
    assert read(old) == read(new) == EVERYTHING | {"layer": 5}


def test_a_value_that_stands_under_both_names_is_given_twice() -> None:
    assert says(refused(head=["L1H1", "L1H1"]).message, "2")
    with pytest.raises(LinkError, match="2 times"):
        EVERY["head"].value_in({"head": "L1H1", "h": "L1H1"})


# ------------------------------------------------------------------ there and back


def test_an_address_by_hand() -> None:
    assert written(EVERYTHING) == {
        "model": "gpt2",
        "prompt": "A & B",
        "second_prompt": "A & C",
        "role": "diffuse",
        "hide_resting": "1",
        "chat": "1",
        "head": "L5H1",
        "view": "all",
        "second_model": "distilgpt2",
        "section": "many",
        "heads": "L5H1,L0H3",
        "ablation": "zero",
        "norm": "folded",
        "without": "biases,mean",
        "answer": " Mary",
        "against": "John",
        "position": "7",
        "direction": "noise",
        "pairs": "4",
        "paths": "L23H0>logits,L14H2>L23H0.q",
    }
    assert read(written(EVERYTHING)) == EVERYTHING


def test_what_the_page_shows_anyway_is_left_out() -> None:
    plain = {row.name: row.first for row in ROWS if row.first is not KEEP}
    assert written(plain) == {}
    assert read({}) == {}
    closeup = TABLES["head_closeup"]
    assert to_query(closeup, {"hide_resting": False, "head": None}) == {}
    assert to_query(closeup, {"hide_resting": True, "view": "all"}) == {"hide_resting": "1"}


_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r&=#%+?/ ;é👩‍🚀שלום"),
    min_size=1,
    max_size=60,
).filter(str.strip)
_heads = st.builds(Head, st.integers(0, 999), st.integers(0, 999))
_ends = st.just("logits") | st.builds(
    "{0.label}.{1}".format, _heads, st.sampled_from(("query", "key", "value"))
)
_paths = st.builds("{0.label}>{1}".format, _heads, _ends)
_addresses = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(list(CATALOGUE)),
        "prompt": _text,
        "second_prompt": _text,
        "role": st.sampled_from(list(BASIC_ROLES)),
        "head": _heads,
        "view": st.sampled_from(VIEWS),
        "layer": st.integers(0, 999),
        "hide_resting": st.booleans(),
        "chat": st.booleans(),
        "second_model": st.sampled_from([key for key in CATALOGUE if key != "demo"]),
        "norm": st.sampled_from(NORMS),
        "without": st.sets(st.sampled_from(list(SWITCHES))).map(
            lambda some: tuple(name for name in SWITCHES if name in some)
        ),
        "section": st.sampled_from(list(SECTIONS)),
        "heads": st.lists(_heads, min_size=1, max_size=MOST_HEADS, unique=True).map(tuple),
        "ablation": st.sampled_from(list(ABLATIONS)),
        "answer": _text,
        "against": _text,
        "position": st.integers(0, 9_999),
        "direction": st.sampled_from(DIRECTIONS),
        "pairs": st.sampled_from(MOST_PAIRS),
        "paths": st.lists(_paths, min_size=1, max_size=MOST_ARROWS, unique=True).map(tuple),
        "more": st.sampled_from(list(MORES)),
        "watched": _heads,
        "look": st.sampled_from(list(LOOKS)),
        "changed": st.sampled_from([role.key for role in SCORED_ROLES]),
    },
)


def differing(values: dict[str, object]) -> dict[str, object]:
    first = {row.name: row.first for row in ROWS}
    return {name: value for name, value in values.items() if value != first[name]}


@given(_addresses)
@example({"prompt": "👩‍🚀 flies &=#%+?"})
@example({"prompt": "שלום עולם שלום"})
@example({"prompt": "one\ntwo\r\n\tthree"})
@example({"prompt": "100%25 + a=b&m=evil#p"})
@example({"prompt": "  spaces stay  "})
def test_a_link_comes_back_as_it_was(values: dict[str, object]) -> None:
    assert read(written(values)) == differing(values)


@given(_addresses)
def test_a_link_comes_back_through_a_real_address(values: dict[str, object]) -> None:
    text = encode(written(values))
    assert text.isascii()
    assert "+" not in text  # a space is %20: some programs do not read a plus as one
    assert read(parse_qs(text, keep_blank_values=True)) == differing(values)


@given(st.sampled_from([*OLD, *OLD.values()]), st.text())
def test_no_value_breaks_the_page(name: str, text: str) -> None:
    row = next(row for row in ROWS if name in (row.name, row.old))
    value, said = None, "."
    try:
        value = row.value_in({name: text})
    except LinkError as error:
        said = error.message
    assert said.endswith((".", "?"))
    assert value is None or row.value_in({row.name: row.write(value)}) == value


def test_an_address_as_it_is_sent() -> None:
    assert encode({}) == ""
    assert encode({"role": "diffuse"}) == "role=diffuse"
    assert encode({"prompt": "a b"}) == "prompt=a%20b"
    assert encode({"prompt": "half \ud83d"}) == "prompt=half%20%3F"  # no such text can be sent


# ------------------------------------------------------------------ what is refused


def test_an_unknown_model_gets_a_near_match() -> None:
    error = refused(model="gtp2")
    assert "model “gtp2”" in error.message
    assert "'gpt2'" in error.message
    assert "gpt2-medium" not in error.hint  # no list of keys: people choose by name
    assert "second model “gtp2”" in refused(second_model="gtp2").message


@pytest.mark.parametrize(
    "model", ["someone/new-model", "/etc", ".", "..", "data/demo_model", str(DEMO_MODEL), "GPT2"]
)
def test_a_link_loads_nothing_that_is_not_in_the_catalogue(model: str) -> None:
    assert "does not offer" in refused(model=model).message


def test_no_file_is_looked_at_for_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*_: object) -> bool:
        raise AssertionError("a link must not probe the disk")

    for name in ("exists", "is_dir", "is_file", "resolve"):
        monkeypatch.setattr(Path, name, touched)
    assert "does not offer" in refused(model="/etc").message


def test_the_hub_id_of_an_offered_model_is_that_model() -> None:
    assert read({"model": "openai-community/gpt2"}) == {"model": "gpt2"}


def test_a_model_is_not_compared_with_itself() -> None:
    assert "“demo”" in refused(second_model="demo").message


def test_a_role_without_numbers_has_no_map() -> None:
    (role,) = (row for row in TABLES["head_map"] if row.name == "role")
    with pytest.raises(LinkError, match="“other”"):
        role.value_in({"role": "other"})
    assert read({"role": "other"}) == {"role": "other"}  # a head may well be seen as one


def test_an_unknown_role_head_view_layer_or_switch_is_named() -> None:
    assert "'induction'" in refused(role="inductoin").message
    assert "previous_token, induction" in refused(role="x").hint
    assert "head “112”" in refused(head="112").message
    assert "L1H3" in refused(head="5").hint
    assert "'listed'" in refused(view="list").message
    for layer in ("-1", "1.5", "1000", "three", "²"):
        assert f"layer “{layer}”" in refused(layer=layer).message
    assert "0 nor 1" in refused(hide_resting="yes").message


def test_arrows_that_are_none_are_named() -> None:
    assert says(refused(paths="L1H1").message, "arrows")
    assert says(refused(paths="L1H1>L2H2").message, "arrows")  # into which input?
    assert says(refused(paths="L1H1>L2H2/L3H2.q").message, "arrows")  # not of one layer
    assert EVERY["paths"].read("L1H1>L2H2/L2H3.q") == ("L1H1>L2H2/L2H3.query",)
    assert says(refused(paths=",".join(f"L{n}H0>logits" for n in range(30))).message, "24")
    assert EVERY["paths"].read("L1H1>L2H2.k,L1H1>L2H2.key") == ("L1H1>L2H2.key",)
    refused(direction="upwards")


def test_an_unknown_norm_section_way_or_list_is_named() -> None:
    assert "'folded'" in refused(norm="foldd").message
    assert "applied, folded, none" in refused(norm="x").hint
    assert "switch “biases,x”" in refused(without="biases,x").message
    assert "switch" in refused(without="").message
    assert "'offsets'" in refused(section="offset").message
    assert "“L1H1,<b>”" in refused(heads="L1H1,<b>").message
    assert "“L1H1,”" in refused(heads="L1H1,").message
    many = ",".join(f"L0H{head}" for head in range(MOST_HEADS + 1))
    assert f"more than {MOST_HEADS} heads" in refused(heads=many).message
    assert "mean, zero, first, even" in refused(ablation="x").hint


def test_a_list_of_heads_names_each_once() -> None:
    assert read({"heads": "L1H1,l1-h1, L0H2"}) == {"heads": (Head(1, 1), Head(0, 2))}
    assert read({"without": "mean,biases,mean"}) == {"without": ("biases", "mean")}


def test_the_norms_and_embeddings_are_those_of_the_page_and_of_the_circuits() -> None:
    from headroles.circuits import qk_ov
    from headroles.ui.circuits import controls

    assert tuple(controls.NORM_WORDS) == NORMS == qk_ov.NORMS
    assert tuple(controls.EMBEDDING_WORDS) == EMBEDDINGS == qk_ov.EMBEDDINGS


def test_a_head_may_be_written_in_any_way_that_people_type() -> None:
    for text in ("L5H1", "l5-h1", "5.1", " L5H1 "):
        assert read({"head": text}) == {"head": Head(5, 1)}


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_named(prompt: str) -> None:
    assert "prompt, which is empty" in refused(prompt=prompt).message


def test_a_prompt_at_the_limit_is_taken_and_one_over_it_is_not() -> None:
    longest = "a" * PROMPT_LIMIT.most
    assert read({"prompt": longest}) == {"prompt": longest}
    error = refused(prompt=longest + "a")
    assert "50,001" in error.message
    assert "50,000" in error.message
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
    error = refused(prompt=prompt)
    assert code in error.message
    assert error.message.isprintable()
    assert error.value == prompt


def test_a_message_shows_no_direction_marks_of_the_value() -> None:
    assert "\u202e" not in refused(model="\u202eevil").message


def test_a_value_that_is_given_twice_is_not_guessed() -> None:
    error = refused(head=["L1H1", "L1H2"])
    assert error.value == ["L1H1", "L1H2"]
    assert read({"head": ["L1H1"]}) == {"head": Head(1, 1)}
    assert read({"head": []}) == {}


# ------------------------------------------------------------------ names that no page knows


def test_a_mistyped_name_is_said_with_the_one_that_was_meant() -> None:
    (error,) = unknown_names({"hed": "L1H1", "model": "demo", "hs": "L1H1"}, ROWS)
    assert "“hed”" in error.message
    assert error.message.endswith("Did you mean 'head'?")
    assert error.value == "hed"
    assert [error.value for error in unknown_names(["Prompt", "zzz"], ROWS)] == ["Prompt", "zzz"]
    assert "'prompt'" in unknown_names(["Prompt"], ROWS)[0].message


def test_names_of_trackers_and_frames_are_passed_over() -> None:
    names = ["utm_source", "utm_campaign", "fbclid", "gclid", "msclkid", "mc_eid", "embed",
             "embed_options", "_ga", "ref", "UTM_Source"]  # fmt: skip
    assert unknown_names(names, ROWS) == []


def test_a_hundred_unknown_names_are_not_a_hundred_sentences() -> None:
    errors = unknown_names([f"zz{number}" for number in range(100)], ROWS)
    assert len(errors) == MOST_UNKNOWN + 1
    assert f"{100 - MOST_UNKNOWN} more" in errors[-1].message
    assert "\u202e" not in unknown_names(["\u202eevil"], ROWS)[0].message


# ------------------------------------------------------------------ length


def test_a_link_that_programs_cut_off_is_not_passed_off_as_one() -> None:
    fits = "https://example.org/?" + encode({"prompt": "a" * (LONGEST - 28)})
    assert len(fits) == LONGEST
    assert too_long_to_share(fits) is None
    error = too_long_to_share(fits + "a")
    assert error is not None
    assert "2,001" in error.message
    assert error.hint


def test_letters_of_other_scripts_count_as_they_are_sent() -> None:
    # Each is two bytes of UTF-8, and each byte three characters of the address.
    assert len(encode({"prompt": "ש" * 100})) == len("prompt=") + 600

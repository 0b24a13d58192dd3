"""One notation for whatever cannot be seen, and for what is read from right to left."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroles.formatting import MARKS, columns, in_one_line, legend, marked, quoted, visible

NO_BREAK, SOFT_HYPHEN, ZERO_WIDTH, OVERRIDE = "\u00a0", "\u00ad", "\u200b", "\u202e"
SHIN = "\u05e9"


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" cat", "·cat"),
        ("\n", "↵"),
        ("\t ", "⇥·"),
        ("é", "é"),
        ("\x00", "‹NUL›"),
        ("\x7f", "‹DEL›"),
        ("\r\n", "‹CR›↵"),
        (NO_BREAK, "‹NBSP›"),
        (f"a{ZERO_WIDTH}b", "a‹ZWSP›b"),
        (SOFT_HYPHEN, "‹SHY›"),
        (OVERRIDE, "‹RLO›"),
        ("\ufeff", "‹BOM›"),
        ("<0xEF><0xBF><0xBD>", "‹REPL›"),  # a real token of SmolLM2, and no fault of the page
        ("\u2028", "‹LSEP›"),
        ("❤\ufe0f", "❤‹VS16›"),
        ("\ue000", "‹U+E000›"),
        ("\u3164", "‹U+3164›"),  # a filler: a letter by its category, and blank
        ("a\u17b4", "a‹U+17B4›"),  # an accent by its category, and never drawn
        ("漢\U000e0100", "漢‹U+E0100›"),
        ("e\u0301", "e\u0301"),
        ("\u0301", "◌\u0301"),  # an accent with nothing to stand on
        (" \u0301", "·◌\u0301"),
        ("<0xF0><0x9F>", "‹F0 9F›"),
        ("<0x20><0xF0>", "·‹F0›"),  # the space is a whole character, the other byte is not
        ("<0xC3><0xA9>", "é"),
        ("\ud800", "‹U+D800›"),
        ("", "∅"),
    ],
)
def test_every_token_can_be_seen(token: str, shown: str) -> None:
    assert visible(token) == shown


@given(st.text())
def test_nothing_unseen_is_left_and_the_words_around_do_not_turn(text: str) -> None:
    shown = visible(text)
    shown.encode()  # no half characters
    inside = shown.removeprefix("\u2068").removesuffix("\u2069")
    assert inside.isprintable()
    assert not inside.startswith(" ")
    assert not set(inside) & set(MARKS)
    turns = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in inside)
    assert (shown != inside) == turns


@given(st.text(), st.integers(2, 20))
def test_a_limit_is_kept_and_cuts_no_mark_in_two(text: str, limit: int) -> None:
    shown = visible(text, limit=limit).strip("\u2068\u2069")
    assert len(shown) <= limit
    if "‹" not in text and "›" not in text and limit >= 12:
        assert shown.count("‹") == shown.count("›")


def test_what_is_read_from_right_to_left_is_isolated() -> None:
    assert visible(f" {SHIN}") == f"\u2068·{SHIN}\u2069"
    assert quoted(SHIN) == f"“\u2068{SHIN}\u2069”"
    assert quoted(" sat") == "“·sat”"


def test_a_prompt_keeps_its_spaces_and_what_shapes_its_characters() -> None:
    family = "👩\u200d👩\u200d👧"
    assert in_one_line(f"a  {family} ❤\ufe0f\nb") == f"a  {family} ❤\ufe0f↵b"
    assert in_one_line(f"a{SOFT_HYPHEN}b {OVERRIDE}evil") == "a‹SHY›b ‹RLO›evil"
    assert in_one_line("\u200d \ufe0f") == "‹ZWJ› ‹VS16›"  # nothing to shape
    assert in_one_line(f"ab {family}", limit=6) == "ab…"  # the family is not torn apart


def test_each_mark_has_a_name_of_its_own() -> None:
    marks = [mark for mark, _ in MARKS.values()]
    assert len(set(marks)) == len(marks)
    assert marked(NO_BREAK) == [("‹NBSP›", "no-break space")]
    assert legend([visible(f"a{NO_BREAK}"), visible("<0xF0>"), visible(" cat")]) == (
        "‹NBSP› no-break space, ‹F0› bytes, a part of a character."
    )
    assert legend(["·cat"]) == ""
    assert legend(["a", "é 1/2", "é 2/2"]).startswith("“é 1/2” is the first of 2 tokens")


@pytest.mark.parametrize("category", sorted({unicodedata.category(chr(k)) for k in range(0x3000)}))
def test_a_character_of_every_category_can_be_seen_or_is_named(category: str) -> None:
    of_it = [chr(k) for k in range(0x3000) if unicodedata.category(chr(k)) == category][:40]
    for character in of_it:
        shown = visible(character).strip("\u2068\u2069")
        assert shown.isprintable()
        assert shown.strip() == shown != ""
        if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            assert shown != character


def test_a_wall_of_accents_is_cut_like_any_text() -> None:
    wall = "a" + "\u0301" * 50_000
    assert len(visible(wall, limit=12)) <= 12
    assert len(in_one_line(wall, limit=40)) <= 40


@pytest.mark.parametrize("width", [20, 40, 100])
def test_a_table_fits_its_width_and_keeps_every_word_in_its_column(width: int) -> None:
    headers = ["Head", "What it looks at"]
    rows = [["L1H3", "the token that followed " * 6], ["L0H0", "·the"]]
    table = columns(headers, rows, width=width)
    assert len(table) == 3  # a string per row, however many lines it takes
    lines = [line for row in table for line in row.split("\n")]
    assert max(map(len, lines)) <= width
    assert " ".join(line[6:] for line in table[1].split("\n")).split() == rows[0][1].split()
    assert table[1].startswith("L1H3  the")
    assert all(line.startswith("      ") for line in table[1].split("\n")[1:])


def test_a_table_that_is_narrow_enough_is_not_touched_and_a_long_word_stays_whole() -> None:
    assert columns(["a", "b"], [["x  y", "z"]], width=7) == ["a     b", "x  y  z"]
    assert columns(["a"], [["xxxxxxxx"]], width=4)[1] == "xxxxxxxx"
    assert columns(["a", "b"], [["", "one two"]], width=6)[1] == "   one\n   two"

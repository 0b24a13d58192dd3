"""The words and the small HTML pieces."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroles.types import Encoding
from headroles.view import html as view_html
from tests.facts import says


def encoding(*tokens: str, ids: tuple[int, ...] | None = None, **changes) -> Encoding:
    ids = ids or tuple(range(1, len(tokens) + 1))
    return Encoding(
        **{
            "token_ids": (0, *ids),
            "tokens": ("<|endoftext|>", *tokens),
            "start_token": "<|endoftext|>",
            "start_is_stand_in": False,
            "full_length": len(tokens) + 1,
            **changes,
        }
    )


class Tags(HTMLParser):
    """Collects the tags of a piece of HTML, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)

    def handle_data(self, data) -> None:
        self.words += data


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_a_strip_never_lets_a_token_become_a_tag(tokens: list[str]) -> None:
    assert read(view_html.token_strip(encoding(*tokens))).tags <= {
        *("div", "span", "bdi", "i", "sup", "small"),
    }


def test_markup_is_shown_as_it_was_typed() -> None:
    strip = view_html.token_strip(encoding("<script>", "&amp;", '"quoted"'))
    assert '<script>&amp;"quoted"' in read(strip).words


def test_equal_tokens_share_number_and_colour_and_single_ones_have_neither() -> None:
    strip = view_html.token_strip(encoding("a", "b", "a", "c", "b", ids=(5, 6, 5, 7, 6)))
    assert strip.count("<sup>1</sup>") == strip.count("hr-c1") == 2
    assert strip.count("<sup>2</sup>") == strip.count("hr-c2") == 2
    assert strip.count("<sup>") == 4


def test_more_groups_than_colours_have_their_own_number_and_share_no_colour() -> None:
    ids = (*range(1, 10), *range(1, 10))
    strip = view_html.token_strip(encoding(*"abcdefghi" * 2, ids=ids))
    assert all(f"<sup>{number}</sup>" in strip for number in range(1, 10))
    assert [
        strip.count(f"hr-c{number} ") + strip.count(f'hr-c{number}"') for number in range(1, 10)
    ] == [
        *([2] * 6),
        *([0] * 3),
    ]


CAT, DOG = ("<0xF0>", "<0x9F>", "<0x90>", "<0x88>"), ("<0xF0>", "<0x9F>", "<0x90>", "<0x95>")


def test_the_tokens_of_one_character_are_one_box() -> None:
    strip = view_html.token_strip(encoding("a", *CAT, "b"))
    assert strip.count("hr-token") == 4  # start, a, the cat, b
    assert "<bdi>🐈</bdi><small>4 tokens</small>" in strip
    assert "4 tokens · positions 2 to 5 · ids 2, 3, 4, 5" in strip


def test_equal_characters_share_a_number_and_those_that_begin_alike_do_not() -> None:
    ids = (10, 11, 12, 13, 10, 11, 12, 14, 10, 11, 12, 13)
    strip = view_html.token_strip(encoding(*CAT, *DOG, *CAT, ids=ids))
    assert strip.count("<sup>1</sup>") == strip.count("<sup>") == 2


def test_repeats_are_counted_as_the_roles_count_them() -> None:
    # a b a a: two repeat an earlier one, though three are equal
    assert says(view_html.strip_sentence(encoding(*"abaa", ids=(5, 6, 5, 5))), "2 of them repeat ")
    assert says(
        view_html.strip_sentence(encoding("a", "b", "a", ids=(5, 6, 5))), "1 of them repeats "
    )
    assert says(view_html.strip_sentence(encoding("a", "b")), "None of them repeats")


def test_bytes_that_different_characters_share_are_told() -> None:
    ids = (10, 11, 12, 13, 10, 11, 12, 14, 10, 11, 12, 13)
    animals = encoding(*CAT, *DOG, *CAT, ids=ids)
    # 7 of the 12 repeat: 3 of the dog, which begins like the cat, and 4 of the second cat
    assert says(view_html.strip_sentence(animals), "7 of them repeat ")
    assert says(view_html.byte_repeats_sentence(animals), "3 of the 7 repeats")
    assert view_html.byte_repeats_sentence(encoding(*CAT, *CAT, ids=(1, 2, 3, 4) * 2)) == ""
    assert view_html.byte_repeats_sentence(encoding("a", "a", ids=(1, 1))) == ""


def test_what_was_never_shown_is_said_of_models_that_are_known_alone() -> None:
    split = encoding(*CAT, "<0xE4>", "<0xB8>", "<0xAD>", "a")
    known = view_html.split_sentence(split, english_only=True)
    assert says(known, "never shown emoji or Chinese", "3 to 4 tokens")
    assert says(view_html.split_sentence(split), "no single token", "emoji and Chinese")
    assert "never" not in view_html.split_sentence(split)
    assert view_html.split_sentence(encoding("a", "é")) == ""
    assert view_html.notes(encoding("a", "b")) == []


def test_the_start_token_is_no_copy_of_anything() -> None:
    assert view_html.repeats([0, 5, 0, 5]) == {5: 1}
    assert view_html.repeats([0, 7]) == {}


@pytest.mark.parametrize(
    ("stand_in", "words"), [(True, "end-of-text token"), (False, "start token")]
)
def test_the_start_token_is_called_what_it_is(stand_in: bool, words: str) -> None:
    assert words in view_html.start_sentence(encoding("a", start_is_stand_in=stand_in))


def test_a_long_strip_scrolls_in_a_box_that_the_keyboard_reaches() -> None:
    long = view_html.token_strip(encoding(*["a"] * 200))
    assert "hr-scroll" in long
    assert "tabindex=0" in long
    assert "hr-scroll" not in view_html.token_strip(encoding(*["a"] * 20))


def test_truncation_names_both_lengths() -> None:
    cut = encoding("a", "b", full_length=9_000)
    assert says(view_html.truncation_sentence(cut), "3 of 9,000 tokens")


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0%"), (0.004, "<1%"), (0.006, "1%"), (0.5, "50%"), (1.0, "100%")]
)
def test_percent(share: float, words: str) -> None:
    assert view_html.percent(share) == words


@pytest.mark.parametrize(
    ("parts", "words"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")],
)
def test_listing(parts: list[str], words: str) -> None:
    assert view_html.listing(parts) == words


def test_tables_escape_their_cells() -> None:
    html = view_html.table(["<h>"], [["<b>", "note <i>"]], notes=True)
    assert read(html).tags == {"div", "table", "thead", "tbody", "tr", "th", "td"}


def test_markdown_is_escaped() -> None:
    assert view_html.plain("**a** [b](c) :red[d] $e$ <f>") == (
        r"\*\*a\*\* \[b\]\(c\) \:red\[d\] \$e\$ \<f\>"
    )


@pytest.mark.parametrize(
    ("written", "parted"),
    [
        (":material/home:", ":|material/home:"),
        (":streamlit: :smile: :+1:", ":|streamlit: :|smile: :|+1:"),
        ("www.a.b https://a.b a@b.cd", "www|.a.b https:|//a.b a|@b.cd"),
        ("a -> b <- c -- d <-> e", "a -|> b <|- c -|- d <|-|> e"),
        ("a <= b >= c ~= d", "a <|= b >|= c ~|= d"),
        ("12:30, note: this, a:b", "12:30, note: this, a:b"),
    ],
)
def test_what_streamlit_replaces_after_markdown_was_read_is_parted(written, parted) -> None:
    assert view_html.plain(written).replace("\\", "") == parted.replace("|", "\u2060")


def test_a_text_in_markdown_is_one_line_that_begins_with_no_space() -> None:
    assert view_html.plain("    a\n===\nb") == "a \\=\\=\\= b"
    assert view_html.named("a\nb\u202e", limit=40) == "a↵b‹RLO›"
    assert len(view_html.named("a" * 90, limit=40)) == 40

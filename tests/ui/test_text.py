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
    assert read(view_html.token_strip(encoding(*tokens))).tags <= {"div", "span", "bdi", "i", "sup"}


def test_markup_is_shown_as_it_was_typed() -> None:
    strip = view_html.token_strip(encoding("<script>", "&amp;", '"quoted"'))
    assert '<script>&amp;"quoted"' in read(strip).words


def test_equal_tokens_share_number_and_colour_and_single_ones_have_neither() -> None:
    strip = view_html.token_strip(encoding("a", "b", "a", "c", "b", ids=(5, 6, 5, 7, 6)))
    assert strip.count("<sup>1</sup>") == strip.count("hr-c1") == 2
    assert strip.count("<sup>2</sup>") == strip.count("hr-c2") == 2
    assert strip.count("<sup>") == 4


def test_more_groups_than_colours_still_have_their_own_number() -> None:
    ids = (*range(1, 10), *range(1, 10))
    strip = view_html.token_strip(encoding(*"abcdefghi" * 2, ids=ids))
    assert all(f"<sup>{number}</sup>" in strip for number in range(1, 10))


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

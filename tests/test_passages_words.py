"""A passage with its tokens tinted: what is framed, what is underlined, what is left out."""

from __future__ import annotations

import re

from headroles.view import passages

TOKENS = ("<s>", "The", " cat", " sat", ".", "\n\n\n", "The", "\n cat", "\n", *(" x",) * 40, " end")


def marked(html: str) -> tuple[str, list[str]]:
    """The framed token and the underlined ones."""
    asks = re.search(r'<b class="hr-asks">(.*?)</b>', html, re.S)[1]
    return asks, re.findall(r"<mark[^>]*>(.*?)<sup>(.*?)</sup>", html, re.S)


def test_the_token_that_looks_is_framed_and_its_keys_are_underlined() -> None:
    html = passages.tinted(TOKENS, [0, 7, 900, 3, 900, 0, 80, 4, 20])
    assert marked(html) == ("cat", [("sat", "90%"), (".", "2%")])
    assert '\n <b class="hr-asks">' in html  # the line break stays outside the frame
    assert "\n\n" not in html
    assert "hr-look-3" in html
    assert "hr-look-0" in html
    assert html.count('class="hr-gap"') == 1  # only the end is left out


def test_what_is_far_from_both_is_left_out() -> None:
    html = passages.tinted(TOKENS, [0, len(TOKENS) - 1, 500, 2, 500])
    assert html.count('class="hr-gap"') == 1
    assert html.count(" x") == passages.BEFORE
    assert marked(html) == ("end", [("cat", "50%")])


def test_a_token_of_nothing_but_space_has_a_sign() -> None:
    asks, _ = marked(passages.tinted(TOKENS, [0, 8, 300, 2, 300]))
    assert asks.strip()


def test_a_token_that_looks_at_itself_is_framed_and_underlined() -> None:
    html = passages.tinted(TOKENS, [0, 3, 100, 3, 900, 2, 100])
    assert html.index('class="hr-asks"') < html.index("<sup>90%</sup></mark></b>")


def test_markup_in_a_text_is_text() -> None:
    html = passages.tinted(("<s>", "<b>", "<i>"), [0, 2, 900, 1, 900])
    assert "&lt;b&gt;" in html
    assert "<i>" not in html


def test_the_sentence_names_keys_and_rest() -> None:
    assert passages.say(TOKENS, [0, 3, 900, 2, 900, 0, 100]) == (
        "“·sat” (3) looks at “·cat” (2) with 90% of its attention; 10% is on the start token."
    )
    assert "no single token" in passages.say(TOKENS, [0, 3, 10, 0, 990])

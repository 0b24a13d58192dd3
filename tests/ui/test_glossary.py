"""The glossary: every word that people asked about, short sentences, and marks that lead there."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from headroles.roles import BASIC_ROLES, EXTENDED_ROLES
from headroles.view import glossary, html
from headroles.view.causal import LABELS

ASKED = (
    "token", "attention", "head", "layer", "L0H6", "start token", "threshold", "listed", "nats",
    "logits", "KL", "loss", "standard error", "control", "value vector", "QK", "OV", "BOS",
    "layer norm", "mean over sentences", "spread",
)  # fmt: skip
"""What a walk with fresh eyes found explained nowhere."""


def names() -> set[str]:
    return {
        name.lower() for term in glossary.TERMS.values() for name in (term.name, *term.spellings)
    }


def marked(body: str, **how: bool) -> list[str]:
    """The keys of the marks in a piece of HTML."""
    return re.findall(r'popovertarget="hr-(\w+)-[0-9a-f]{8}"', glossary.mark(body, **how))


@pytest.mark.parametrize("word", ASKED)
def test_every_word_that_people_asked_about_is_there(word: str) -> None:
    assert word.lower() in names()


def test_every_role_and_verdict_has_its_word() -> None:
    assert {role.key for role in (*BASIC_ROLES.values(), *EXTENDED_ROLES.values())} <= set(
        glossary.TERMS
    )
    assert {LABELS["holds_up"], LABELS["not_special"], LABELS["reversed"]} <= names()


@pytest.mark.parametrize("term", glossary.TERMS.values(), ids=lambda term: term.key)
def test_a_term_has_a_short_sentence_and_a_picture_with_words(term: glossary.Term) -> None:
    assert 5 < len(term.sentence.split()) < 30
    assert term.sentence.endswith(".")
    strokes, alt = term.picture
    assert "currentColor" in strokes
    assert "#" not in strokes.replace("&#", "")  # no colour of its own
    assert len(alt) > 8
    assert term.shown_on


def test_the_first_occurrence_is_marked_and_what_is_read_stays_the_same() -> None:
    body = "<p>The loss falls by 2 nats; the loss of a head rises.</p>"
    assert marked(body) == ["loss", "nats"]
    assert marked(body, everyday=True) == ["loss", "nats", "head"]
    assert glossary.unmarked(glossary.mark(body, everyday=True)) == body


@pytest.mark.parametrize(
    "body",
    [
        "<p>On “the loss of a threshold”.</p>",
        "<p>“a <b>loss</b>” in quotes</p>",
        '<span class="hr-token hr-c1"><bdi>loss</bdi></span>',
        "<h3>Loss</h3>",
        '<a href="x">loss</a>',
        '<p title="loss">No word of it</p>',
        "<p>lossless, a glossary, re-quiet, thresholding</p>",
        "<p>It spread its attention over other heads, and the model needs it.</p>",
    ],
)
def test_names_quotes_and_other_words_are_left_alone(body: str) -> None:
    assert glossary.mark(body) == body


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("first token (resting)", "positional"),
        ("the first token", "start_token"),
        ("an even spread would give 5%", "chance"),
        ("needs 36% here", "needs"),
        ("K-composition", "composition"),
        ("knocked out", "knock_out"),
    ],
)
def test_the_longest_word_wins(text: str, key: str) -> None:
    assert marked(text) == [key]


class Balance(HTMLParser):
    """The elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.ids += [str(value) for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_mark_is_whole_html_with_a_name_of_its_own() -> None:
    body = "".join(glossary.term(key, place="here") for key in glossary.TERMS)
    parser = Balance()
    parser.feed(f"<p>{body}</p>" + glossary.mark("<p>Loss.</p>") + glossary.mark("<p>Loss</p>"))
    assert parser.open == []
    assert len(set(parser.ids)) == len(parser.ids) == len(glossary.TERMS) + 2


def test_headers_of_tables_explain_themselves() -> None:
    body = html.table(["Head", "Threshold"], [["L1H1", "0.40"]])
    assert 'popovertarget="hr-threshold-' in body
    assert '<th scope="col">Threshold</th>' in glossary.unmarked(body)


def test_tables_with_the_same_headers_have_definitions_of_their_own() -> None:
    bodies = [html.table(["Head", "Threshold"], [["L1H1", score]]) for score in ("0.40", "0.50")]
    assert len({re.search(r'popovertarget="([^"]+)"', body)[1] for body in bodies}) == 2


def test_a_search_finds_words_by_name_key_and_sentence() -> None:
    def found(wanted: str) -> list[str]:
        return [term.key for terms in glossary.search(wanted).values() for term in terms]

    assert found("") == list(glossary.TERMS)
    assert found("head_name") == ["head_name"]  # a key, as links have it
    assert found("KL divergence") == ["kl"]
    assert "nats" in found("Unit of log")
    assert found("threshold ")[0] == "threshold"  # the word itself before those that use it
    assert "needs" in found("threshold ")
    assert found("zebra") == []


def test_brackets_and_points_stay_with_a_word() -> None:
    said = (
        "By 0.1 nats (KL); in one head (causal importance). A layer: an induction head, and more."
    )
    marked = glossary.mark(said, everyday=True)
    pieces = re.sub(r"<span popover .*?</span></span></span>", "#", marked)
    pieces = re.sub(r"<button [^>]*>(.*?)</button>", r"[\1]", pieces)
    pieces = pieces.replace('<span class="hr-gloss">', "{").replace("#", "}")
    assert pieces == (
        "By 0.1 {[nats]} {([KL])}; in one {[head]} {([causal importance]).} "
        "A {[layer]:} an {[induction head],} and more."
    )
    assert glossary.unmarked(marked) == said

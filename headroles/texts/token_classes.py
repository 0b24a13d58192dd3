"""What sort of token each token of a prompt is: a number, a comma, the later piece of a word.

A token's class is read from its text and its neighbours', for any tokenizer, and every token has
exactly one. What stands first in this table wins:

=================  ================================================================================
class              which tokens
=================  ================================================================================
``start``          the token at position 0
``newline``        a line break, with the indent that may follow it in the same token
``space``          nothing but spaces or tabs
``number``         digits, and the marks inside a number (``1.5``, ``1,234``); no number words
``sentence_end``   ``. ! ?`` and what closes behind it in the same token (``."``); not the points of
                   ``os.path`` or ``!=``
``comma``          ``, ; :`` and dashes
``opening``        ``( [ {``, also with what follows in the same token
``closing``        ``) ] }``, the same
``quote``          quotation marks; not the apostrophe of ``don't``
``piece``          the later pieces of a word, its apostrophe included
``first_word``     a capitalised word that begins a sentence, a paragraph or what is quoted
``name``           any other capitalised word: names, and whatever else is written so
``function``       common words of English grammar: the, of, and, is, not, she
``word``           all other words
``symbol``         everything else: operators, bytes, special tokens inside the text
=================  ================================================================================

A token of several marks is of the class of its first one; brackets that it closes itself, as in
``().``, do not count. The traits (:class:`Traits`) are not exclusive: ``).`` closes a bracket *and*
ends a sentence. No heavy library is imported here.

>>> classes(("<s>", "Mary", " has", " 3", " cats", "."))
('start', 'first_word', 'function', 'number', 'word', 'sentence_end')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from headroles.formatting import token_bytes


@dataclass(frozen=True)
class TokenClass:
    """A sort of token."""

    key: str
    """The name in expressions and files."""
    name: str
    """One of them, as people read it."""
    plural: str
    """Several of them."""
    label: str
    """For an axis: at most twelve characters."""


CLASSES = {
    one.key: one
    for one in (
        TokenClass("start", "the start token", "the start token", "start"),
        TokenClass("newline", "line break", "line breaks", "line break"),
        TokenClass("space", "space", "spaces", "space"),
        TokenClass("number", "number", "numbers", "number"),
        TokenClass("sentence_end", "sentence end", "sentence ends", "sentence end"),
        TokenClass("comma", "comma or colon", "commas and colons", "comma, colon"),
        TokenClass("opening", "opening bracket", "opening brackets", "opening ("),
        TokenClass("closing", "closing bracket", "closing brackets", "closing )"),
        TokenClass("quote", "quotation mark", "quotation marks", "quote"),
        TokenClass("piece", "later piece of a word", "later pieces of words", "later piece"),
        TokenClass("first_word", "first word of a sentence", "first words", "first word"),
        TokenClass("name", "capitalised word", "capitalised words", "capitalised"),
        TokenClass("function", "function word", "function words", "function"),
        TokenClass("word", "other word", "other words", "other word"),
        TokenClass("symbol", "symbol", "symbols", "symbol"),
    )
}
"""{key: class}, in the order of charts and tables."""

PLACE = {key: place for place, key in enumerate(CLASSES)}
"""{key: its place in :data:`CLASSES`}."""

PUNCTUATION = frozenset({"sentence_end", "comma", "opening", "closing", "quote"})
"""The classes of punctuation marks."""

_FUNCTION = """
a an the this that these those each every some any no all both either neither such
i you he she it we they me him her us them my your his its our their mine who whom whose
which what where when why how
and or but nor so if then else than because while although though unless until since
of in on at by for with from to into onto over under about after before between through
during without within against among as like up down out off
am is are was were be been being has have had having do does did will would shall should can
could may might must not there here also just only very too
"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""Words of English grammar that say little alone: articles, pronouns, prepositions, conjunctions,
auxiliaries."""

_OPENING, _CLOSING = "([{", ")]}"
_QUOTES = "\"'“”‘’«»`„"
_APOSTROPHES = "'’"
_ENDERS = ".!?…。！？"
_COMMAS = ",;:—–、，；："
_PAIRS = re.compile(r"\(\)|\[\]|\{\}")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)+")
_SPECIAL = re.compile(r"<[|/]?[^\s<>]{2,}>|\[[A-Z]{3,}\]")
_STRING_PREFIXES = frozenset({"r", "b", "f", "u", "rb", "br", "fr", "rf"})
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, eq=False)
class Traits:
    """What is true of every token of a prompt, [pos]; unlike classes, these can overlap."""

    tokens: tuple[str, ...]
    """[pos] the texts."""

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """[pos] the key of each token's class."""
        return tuple(self._kind(place) for place in range(len(self.tokens)))

    @cached_property
    def word_starts(self) -> tuple[bool, ...]:
        """[pos] whether a word or number starts there."""
        wordly = {"first_word", "name", "function", "word"}
        return tuple(
            kind in wordly or (kind == "number" and self._begins[place])
            for place, kind in enumerate(self.kinds)
        )

    @cached_property
    def words(self) -> tuple[int, ...]:
        """[pos] which word each token belongs to; a mark is a word of its own."""
        count, found = -1, []
        for place, begins in enumerate(self._begins):
            inside = self.kinds[place] == self.kinds[place - 1] == "number" and place > 1
            count += begins and not (inside and not self.tokens[place][:1].isspace())
            found.append(count)
        return tuple(found)

    @cached_property
    def capitalised(self) -> tuple[bool, ...]:
        """[pos] whether a word starts there with a capital letter."""
        return tuple(
            begins and self._bare(place)[:1].isupper()
            for place, begins in enumerate(self.word_starts)
        )

    @cached_property
    def opening(self) -> tuple[bool, ...]:
        """[pos] whether the token opens a bracket that it does not close."""
        return tuple(any(mark in _OPENING for mark in marks) for marks in self._unpaired)

    @cached_property
    def closing(self) -> tuple[bool, ...]:
        """[pos] whether the token closes a bracket that it does not open."""
        return tuple(any(mark in _CLOSING for mark in marks) for marks in self._unpaired)

    @cached_property
    def quote(self) -> tuple[bool, ...]:
        """[pos] whether the token has a quotation mark in it."""
        return tuple(self._quoting[1])

    @cached_property
    def in_quotes(self) -> tuple[bool, ...]:
        """[pos] whether a quotation was begun before the token's first character and has not ended;
        the marks themselves are outside. A blank line ends a quotation that was left open."""
        return tuple(self._quoting[0])

    @cached_property
    def sentence_end(self) -> tuple[bool, ...]:
        """[pos] whether a sentence ends with the token, whatever else it holds."""
        return tuple(
            kind == "sentence_end" or (kind in PUNCTUATION and self._ends_late(place))
            for place, kind in enumerate(self.kinds)
        )

    @cached_property
    def _shown(self) -> tuple[str, ...]:
        """[pos] the characters of each token; none of the start, one stand-in for other things."""
        return tuple(
            "" if not place else _UNKNOWN if _is_opaque(token) else token
            for place, token in enumerate(self.tokens)
        )

    @cached_property
    def _text(self) -> str:
        return "".join(self._shown)

    @cached_property
    def _spans(self) -> tuple[tuple[int, int], ...]:
        """[pos] where each token begins and ends in the text."""
        begin, spans = 0, []
        for shown in self._shown:
            spans.append((begin, begin + len(shown)))
            begin += len(shown)
        return tuple(spans)

    @cached_property
    def _numbers(self) -> frozenset[int]:
        """The characters of the text that are marks inside a number."""
        return frozenset(
            at
            for found in _NUMBER.finditer(self._text)
            for at in range(*found.span())
            if self._text[at] in ",."
        )

    def _bare(self, place: int) -> str:
        return self._shown[place].strip().lstrip("_")

    def _around(self, place: int) -> tuple[str, str]:
        """The characters before and after the token's own text; "" at the ends."""
        begin, end = self._spans[place]
        first = begin + len(self._shown[place]) - len(self._shown[place].lstrip())
        return self._text[first - 1 : first] if first else "", self._text[end : end + 1]

    def _is_apostrophe(self, place: int) -> bool:
        """Whether the token begins with a mark between two letters of a word, as ``'t``."""
        begin, end = self._spans[place]
        return end > begin and _is_apostrophe(self._text, begin)

    @cached_property
    def _begins(self) -> tuple[bool, ...]:
        """[pos] False on what continues the word of the token before."""
        begins: list[bool] = []
        for place, shown in enumerate(self._shown):
            before = self._shown[place - 1] if place > 1 else ""
            joined = bool(shown) and before[-1:].isalnum()
            if place > 2 and self._is_apostrophe(place - 1):
                begins.append(not shown[:1].isalnum())
            elif shown[:1] in tuple(_APOSTROPHES):
                begins.append(not (joined and self._is_apostrophe(place)))
            else:
                begins.append(not (joined and shown[0].isalnum()))
        return tuple(begins)

    def _word(self, place: int) -> str:
        """The whole word that begins with a token."""
        end = place + 1
        while end < len(self.tokens) and not self._begins[end]:
            end += 1
        return "".join(self._shown[place:end]).strip()

    def _kind(self, place: int) -> str:
        if not place:
            return "start"
        shown = self._shown[place]
        if not shown.strip():
            return "newline" if "\n" in shown or "\r" in shown else "space"
        first = self._spans[place][1] - len(shown.lstrip())
        if first in self._numbers:
            return "number"
        bare = self._bare(place)
        if bare[:1].isdigit():
            return self._kind_of_digits(place)
        if not self._begins[place]:
            return "piece"
        if bare[:1].isalpha():
            return self._kind_of_word(place)
        return self._kind_of_marks(place)

    def _kind_of_digits(self, place: int) -> str:
        """Digits that continue a word of letters are a piece of it, as the 2 of ``GPT2``."""
        while place and not self._begins[place]:
            place -= 1
        return "number" if self._bare(place)[:1].isdigit() else "piece"

    def _kind_of_word(self, place: int) -> str:
        word = self._word(place)
        if self._bare(place)[0].isupper():
            if self._starts_sentence(place):
                return "first_word"
            return "function" if word == "I" else "name"
        return "function" if word in FUNCTION_WORDS else "word"

    def _starts_sentence(self, place: int) -> bool:
        """Whether only spaces, quotes and brackets stand between a word and what ends a sentence;
        what a comma or colon introduces counts if it is quoted."""
        begin, end = self._spans[place]
        before = self._text[: end - len(self._shown[place].lstrip())]
        outside = before.rstrip(f" \t\n\r_*#-{_OPENING}{_QUOTES}")
        between = before[len(outside) :]
        if not outside or between.count("\n") > 1 or outside[-1] in _ENDERS:
            return bool(between) or begin == 0
        return outside[-1] in _COMMAS and any(mark in _QUOTES for mark in between)

    def _kind_of_marks(self, place: int) -> str:
        marks = _PAIRS.sub("", self._shown[place].strip())
        first = marks[:1]
        if first and first in _OPENING:
            return "opening"
        if first and first in _CLOSING:
            return "closing"
        if first and first in _QUOTES:
            return "quote"
        others = set(marks) - set(_ENDERS + _COMMAS + _OPENING + _CLOSING + _QUOTES)
        if not first or others:
            return "symbol"
        after = self._around(place)[1]
        if first in _ENDERS:
            goes_on = marks[-1] in _ENDERS and (after.isalnum() or after == "=")
            return "symbol" if goes_on else "sentence_end"
        return "comma"

    def _ends_late(self, place: int) -> bool:
        """Whether a sentence ends within a token that begins with another mark, as ``).``."""
        marks = self._shown[place].strip().rstrip(_QUOTES + _CLOSING)
        return marks[-1:] in tuple(_ENDERS) and not self._around(place)[1].isalnum()

    @cached_property
    def _unpaired(self) -> tuple[str, ...]:
        """[pos] each token's marks without the brackets that it opens and closes itself."""
        found = []
        for shown in self._shown:
            marks = "".join(mark for mark in shown if mark in _OPENING + _CLOSING)
            while (less := _PAIRS.sub("", marks)) != marks:
                marks = less
            found.append(marks)
        return tuple(found)

    @cached_property
    def _quoting(self) -> tuple[list[bool], list[bool]]:
        """[pos] whether each token's first character is quoted, and whether it holds a mark."""
        inside, holds = [], []
        open_mark = ""
        for place, shown in enumerate(self._shown):
            begin, end = self._spans[place]
            first = end - len(shown.lstrip()) if shown.strip() else end - 1
            quoted = holding = False
            for at in range(begin, end):
                open_mark, is_mark = _after(self._text, at, open_mark)
                holding |= is_mark
                quoted = quoted or (at == first and bool(open_mark) and not is_mark)
            inside.append(quoted)
            holds.append(holding)
        return inside, holds


_PARTNERS = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "`": "`"}


def _after(text: str, at: int, open_mark: str) -> tuple[str, bool]:
    """Which mark closes the quotation that is open after a character, and whether it is a mark."""
    mark, before, after = text[at], text[at - 1] if at else "", text[at + 1 : at + 2]
    if mark == "\n" and before == "\n":
        return "", False
    if mark not in _QUOTES or _is_apostrophe(text, at):
        return open_mark, False
    if open_mark:
        return ("", True) if mark == open_mark else (open_mark, True)
    if mark == "'" and before.isalnum() and not after.isalnum():
        return "", False  # the plural's: the dogs' house
    return _PARTNERS.get(mark, ""), True


def _is_apostrophe(text: str, at: int) -> bool:
    """Whether a mark stands between two letters of a word; that of ``r'text'`` is a quote."""
    if text[at] not in _APOSTROPHES or not at:
        return False
    word = re.search(r"[^\W_]*$", text[max(at - 3, 0) : at]).group()
    return (
        word[-1:].isalpha()
        and text[at + 1 : at + 2].isalpha()
        and (word.lower() not in _STRING_PREFIXES)
    )


def _is_opaque(token: str) -> bool:
    return token_bytes(token) is not None or _SPECIAL.fullmatch(token) is not None


@lru_cache(maxsize=512)
def traits(tokens: tuple[str, ...]) -> Traits:
    """What is true of the tokens of one prompt, start token first (:func:`token_texts`)."""
    return Traits(tokens)


def classes(tokens: Sequence[str]) -> tuple[str, ...]:
    """[pos] the key of each token's class.

    Args:
        tokens: [pos] of one prompt, start token first, from :func:`headroles.texts.token_texts`.
    """
    return traits(tuple(tokens)).kinds


def bare(token: str) -> str:
    """A token's text without the space in front of it, as expressions compare it.

    >>> bare(" cat"), bare(" "), bare("\\n  ")
    ('cat', ' ', '\\n  ')
    """
    return token[1:] if len(token) > 1 and token[0] == " " else token

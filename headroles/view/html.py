"""Words and small HTML pieces. Pure functions: no Streamlit, no tensors.

Whatever a student typed passes :func:`html.escape` or :func:`plain` before it is shown, so that
HTML and Markdown in a prompt stay text.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from html import escape as escape
from typing import TYPE_CHECKING

from headroles import texts
from headroles.formatting import count as count
from headroles.formatting import legend, marked, quoted, token_bytes
from headroles.formatting import listing as listing
from headroles.formatting import percent as percent
from headroles.formatting import visible as visible
from headroles.view import glossary
from headroles.view.markdown import named as named
from headroles.view.markdown import plain as plain
from headroles.view.markdown import sentence as sentence

if TYPE_CHECKING:
    from headroles.types import Encoding

LONG_STRIP = 150
"""A strip with more tokens than this scrolls in a box of its own."""

_COLOURS = 6
"""Colours of repeated tokens in style.css; further groups have no colour, so no two share one."""
_SCRIPTS = {
    "ARABIC": "Arabic",
    "ARMENIAN": "Armenian",
    "BENGALI": "Bengali",
    "CJK": "Chinese",
    "COMBINING": "separate accents",
    "CYRILLIC": "Cyrillic",
    "DEVANAGARI": "Devanagari",
    "ETHIOPIC": "Ethiopic",
    "GEORGIAN": "Georgian",
    "GREEK": "Greek",
    "HANGUL": "Korean",
    "HEBREW": "Hebrew",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "KHMER": "Khmer",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "THAI": "Thai",
    "TIBETAN": "Tibetan",
}
"""{first word of a letter's Unicode name: its script, for people}."""
_KINDS = 6
"""Kinds of characters that a sentence names at most."""


def shorten(text: str, *, limit: int) -> str:
    """The beginning of a text, with an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


MADE_ELSEWHERE = (
    "This model's lists of heads were made elsewhere. Nobody here knows on which texts they were "
    "measured, or how certain they are, and the thresholds are provisional. An instructor can "
    "analyse the model on the Admin page."
)
"""Beside an entry that another dashboard wrote."""


def repeats(tokens: Sequence[Hashable]) -> dict[Hashable, int]:
    """Number every token that occurs twice or more after position 0: 1, 2, 3 ... as they come.

    >>> repeats([0, 5, 7, 5, 0])
    {5: 1}
    """
    counted = Counter(tokens[1:])
    again = dict.fromkeys(token for token in tokens[1:] if counted[token] > 1)
    return {token: number for number, token in enumerate(again, start=1)}


def token_labels(encoding: Encoding) -> list[str]:
    """[pos] short labels for axes and tables (:func:`headroles.texts.token_labels`)."""
    return texts.token_labels(encoding.tokens)


def start_sentence(encoding: Encoding) -> str:
    """What is at position 0, and who put it there, in a sentence (plain text)."""
    token = encoding.start_token
    if encoding.start_added_by != "app":
        who = "Your text" if encoding.start_added_by == "text" else "The chat template"
        return f"{who} begins with the start token {token} already, so the app adds none."
    if encoding.start_passed_over:
        return (
            f"The app puts {token} in front of every prompt. This model's tokenizer names "
            f"{encoding.start_passed_over} as its start token, but that token opens a chat "
            f"message, and ordinary texts do not begin with it."
        )
    if encoding.start_is_stand_in:
        kind = "token" if token in texts.start_tokens.STARTS else "end-of-text token"
        return (
            f"This model has no start token of its own, so the app puts its {kind} {token} in "
            "front of every prompt instead."
        )
    return f"The start token {token}, added by the app in front of every prompt."


def chat_sentence(encoding: Encoding) -> str:
    """What the chat template added, in words and numbers (plain text)."""
    added = len(encoding.template_positions)
    return (
        f"Wrapped as a chat message: {count(added, 'token')} {'was' if added == 1 else 'were'} "
        "added (dashed). The model reads them as it reads yours; no role counts them as repeated "
        "tokens, because every chat message has them."
    )


def cautions(encoding: Encoding) -> list[str]:
    """What about a prompt's tokens may change verdicts without being seen (plain text)."""
    sentences = (
        more_starts_sentence(encoding),
        special_sentence(encoding),
        unknown_sentence(encoding),
        lost_sentence(encoding),
    )
    return [sentence for sentence in sentences if sentence]


def cautions_of(encodings: Sequence[Encoding]) -> list[str]:
    """The same for many prompts: how many there are, and what about the first (plain text)."""
    if len(encodings) == 1:
        return cautions(encodings[0])
    places = [place for place, encoding in enumerate(encodings) if cautions(encoding)]
    if not places:
        return []
    first, are = places[0], "is" if len(places) == 1 else "are"
    return [
        f"{len(places):,} of {len(encodings):,} prompts {are} not read quite as typed. Number "
        f"{first + 1:,}: {' '.join(cautions(encodings[first]))}"
    ]


def more_starts_sentence(encoding: Encoding) -> str:
    """Where the start token stands again, and what that does (plain text); "" where nowhere."""
    start, template = encoding.token_ids[0], set(encoding.template_positions)
    places = [place for place, token in enumerate(encoding.token_ids) if place and token == start]
    if not places:
        return ""
    who = "The chat template" if set(places) <= template else "Your text"
    where = listing([str(place) for place in places[:_KINDS]])
    if more := places[_KINDS:]:
        where = f"{where} and {count(len(more), 'more place')}"
    positions = "position" if len(places) == 1 else "positions"
    return (
        f"{who} holds the start token {encoding.start_token} again, at {positions} {where}. Heads "
        "that rest on the first token may rest there, too, so expect other numbers than without it."
    )


def special_sentence(encoding: Encoding) -> str:
    """Which special tokens were typed (plain text); "" where none was, the start token aside."""
    start = encoding.token_ids[0]
    places = [p for p in encoding.special_positions if encoding.token_ids[p] != start]
    names = list(dict.fromkeys(encoding.tokens[place] for place in places))
    if not names:
        return ""
    named = listing([quoted(name) for name in names[:_KINDS]])
    is_one = len(places) == 1
    what = "a special token" if len(names) == 1 else "special tokens"
    return (
        f"{named}{' and others' * (len(names) > _KINDS)} {'is' if len(names) == 1 else 'are'} "
        f"{what} of this model. {'It is' if is_one else 'Each is'} read as one token, not as its "
        "characters; with a space inside, its characters are read."
    )


def unknown_sentence(encoding: Encoding) -> str:
    """How often the model has no token for what was typed (plain text); "" where it always has."""
    places = encoding.unknown_positions
    if not places:
        return ""
    name = quoted(encoding.tokens[places[0]])
    once = f"{count(len(places), 'piece')} of your text"
    alike = (
        ""
        if len(places) == 1
        else " To the roles these are repeats of one token, though you typed different things."
    )
    return f"This model has no token for {once}. It reads {name} instead.{alike}"


def lost_sentence(encoding: Encoding) -> str:
    """Which characters do not reach the model as typed (plain text); "" where all do."""
    if not encoding.lost or encoding.unknown_positions:
        return ""
    shown = [quoted(character) for character in encoding.lost]
    named = shown if len(shown) <= _KINDS else [*shown[: _KINDS - 1], "other characters"]
    return (
        f"The model's tokenizer leaves out or changes {listing(named)}: the model does not read "
        "your text as you typed it. The tokens on Your Prompt are what it reads."
    )


def notes(encoding: Encoding, *, of_model: bool = True, english_only: bool = False) -> list[str]:
    """What a reader should know about a prompt's tokens, in sentences (plain text).

    Args:
        encoding: the prompt.
        of_model: whether to say what holds for every prompt of the model, too.
        english_only: whether the model is known to have seen plain English letters and nothing
            else, as the bundled ones.
    """
    sentences = [chat_sentence(encoding)] if encoding.is_chat else []
    if (encoding.start_is_stand_in and of_model) or encoding.start_added_by != "app":
        sentences.append(start_sentence(encoding))
    sentences += cautions(encoding)
    sentences.append(split_sentence(encoding, english_only=english_only))
    sentences.append(byte_repeats_sentence(encoding))
    return [sentence for sentence in sentences if sentence]


def split_sentence(encoding: Encoding, *, english_only: bool = False) -> str:
    """Which characters the model reads in pieces, and why (plain text); "" where it reads none so.

    Args:
        encoding: the prompt.
        english_only: as in :func:`notes`.
    """
    split = [span for span in texts.spans(encoding.tokens) if span.size > 1]
    if not split:
        return ""
    kinds = list(dict.fromkeys(_kind(c) for span in split for c in span.text if c > "\x7f"))
    kinds.sort(key=lambda kind: kind.startswith("“"))
    kinds = kinds if len(kinds) <= _KINDS else [*kinds[: _KINDS - 1], "other characters"]
    fewest, most = min(span.size for span in split), max(span.size for span in split)
    pieces = f"{most}" if fewest == most else f"{fewest} to {most}"
    if english_only:
        return (
            f"This model was never shown {listing(kinds, last='or')}: it learned from simple "
            f"English stories. It reads each such character as {pieces} tokens, its bytes."
        )
    return (
        f"This model has no single token for some characters here ({listing(kinds)}), so it reads "
        f"each of these as {pieces} tokens, its bytes."
    )


def _kind(character: str) -> str:
    """What a character is, for people: its script if that has a name, else itself.

    >>> [_kind(character) for character in "中ש🙂–é"]
    ['Chinese', 'Hebrew', 'emoji', '“–”', '“é”']
    """
    if marked(character)[0][1]:
        return "invisible characters"
    if ord(character) >= 0x1F000 and not character.isalpha():
        return "emoji"
    script = unicodedata.name(character, "").split(" ")[0]
    is_letter = unicodedata.category(character)[0] in "LM"
    return _SCRIPTS.get(script, quoted(character)) if is_letter else quoted(character)


def byte_repeats_sentence(encoding: Encoding) -> str:
    """How many repeats are bytes that different characters share (plain text); "" where none is.

    The roles look for equal tokens, so they count these as repeats.
    """
    ids, seen, whole, shared = encoding.copy_ids, set(), set(), 0
    for span in texts.spans(encoding.tokens)[1:]:
        own = ids[span.first : span.last + 1]
        is_new = own not in whole and token_bytes(encoding.tokens[span.first]) is not None
        for token in own:
            shared += is_new and token in seen
            seen.add(token)
        whole.add(own)
    if not shared:
        return ""
    every = _repeats(encoding)
    are = "is only a byte" if shared == 1 else "are only bytes"
    which = "the only repeat" if every == 1 else f"{shared:,} of the {every:,} repeats"
    return (
        f"Take care: {which} {are} that different characters share. The "
        "roles compare tokens: to them each is a repeat, though you see different characters."
    )


def _repeats(encoding: Encoding) -> int:
    """How many tokens after position 0 repeat an earlier one."""
    own = encoding.copy_ids[1:]
    return len(own) - len(set(own))


def token_strip(encoding: Encoding) -> str:
    """Every character as a small box, most of which are one token.

    Equal ones share a number, and the first few of these a colour; what is several tokens says how
    many.
    """
    joined = texts.spans(encoding.tokens)
    ids = [encoding.copy_ids[span.first : span.last + 1] for span in joined]
    groups, template = repeats(ids), set(encoding.template_positions)
    boxes = [
        f'<span class="hr-token hr-start" title="{escape(start_sentence(encoding))} '
        f'Position 0 · id {encoding.token_ids[0]}">start</span>'
    ]
    for span, own in zip(joined[1:], ids[1:], strict=True):
        read = encoding.token_ids[span.first : span.last + 1]
        if span.first in template:
            boxes.append(_token_box(span, read, None, kind=" hr-template"))
        else:
            boxes.append(_token_box(span, read, groups.get(own)))
    scrolls = len(joined) > LONG_STRIP
    return (
        f'<div class="hr-strip{" hr-scroll" if scrolls else ""}" role="group" '
        f'aria-label="The tokens of the prompt"{" tabindex=0" if scrolls else ""}>'
        f"{''.join(boxes)}</div>"
    )


def _token_box(
    span: texts.Span, token_ids: Sequence[int], group: int | None, *, kind: str = ""
) -> str:
    text = "".join(
        f'<i class="hr-space" title="{name}">{escape(shown)}</i>' if name else escape(shown)
        for shown, name in marked(span.text)
    )
    inside, ids = f"<bdi>{text}</bdi>", ", ".join(map(str, token_ids))
    title = f"position {span.first} · id {ids}"
    if span.size > 1:
        title = f"{span.size} tokens · positions {span.first} to {span.last} · ids {ids}"
    if kind:
        title += " · added by the chat template"
    if group is not None:
        kind += f" hr-again hr-c{group}" if group <= _COLOURS else " hr-again"
        title += f" · repeated {'token' if span.size == 1 else 'character'} number {group}"
        inside += f"<sup>{group}</sup>"
    if span.size > 1:
        kind += " hr-split"
        inside += f"<small>{span.size} tokens</small>"
    return f'<span class="hr-token{kind}" title="{title}">{inside}</span>'


def strip_sentence(encoding: Encoding) -> str:
    """What the strip shows, in words and numbers (plain text)."""
    own, again = len(encoding.tokens) - 1, _repeats(encoding)
    yours = "yours" if encoding.is_chat else "them"
    if again:
        repeat = "repeats" if again == 1 else "repeat"
        told = f"{again} of {yours} {repeat} an earlier one; equal tokens carry the same number."
    else:
        told = "" if own == 1 else f"None of {yours} repeats an earlier one."
    stand_in = " (a stand-in)" if encoding.start_is_stand_in else ""
    marks = "".join(
        shown for span in texts.spans(encoding.tokens[1:]) for shown, _ in marked(span.text)
    )
    return (
        f"{count(own, 'token')} after the start token{stand_in}.{f' {told}' * bool(told)} A dot · "
        f"is a space. {legend([marks])}"
    ).strip()


def truncation_sentence(encoding: Encoding) -> str:
    """Shown when the prompt was longer than the model reads."""
    return (
        f"Only the first {len(encoding.tokens):,} of {encoding.full_length:,} tokens were read "
        "(the start token included), the most that is read here. "
        "The rest of your text stays in the box."
    )


def precision_sentence(name: str) -> str:
    """Shown while a model runs in shorter numbers than the analysis (plain text)."""
    return (
        f"{name} runs in 16-bit numbers here, because its full 32-bit ones would not fit into this "
        "server's memory or because the server is set up that way. Every share shown can be off by "
        "up to 1 percentage point, so do not read anything into smaller differences."
    )


def bias_sentence(name: str, left_out: float) -> str:
    """Shown where next tokens are guessed by a model that lost its logit bias (plain text)."""
    return (
        f"As published, {name} also adds a fixed number to every token's logit (b_U, up to "
        f"{left_out:.2f} from its mean). It is left out here, so its guesses differ a little from "
        "the published model's; attention and circuits do not."
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, notes: bool = False) -> str:
    """An HTML table; with ``notes`` the last cell of every row stands on a line of its own.

    An empty one takes no line. Words of the glossary in the headers explain themselves.
    """
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in headers)
    body = "".join(_row(row, notes=notes) for row in rows)
    # Tables of one page often have the same headers, and a word's definition is found by its id.
    head = glossary.mark(head, place=head + body)
    return (
        f'<div class="hr-table" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[str], *, notes: bool) -> str:
    cells, note = (row[:-1], row[-1]) if notes else (row, "")
    first, *rest = cells
    line = f'<tr><th scope="row">{escape(first)}</th>' + "".join(
        f"<td>{escape(cell)}</td>" for cell in rest
    )
    if note:
        line += f'</tr><tr class="hr-note"><td colspan="{len(cells)}">{escape(note)}</td>'
    return line + "</tr>"

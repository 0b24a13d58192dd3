"""Words and small HTML pieces. Pure functions: no Streamlit, no tensors.

Whatever a student typed passes :func:`html.escape` or :func:`plain` before it is shown, so that
HTML and Markdown in a prompt stay text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape as escape
from typing import TYPE_CHECKING

from headroles import texts
from headroles.formatting import SPACES
from headroles.formatting import listing as listing
from headroles.formatting import percent as percent
from headroles.formatting import visible as visible
from headroles.view import glossary

if TYPE_CHECKING:
    from headroles.types import Encoding

LONG_STRIP = 150
"""A strip with more tokens than this scrolls in a box of its own."""

_COLOURS = 6
"""Colours of repeated tokens in style.css; the number in the corner tells more groups apart."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:])")


def plain(text: str) -> str:
    """Text with Markdown's special characters escaped."""
    return _MARKDOWN.sub(r"\\\1", text)


def shorten(text: str, *, limit: int) -> str:
    """The beginning of a text, with an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "head"), count(3, "head")
    ('1 head', '3 heads')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def repeats(token_ids: Sequence[int]) -> dict[int, int]:
    """Number every token id that occurs twice or more after position 0: 1, 2, 3 ... as they come.

    >>> repeats([0, 5, 7, 5, 0])
    {5: 1}
    """
    counted = Counter(token_ids[1:])
    again = dict.fromkeys(token for token in token_ids[1:] if counted[token] > 1)
    return {token: number for number, token in enumerate(again, start=1)}


def token_labels(encoding: Encoding) -> list[str]:
    """[pos] short labels for axes: the start token by name, the others as visible text."""
    return ["start", *(shorten(visible(token), limit=12) for token in encoding.tokens[1:])]


def start_sentence(encoding: Encoding) -> str:
    """What is at position 0, and who put it there, in a sentence (plain text)."""
    token = encoding.start_token
    if encoding.start_added_by != "app":
        who = "Your text" if encoding.start_added_by == "text" else "The chat template"
        return f"{who} begins with the start token {token} already, so the app adds none."
    if encoding.start_passed_over:
        return (
            f"The app puts {token} in front of every prompt. This model's tokenizer names "
            f"{encoding.start_passed_over} as its start token, but that one opens a chat message, "
            "and texts do not begin with it."
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


def notes(encoding: Encoding, *, of_model: bool = True) -> list[str]:
    """What a reader should know about a prompt's tokens, in sentences (plain text).

    Args:
        encoding: the prompt.
        of_model: whether to say what holds for every prompt of the model, too.
    """
    sentences = [chat_sentence(encoding)] if encoding.is_chat else []
    if (encoding.start_is_stand_in and of_model) or encoding.start_added_by != "app":
        sentences.append(start_sentence(encoding))
    return sentences


def token_strip(encoding: Encoding) -> str:
    """Every token as a small box; tokens that occur again share a colour and a number."""
    groups, template = repeats(encoding.copy_ids), set(encoding.template_positions)
    boxes = [
        f'<span class="hr-token hr-start" title="{escape(start_sentence(encoding))} '
        f'Position 0 · id {encoding.token_ids[0]}">start</span>'
    ]
    for position, (token, token_id) in enumerate(
        zip(encoding.tokens[1:], encoding.token_ids[1:], strict=True), start=1
    ):
        if position in template:
            boxes.append(_token_box(token, token_id, position, None, kind=" hr-template"))
        else:
            boxes.append(_token_box(token, token_id, position, groups.get(token_id)))
    scrolls = len(encoding.tokens) > LONG_STRIP
    return (
        f'<div class="hr-strip{" hr-scroll" if scrolls else ""}" role="group" '
        f'aria-label="The tokens of the prompt"{" tabindex=0" if scrolls else ""}>'
        f"{''.join(boxes)}</div>"
    )


def _token_box(
    token: str, token_id: int, position: int, group: int | None, *, kind: str = ""
) -> str:
    # A newline starts a new line in the strip too, as it does in the prompt.
    text = "".join(
        f'<i class="hr-space">{SPACES[character]}</i>' if character in SPACES else escape(character)
        for character in token
    )
    title = f"position {position} · id {token_id}"
    if group is None:
        title += " · added by the chat template" if kind else ""
        return f'<span class="hr-token{kind}" title="{title}"><bdi>{text}</bdi></span>'
    colour = (group - 1) % _COLOURS + 1
    return (
        f'<span class="hr-token hr-again hr-c{colour}" '
        f'title="{title} · repeated token number {group}">'
        f"<bdi>{text}</bdi><sup>{group}</sup></span>"
    )


def strip_sentence(encoding: Encoding) -> str:
    """What the strip shows, in words and numbers (plain text)."""
    own = len(encoding.tokens) - 1
    groups = repeats(encoding.copy_ids)
    places = sum(token in groups for token in encoding.copy_ids[1:])
    yours = "yours" if encoding.is_chat else "them"
    again = (
        f"{places} of {yours} occur more than once: the same number means the same token."
        if groups
        else f"None of {yours} is repeated."
    )
    stand_in = " (a stand-in)" if encoding.start_is_stand_in else ""
    return f"{count(own, 'token')} after the start token{stand_in}. {again} A dot · is a space."


def truncation_sentence(encoding: Encoding) -> str:
    """Shown when the prompt was longer than the model reads."""
    return (
        f"Only the first {len(encoding.tokens):,} of {encoding.full_length:,} tokens were read "
        "(the start token included): that is as much as the model can take here. "
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

    Words of the glossary in the headers explain themselves.
    """
    head = glossary.mark("".join(f'<th scope="col">{escape(header)}</th>' for header in headers))
    return (
        f'<div class="hr-table" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(_row(row, notes=notes) for row in rows)}</tbody></table></div>"
    )


def _row(row: Sequence[str], *, notes: bool) -> str:
    cells, note = (row[:-1], row[-1]) if notes else (row, "")
    first, *rest = cells
    line = f'<tr><th scope="row">{escape(first)}</th>' + "".join(
        f"<td>{escape(cell)}</td>" for cell in rest
    )
    if notes:
        line += f'</tr><tr class="hr-note"><td colspan="{len(cells)}">{escape(note)}</td>'
    return line + "</tr>"

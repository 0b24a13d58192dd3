"""What heads do on real text: sources, how often they are at work, the passages that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.errors import HeadrolesError
from headroles.export.documents import Folded, Section, Shaded, Strip, Table, Text
from headroles.formatting import count, in_one_line, marked, percent
from headroles.texts import encode
from headroles.view import passages
from headroles.view import real_text as words
from headroles.view.report import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.export.documents import Block
    from headroles.store.real_text import Example, HeadEvidence
    from headroles.types import Head
    from headroles.view.real_text import Wild
    from headroles.view.report.gathering import Gathered

TITLE = "On real text"
ANCHOR = "real-text"
HEADS_OF_ROLE = 6
"""Heads of a role whose passages are shown, best first."""
STRONGEST, OF_OTHER = 2, 1
"""Passages that are shown of a head in a role, and of one that fits nothing."""
EXCERPT = 160
"""Characters of a passage whose tokens are not known here."""


def sections(gathered: Gathered) -> list[Section]:
    """What is stored of it, or why nothing is."""
    found = gathered.real_text
    if found is None:
        why = gathered.faults.get(
            "Real text",
            "Nothing is stored for this model yet. python -m scripts.read_texts "
            f"{gathered.entry.model_name} reads some.",
        )
        return [Section(TITLE, (Text(why, "warning"),), anchor=ANCHOR)]
    rows = tuple((one.name, f"{one.tokens:,}", one.licence) for one in found.sources)
    blocks: list[Block] = [
        Text(
            f"The model read {count(found.tokens, 'token')} in "
            f"{count(len(found.passages), 'passage')} on {found.date} (seed {found.seed}, texts of "
            f"Python {found.python}). These are texts that nobody made for the roles."
        ),
        Table("What was read", ("Source", "Tokens", "Licence"), rows),
    ]
    if gathered.model and gathered.model.stories:
        blocks.append(Text(words.STORIES_ONLY, "note"))
    roles = words.wild(found, gathered.entry)
    inner = [_activity(roles)] if roles else []
    if found.evidence is not None:
        inner.append(_in_roles(gathered, roles))
        if others := gathered.entry.listed("other"):
            inner.append(_of_others(gathered, others))
    inner += kinds.sections(gathered)
    return [Section(TITLE, tuple(blocks), tuple(inner), ANCHOR)]


# ------------------------------------------------------------------ how often


def _activity(roles: Sequence[Wild]) -> Section:
    """Every role: at how many of 1,000 tokens its heads are at work; head by head, folded."""
    blocks: list[Block] = [
        Text(words.conclusion(roles), "lead"),
        Table(
            "Active per 1,000 tokens where the role applies",
            words.HEADERS,
            tuple(map(tuple, words.activity_rows(roles))),
        ),
        Text(
            "With the tokens of a passage shuffled, the role’s places stay where they were: a head "
            "that goes by place does the same there, one that goes by content does not. "
            "Activations are of 1, ± their standard error over documents.",
            "note",
        ),
    ]
    for one in roles:
        if not (one.listed and one.rates):
            continue
        rows = tuple(map(tuple, words.head_rows(one)))
        table = Table(f"{one.role.name} on real text", words.HEAD_HEADERS, rows)
        note = Text(f"{words.map_sentence(one)} {words.shuffled_sentence(one)}", "note")
        blocks.append(Folded(f"{one.role.name}: {count(len(rows), 'head')}", (note, table)))
    return Section("How often heads are at work", tuple(blocks), anchor="at-work")


# ------------------------------------------------------------------ passages


def _in_roles(gathered: Gathered, roles: Sequence[Wild]) -> Section:
    """The strongest passages of every role’s listed heads, and one that is typical."""
    evidence, blocks = gathered.real_text.evidence, [_legend(gathered)]
    for key in evidence.roles:
        stored = gathered.entry.role(key)
        heads = [head for head in stored.listed if evidence.of(head, key)][:HEADS_OF_ROLE]
        inner: list[Block] = []
        for head in heads:
            found = evidence.of(head, key)
            inner.append(Text(words.evidence_sentence(head, key, found), "lead"))
            inner += _passages(gathered, head, found, most=STRONGEST, typical=True)
        if inner:
            of = len(stored.listed)
            shown = f"{len(heads)} of {count(of, 'head')}" if of > len(heads) else count(of, "head")
            blocks.append(Folded(f"{stored.role.name}: passages of {shown}", tuple(inner)))
    return Section("The passages that show it", tuple(blocks), anchor="passages")


def _legend(gathered: Gathered) -> Block:
    if gathered.tokenizer is None:
        return Text(
            "The model’s tokenizer is not on this machine, so passages stand here without tints.",
            "warning",
        )
    return Text(
        "A framed token is the one that looks; a darker one gets more of its attention (point at "
        "it for the number). In Markdown the first stands between arrows, and others are bold. A "
        "typical token is the middle one of ten that were drawn, one from each tenth by strength."
    )


def _of_others(gathered: Gathered, heads: Sequence[Head]) -> Section:
    """The strongest look of every head that fits nothing."""
    evidence = gathered.real_text.evidence
    inner: list[Block] = []
    for head in heads:
        if found := evidence.of(head, None):
            inner.append(Text(words.evidence_sentence(head, None, found), "lead"))
            inner += _passages(gathered, head, found, most=OF_OTHER, typical=False)
    said = Text(
        "What heads look at that have none of the basic roles: the token at which each puts most "
        "attention on a single earlier one, the first token not counted."
    )
    folded = Folded(f"Strongest passages of {count(len(heads), 'head')}", tuple(inner))
    return Section("Heads that fit nothing", (said, folded), anchor="passages-of-other")


def _passages(
    gathered: Gathered, head: Head, found: HeadEvidence, *, most: int, typical: bool
) -> list[Block]:
    """A head’s strongest passages, then the one in the middle."""
    chosen = [(f"{head.label}, strongest", one) for one in found.strongest[:most]]
    if typical and found.typical:
        chosen.append((f"{head.label}, typical", found.typical[len(found.typical) // 2]))
    return [_passage(gathered, name, example) for name, example in chosen]


def _passage(gathered: Gathered, name: str, example: Example) -> Block:
    stored = gathered.real_text.passages[example[0]]
    sources = {one.key: one.name for one in gathered.real_text.sources}
    about = f"{name}: {percent(example[2] / 1000)}. {passages.where(stored, sources)}."
    passage = gathered.passages.get(stored.digest)
    if passage is None:
        return Text(f"{about} {passages.missing(stored, gathered.real_text.python)}", "note")
    tokens = _tokens(gathered, passage.text)
    if tokens is None or example[1] >= len(tokens):
        return Text(f"{about} “{in_one_line(passage.text, limit=EXCERPT)}”")
    return Strip(f"{about} {passages.say(tokens, example)}", _shaded(tokens, example))


def _tokens(gathered: Gathered, text: str) -> Sequence[str] | None:
    """The passage as the model reads it; None where its tokenizer is not here."""
    if gathered.tokenizer is None:
        return None
    try:
        return encode(gathered.tokenizer, text).tokens
    except HeadrolesError:  # said once, where the tokenizer is missing; here a text of none
        return None


def _shaded(tokens: Sequence[str], example: Example) -> tuple[Shaded, ...]:
    """The tokens around the one that looks and what it looks at, with dots for what is left out."""
    by_key, shown = passages.weights(example), passages.around(tokens, example)
    pieces, last = [], 0
    for place in shown:
        if place != last + 1:
            pieces.append(Shaded(" … ", 0.0))
        share = by_key.get(place, 0.0)
        share = share if share >= passages.LEAST else 0.0
        pieces.append(Shaded(_readable(tokens[place]), share, is_query=place == example[1]))
        last = place
    if last + 1 < len(tokens):
        pieces.append(Shaded(" …", 0.0))
    return tuple(pieces)


def _readable(token: str) -> str:
    """A token in running text: spaces stay, a line break is marked and breaks the line."""
    shown = "".join(piece for piece, _ in marked(token, in_prompt=True))
    return shown.replace("↵", "↵\n")

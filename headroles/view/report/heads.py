"""Every head in a table, the heads that fit nothing, place or content, and one prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.export.documents import Folded, Section, Table, Text
from headroles.formatting import count, in_one_line, legend, listing, percent, visible
from headroles.roles import BASIC_ROLES, SCORED_ROLES
from headroles.view import two_texts
from headroles.view.head_records import plain

if TYPE_CHECKING:
    from headroles.export.documents import Block
    from headroles.store import StoredRole
    from headroles.types import Head, Verdict
    from headroles.verdicts import PromptScores
    from headroles.view.report.gathering import Gathered

STATES = {
    "active": "active",
    "quiet": "quiet",
    "not_applicable": "does not apply",
    "too_short": "too short to tell",
}


def table_of_all(gathered: Gathered) -> Section:
    """Every head’s score in every role: the table behind all maps."""
    entry = gathered.entry
    basic = [entry.role(role.key) for role in SCORED_ROLES]
    columns = [
        stored
        for stored in (*basic, *entry.extended.values())
        if stored.is_measured and stored.heads
    ]
    model_map = gathered.model_map
    rows = tuple(
        (
            head.label,
            *(_score(stored, head) for stored in columns),
            ", ".join(_roles(gathered, place, head)) or "–",
        )
        for place, head in enumerate(model_map.heads)
    )
    headers = ("Head", *(f"{stored.role.name}{_unit(stored)}" for stored in columns), "Roles")
    words = (
        "Shares are of 1. A star marks a score with which the head has the role; roles are those "
        "that the head has or that list it."
    )
    table = Table("Every head in every role", headers, rows)
    folded = Folded(f"{count(len(rows), 'head')} × {count(len(columns), 'role')}", (table,))
    return Section("All heads", (Text(words), folded), anchor="all-heads")


def _unit(stored: StoredRole) -> str:
    return f" ({stored.role.unit})" if stored.role.is_signed else ""


def _score(stored: StoredRole, head: Head) -> str:
    value = stored.score(head)
    if value is None:
        return "–"
    limit = stored.category.threshold
    star = "*" if limit is not None and stored.fits(head, limit) else ""
    return f"{plain(stored.role, value)}{star}"


def _roles(gathered: Gathered, place: int, head: Head) -> list[str]:
    names = gathered.model_map.names_of(place)
    more = [
        stored.role.name
        for stored in gathered.entry.extended.values()
        if stored.is_measured and head in stored.listed
    ]
    return [*names, *more]


def place_or_content(gathered: Gathered) -> Section | None:
    """Which heads of a role do the same on random tokens; None where nothing was compared."""
    by_role = two_texts.two_texts(gathered.entry, gathered.thresholds, extended=True)
    if not by_role:
        return None
    blocks: list[Block] = [
        Text(
            "Random tokens have no grammar and no meaning. A head that treats them like sentences "
            "goes by position; one that works on sentences only goes by what the words are."
        ),
        Text(two_texts.PLACE_OR_CONTENT_RULE, "note"),
    ]
    for texts in by_role.values():
        blocks.append(Text(f"{texts.name}: {two_texts.two_texts_sentence(texts)}"))
        rows = tuple(
            (head.label, *texts.pair(head), texts.verdict(head).sentence)
            for head in texts.heads
            if texts.verdict(head).kind != "neither"
        )
        if rows:
            table = Table(
                f"{texts.name}: heads over the threshold on either kind of text",
                ("Head", *two_texts.HEADERS[1:]),
                rows,
            )
            blocks.append(Folded(f"{texts.name}: {count(len(rows), 'head')}", (table,)))
    return Section("Place or content?", tuple(blocks), anchor="place-or-content")


def on_prompt(gathered: Gathered) -> Section | None:
    """Which listed heads are active on the prompt that was run, and why others are gray."""
    run = gathered.run
    if run is None:
        return None
    scores = verdicts.score_run(run)
    tokens = [visible(token) for token in run.tokens]
    blocks: list[Block] = [
        Text(f"The prompt: “{in_one_line(run.prompt)}”"),
        Text(f"Read as {count(len(tokens), 'token')}: {' | '.join(tokens)}"),
        *(Text(words, "note") for words in [legend(tokens)] if words),
    ]
    if run.next_tokens:
        best = run.next_tokens[0]
        blocks.append(
            Text(f"The model goes on with “{visible(best.text)}” ({percent(best.probability)}).")
        )
    inner = [_judged(gathered, stored, scores) for stored in _judgeable(gathered)]
    return Section("On a prompt", tuple(blocks), tuple(filter(None, inner)), "prompt")


def _judgeable(gathered: Gathered) -> list[StoredRole]:
    entry = gathered.entry
    basic = [entry.role(key) for key in BASIC_ROLES if entry.listed(key)]
    extended = [
        stored
        for stored in entry.extended.values()
        if stored.is_measured and stored.role.from_attention and stored.listed
    ]
    return [stored for stored in (*basic, *extended) if stored.role.is_scored]


def _judged(gathered: Gathered, stored: StoredRole, scores: PromptScores) -> Section:
    role = stored.role
    found: dict[Head, Verdict]
    if role.level == "basic":
        limit = gathered.thresholds[role.key]
        found = {head: verdicts.judge(head, role.key, scores, limit) for head in stored.listed}
    else:
        judged = verdicts.judge_heads(stored, gathered.run, scores)
        found = dict(zip(stored.heads, judged, strict=True))
    active = [head for head in stored.listed if found[head].is_active]
    names = f": {listing([head.label for head in active])}" if active else ""
    rows = tuple(
        (
            head.label,
            STATES.get(found[head].state, found[head].state),
            percent(found[head].activation.value),
            percent(found[head].activation.chance),
            percent(found[head].needed),
            found[head].reason,
        )
        for head in stored.listed
    )
    headers = ("Head", "State", "Activation", "Chance", "Needed", "Why")
    words = f"{len(active)} of {len(rows)} listed heads are active{names}."
    return Section(role.name, (Text(words), Table(f"{role.name} on the prompt", headers, rows)))

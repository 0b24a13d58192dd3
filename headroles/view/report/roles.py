"""Role by role: what it is, its map, its heads with all their numbers, and what wakes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles import charts
from headroles.export.documents import Bullets, Folded, Picture, Section, Table, Text
from headroles.formatting import count, in_one_line, ordinal
from headroles.roles import BASIC_ROLES, EXTENDED_ROLES, FALL, LOGITS, ROLES
from headroles.types import Head
from headroles.verdicts import role_title
from headroles.view import causal, extended_roles, head_maps, lists, waking
from headroles.view.head_records import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headroles.export.documents import Block
    from headroles.roles import Role
    from headroles.store import ModelEntry, StoredRole, TopHead
    from headroles.view.report.gathering import Gathered

SHOWN = 24
"""Rows of a list that stand open; longer ones are folded."""


def sections(gathered: Gathered) -> list[Section]:
    """The basic roles, then the extended ones: whatever the registry and the entry hold."""
    entry = gathered.entry
    basic = [_basic(gathered, role) for role in BASIC_ROLES.values()]
    extended = [_extended(gathered, ROLES[key]) for key in EXTENDED_ROLES]
    first = (
        Text(
            "Layers run from left to right in every map, the heads of a layer from top to bottom. "
            "A darker cell is a higher score, and the number in it is the score in percent; a "
            "frame (in Markdown: brackets) marks a head that has the role, a square in the corner "
            "one that is listed, a diamond one that papers name for it. The numbers of all maps "
            "stand in the table of all heads near the end.",
            "note",
        ),
    )
    second = (
        Text(
            "These roles are rarer or defined by what a head writes. Where scores have a sign, "
            "blue and a plus are for the token that the head looks at, orange and a minus against "
            "it; the line under such a map says what its numbers are.",
            "note",
        ),
    )
    if not entry.extended:
        why = (
            "The file that was made elsewhere has none."
            if entry.made_elsewhere
            else ("This analysis left them out.")
        )
        return [
            Section("The basic roles", first, tuple(basic), "basic-roles"),
            Section("The extended roles", (Text(why, "warning"),), (), "extended-roles"),
        ]
    return [
        Section("The basic roles", first, tuple(basic), "basic-roles"),
        Section("The extended roles", second, tuple(extended), "extended-roles"),
    ]


def _basic(gathered: Gathered, role: Role) -> Section:
    if not role.is_scored:
        return _role(gathered, role, gathered.model_map.other_map())
    stored, limit = gathered.entry.role(role.key), gathered.thresholds[role.key]
    papers = named_for(gathered, role)
    role_map = head_maps.stored_map(stored, threshold=limit, papers=papers)
    return _role(gathered, role, role_map)


def named_for(gathered: Gathered, role: Role) -> set[Head]:
    """The heads that papers name for a role."""
    return {known.head for known in gathered.known if known.role == role.key}


def _extended(gathered: Gathered, role: Role) -> Section:
    entry = gathered.entry
    if role.key not in entry.categories:
        why = "This analysis is older than the role: analyse the model again to measure it."
        return Section(role.name, (*_explained(role), Text(f"Not measured. {why}", "warning")))
    stored = entry.role(role.key)
    if not stored.is_measured:
        why = f"Not measured. {stored.category.not_measured}"
        return Section(role.name, (*_explained(stored.role), Text(why, "warning")))
    role_map = head_maps.stored_map(stored, papers=named_for(gathered, role))
    return _role(gathered, stored.role, role_map)


def _role(gathered: Gathered, role: Role, role_map: head_maps.RoleMap) -> Section:
    entry = gathered.entry
    stored = entry.role(role.key)
    records = role_map.records
    blocks: list[Block] = list(_explained(role))
    blocks.append(Text(role_map.sentence, "lead"))
    if role.level == "extended":
        blocks.append(Text(extended_roles.out_of(stored), "note"))
    if any(record["value"] is not None for record in records):
        alt = f"{role.name}, layers by heads. {role_map.sentence}"
        drawing = charts.plain_map.head_map(records, alt)
        blocks.append(Picture(drawing, _caption(role), map_table(records)))
    if unseen := stored.category.unseen_layers:
        blocks.append(Text(unseen_sentence(unseen), "warning"))
    blocks += _list(entry, stored)
    blocks += _waking(stored)
    return Section(role.name, tuple(blocks), anchor=f"role-{role.key}")


def _explained(role: Role) -> tuple[Block, ...]:
    blocks = [Text(role.explanation)]
    formal = [f"Score: {role.formula}." if role.formula else ""]
    formal.append(f"Source: {role.source}." if role.source else "")
    formal.append(f"Careful: {role.caution}" if role.caution else "")
    if words := " ".join(filter(None, formal)):
        blocks.append(Text(words, "note"))
    return tuple(blocks)


def map_table(records: Sequence[Mapping[str, object]]) -> Table:
    """A map as a table, with the marks that the drawing has."""
    layers = sorted({int(record["layer"]) for record in records})
    places = {(record["layer"], record["head"]): _cell(record) for record in records}
    heads = sorted({int(record["head"]) for record in records})
    return Table(
        "",
        ("head", *(f"layer {layer}" for layer in layers)),
        tuple((str(head), *(places[layer, head] for layer in layers)) for head in heads),
    )


def _cell(record: Mapping[str, object]) -> str:
    number = str(record["number"]) or "·"
    if record["value"] is None:
        number = "–"
    if record["active"]:
        number = f"[{number}]"
    return f"{number}{' ■' * bool(record['listed'])}{' ◇' * bool(record['papers'])}"


def _caption(role: Role) -> str:
    if not role.is_scored:
        return "Each number is the largest score, in percent, of a head that fits nothing."
    what = charts.share_title(role)
    unit = {LOGITS: "in logits", FALL: "of 1"}.get(role.unit, "in percent")
    return f"Each number: {what}, {unit}."


def unseen_sentence(layers: Sequence[int]) -> str:
    """Which layers have no score, and why."""
    where = f"layer {layers[0]}" if len(layers) == 1 else f"{len(layers)} layers ({_named(layers)})"
    return (
        f"The heads of {where} have no score: the places that the role is about lie out of their "
        "sight."
    )


def _named(layers: Sequence[int]) -> str:
    return ", ".join(map(str, layers))


# ------------------------------------------------------------------ the list


def _list(entry: ModelEntry, stored: StoredRole) -> list[Block]:
    """The heads that the role lists, with every number of theirs."""
    role, tops = stored.role, stored.category.top_heads
    if not tops:
        return [Text(f"No head is listed as {role.name}.")]
    blocks: list[Block] = []
    if role.is_scored and (sentence := _how_listed(entry, role)):
        blocks.append(Text(sentence))
    table = _list_table(entry, stored, tops)
    if len(tops) > SHOWN:
        blocks.append(Folded(f"All {len(tops)} listed heads", (table,)))
    else:
        blocks.append(table)
    if stored.control is not None:
        blocks.append(Text(f"Control: {stored.control.name}.", "note"))
    evidence = entry.causal.get(role.key)
    if evidence:
        blocks += [Text(causal.together(one)) for one in evidence.everywhere]
    return blocks


def _how_listed(entry: ModelEntry, role: Role) -> str:
    return lists.list_sentence(entry, role.key) if role.level == "basic" else ""


def _list_table(entry: ModelEntry, stored: StoredRole, tops: Sequence[TopHead]) -> Table:
    role, evidence = stored.role, entry.causal.get(stored.role.key)
    whole = len(stored.known_heads) == len(stored.heads) > 0
    columns = ["Head", "Score"]
    if has_kinds := bool(stored.by_kind):
        columns.append("Between kinds of text")
    if has_control := stored.control is not None:
        columns.append("Control")
    if has_distance := stored.profile is not None:
        columns.append("Distance")
    if role.is_scored and whole:
        columns.append("Rank")
    if role.is_scored:
        columns.append("Listed by")
    if has_knock_out := any(top.knock_out for top in tops):
        columns.append(extended_roles.KNOCKED_OUT)
    columns += causal.cell_columns(evidence)
    rows = []
    for top in tops:
        head = top.place
        row = [head.label, plain(role, top.score, top.standard_error)]
        if has_kinds:
            row.append(f"± {stored.kind_error(head) or 0.0:.3f}")
        if has_control:
            row.append(_control(stored, head))
        if has_distance:
            row.append(f"{stored.distance(head)} back")
        if role.is_scored and whole:
            row.append(f"{ordinal(stored.rank(head))} of {len(stored.known_heads)}")
        if role.is_scored:
            row.append(top.entered_by)
        if has_knock_out:
            row.append(extended_roles.knock_out_short(stored, head))
        rows.append((*row, *causal.cells(evidence, head)))
    return Table(f"Heads listed as {role.name}", tuple(columns), tuple(rows))


def _control(stored: StoredRole, head: Head) -> str:
    value = stored.control_score(head)
    return "–" if value is None else plain(stored.role, value, stored.control_error(head))


def _waking(stored: StoredRole) -> list[Block]:
    """Prompts that wake its heads, and the heads that none woke."""
    hints = stored.hints
    if hints is None:
        return []
    items = [
        f"“{in_one_line(hint.prompt)}” activates "
        f"{waking.names(list(hint.woken))} (activation up to {max(hint.woken.values()):.2f} of 1)."
        for hint in hints.prompts
    ]
    tried = f"{count(hints.tried, 'prompt')} {'was' if hints.tried == 1 else 'were'} tried."
    if hints.in_vain:
        vain = [Head(*place) for place in hints.in_vain]
        tried += f" None of them activates {waking.names(vain, last='or')}."
    blocks: list[Block] = [Text(f"What to type to see it at work: {tried}")]
    return [*blocks, Bullets(tuple(items))] if items else blocks


# ------------------------------------------------------------------ evidence, papers


def evidence(gathered: Gathered) -> Section:
    """How heads were knocked out, what each verdict means, and how many got which."""
    found = [one for role in gathered.entry.causal.values() for one in role.everywhere]
    title, anchor = "Evidence by ablation", "ablation"
    if not found:
        why = "No head was knocked out for this analysis, so its lists rest on attention alone."
        return Section(title, (Text(why, "warning"),), anchor=anchor)
    blocks: list[Block] = [Text(causal.method(found))]
    counted: dict[str, int] = {}
    for one in found:
        for head in one.heads:
            counted[head.verdict] = counted.get(head.verdict, 0) + 1
    total = sum(counted.values())
    rows = tuple(
        (causal.short(verdict), f"{counted[verdict]} of {total}", causal.MEANINGS[verdict])
        for verdict in causal.LABELS
        if verdict in counted
    )
    headers = ("Verdict", "Tests", "What it means")
    blocks.append(Table("Verdicts on single heads, per role and kind of text", headers, rows))
    blocks += [
        Text(words, "note") for words in (causal.unreadable(found), causal.borrowed(found)) if words
    ]
    return Section(title, tuple(blocks), anchor=anchor)


def papers(gathered: Gathered) -> Section:
    """The heads that papers name for this model, beside what was measured."""
    title, anchor = "What papers say", "papers"
    if fault := gathered.faults.get(title):
        return Section(title, (Text(fault, "warning"),), anchor=anchor)
    if not gathered.known:
        words = "No source that this project knows names single heads of this model."
        return Section(title, (Text(words),), anchor=anchor)
    rows = []
    for known in gathered.known:
        found = "not measured here"
        stored = gathered.entry.role(known.role) if known.role in ROLES else None
        if stored is not None and stored.heads and stored.is_measured:
            value = stored.score(known.head)
            score = "no score" if value is None else plain(stored.role, value)
            found = f"{score}, {'listed' if known.head in stored.listed else 'not listed'}"
        rows.append((known.head.label, role_title(known.role), known.basis, found, known.source))
    words = (
        "A paper names a head for the pattern of its attention, or for its function: its effect "
        "on what the model says. The second kind need not show the pattern on the texts of this "
        "analysis."
    )
    headers = ("Head", "Role", "Named for", "Measured here", "Source")
    table = Table("Heads that papers name", headers, tuple(rows))
    return Section(title, (Text(words), table), anchor=anchor)

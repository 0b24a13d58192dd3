"""What the weights say: which heads read what others write, and what heads copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.circuits import summary as circuit_summary
from headroles.export.documents import Folded, Section, Table, Text
from headroles.formatting import count, decimal, listing, percent, signed
from headroles.roles import ROLES
from headroles.view import conclusions

if TYPE_CHECKING:
    from headroles.circuits import HeadSummary
    from headroles.circuits.overview import Links
    from headroles.export.documents import Block
    from headroles.store import ModelEntry
    from headroles.types import Head
    from headroles.view.report.gathering import Gathered

TITLE = "Circuits"
READS = {
    "K": "the later head looks where the earlier one has written",
    "Q": "the later head asks for what the earlier one has found",
    "V": "the later head passes on what the earlier one has written",
}
"""What a link may be for, by kind."""


def circuits(gathered: Gathered) -> Section:
    """The strongest links and the copying scores, or why they are not here."""
    anchor, found = "circuits", gathered.weights
    if found is None:
        why = gathered.faults.get(
            TITLE,
            "The weights were not read for this report. python -m scripts.report "
            f"{gathered.entry.model_name} reads them.",
        )
        return Section(TITLE, (Text(why, "warning"),), anchor=anchor)
    words = Text(
        "Read from the weights alone, without any text. A link says how much of what one head "
        "writes a head of a later layer reads: 0 is nothing, 1 everything. It does not say that "
        "the model uses it."
    )
    links = [_links(gathered.entry, one) for one in found.links]
    if not links:
        links = [
            Section(
                "Links between heads",
                (Text("The model has one layer, so no head can read what another has written."),),
            )
        ]
    copying = [_copying(gathered)] if found.summaries else []
    return Section(TITLE, (words,), (*links, *copying), anchor)


def _links(entry: ModelEntry, links: Links) -> Section:
    title = f"{links.kind}-composition: {READS[links.kind]}"
    line = links.baseline + conclusions.STANDS_OUT * links.spread
    rows = tuple(
        (
            f"{first.label} → {second.label}",
            f"{score:.3f}",
            signed(score - links.baseline, digits=3),
            "yes" if score > line else "no",
            _roles_of(entry, first),
            _roles_of(entry, second),
        )
        for first, second, score in links.pairs
    )
    words = (
        f"The {len(links.pairs)} strongest of {count(links.out_of, 'pair')}. Random matrices of "
        f"these shapes have {links.baseline:.3f} ± {links.spread:.3f} of 1 "
        f"({count(links.draws, 'draw')}); a pair stands out from {line:.3f} on."
    )
    headers = ("Writes → reads", "Score", "Above random", "Stands out", "Writer", "Reader")
    return Section(title, (Text(words), Table(f"{links.kind}-composition", headers, rows)))


def _roles_of(entry: ModelEntry, head: Head) -> str:
    """The roles that list a head; ``other`` is none."""
    keys = [key for key in entry.categories if key != "other" and head in entry.listed(key)]
    return ", ".join(ROLES[key].name for key in keys) or "–"


def _copying(gathered: Gathered) -> Section:
    found = gathered.weights.summaries
    total, read = len(gathered.entry.heads), len(found)
    which = "all heads" if read == total else f"the {read} of {total} heads that a role lists"
    among = circuit_summary.AMONG
    said = [
        Text(
            f"For {which}. Copying is +1 for a head that makes every token it looks at likelier, "
            "−1 for one that makes it less likely. Raised or lowered: the share of the likeliest "
            f"tokens (2,000 at most) that are among the {among} that they raise or lower most. "
            "Own copy: how far a token prefers its own copy, in standard deviations. By place: "
            "the attention on the token before that position alone gives."
        ),
        Text(conclusions.all_heads(found), "lead"),
    ]
    clear = [one for one in found if conclusions.writes(one)]
    headers = ("Head", "Copying", "Raised", "Lowered", "Own copy", "By place", "Chance", "Roles")
    whole = Table(
        "What heads copy, read from their weights",
        headers,
        tuple(_row(gathered.entry, one) for one in found),
    )
    blocks: list[Block] = [*said]
    if clear:
        names = [f"{one.head.label} ({signed(one.copying)})" for one in clear]
        blocks.append(Text(f"Clearly copying or suppressing: {listing(names)}."))
    blocks.append(Folded(f"The numbers of {count(read, 'head')}", (whole,)))
    return Section("What heads copy", tuple(blocks))


def _row(entry: ModelEntry, one: HeadSummary) -> tuple[str, ...]:
    return (
        one.head.label,
        signed(one.copying),
        percent(one.copies),
        percent(one.lowers),
        decimal(one.self_match),
        percent(one.previous),
        percent(one.previous_chance),
        _roles_of(entry, one.head),
    )

"""What the model is, and how it was analysed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles import charts
from headroles.export.documents import Bullets, Folded, Section, Table, Text
from headroles.formatting import count, decimal, listing, quoted
from headroles.models import portable_source
from headroles.roles import DEFINITIONS_VERSION, MIN_SEQUENCES
from headroles.view.head_records import plain

if TYPE_CHECKING:
    from headroles.export.documents import Block
    from headroles.roles import Role
    from headroles.store import ModelEntry, StoredRole, Tokenization
    from headroles.view.report.gathering import Gathered

SETTINGS = "Settings of the analysis"
NOT_SAID = "not said"
"""Where a file that was made elsewhere does not say it."""


def subject(gathered: Gathered) -> Section:
    """Size, family, origin, start token, and what is known of the weights' numbers."""
    entry, model, facts = gathered.entry, gathered.model, gathered.facts
    heads = entry.num_layers * entry.num_heads
    rows = [
        ("Name", gathered.name),
        ("Key", entry.model_name),
        ("Heads", f"{heads:,}: {count(entry.num_layers, 'layer')} of {entry.num_heads}"),
    ]
    if model and model.about:
        rows.insert(1, ("What it is", model.about))
    if model and model.family:
        rows.append(("Family", model.family))
    if facts:
        rows += [
            ("Parameters", f"{facts.parameters:,}"),
            ("Width of the residual stream", f"{facts.width:,} numbers per token"),
            ("Vocabulary", f"{facts.vocabulary:,} tokens"),
        ]
    elif model and model.size:
        rows.append(("Parameters", f"about {model.parameters}"))
    rows += [
        ("Weights from", portable_source(entry.source) if entry.source else NOT_SAID),
        ("Revision of the weights", entry.revision or NOT_SAID),
        ("Precision", _precision(gathered)),
    ]
    if model and model.licence:
        rows.append(("Licence", model.licence))
    table = Table("Size and origin", ("What", "Value"), tuple(rows))
    return Section("The model", (table, *_start(entry.tokenization), *_notes(entry)))


def _precision(gathered: Gathered) -> str:
    """How the weights are stored, and what that means for the numbers."""
    stored = gathered.model.quantization if gathered.model else ""
    if stored:
        return (
            f"analysed in 32-bit numbers; the file stores the weights rounded ({stored}), so the "
            "heads are those of the rounded model and may differ a little from the original's"
        )
    if gathered.entry.made_elsewhere:
        return NOT_SAID
    return "analysed in 32-bit numbers"


def _start(tokens: Tokenization | None) -> list[Block]:
    """What stood at position 0, and which candidates it was chosen from."""
    if tokens is None:
        return [Text("Which token stood in front of every text is not said in the file.", "note")]
    what = (
        f"In front of every text stands {quoted(tokens.start_token)} (id {tokens.start_token_id})"
    )
    if tokens.passed_over:
        why = (
            f", a stand-in: the tokenizer names {quoted(tokens.passed_over)}, but that token opens "
            "a chat message, and ordinary texts do not begin with it."
        )
    elif tokens.is_stand_in:
        why = ", a stand-in, because the tokenizer names no start token."
    else:
        why = ", the start token that the tokenizer names."
    blocks: list[Block] = [Text(what + why)]
    if tokens.candidates:
        rows = tuple(
            (
                "nothing" if one.token is None else quoted(one.token),
                decimal(one.sentence_loss),
                decimal(one.repeat_loss),
                "chosen" if place == 0 else "–",
            )
            for place, one in enumerate(tokens.candidates)
        )
        headers = ("At position 0", "Loss on sentences", "Loss on repeats", "")
        table = Table(
            "How well the model guesses, in nats per token (lower is better)", headers, rows
        )
        blocks.append(Folded("Start tokens that were tried", (table,)))
    return blocks


def _notes(entry: ModelEntry) -> list[Block]:
    if not entry.notes:
        return []
    return [Text("Notes of the analysis:"), Bullets(tuple(entry.notes))]


def analysis(gathered: Gathered) -> Section:
    """Date, seed, n and versions, and each role's threshold with its reason."""
    entry = gathered.entry
    if entry.made_elsewhere:
        blocks: tuple[Block, ...] = (
            Text(
                "The lists and scores were made by another program. The file does not say on which "
                "texts, with which weights or from which score on a head is listed, so the "
                "thresholds below are this project’s conventions.",
                "warning",
            ),
            Table(
                SETTINGS,
                ("What", "Value"),
                (("Date", entry.analysis_date or NOT_SAID),),
            ),
        )
        return Section("How it was analysed", (*blocks, _thresholds(entry, gathered)))
    rows = [
        ("Date", entry.analysis_date),
        ("Seed", str(entry.seed)),
        ("Random repeated sequences", f"{entry.sequences:,}"),
        ("Most heads that a role lists", str(entry.cap)),
        ("Version of the definitions", f"{entry.definitions_version} of {DEFINITIONS_VERSION}"),
        ("Versions", listing([f"{name} {one}" for name, one in entry.library_versions.items()])),
    ]
    blocks = (
        Text(
            "The model read many short texts, and each head’s attention was held against what each "
            "role predicts. A score is a mean over these texts; after ± stands its standard error, "
            "which says how far it may be off by chance of the draw. Chance is the score of a head "
            "that spreads its attention evenly. A control is the same score on texts without what "
            "the role needs."
        ),
        Table(SETTINGS, ("What", "Value"), tuple(rows)),
        _thresholds(entry, gathered),
    )
    return Section("How it was analysed", (*blocks, *_cautions(entry)))


def _cautions(entry: ModelEntry) -> list[Block]:
    cautions = []
    if entry.definitions_version != DEFINITIONS_VERSION:
        cautions.append(
            "The analysis is older than the present definitions of the roles: analyse the model "
            "again to compare it with others."
        )
    if entry.sequences and entry.sequences < MIN_SEQUENCES:
        cautions.append(
            f"With {entry.sequences} random sequences the scores are rough; {MIN_SEQUENCES} or "
            "more are better."
        )
    return [Text(caution, "warning") for caution in cautions]


def _thresholds(entry: ModelEntry, gathered: Gathered) -> Table:
    rows = tuple(
        _threshold_row(entry.role(key), gathered.thresholds.get(key))
        for key in entry.categories
        if entry.role(key).role.is_scored and entry.role(key).is_measured
    )
    headers = ("Role", "A head has it from", "Chance", "Measured on", "n", "Why this threshold")
    return Table("Thresholds", headers, rows)


def _threshold_row(stored: StoredRole, given: float | None) -> tuple[str, ...]:
    role, category = stored.role, stored.category
    limit = stored.limit if stored.limit is not None else given
    chance = "–" if category.chance is None or _is_even(role) else f"{category.chance:.3f}"
    chance = "0" if role.is_signed else chance
    return (
        role.name,
        "–" if limit is None else f"{plain(role, limit)} ({_unit(role)})",
        chance,
        category.measured_on or role.measured_on,
        str(category.n) if category.n else "–",
        category.threshold_reason or "–",
    )


def _is_even(role: Role) -> bool:
    """Whether a score is how evenly a head looks, of which an even spread has all."""
    return role.from_attention and not role.has_cells


def _unit(role: Role) -> str:
    return charts.share_title(role) if _is_even(role) else role.unit


def size_words(gathered: Gathered) -> str:
    """``135 M parameters``, where that is known; else nothing."""
    if gathered.facts:
        millions = gathered.facts.parameters / 1e6
        digits = 0 if millions >= 10 else 1
        return f"{millions:,.{digits}f} million parameters"
    if gathered.model and gathered.model.size:
        return f"about {gathered.model.size / 1e6:,.1f} million parameters"
    return ""

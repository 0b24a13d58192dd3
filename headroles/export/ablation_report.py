"""What the Knock-out lab shows as files: a self-contained HTML report, and tables.

The report holds its style and loads nothing. Text that was typed or decoded from a vocabulary is
escaped, for HTML and against formulas in a spreadsheet.

>>> to_html([table], model="demo").startswith("<!doctype html>")  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape

import headroles
from headroles.ablation import (
    Comparison,
    Drop,
    LeftOut,
    Moved,
    OffsetScores,
    Profile,
    PromptTable,
    Removed,
    Row,
)
from headroles.circuits import Components, Spread
from headroles.export import many_prompts
from headroles.export.provenance import library_versions, origin
from headroles.export.tables import heads_csv
from headroles.formatting import decimal, legend, percent, quoted, signed, visible
from headroles.texts import token_labels
from headroles.types import Encoding

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem; padding: 0 1rem;
  color: #1c2128; background: #fff; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .3rem; }
p { margin: .2rem 0 .6rem; }
.hr-table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; }
th, td { border: 1px solid #d0d7de; padding: .2rem .45rem; text-align: left; vertical-align: top;
  white-space: nowrap; }
td.hr-says { white-space: normal; min-width: 16rem; }
thead th { background: #f3f5f7; }
.hr-up { color: #116329; background: #e9f8ed; } .hr-down { color: #a40e26; background: #fdeeee; }
small { display: block; font-weight: 600; }
.hr-token { display: inline-block; white-space: pre; padding: 0 .35rem; margin: 0 .15rem .25rem 0;
  border: 1px solid #b6bec8; border-radius: .3rem; background: #f3f5f7; font-weight: 400; }
.hr-cut { border: 2px solid #1f6fbf; background: #dcebfb; font-weight: 700; }
.hr-off bdi { text-decoration: line-through; }
.hr-prev { border: 2px dashed #9a6700; background: #fff4d6; }
.hr-next { border: 2px dotted #6e7681; }
.hr-conclusion { font-size: 1.05rem; max-width: 60rem; }
.hr-token sup { font-size: .8rem; margin-left: .25rem; }
.hr-small { font-size: .86rem; margin: .2rem 0 .6rem; }
@media (max-width: 640px) { tbody th { white-space: normal; min-width: 7rem; } }
@media (prefers-color-scheme: dark) {
  body { color: #dfe4ea; background: #14181d; } thead th, .hr-token { background: #232a32; }
  th, td { border-color: #3a424c; } .hr-up { color: #7ee2a0; background: #10301c; }
  .hr-down { color: #ffa3a8; background: #3a1418; } .hr-cut { background: #163a5f; }
  .hr-prev { background: #463708; }
}
"""


def to_html(
    tables: Sequence[PromptTable],
    *,
    model: str,
    note: str = "",
    left_out: Sequence[LeftOut] = (),
    provenance: Mapping[str, object] | None = None,
) -> str:
    """One page with a table per prompt; it needs no network and no other file.

    Args:
        tables: the tables; of several, what to conclude and their summary come first.
        model: its name.
        note: what was done, in a sentence.
        left_out: the prompts that could not be run.
        provenance: what is needed to reproduce the numbers, e.g. from :func:`provenance`.
    """
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, headroles {headroles.__version__}"
    said = [note, *many_prompts.left_out_sentences(left_out)]
    extra = "".join(f"<p>{escape(sentence)}</p>" for sentence in said if sentence)
    sections = "".join(_section(table, place) for place, table in enumerate(tables, 1))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Knock-outs: {escape(model)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Knock-outs in {escape(model)}</h1>{many_prompts.together(tables)}<p>Made {made}. "
        "Every row is one run of the model with something knocked out, compared with the untouched "
        "run; without components of the weights, with the model that has all of them. "
        "▲ a logit that rose, ▼ one that fell, in logits. KL is in nats, the loss in nats per "
        "token.</p><p>In a prompt, a solid border marks the position t that one-position "
        "conditions act on, a dashed one the position before it, a dotted one what comes next."
        "</p>"
        f"{extra}{sections}{many_prompts.origin_table(provenance or {})}</body></html>\n"
    )


def marked_strip(
    encoding: Encoding,
    marked: Collection[int],
    *,
    word: str,
    before: bool = True,
    struck: bool = False,
    after: str = "",
) -> str:
    """A prompt's tokens; marked positions, those just before them and the rest look different.

    Args:
        encoding: the prompt.
        marked: positions: solid border, with a word.
        word: the note on them, e.g. ``off here``.
        before: whether the token before each is marked as well: dashed border, with a word.
        struck: whether marked tokens are struck through, because part of their effect is removed.
        after: the note on the token after each: dotted border; none where it is empty.
    """
    boxes, labels = [], token_labels(encoding.tokens, limit=40)
    for place, label in enumerate(labels):
        if place in marked:
            kind, note = f" hr-cut{' hr-off' if struck else ''}", word
        elif before and place + 1 in marked:
            kind, note = " hr-prev", "just before"
        elif after and place - 1 in marked:
            kind, note = " hr-next", after
        else:
            kind, note = "", ""
        sup = f"<sup>{escape(note)}</sup>" if note else ""
        title = f"position {place}{f' · {note}' if note else ''}"
        boxes.append(
            f'<span class="hr-token{kind}" title="{escape(title)}">'
            f'<bdi dir="ltr">{escape(label)}</bdi>{sup}</span>'
        )
    return (
        '<div class="hr-strip" role="group" aria-label="The tokens of the prompt">'
        f"{''.join(boxes)}</div>{_marks(labels)}"
    )


def _marks(shown: Iterable[str]) -> str:
    """What the marks in some shown tokens stand for; nothing where there are none."""
    said = legend(shown)
    return f'<div class="hr-small">{escape(said)}</div>' if said else ""


def _section(table: PromptTable, place: int) -> str:
    name = f"{place}. {table.kind or 'Prompt'}"
    return (
        f"<h2>{escape(name)}</h2>{strip(table)}<p>{escape(many_prompts.watched(table))}</p>"
        f"{condition_table(table)}"
    )


def strip(table: PromptTable) -> str:
    """The prompt with t and its neighbours marked."""
    after = "comes next" if table.read_at == table.position else ""
    return marked_strip(table.encoding, {table.position}, word="t", after=after)


def condition_table(table: PromptTable) -> str:
    """One row per condition; the tokens that moved one per cell, with arrow, sign and number."""
    rose = max((len(row.rose) for row in table.rows), default=0)
    fell = max((len(row.fell) for row in table.rows), default=0)
    own = list(dict.fromkeys(name for row in table.rows for name in many_prompts.row_cells(row)))
    heads = (
        ["Knocked out", "What happens", *own, "Model says", "KL", "Loss", "Loss on repeats"]
        + [f"▲ {place}" for place in range(1, rose + 1)]
        + [f"▼ {place}" for place in range(1, fell + 1)]
    )
    return (
        '<div class="hr-table hr-one-line hr-conditions" tabindex="0"><table><thead><tr>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + "</tr></thead><tbody>"
        + "".join(_line(row, own, rose, fell) for row in table.rows)
        + f"</tbody></table></div>{_marks(_moved(table))}{many_prompts.weak_controls(table)}"
    )


def _moved(table: PromptTable) -> list[str]:
    return [visible(moved.text) for row in table.rows for moved in (*row.rose, *row.fell)]


def _line(row: Row, own: Sequence[str], rose: int, fell: int) -> str:
    comparison, own_cells = row.comparison, many_prompts.row_cells(row)
    cells = [
        f'<td class="hr-says">{escape(row.verdict)}</td>',
        *(f"<td>{escape(own_cells.get(name, '–'))}</td>" for name in own),
        f"<td>{escape(quoted(row.says))} {percent(row.says_probability)}</td>",
        f"<td>{decimal(comparison.kl, digits=3)}</td>",
        f"<td>{_signed(comparison.loss_change)}</td>",
        f"<td>{_signed(comparison.repeat_loss_change)}</td>",
        *moved_cells(row.rose, width=rose),
        *moved_cells(row.fell, width=fell),
    ]
    return f'<tr><th scope="row">{escape(row.name)}</th>{"".join(cells)}</tr>'


def moved_cells(moved: Sequence[Moved], *, width: int = 0) -> list[str]:
    """One cell per token, with arrow, sign and number; empty ones up to a width."""
    cells = [
        f'<td class="hr-{"up" if token.change > 0 else "down"}">'
        f"<bdi>{escape(visible(token.text))}</bdi>"
        f"<small>{'▲' if token.change > 0 else '▼'} {signed(token.change)}</small></td>"
        for token in moved
    ]
    return cells + ["<td></td>"] * (width - len(cells))


def _signed(value: float | None) -> str:
    return "–" if value is None else signed(value, digits=3)


def to_csv(tables: Sequence[PromptTable], *, provenance: Mapping[str, object]) -> str:
    """One line per prompt and condition, with the provenance above.

    Args:
        tables: the tables.
        provenance: what is needed to reproduce the numbers, e.g. from :func:`provenance`.
    """
    return heads_csv(table_rows(tables), provenance)


def table_rows(tables: Sequence[PromptTable]) -> list[dict[str, object]]:
    """One row per prompt and condition."""
    rows = [row for table in tables for row in table.rows]
    rose = max((len(row.rose) for row in rows), default=0)
    fell = max((len(row.fell) for row in rows), default=0)
    return [_flat(table, row, rose, fell) for table in tables for row in table.rows]


def _flat(table: PromptTable, row: Row, rose: int, fell: int) -> dict[str, object]:
    comparison = row.comparison
    flat: dict[str, object] = {
        "kind": table.kind,
        "prompt": table.prompt,
        "answer": table.answer.text,
        "answer_named": table.answer.named,
        "answer_is": table.answer.origin,
        "t": table.position,
        "tokens": len(table.encoding.tokens),
        "untouched_says": table.says,
        "condition": row.name,
        "compared_with": many_prompts.compared_with(row),
        "says": row.says,
        "says_probability": row.says_probability,
        **_changes(comparison),
        "log_probability_lost_nats": comparison.surprise,
        **many_prompts.control_columns(row),
        "control": row.control or None,
    }
    for way, part, width in (("rose", row.rose, rose), ("fell", row.fell, fell)):
        for place in range(width):
            entry = part[place] if place < len(part) else None
            flat[f"{way}_{place + 1}_token"] = entry.text if entry else None
            flat[f"{way}_{place + 1}_logits"] = entry.change if entry else None
    return flat


def _changes(comparison: Comparison) -> dict[str, object]:
    return {
        "rank_before": comparison.rank_before,
        "rank": comparison.rank,
        "probability_before": comparison.probability_before,
        "probability": comparison.probability,
        "logit_before": comparison.logit_before,
        "logit": comparison.logit,
        "logit_change": comparison.logit_change,
        "kl_nats": comparison.kl,
        "loss_change_nats": comparison.loss_change,
        "repeat_loss_change_nats": comparison.repeat_loss_change,
    }


def knock_out_rows(
    table: PromptTable, draws: Sequence[tuple[str, Comparison]]
) -> list[dict[str, object]]:
    """A prompt's knock-out, and under it the random ones beside which it is judged.

    Args:
        table: the prompt under one condition.
        draws: (what was knocked out instead, what that changed).
    """
    own = table.rows[0]
    return [
        {
            "knocked_out": name,
            "random": is_random,
            "log_probability_lost_nats": comparison.surprise,
            **_changes(comparison),
        }
        for name, comparison, is_random in (
            (own.name, own.comparison, False),
            *((name, comparison, True) for name, comparison in draws),
        )
    ]


def offset_rows(profile: Profile) -> list[dict[str, object]]:
    """The previous-token test: one row per offset, in nats, with standard errors over samples."""
    return [
        {
            "tokens_back": point.offset,
            "shift_head_on": point.with_head,
            "shift_head_off": point.without_head,
            "carried": point.carried,
            "carried_error": point.carried_error,
            "random_heads_carried": point.other,
            "random_heads_error": point.other_error,
        }
        for point in profile.points
    ]


def drop_rows(drops: Sequence[Drop], *, on: str) -> list[dict[str, object]]:
    """The two-step circuit: one row per induction head; ``on`` says on which texts."""
    return [
        {
            "on": on,
            "texts": drop.texts,
            "head": drop.head.label,
            "reachable": drop.is_after,
            "activation": drop.before,
            "activation_error": drop.before_error,
            "without_previous_token_heads": drop.after,
            "without_previous_token_heads_error": drop.after_error,
            "drop": drop.drop,
            "drop_error": drop.drop_error,
            "without_random_heads": drop.others,
            "without_random_heads_error": drop.others_error,
            "chance": drop.chance,
            "verdict": drop.verdict if drop.is_after else None,
        }
        for drop in drops
    ]


def component_rows(
    components: Components, spread: Spread, removed: Sequence[Sequence[Removed]]
) -> list[dict[str, object]]:
    """The whole head, then every component of its map, with what its removal changed.

    Args:
        components: of the head's map.
        spread: over which heads of the layer each direction is spread.
        removed: for the whole head, then for the first components: what the head's own loss of it
            changed (the last two of a component: in this head, in all heads of the layer).
    """

    def change(effect: Removed | None, where: str) -> dict[str, object]:
        comparison = effect and effect.comparison
        return {
            f"loss_change_nats_{where}": comparison and comparison.loss_change,
            f"kl_nats_{where}": comparison and comparison.kl,
        }

    whole = removed[0][0] if removed else None
    first = {"component": "all", "share_of_weight": 1.0}
    rows = [{**first, **change(whole, "this_head"), **change(None, "all_heads")}]
    for number, share in enumerate(components.shares.tolist()):
        effects = removed[number + 1] if number + 1 < len(removed) else (None, None, None)
        rows.append(
            {
                "component": number + 1,
                "share_of_weight": share,
                "singular_value": float(components.S[number]),
                "spread_over_heads": float(spread.effective_heads[number]),
                **change(effects[1], "this_head"),
                **change(effects[2], "all_heads"),
            }
        )
    return rows


def distance_rows(scores: OffsetScores) -> list[dict[str, object]]:
    """What a head's QK components add to its scores by distance: one row per distance."""
    return [
        {
            "tokens_back": offset,
            "pairs": int(pairs),
            "head": float(scores.total[offset]),
            **{
                f"component_{number + 1}": float(part)
                for number, part in enumerate(scores.parts[:-1, offset])
            },
            "rest": float(scores.parts[-1, offset]),
        }
        for offset, pairs in enumerate(scores.pairs)
        if pairs
    ]


def provenance(model: str, *, revision: str, **settings: object) -> dict[str, object]:
    """Where a table comes from: model, revision, version, date, and the settings of the run."""
    return {
        **origin(model),
        "revision": revision,
        "libraries": library_versions(),
        **settings,
    }

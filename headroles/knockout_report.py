"""Knock-out tables as files: a self-contained HTML report, and CSV.

The report holds its style and loads nothing. Whatever was typed or decoded from a vocabulary is
escaped, in HTML and against formulas in a spreadsheet.

>>> to_html([table], model="demo").startswith("<!doctype html>")  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

import headroles
from headroles.export import heads_csv
from headroles.knockouts import Moved, PromptTable, Row
from headroles.wording import percent, visible

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem; padding: 0 1rem;
  color: #1c2128; background: #fff; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .3rem; }
p { margin: .2rem 0 .6rem; }
.box { overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; }
th, td { border: 1px solid #d0d7de; padding: .2rem .45rem; text-align: left; vertical-align: top;
  white-space: nowrap; }
td.says { white-space: normal; min-width: 16rem; }
thead th { background: #f3f5f7; position: sticky; top: 0; }
.up { color: #116329; background: #e9f8ed; } .down { color: #a40e26; background: #fdeeee; }
.up small, .down small { display: block; font-weight: 600; }
.tok { display: inline-block; white-space: pre; padding: 0 .35rem; margin: 0 .1rem .25rem 0;
  border: 1px solid #b6bec8; border-radius: .3rem; background: #f3f5f7; }
.tok.t { border: 2px solid #1f6fbf; background: #dcebfb; font-weight: 700; }
.tok.p { border: 2px dashed #9a6700; background: #fff4d6; }
.tok sup { font-size: .65rem; margin-left: .25rem; }
@media (prefers-color-scheme: dark) {
  body { color: #dfe4ea; background: #14181d; } thead th, .tok { background: #232a32; }
  th, td { border-color: #3a424c; } .up { color: #7ee2a0; background: #10301c; }
  .down { color: #ffa3a8; background: #3a1418; } .tok.t { background: #163a5f; }
  .tok.p { background: #463708; }
}
"""


def to_html(tables: Sequence[PromptTable], *, model: str, note: str = "") -> str:
    """One page with a table a prompt; it needs no network and no other file."""
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, headroles {headroles.__version__}"
    extra = f"<p>{escape(note)}</p>" if note else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Knock-outs: {escape(model)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Knock-outs in {escape(model)}</h1><p>Made {made}. "
        "Every row is one run of the model with something taken away, against the untouched run. "
        "▲ a logit that rose, ▼ one that fell, in logits. KL is in nats, the loss in nats a token."
        "</p><p>In a prompt, <span class='tok t'>t</span> is the position that one-position "
        "conditions act on, <span class='tok p'>t−1</span> the one before it.</p>"
        f"{extra}{''.join(map(_section, tables))}</body></html>\n"
    )


def prompt_boxes(table: PromptTable) -> str:
    """The tokens of a prompt; position t and the one before it differ in border and in a mark."""
    boxes = []
    for place, token in enumerate(table.encoding.tokens):
        kind, mark = "", ""
        if place == table.position:
            kind, mark = " t", "<sup>t</sup>"
        elif place == table.position - 1:
            kind, mark = " p", "<sup>t−1</sup>"
        text = escape(visible(token)) if place else "start"
        boxes.append(f'<span class="tok{kind}"><bdi>{text}</bdi>{mark}</span>')
    return "".join(boxes)


def _section(table: PromptTable) -> str:
    rose = max((len(row.rose) for row in table.rows), default=0)
    fell = max((len(row.fell) for row in table.rows), default=0)
    heads = (
        ["Taken away", "What happens", "Says", "KL", "Loss", "Loss on repeats"]
        + [f"▲ {place}" for place in range(1, rose + 1)]
        + [f"▼ {place}" for place in range(1, fell + 1)]
    )
    kind = f"{escape(table.kind)}: " if table.kind else ""
    named = "named beforehand" if table.answer.named else "the model's own guess"
    return (
        f"<h2>{kind}{prompt_boxes(table)}</h2>"
        f"<p>Watched: <b>“{escape(table.answer.text)}”</b> ({named}). Untouched, the model says "
        f"“{escape(table.says)}” ({percent(table.says_probability)}).</p>"
        f'<div class="box"><table><thead><tr>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + "</tr></thead><tbody>"
        + "".join(_line(row, rose, fell) for row in table.rows)
        + "</tbody></table></div>"
    )


def _line(row: Row, rose: int, fell: int) -> str:
    one = row.comparison
    cells = [
        f'<td class="says">{escape(row.verdict)}</td>',
        f"<td>“{escape(row.says)}” {percent(row.says_probability)}</td>",
        f"<td>{one.kl:.3f}</td>",
        f"<td>{_signed(one.loss_change)}</td>",
        f"<td>{_signed(one.repeat_loss_change)}</td>",
        *_moved(row.rose, rose, "up", "▲"),
        *_moved(row.fell, fell, "down", "▼"),
    ]
    return f'<tr><th scope="row">{escape(row.name)}</th>{"".join(cells)}</tr>'


def _moved(moved: Sequence[Moved], width: int, kind: str, mark: str) -> list[str]:
    cells = [
        f'<td class="{kind}"><bdi>{escape(visible(one.text))}</bdi>'
        f"<small>{mark} {one.change:+.2f}</small></td>"
        for one in moved
    ]
    return cells + ["<td></td>"] * (width - len(cells))


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def to_csv(tables: Sequence[PromptTable], *, provenance: Mapping[str, object]) -> str:
    """One line a prompt and condition, with the provenance above.

    Args:
        tables: the tables.
        provenance: whatever makes the numbers again, e.g. from :func:`provenance`.
    """
    rows = [row for table in tables for row in table.rows]
    rose = max((len(row.rose) for row in rows), default=0)
    fell = max((len(row.fell) for row in rows), default=0)
    return heads_csv(
        [_flat(table, row, rose, fell) for table in tables for row in table.rows], provenance
    )


def _flat(table: PromptTable, row: Row, rose: int, fell: int) -> dict[str, object]:
    one = row.comparison
    flat: dict[str, object] = {
        "kind": table.kind,
        "prompt": table.prompt,
        "answer": table.answer.text,
        "answer_named": table.answer.named,
        "untouched_says": table.says,
        "condition": row.name,
        "says": row.says,
        "says_probability": row.says_probability,
        "rank_before": one.rank_before,
        "rank": one.rank,
        "probability_before": one.probability_before,
        "probability": one.probability,
        "kl_nats": one.kl,
        "loss_change_nats": one.loss_change,
        "repeat_loss_change_nats": one.repeat_loss_change,
    }
    for way, part, width in (("rose", row.rose, rose), ("fell", row.fell, fell)):
        for place in range(width):
            entry = part[place] if place < len(part) else None
            flat[f"{way}_{place + 1}_token"] = entry.text if entry else None
            flat[f"{way}_{place + 1}_logits"] = entry.change if entry else None
    return flat


def provenance(model: str, *, revision: str, **settings: object) -> dict[str, object]:
    """Where a table comes from: model, revision, version, date, and the settings of the run."""
    return {
        "headroles_version": headroles.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model,
        "revision": revision,
        **settings,
    }

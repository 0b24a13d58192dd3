"""Look at one head on a prompt: what it does there, the cells behind it, and its passport.

python -m scripts.closeup demo "The cat sat on the mat. The cat sat on the" --head L1H6
python -m scripts.closeup demo --head L0H6 --role previous_token --out head.png --pattern cells.csv
python -m scripts.closeup gpt2 "one two one two" --role induction --format json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles import charts, export, limits, models, roles, scoring, verdicts, view
from headroles.formatting import percent
from headroles.roles import ROLES, SCORED_ROLES, Role
from headroles.types import Evidence, Head
from headroles.view import role_cards, two_texts
from scripts import command_line, on_prompt
from scripts.on_prompt import OnPrompt, Output, Panel, Picture, Row

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.charts.drawing import Drawing
    from headroles.types import Verdict
    from headroles.verdicts import Passport

CELLS = 10
"""Cells that are printed where nobody says how many."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("closeup", __doc__)
    add = parser.add_argument
    on_prompt.add_prompt(add)
    add("--head", type=command_line.head, metavar="L1H3",
        help="the head; by default the role's clearest on the prompt")  # fmt: skip
    add("--role", choices=list(roles.BASIC_ROLES),
        help="seen as this role; by default the head's main one")  # fmt: skip
    add("--cells", type=command_line.whole(limits.LISTED_HEADS), default=CELLS,
        help=f"how many of the role's cells are printed (default {CELLS})")  # fmt: skip
    add("--hide-resting", action="store_true",
        help="leave out column 0 of the pattern and rescale its rows, as on the page")  # fmt: skip
    add("--extended", action="store_true", help="the extended roles, too")
    add("--pattern", type=command_line.named_file(".csv"), metavar="FILE.csv",
        help="also write the attention pattern, cell by cell")  # fmt: skip
    on_prompt.add_output(add)
    return parser.parse_args(argv)


@dataclass(frozen=True, eq=False)
class Closeup:
    """One head on one prompt, seen as one role."""

    on: OnPrompt
    """The prompt."""
    passport: Passport
    """What is known about the head apart from it."""
    role: Role
    """The role whose cells are outlined."""
    rest_hidden: bool
    """Whether the pattern is shown without its resting column."""

    @property
    def head(self) -> Head:
        """The head."""
        return self.passport.head

    @property
    def whole(self) -> Float[Tensor, "query key"]:
        """[query key] its attention."""
        return self.on.run.attention[self.head]

    @property
    def pattern(self) -> Float[Tensor, "query key"]:
        """[query key] the same as it is written and drawn."""
        return scoring.without_rest(self.whole).attention if self.rest_hidden else self.whole

    @property
    def labels(self) -> list[str]:
        """[pos] the tokens as short text."""
        return view.token_labels(self.on.run.encoding)

    @property
    def targets(self) -> tuple[Evidence, ...]:
        """The cells that the role predicts, by what the head really gives them."""
        visible = self.on.scores.visible_to(self.head.layer)
        return scoring.evidence(self.whole, self.on.run.copy_ids, self.role.key, visible=visible)

    def verdict(self, role_key: str) -> Verdict:
        """Its state in a role on this prompt."""
        threshold = self.on.thresholds.get(role_key)
        return verdicts.judge(self.head, role_key, self.on.scores, threshold)

    @property
    def origin(self) -> dict[str, object]:
        """Where its numbers come from."""
        return self.on.origin | {"head": self.head.label}


def choose(on: OnPrompt, head: Head | None, role_key: str | None, *, rest_hidden: bool) -> Closeup:
    """The head and role that are asked for, or those that the page would open with.

    Raises:
        UnknownHeadError: if the model has no such head.
    """
    if head is None:
        role_key = role_key or "induction"
        listed = on.entry.listed(role_key) if on.entry and ROLES[role_key].is_scored else []
        if on.entry is None:
            named = on_prompt.literature(on).get(role_key, ())
            listed = [Head(int(row["layer"]), int(row["head"])) for row in named]
        head = verdicts.first_head(on.scores, role_key, listed)
    head.check(*on.scores.resting.shape)
    known = roles.named_heads(on.run.model_name)
    passport = verdicts.passport(on.entry, head, known=known, thresholds=on.thresholds)
    key = role_key or passport.main_role or verdicts.clearest_role(on.scores, head)
    return Closeup(on, passport, ROLES[key], rest_hidden)


# ------------------------------------------------------------------ text


def as_text(closeup: Closeup, *, cells: int, extended: bool) -> str:
    """The page in lines."""
    on, head, role = closeup.on, closeup.head, closeup.role
    judged = [closeup.verdict(one.key) for one in SCORED_ROLES]
    lines = [
        on.title,
        "",
        f"{head.label}: {closeup.passport.headline}",
        in_words(closeup),
        view.conclusions.closeup(closeup.passport, judged),
        "",
        f"Seen as {role.name}:",
        *(f"  {sentence}" for sentence in about_pattern(closeup)),
        *cell_lines(closeup, most=cells),
        "",
        "Passport, its scores on many texts:",
        *passport_lines(closeup.passport, judged),
    ]
    if extended and on.entry is not None:
        rows = [view.extended_roles.HEADERS, *view.extended_roles.passport_rows(on.entry, head)]
        lines += ["", "Extended roles:", *on_prompt.aligned(rows)]
    return "\n".join([*lines, *place_lines(on, head, extended=extended), *paper_lines(closeup)])


def in_words(closeup: Closeup) -> str:
    """What the head does on this prompt, in the sentence of the page."""
    return verdicts.describe(
        closeup.head,
        closeup.on.scores,
        attention=closeup.whole,
        token_ids=closeup.on.run.copy_ids,
        labels=closeup.labels,
        thresholds=closeup.on.thresholds,
    )


def about_pattern(closeup: Closeup) -> list[str]:
    """The pattern in the sentences of the page, the state and its reason first."""
    role, verdict = closeup.role, closeup.verdict(closeup.role.key)
    if not role.is_scored:
        return [verdict.reason]
    sentences = role_cards.pattern_sentences(
        role,
        closeup.on.scores.activations.get(role.key),
        closeup.head,
        closeup.targets,
        closeup.labels,
    )
    if verdict.state == "quiet":
        sentences = [verdict.reason, *sentences[1:]]
    mark = "●" if verdict.is_active else "○"
    return [f"{mark} {role_cards.STATE_WORDS[verdict.state]}.", *sentences]


def cell_lines(closeup: Closeup, *, most: int) -> list[str]:
    """The strongest of the cells that the role predicts."""
    labels, targets = closeup.labels, closeup.targets
    rows = [
        [f"{labels[cell.query]} ({cell.query})", f"{labels[cell.key]} ({cell.key})",
         f"{cell.weight:.1%}"]
        for cell in targets[:most]
    ]  # fmt: skip
    if not rows:
        return []
    some = f"the strongest {len(rows)} of {len(targets)}" if len(rows) < len(targets) else "all"
    return [
        f"  The cells that the role predicts, {some}:",
        *on_prompt.aligned([["token", "looks at", "attention"], *rows], indent=4),
    ]


def passport_lines(passport: Passport, judged: Sequence[Verdict]) -> list[str]:
    """The table of all roles; of a model that was not analysed, the prompt alone."""
    by_role = {verdict.role: verdict for verdict in judged}
    if passport.records:
        rows = [view.passport.row(record, by_role[record.role]) for record in passport.records]
        return on_prompt.aligned([view.passport.HEADERS, *rows])
    rows = [
        [ROLES[key].name, role_cards.shown_verdict(verdict), percent(verdict.threshold)]
        for key, verdict in by_role.items()
    ]
    return on_prompt.aligned([["Role", "On this prompt", "Provisional threshold"], *rows])


def place_lines(on: OnPrompt, head: Head, *, extended: bool) -> list[str]:
    """Place or content, role by role."""
    if on.entry is None:
        return []
    by_role = two_texts.two_texts(on.entry, on.thresholds, extended=extended)
    rows = [
        [texts.name, *texts.pair(head), texts.verdict(head).sentence]
        for texts in by_role.values()
        if head in texts.heads
    ]
    if not rows:
        return []
    return ["", "Place or content?", *on_prompt.aligned([two_texts.HEADERS, *rows])]


def paper_lines(closeup: Closeup) -> list[str]:
    """What papers say about the head; nothing where none is known."""
    return [
        f"{'' if place else chr(10)}From the literature: {verdicts.role_title(known.role)}, "
        f"{known.source}."
        for place, known in enumerate(closeup.passport.papers)
    ]


# ------------------------------------------------------------------ files


def output_of(closeup: Closeup, *, cells: int, extended: bool) -> Output:
    """The head in every role as rows, the role's cells, and the pattern as a picture."""
    on = closeup.on
    rows = export.tables.map_rows(
        on.scores,
        on.run,
        entry=on.entry,
        thresholds=on.thresholds,
        extended=extended,
        head=closeup.head,
    )
    rows += view.saved_roles.rows(on.kept_roles, on.run, on.scores, heads=[closeup.head])
    origin = closeup.origin | {"role": closeup.role.key, "in_words": in_words(closeup)}
    hidden = ", the resting column hidden" if closeup.rest_hidden else ""
    drawn = charts.attention.pattern_cells(closeup.pattern, closeup.targets)
    title = f"{closeup.head.label} as {closeup.role.name}: its attention{hidden}"
    picture = Picture(
        [Panel(lambda: _chart(closeup), title, on.about)],
        max(charts.attention.pattern_width(drawn, closeup.labels), 360),
    )
    text = as_text(closeup, cells=cells, extended=extended)
    return Output(text, rows, origin, {"evidence": evidence_rows(closeup)}, picture)


def evidence_rows(closeup: Closeup) -> list[Row]:
    """Every cell that the role predicts, the largest first."""
    tokens = closeup.on.run.tokens
    return [
        {"query": cell.query, "query_token": tokens[cell.query], "key": cell.key,
         "key_token": tokens[cell.key], "attention": cell.weight}
        for cell in closeup.targets
    ]  # fmt: skip


def _chart(closeup: Closeup) -> Drawing:
    cells = charts.attention.pattern_cells(closeup.pattern, closeup.targets)
    return charts.attention.attention_pattern(
        cells, closeup.labels, closeup.role, rest_hidden=closeup.rest_hidden
    )


def pattern_csv(closeup: Closeup) -> bytes:
    """The pattern, one line per cell, as the page's file has it."""
    origin = closeup.origin | {
        "role": closeup.role.key,
        "resting_column_hidden": closeup.rest_hidden,
    }
    text = export.tables.attention_csv(
        closeup.pattern, closeup.on.run.tokens, provenance=origin, targets=closeup.targets
    )
    return export.csv_bytes(text)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the prompt and look at the head."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    if options.head:
        options.head.check(*loaded.shape)
    on = on_prompt.read(loaded, options.prompt, chat=options.chat)
    closeup = choose(on, options.head, options.role, rest_hidden=options.hide_resting)
    if options.pattern:
        command_line.write(options.pattern, pattern_csv(closeup))
        on_prompt.warn([f"wrote {options.pattern}"])
    output = output_of(closeup, cells=options.cells, extended=options.extended)
    return on_prompt.give(output, options)


if __name__ == "__main__":
    sys.exit(main())

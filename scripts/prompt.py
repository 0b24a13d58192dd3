"""Say which heads of a model are active on a prompt, which are gray and why, and what wakes them.

python -m scripts.prompt demo "The cat sat on the mat. The cat sat on the"
python -m scripts.prompt gpt2 --file prompts.txt --format csv --out heads.csv
python -m scripts.prompt demo "Tom and Sue. Tom" --role induction --extended
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from headroles import export, limits, models, roles, texts, verdicts, view
from headroles.errors import PatternError
from headroles.formatting import count, listing, percent
from headroles.types import Head
from headroles.view import role_cards
from scripts import command_line, on_prompt
from scripts.on_prompt import OnPrompt, Output, Row

if TYPE_CHECKING:
    from headroles.roles import SavedRole
    from headroles.store import ModelEntry, StoredRole
    from headroles.view import RoleCard

BASIC = list(roles.BASIC_ROLES)
EXTENDED = list(roles.EXTENDED_ROLES)
_OF_PROMPT = (
    "prompt",
    "tokens",
    "token_ids",
    "start_token",
    "start_token_added_by",
    "chat_format",
    "tokens_left_out",
)
"""What a file of many prompts says of each of them."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("prompt", __doc__)
    add = parser.add_argument
    add("model", nargs="?", type=command_line.MODEL, default=models.DEFAULT_MODEL,
        help="catalogue key, folder or Hub id")  # fmt: skip
    add("prompts", nargs="*", type=command_line.text(limits.PROMPT), metavar="prompt",
        help="the text that is run; give several, or none for the app's first prompt")  # fmt: skip
    add("--file", type=command_line.file, metavar="FILE",
        help="prompts from a file: a line each, or a .csv or .jsonl with prompt")  # fmt: skip
    add("--role", action="append", choices=[*BASIC, *EXTENDED], default=[],
        help="only this role; repeatable")  # fmt: skip
    add("--extended", action="store_true", help="the extended roles, too")
    on_prompt.add_chat(add)
    on_prompt.add_output(add, pictures=False)
    return parser.parse_args(argv)


# ------------------------------------------------------------------ rows


def wanted_roles(options: argparse.Namespace) -> list[str]:
    """The keys of the roles that are shown."""
    return options.role or [*BASIC, *(EXTENDED if options.extended else [])]


def kept_roles(on: OnPrompt, options: argparse.Namespace) -> list[tuple[SavedRole, bool]]:
    """The roles that an instructor keeps for the class; none where some role was asked for."""
    return [] if options.role else on.kept_roles


def rows_of(on: OnPrompt, options: argparse.Namespace) -> list[Row]:
    """The listed heads in the wanted roles, as the page's file has them; all heads of a model that
    was not analysed. The roles kept for the class come last."""
    wanted = wanted_roles(options)
    rows = export.tables.listed_rows(on.scores, entry=on.entry, thresholds=on.thresholds)
    rows = [row for row in rows if row["role"] in wanted]
    extended = on.entry.extended if on.entry else {}
    for key in (key for key in EXTENDED if key in wanted and key in extended):
        rows += _extended_rows(on, extended[key])
    return rows + view.saved_roles.rows(kept_roles(on, options), on.run, on.scores)


def _extended_rows(on: OnPrompt, stored: StoredRole) -> list[Row]:
    """The listed heads of an extended role, in the columns of the basic ones."""
    if stored.is_measured and stored.role.from_attention:
        hints = stored.hints
        return [
            {
                "role": stored.role.key,
                **row,
                "hint": hints.prompt_for(_head(row)) if hints else None,
            }
            for row in view.extended_roles.card(stored, on.run, on.scores, on.entry).rows
        ]
    return [
        {
            "role": stored.role.key,
            "layer": top.layer,
            "head": top.head,
            "label": top.place.label,
            "score": top.score,
            "standard_error": top.standard_error,
            "state": "not_from_one_prompt",
            "reason": view.extended_roles.not_on_a_prompt(stored.role),
        }
        for top in stored.category.top_heads
    ]


def _head(row: Row) -> Head:
    return Head(int(row["layer"]), int(row["head"]))


# ------------------------------------------------------------------ text


def as_text(on: OnPrompt, options: argparse.Namespace) -> str:
    """The page in lines: the answer, then role by role every head, and what wakes the gray ones."""
    wanted = wanted_roles(options)
    kept = [kept_lines(on, role) for role, _ in kept_roles(on, options)]
    if on.entry is None:
        parts = [[on.title], _without_analysis(on, wanted), *kept]
        return "\n\n".join("\n".join(part) for part in parts)
    basic = role_cards.role_cards(verdicts.summarize(on.entry, on.scores), on.entry)
    parts = [card_lines(card, on.run.prompt) for card in basic if card.role.key in wanted]
    if len(parts) == len(basic):  # all of them: what the page says of the whole model
        parts.insert(0, [role_cards.overall(basic), role_cards.why_gray(basic)])
    parts += [
        _extended_lines(on, stored) for key, stored in on.entry.extended.items() if key in wanted
    ]
    if "other" in wanted and "other" in on.entry.categories:
        parts.append(_other_lines(on.entry))
    return "\n\n".join(["\n".join(part) for part in ([on.title], *parts, *kept)])


def kept_lines(on: OnPrompt, saved: SavedRole) -> list[str]:
    """A role that an instructor keeps for the class, as its card says it."""
    threshold = percent(view.saved_roles.THRESHOLD)
    whose = f"  {view.saved_roles.KEPT}. The threshold of {threshold} is provisional."
    try:
        card = view.saved_roles.card_of(saved, on.run, on.scores)
    except PatternError as error:
        return [f"○ {command_line.one_line(saved.name)}: {error.message}", whose]
    first, *lines = card_lines(card, on.run.prompt, measured="In the lab")
    return [first, whose, *lines]


def card_lines(card: RoleCard, prompt: str, *, measured: str = "Measured") -> list[str]:
    """A role: how many of its heads are active, each head with its reason, and what wakes them."""
    lines = [f"{'●' if card.awake else '○'} {card.role.name}: {card.headline}"]
    if not card.awake:
        lines.append(f"  {card.why_asleep}")
    rows = role_cards.table_rows(card)
    if rows:
        name, *columns = role_cards.table_headers(card.role, measured=measured)
        cells = [[name, "", *columns]]
        cells += [[row[0], "●" if head["is_active"] else "○", *row[1:5]]
                  for head, row in zip(card.rows, rows, strict=True)]  # fmt: skip
        for number, line in enumerate(on_prompt.aligned(cells)):
            lines.append(line)
            if number and not card.rows[number - 1]["is_active"] and rows[number - 1][5]:
                lines.append(f"      {rows[number - 1][5]}")
    lines += [f"  {wake.sentence} {on_prompt.shown(wake.prompt)}" for wake in card.wake_ups(prompt)]
    if card.gray and card.tried:
        lines.append(f"  {card.tried}")
    return lines


def _other_lines(entry: ModelEntry) -> list[str]:
    heads = sorted(entry.listed("other"))
    fit = "fits" if len(heads) == 1 else "fit"
    total = count(entry.num_layers * entry.num_heads, "head")
    lines = [f"{roles.ROLES['other'].name}: {len(heads)} of {total} {fit} nothing"]
    return [*lines, *([f"  {listing([head.label for head in heads])}"] if heads else [])]


def _extended_lines(on: OnPrompt, stored: StoredRole) -> list[str]:
    role = stored.role
    if not stored.is_measured:
        return [f"○ {role.name}: not measured", f"  {stored.category.not_measured}"]
    if role.from_attention:
        card = view.extended_roles.card(stored, on.run, on.scores, on.entry)
        if card.rows:
            return card_lines(card, on.run.prompt)
        return [f"○ {role.name}: {card.headline}", f"  {view.extended_roles.nearest(stored)}"]
    names = ", ".join(top.place.label for top in stored.category.top_heads) or "none"
    return [f"– {role.name}: listed {names}", f"  {view.extended_roles.not_on_a_prompt(role)}"]


def _without_analysis(on: OnPrompt, wanted: Sequence[str]) -> list[str]:
    """Where nobody has analysed the model: all heads by provisional thresholds, and what papers
    say."""
    side = view.two_models.side(
        on.run.model_name,
        on.scores,
        entry=None,
        thresholds=on.thresholds,
        guesses=on.run.next_tokens,
    )
    counts = view.lamps.active_counts(on.scores, on.thresholds)
    lines = [view.lamps.overall_of_all([counts], on.scores.resting.numel()), ""]
    lines += on_prompt.aligned(
        [[work.role.name, work.words] for work in side.works if work.role.key in wanted]
    )
    for key, rows in on_prompt.literature(on).items():
        for row in rows if key in wanted else ():
            state = role_cards.STATE_WORDS[str(row["state"])]
            reached = percent(float(row["activation_score"]))
            lines.append(
                f"  {row['label']} ({roles.ROLES[key].name}, named for its {row['basis']} by "
                f"{row['source']}): {reached} · {state}"
            )
    return lines


# ------------------------------------------------------------------ the command


def prompts_of(options: argparse.Namespace) -> list[str]:
    """All prompts: of the command line, then of the file; what cannot be read of it is said.

    Raises:
        HeadrolesError: if there are too many, or the file holds none.
    """
    prompts = list(options.prompts)
    if options.file:
        read = texts.read_prompts(
            texts.read_text(options.file), name=options.file.name, limit=limits.PROMPTS
        )
        on_prompt.warn(f"{options.file.name}, line {row.line}: {row.why}" for row in read.unread)
        prompts += [ready.prompt for ready in read.prompts]
    limits.PROMPTS.check(len(prompts))
    return prompts or [texts.DEFAULT_PROMPT]


def of_prompts(loaded: models.LoadedModel, prompts: Sequence[str], options) -> Output:
    """Run every prompt; of many, the rows say which of them each belongs to.

    Raises:
        HeadrolesError: if one cannot be run.
    """
    said, rows, origins = [], [], []
    for number, prompt in enumerate(
        tqdm(prompts, unit="prompt", file=sys.stderr, leave=False, disable=None), start=1
    ):
        on = on_prompt.read(loaded, prompt, chat=options.chat)
        said.append(as_text(on, options))
        which = {"prompt_number": number, "prompt": prompt} if len(prompts) > 1 else {}
        rows += [which | row for row in rows_of(on, options)]
        origins.append(on.origin)
    origin = origins[0]
    if len(origins) > 1:
        every = [{name: one[name] for name in _OF_PROMPT} for one in origins]
        origin = {k: v for k, v in origin.items() if k not in _OF_PROMPT} | {"prompts": every}
    return Output("\n\n".join(said), rows, origin)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the prompts and say what the heads do on them."""
    options = parse_arguments(argv)
    prompts = prompts_of(options)
    loaded = models.load_model(options.model)
    return on_prompt.give(of_prompts(loaded, prompts, options), options)


if __name__ == "__main__":
    sys.exit(main())

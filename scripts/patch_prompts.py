"""Patch one prompt's head outputs into another's run: which head carries the difference?

python -m scripts.patch_prompts --model smollm2-135m-instruct \
    "When Mary and John went to the store, John gave a drink to" \
    "When Mary and John went to the store, Mary gave a drink to"
python -m scripts.patch_prompts --ready "Mary and John, store" --control
python -m scripts.patch_prompts --ready "tree and box" --positions

The second prompt runs, and each head's output of the first is put in: how much of the difference
between the two answers comes back? With ``--direction noise`` the first one runs, and it is
what gets lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles import ablation, export, limits, models, texts
from headroles.errors import HeadrolesError, near_match
from headroles.formatting import count, decimal, listing, percent, quoted, signed, visible
from headroles.view.causal import BESIDE_CHANCE
from scripts import command_line
from scripts.command_line import MODEL

DIRECTIONS = (ablation.patching.DENOISE, ablation.patching.NOISE)

if TYPE_CHECKING:
    from headroles.ablation import Beside, Pair, Patched
    from headroles.models import LoadedModel


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("patch_prompts", __doc__)
    text, add = command_line.text, parser.add_argument
    add("--model", type=MODEL, default=models.DEFAULT_MODEL, help="catalogue key, folder or Hub id")
    add("first", nargs="?", type=text(limits.PROMPT), metavar="FIRST",
        help="the prompt whose outputs are put in")  # fmt: skip
    add("second", nargs="?", type=text(limits.PROMPT), metavar="SECOND",
        help="the prompt that runs, with as many tokens")  # fmt: skip
    add("--ready", metavar="NAME", help="a ready pair instead")
    add("--list", action="store_true", help="list the ready pairs that the model tells apart")
    add("--answer", type=text(limits.ANSWER, empty=True), default="",
        help="what the first should be continued with (default: the model's guess)")  # fmt: skip
    add("--against", type=text(limits.ANSWER, empty=True), default="",
        help="what the second should be continued with (default: the model's guess)")  # fmt: skip
    add("--chat", action="store_true", help="wrap both in the model's chat template")
    add("--direction", choices=DIRECTIONS, default=ablation.patching.DENOISE,
        help="denoise: the second prompt runs, with outputs of the first put in (default); noise: "
        "the other way round")  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--positions", action="store_true", help="each position by itself: of --heads, or of layers"
    )
    where.add_argument(
        "--control",
        action="store_true",
        help="hold the strongest heads against exchanged words",
    )
    add("--heads", type=command_line.heads, default=(), help="heads of --positions, e.g. L1H4,L1H1")
    add("--exchange", type=_words, default=(), metavar="WORD,OTHER,...",
        help="for --control: a word of both that does not matter, and others for it")  # fmt: skip
    add("--top", type=command_line.whole(limits.LISTED_HEADS), default=10,
        help="how many heads are printed (default 10)")  # fmt: skip
    add("--json", action="store_true", help="print one JSON object with every number")
    add("--csv", type=command_line.output, help="write every number here")
    options = parser.parse_args(argv)
    _check_together(parser, options)
    return options


def _words(given: str) -> tuple[str, ...]:
    """The type of an option with a word and others for it."""
    words = tuple(word.strip() for word in given.split(","))
    if len(words) < 3 or not all(words):
        raise argparse.ArgumentTypeError("it is not a word and two or more others, with commas")
    return words


def _check_together(parser: command_line.Parser, options: argparse.Namespace) -> None:
    """Refuse what would be left aside without a word."""
    if options.list or options.ready:
        name, others = "ready", ["first", "answer", "against", "chat"]
        if options.list:
            name = "list"
            others += ["ready", "positions", "control", "heads", "exchange", "json", "csv"]
        for other in others:
            if getattr(options, other):
                shown = "FIRST" if other == "first" else f"--{other}"
                parser.error(f"argument {shown}: it has no use beside --{name}")
    elif not options.second:
        parser.error("two prompts are needed, or --ready NAME")
    if options.heads and not options.positions:
        parser.error("argument --heads: it is for --positions, which is missing")
    if options.exchange and not options.control:
        parser.error("argument --exchange: it is for --control, which is missing")


def chosen_pair(options: argparse.Namespace, loaded: LoadedModel) -> Pair:
    """The ready pair of that name, or the two prompts that were typed.

    Raises:
        HeadrolesError: if there is no such pair, or it cannot be used.
    """
    if options.ready is None:
        return ablation.make_pair(
            loaded, options.first, options.second, answer=options.answer, against=options.against,
            chat=options.chat, exchange=options.exchange,
        )  # fmt: skip
    by_name = {ready.name: ready for ready in texts.READY_PAIRS}
    if options.ready not in by_name:
        raise HeadrolesError(
            f"There is no ready pair called '{options.ready}'.{near_match(options.ready, by_name)}",
            hint="See all with --list.",
            value=options.ready,
        )
    ready = by_name[options.ready]
    return ablation.ready_pair(loaded, ready._replace(exchange=options.exchange or ready.exchange))


def patch(options: argparse.Namespace, loaded: LoadedModel, pair: Pair) -> Patched:
    """The table that was asked for."""
    direction = options.direction
    if options.heads:
        todo = ablation.heads_by_position(pair, options.heads, direction=direction)
    elif options.positions:
        todo = ablation.layers_by_position(pair, *loaded.shape, direction=direction)
    else:
        todo = ablation.every_head(pair, *loaded.shape, direction=direction)
    with command_line.bar("patches") as tell:
        return todo.all(loaded, tell)


def control(
    options: argparse.Namespace, loaded: LoadedModel, patched: Patched
) -> tuple[Beside, ...]:
    """The strongest heads beside exchanges of a word.

    Raises:
        HeadrolesError: if there are none.
    """
    pair, heads = patched.pair, ablation.strongest(patched, options.top)
    sources = ablation.control_sources(loaded, pair, direction=options.direction)
    if len(sources) < 2:
        raise HeadrolesError(
            "There is no control: this pair names no two words of one length to exchange.",
            hint="Name them: --exchange store,park,garden,school.",
            value=pair.exchange,
        )
    todo = ablation.control_patches(pair, heads, sources, direction=options.direction)
    return ablation.beside_control(patched, [patches.all(loaded) for patches in todo])


def print_pair(pair: Pair, direction: str) -> None:
    """The prompts, their answers and what is put in."""
    less = f"logit of {quoted(pair.answer)} less that of {quoted(pair.against)}"
    print(f"first   {pair.first_text!r}\nsecond  {pair.second_text!r}")
    print(f"{less}: {signed(pair.first_difference)} after the first prompt, "
          f"{signed(pair.second_difference)} after the second.")  # fmt: skip
    if not pair.is_told_apart:
        print(f"The model does not get both right: it says {quoted(pair.first_guess)} after the "
              f"first and {quoted(pair.second_guess)} after the second.")  # fmt: skip
    for remark in pair.remarks:
        print(remark)
    runs, put_in, what = (
        ("first", "second", "lost")
        if direction == ablation.patching.NOISE
        else ("second", "first", "recovered")
    )
    print(f"The {runs} prompt runs with single outputs of the {put_in}: share of the difference "
          f"that is {what}.\n")  # fmt: skip


def proof(loaded: LoadedModel, patched: Patched) -> float | None:
    """The share of all heads together, which is 1 where both prompts end in the same token; else
    None."""
    pair = patched.pair
    if pair.length - 1 in pair.differ:
        return None
    whole = ablation.all_heads(pair, *loaded.shape, direction=patched.direction).all(loaded)
    return float(whole.share)


def print_heads(patched: Patched, beside: Sequence[Beside], *, top: int) -> None:
    """The strongest heads, one a line."""
    found = {one.head: one for one in beside}
    for head in ablation.strongest(patched, top):
        line = f"  {head.label:<7}{_share(float(patched.share[head])):>6}"
        if one := found.get(head):
            line += (
                f"   {count(one.exchanges, 'exchange')} {_share(one.control_mean)} ± "
                f"{percent(one.control_spread)}: {BESIDE_CHANCE[one.verdict]}"
            )
        print(line)


def print_positions(patched: Patched) -> None:
    """One line per token and one column per row of the table, at tokens that can differ."""
    names = [
        heads[0].label if len(heads) == 1 else f"layer {heads[0].layer}" for heads in patched.rows
    ]
    pair = patched.pair
    runs = pair.first if patched.direction == ablation.patching.NOISE else pair.second
    print(f"  {'':<16}" + "".join(f"{name:>10}" for name in names))
    for at in range(pair.start, pair.length):
        token = visible(runs.tokens[at], limit=12)
        shares = "".join(f"{_share(float(share)):>10}" for share in patched.share[:, at])
        print(f"  {at:>3} {token:<12}{shares}")


def _share(share: float) -> str:
    shown = percent(share)
    return shown if share <= 0 or shown.startswith("<") else f"+{shown}"


def print_ready(loaded: LoadedModel) -> None:
    """The ready pairs that the model tells apart."""
    found = ablation.told_apart(loaded, texts.READY_PAIRS)
    for ready in found:
        print(f"{ready.kind:<22} {ready.name:<28} {ready.first!r}")
    left = [f"'{ready.name}'" for ready in texts.READY_PAIRS if ready not in found]
    if left:
        print(f"Left out, as this model does not tell them apart: {listing(left)}.")


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Patch and print."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    if options.list:
        print_ready(loaded)
        return command_line.DONE
    pair = chosen_pair(options, loaded)
    patched = patch(options, loaded, pair)
    beside = control(options, loaded, patched) if options.control else ()
    rows = export.patch_rows(patched, beside)
    whole = proof(loaded, patched)
    origin = export.patch_provenance(loaded, patched) | {"all_heads_share": whole}
    if options.json:
        print(export.tables.heads_json(rows, origin, name="patches"), end="")
    else:
        print_pair(pair, options.direction)
        if options.positions:
            print_positions(patched)
        else:
            print_heads(patched, beside, top=options.top)
        if whole is not None:
            print(f"\nAll heads together: {decimal(whole, digits=4)} (1 proves the table).")
    if options.csv:
        command_line.write(options.csv, export.csv_bytes(export.heads_csv(rows, origin)))
        print(f"wrote {options.csv}", file=sys.stderr)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())

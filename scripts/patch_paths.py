"""Show through which paths two prompts come to different answers: which head tells which.

    python -m scripts.patch_paths FIRST SECOND --pairs 8
    python -m scripts.patch_paths FIRST SECOND --into L23H3.query --model smollm2-135m-instruct
    python -m scripts.patch_paths FIRST SECOND --into L3H5.value --from L2H6
    python -m scripts.patch_paths FIRST SECOND --circuit --pairs 8 --json

FIRST and SECOND are prompts of as many tokens whose answers differ. A head's output on the second
prompt is sent along one path of the first prompt's run, and the first answer's lead is compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles import ablation, export, limits, models
from headroles.ablation import patching, path_circuit
from headroles.errors import HeadrolesError
from headroles.formatting import count, decimal, listing, percent, quoted
from headroles.types import Head
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.ablation import Arrow, Pair, Receiver, SenderMap, SenderWork
    from headroles.ablation.path_circuit import Circuit
    from headroles.models import LoadedModel

VERDICTS = {
    "holds_up": "clear",
    "reversed": "clear, against the answer",
    "not_special": "no more than other heads of its layer",
    "no_effect": "not clear",
    "not_tested": "no other heads to compare with",
}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser(
        "patch_paths",
        __doc__,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text, whole = command_line.text, command_line.whole
    add = parser.add_argument
    add("--model", type=MODEL, default=models.DEFAULT_MODEL, help="catalogue key, folder or Hub id")
    add("first", type=text(limits.PROMPT), metavar="FIRST", help="a prompt")
    add("second", type=text(limits.PROMPT), metavar="SECOND", help="another with as many tokens")
    add("--answer", type=text(limits.ANSWER, empty=True), default="",
        help="what should come after the first (default: what the model says)")  # fmt: skip
    add("--against", type=text(limits.ANSWER, empty=True), default="",
        help="what should come after the second (default: what the model says)")  # fmt: skip
    add("--into", action="append", type=receiver, metavar="WHERE",
        help="where the paths end: logits (default), or an input of a head such as L20H3.query, "
        ".key or .value; several are changed together")  # fmt: skip
    add("--from", dest="senders", action="append", type=command_line.heads, metavar="HEADS",
        help="only these senders, e.g. L3H0; beside the other heads of their layers")  # fmt: skip
    add("--circuit", action="store_true", help="grow a small circuit from the logits backward")
    add(
        "--width",
        type=whole(limits.CIRCUIT_WIDTH),
        help="heads of a level (3; of writers twice it)",
    )
    add("--depth", type=whole(limits.CIRCUIT_DEPTH), help="levels behind the first (default 2)")
    add("--pairs", type=whole(limits.PAIRS), default=1,
        help="the mean over so many pairs: the same prompts with other first names")  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="fixes the names")
    add("--direction", choices=[patching.NOISE, patching.DENOISE], default=patching.NOISE,
        help="noise: the first prompt runs, and the second's outputs are sent (default); denoise: "
        "the other way round")  # fmt: skip
    add("--top", type=whole(limits.LISTED_HEADS), default=8, help="senders listed (default 8)")
    add("--json", action="store_true", help="print one JSON object with every number")
    add("--csv", type=command_line.output, help="write a table of every sender or arrow here")
    options = parser.parse_args(argv)
    for name in ("into", "senders") if options.circuit else ("width", "depth"):
        if getattr(options, name) is not None:
            beside = "it has no use beside" if options.circuit else "it is for"
            option = "from" if name == "senders" else name
            parser.error(f"argument --{option}: {beside} --circuit")
    return options


def receiver(text: str) -> Receiver:
    """The type of an option that says where a path ends."""
    try:
        return ablation.Receiver.parse(text)
    except HeadrolesError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    pair = ablation.make_pair(
        loaded, options.first, options.second, answer=options.answer, against=options.against
    )
    pairs = ablation.more_pairs(loaded, pair, options.pairs, seed=options.seed)
    if len(pairs) < options.pairs:
        print(
            f"{count(len(pairs), 'pair')} of {options.pairs}: the prompts have too few first names "
            "that can be exchanged.",
            file=sys.stderr,
        )
    shape = loaded.shape
    if options.circuit:
        found = _circuit(loaded, pairs, options)
        numbers, lines = circuit_numbers(found), circuit_lines(found)
    else:
        (found,) = _run(loaded, _work(pairs, shape, options), "paths")
        numbers, lines = map_numbers(found), map_lines(found, options.top, _named(options))
    origin = export.ablation_report.provenance(loaded.key, revision=loaded.revision)
    origin |= _settings(pairs, options)
    if options.json:
        print(json.dumps(origin | numbers, ensure_ascii=False))
    else:
        print("\n".join([*heading(pairs), *lines]))
    if options.csv:
        rows = numbers.pop("arrows" if options.circuit else "senders")
        if options.circuit:
            rows = [row | {"shared_with": " ".join(row["shared_with"])} for row in rows]
        told = export.tables.heads_csv(rows, origin | numbers)
        command_line.write(options.csv, export.csv_bytes(told))
        print(f"wrote {options.csv}", file=sys.stderr)
    return command_line.DONE


def _named(options: argparse.Namespace) -> list[Head]:
    return [head for heads in options.senders or () for head in heads]


def _work(pairs: Sequence[Pair], shape: tuple[int, int], options: argparse.Namespace) -> SenderWork:
    named = _named(options)
    for head in (*named, *(r.head for r in options.into or () if r.head)):
        head.check(*shape)
    layers = sorted({head.layer for head in named}) or range(shape[0])
    senders = Head.every(layers, shape[1])
    into = options.into or [ablation.LOGITS]
    return ablation.every_sender(
        pairs, [into], *shape, senders=senders, direction=options.direction
    )


def _run(loaded: LoadedModel, work: SenderWork, what: str) -> tuple[SenderMap, ...]:
    with command_line.bar(what) as advance:
        return work.all(loaded, advance)


def _circuit(loaded: LoadedModel, pairs: Sequence[Pair], options: argparse.Namespace) -> Circuit:
    width, depth = options.width or path_circuit.WIDTH, options.depth
    circuit = path_circuit.begin(
        pairs,
        loaded.num_layers,
        loaded.num_heads,
        direction=options.direction,
        width=width,
        depth=path_circuit.DEPTH if depth is None else depth,
    )
    while (work := circuit.next()) is not None:
        circuit = circuit.grown(_run(loaded, work, f"level {len(circuit.levels) + 1}"))
    return circuit


# ------------------------------------------------------------------ what is printed


def heading(pairs: Sequence[Pair]) -> list[str]:
    """The prompts and how far apart they are."""
    pair = pairs[0]
    apart = (
        f"The lead of {quoted(pair.answer)} over {quoted(pair.against)}: "
        f"{decimal(pair.first_difference)} logits after the first prompt, "
        f"{decimal(pair.second_difference)} after the second."
    )
    if len(pairs) > 1:
        gap = sum(one.gap for one in pairs) / len(pairs)
        apart += f" Over {len(pairs)} pairs of names the gap is {decimal(gap)} on average."
    return [f"1: {pair.first_text}", f"2: {pair.second_text}", apart, ""]


def map_lines(found: SenderMap, top: int, named: Sequence[Head] = ()) -> list[str]:
    """The strongest senders, or those that were named."""
    where = listing([receiver.label for receiver in found.receivers])
    lines = [f"Into {where}:", "head    share  effect  ± error  others ± spread"]
    sent = [found.judged(head) for head in named if head in found.senders]
    lines += [
        f"{one.sender.label:<6} {percent(one.share):>6} {_beside(one)}"
        for one in (sent if named else found.strongest(top))
    ]
    if missing := [head.label for head in named if head not in found.senders]:
        lines.append(f"{listing(missing)} cannot send there: no receiver is in a later layer.")
    if found.shared_with:
        heads = listing([head.label for head in found.shared_with])
        lines.append(f"Keys and values are shared: {heads} received the same.")
    return lines


def circuit_lines(circuit: Circuit) -> list[str]:
    """The arrows, level by level."""
    if not circuit.arrows:
        return ["No head stands out from its layer. More pairs (--pairs) make the means surer."]
    lines = ["from    into            share  effect  ± error  others ± spread"]
    lines += [
        f"{one.sender.label:<7} {one.into:<13} {percent(one.share):>7} {_beside(one)}"
        for one in circuit.arrows
    ]
    return lines


def _beside(one: Arrow) -> str:
    error = "–" if one.error is None else decimal(one.error)
    control = "–"
    if one.control_mean is not None:
        control = f"{decimal(one.control_mean)} ± {decimal(one.control_spread)}"
    return f"{decimal(one.effect):>7} {error:>8}  {control:>15}  {VERDICTS[one.verdict]}"


def _settings(pairs: Sequence[Pair], options: argparse.Namespace) -> dict[str, object]:
    return {
        "first": pairs[0].first_text,
        "second": pairs[0].second_text,
        "answer": pairs[0].answer,
        "against": pairs[0].against,
        "direction": options.direction,
        "seed": options.seed,
        "pairs": [
            {
                "first": pair.first_text,
                "second": pair.second_text,
                "first_difference": pair.first_difference,
                "second_difference": pair.second_difference,
            }
            for pair in pairs
        ],
    }


def map_numbers(found: SenderMap) -> dict[str, object]:
    """A map as JSON: every sender, the strongest first."""
    return {
        "into": [receiver.label for receiver in found.receivers],
        "shared_with": [head.label for head in found.shared_with],
        "gap": found.gap,
        "senders": [
            {"sender": one.sender.label} | _numbers(one)
            for one in found.strongest(len(found.senders))
        ],
    }


def circuit_numbers(circuit: Circuit) -> dict[str, object]:
    """A circuit as JSON."""
    return {
        "gap": circuit.gap,
        "levels": [[head.label for head in level] for level in circuit.levels],
        "arrows": [
            {
                "sender": one.sender.label,
                "into": one.into,
                "shared_with": [head.label for head in one.shared_with],
            }
            | _numbers(one)
            for one in circuit.arrows
        ],
    }


def _numbers(one: Arrow) -> dict[str, object]:
    names = ("effect", "share", "error", "control_mean", "control_spread", "control_heads")
    return {name: getattr(one, name) for name in names} | {
        "verdict": one.verdict,
        "is_clear": one.is_clear,
    }


if __name__ == "__main__":
    sys.exit(main())

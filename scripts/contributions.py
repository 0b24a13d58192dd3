"""Say which parts of a model wrote its next token: a logit as the sum of all parts.

    python -m scripts.contributions --prompt "When Mary and John went out, John gave a drink to"
    python -m scripts.contributions --prompt "The cat sat. The cat" --answer sat --json

The embedding, every head, every MLP and the biases are given with what they added to the logit of
the answer (or to its lead over another token), and their sum beside the logit itself. Each head in
the ranking has the token that it read most from, and what it adds where the answer is another one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headroles import attribution, export, limits, models, texts, view
from headroles.formatting import percent, quoted, signed
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.attribution import Chance, Contributions
    from headroles.types import Encoding, Head

_POSITIONS = limits.Range(-100_000, 100_000)
"""What a position may be before the prompt is known."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("contributions", __doc__)
    text, whole = command_line.text, command_line.whole
    add = parser.add_argument
    add("--model", type=MODEL, default=models.DEFAULT_MODEL, help="catalogue key, folder or Hub id")
    add("--prompt", type=text(limits.PROMPT), default=texts.DEFAULT_PROMPT, help="the prompt")
    add("--answer", type=text(limits.ANSWER, empty=True), default="",
        help="the token that is watched; by default the model's own guess")  # fmt: skip
    add("--against", type=text(limits.ANSWER, empty=True), default="",
        help="a token whose logit is subtracted")  # fmt: skip
    add("--position", type=whole(_POSITIONS), default=-1,
        help="the position whose next token it is; -1 is the last")  # fmt: skip
    add("--top", type=whole(limits.LISTED_HEADS), default=10,
        help="how many heads are printed (default 10)")  # fmt: skip
    add("--chance", type=whole(limits.CHANCE), default=20, help="prompts that chance is taken from")
    add("--seed", type=whole(limits.SEED), default=0, help="fixes these prompts")
    add("--no-chance", action="store_true", help="leave chance out")
    add("--json", action="store_true", help="print one JSON object with every number")
    add("--csv", type=command_line.output, help="write a table of all parts here")
    return parser.parse_args(argv)


def single_parts(found: Contributions) -> dict[str, float]:
    """{part: logits}, heads and MLPs each as one; they sum to the logit."""
    return {
        "embedding": found.embedding,
        "learned position": found.positions,
        "heads": float(found.heads.double().sum()),
        "attention biases": float(found.attention_biases.double().sum()),
        "MLPs": float(found.mlps.double().sum()),
        "final biases": found.final_bias,
    }


def as_json(
    found: Contributions,
    chance: Chance | None,
    encoding: Encoding,
    *,
    origin: Mapping[str, object],
) -> str:
    """Every number as one JSON object."""
    numbers = {
        **origin,
        "tokens": encoding.tokens,
        "token_ids": encoding.token_ids,
        "position": found.position,
        "target": vars(found.target),
        "logit": found.logit,
        "sum": found.total,
        "conclusion": " ".join(
            view.contributions.story(
                found, texts.token_labels(encoding.tokens), encoding.tokens, chance=chance
            )
        ),
        "cap": found.cap,
        **{name.replace(" ", "_").lower(): value for name, value in single_parts(found).items()},
        "by_head": found.heads.tolist(),
        "by_head_and_token": found.by_key.tolist(),
        "attention": found.attention.tolist(),
        "by_attention_bias": found.attention_biases.tolist(),
        "by_mlp": found.mlps.tolist(),
        "mlps_as_a_rest": found.remainders,
    }
    if chance is not None:
        numbers["chance"] = {
            "what": chance.what,
            "n": chance.n,
            "mean": chance.mean.tolist(),
            "spread": chance.spread.tolist(),
            "clearly_more": [
                head.label for head in sorted(view.contributions.beyond_chance(found, chance))
            ],
        }
    return json.dumps(numbers, ensure_ascii=False)


def as_text(found: Contributions, chance: Chance | None, encoding: Encoding, *, top: int) -> str:
    """What the page says, the parts, the sum beside the logit, and the ranking of the heads."""
    labels = texts.token_labels(encoding.tokens)
    after = f"after {quoted(encoding.tokens[found.position])} (position {found.position})"
    lines = [
        *view.contributions.story(found, labels, encoding.tokens, chance=chance),
        "",
        f"{view.contributions.name_of(found.target)} {after}, in logits:",
    ]
    lines += [f"  {signed(value):>8}  {name}" for name, value in single_parts(found).items()]
    lines += [f"  {signed(found.total):>8}  sum", view.contributions.proof_sentence(found), ""]
    order = sorted(view.contributions.ranked(found), key=lambda head: -abs(found.heads[head]))
    clear = view.contributions.beyond_chance(found, chance) if chance else frozenset()
    lines.append("The heads that wrote most, for it or against it:")
    lines += [_of_head(head, found, chance, encoding, clear=head in clear) for head in order[:top]]
    if chance is not None:
        lines += ["", f"* {view.contributions.chance_rule(chance)}"]
    return "\n".join(lines)


def _of_head(
    head: Head, found: Contributions, chance: Chance | None, encoding: Encoding, *, clear: bool
) -> str:
    by_key = found.by_key[head]
    key = int(by_key.abs().argmax())
    looked = percent(float(found.attention[head][key]))
    line = (
        f"  {signed(float(found.heads[head])):>8}{'*' if clear else ' '} {head.label:<7} "
        f"({signed(float(by_key[key]))} from {quoted(encoding.tokens[key])}, {looked} of its "
        "attention)"
    )
    if chance is not None:
        line += f"; other prompts {view.contributions.beside_chance(chance, head)}"
    return line


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Take the answer apart and print the parts."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    encoding = texts.encode(loaded.tokenizer, options.prompt, max_tokens=loaded.max_tokens)
    seen = attribution.record(loaded, encoding, position=options.position)
    target = attribution.resolve_target(
        loaded, encoding, options.answer, options.against, recording=seen
    )
    found = attribution.project(loaded, seen, target)
    chance = None
    if not options.no_chance:
        chance = attribution.chance(
            loaded, encoding, target, position=options.position, n=options.chance, seed=options.seed
        )
    origin = export.ablation_report.provenance(
        loaded.key, revision=loaded.revision, prompt=options.prompt, seed=options.seed
    )
    if options.json:
        print(as_json(found, chance, encoding, origin=origin))
    else:
        print(as_text(found, chance, encoding, top=options.top))
    if options.csv:
        rows = export.contributions.part_rows(found, encoding.tokens, chance=chance)
        origin |= export.contributions.about(found)
        if chance is not None:
            origin |= {"other_prompts": chance.n, "other_prompts_are": chance.what}
        command_line.write(options.csv, export.csv_bytes(export.heads_csv(rows, origin)))
        print(f"wrote {options.csv}", file=sys.stderr)
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())

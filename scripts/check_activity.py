"""Check the page's verdicts on prompts that neither the analysis nor the model has seen.

    python -m scripts.check_activity
    python -m scripts.check_activity --model smollm2-135m-instruct

Prints, per role and prompt length, how well the activation tells heads of the role from the others.
The prompts are 90 written by hand (``scripts/activity_prompts.txt``: names that come back, lists,
days, dialogue, facts, verse, code), and for a bundled model, which reads stories only, 200 passages
from the grammar that wrote its training text, under another seed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from headroles import capture, limits, models, store, training, verdicts
from headroles.errors import AnalysisError
from headroles.roles import ROLES
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.models import LoadedModel

HELD_OUT_SEED = 20_260_000
"""Far from every seed that training draws."""

STORIES = limits.Range(1, 10_000)
PATIENCE = 100
"""Passages that are tried for each that is needed; most are long enough."""

TEXTS = ("stories", "prompts")
"""What can be run: passages of the grammar, or the prompts written by hand."""


def written_prompts() -> list[str]:
    """The prompts of ``activity_prompts.txt``, which a line ``===`` sets apart."""
    text = (Path(__file__).parent / "activity_prompts.txt").read_text(encoding="utf-8")
    return text.removesuffix("\n").split("\n===\n")


def held_out_prompts(loaded: LoadedModel, *, n: int, seed: int) -> Iterator[str]:
    """``n`` passages cut to 3 to 60 tokens, every length equally often.

    Raises:
        AnalysisError: if the tokenizer leaves too little of nearly every passage.
    """
    grammar = training.StoryGrammar(seed)
    draw = random.Random(seed)
    made = 0
    for _ in range(PATIENCE * n):
        if made == n:
            return
        wanted = draw.randint(3, 60) - 1  # the start token is the last one
        ids = loaded.tokenizer(grammar.passage(), add_special_tokens=False)["input_ids"]
        if len(ids) >= wanted:
            made += 1
            yield loaded.tokenizer.decode(ids[:wanted])
    if made < n:
        raise AnalysisError(
            "The model's tokenizer leaves hardly a token of the stories.",
            hint="Take the prompts written by hand: --texts prompts",
        )


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("check_activity", __doc__)
    whole = command_line.whole
    parser.add_argument(
        "--model", type=MODEL, default=models.DEFAULT_MODEL, help="catalogue key or folder"
    )
    parser.add_argument(
        "--texts", choices=TEXTS, help="default: stories for a bundled model, prompts for others"
    )
    parser.add_argument("--prompts", type=whole(STORIES), default=200, help="how many stories")
    parser.add_argument(
        "--seed", type=whole(limits.SEED), default=HELD_OUT_SEED, help="fixes the stories"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    return parser.parse_args(argv)


def table(rows: list[verdicts.ActivityRow]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| role | tokens | prompts | judged | AUC | hits | false alarms |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        numbers = (
            "—" if number is None else f"{number:.2f}"
            for number in (row.auc, row.hits, row.false_alarms)
        )
        low, high = row.band
        band = f"{low}–{high}" if high else f"{low}+"
        lines.append(
            f"| {ROLES[row.role].name} | {band} | {row.prompts} | {row.judged} | "
            f"{' | '.join(numbers)} |"
        )
    return "\n".join(lines)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the prompts and print the table."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    entry = store.read_entry(loaded.key, given=options.model)
    store.contents.check_weights(entry, loaded.source, loaded.revision)
    texts = options.texts or ("stories" if models.entry_of(loaded.key).is_bundled else "prompts")
    if texts == "stories":
        prompts = list(held_out_prompts(loaded, n=options.prompts, seed=options.seed))
    else:
        prompts = written_prompts()
    runs = (
        capture.capture(loaded, prompt) for prompt in tqdm(prompts, unit="prompt", disable=None)
    )
    rows = verdicts.activity_table(entry, [verdicts.score_run(run) for run in runs])
    print(json.dumps([vars(row) for row in rows]) if options.json else table(rows))
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())

"""Count how often a model's tokens occur, for the Circuits page.

    python -m scripts.count_tokens --model demo
    python -m scripts.count_tokens --model gpt2 --text words.txt --source "words.txt of ..."

Without --text the bundled models' own training text is generated and counted. Of a text file of
yours only the counts are stored, with the source that you name.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from headroles import training
from headroles.errors import HeadrolesError
from headroles.models import catalogue_key, load_tokenizer, resolve_source
from headroles.paths import BUNDLED
from headroles.store import write_frequencies

PASSAGES = 20_000


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="demo", help="catalogue key, folder or Hub id")
    parser.add_argument("--text", type=Path, help="a UTF-8 text file to count instead")
    parser.add_argument("--source", help="where that text is from; needed with --text")
    parser.add_argument("--seed", type=int, default=1, help="of the generated text")
    options = parser.parse_args(argv)
    if (options.text is None) != (options.source is None):
        parser.error("--text and --source go together: a count without a source is worth nothing")
    key = catalogue_key(options.model)
    if options.text is None and key not in BUNDLED:
        parser.error(
            f"'{options.model}' was not trained here: give a text with --text and --source"
        )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Count and store."""
    options = parse_arguments(argv)
    try:
        tokenizer = load_tokenizer(resolve_source(options.model))
    except HeadrolesError as error:
        print(error, file=sys.stderr)
        return 1
    if options.text is None:
        texts = [f"{text}\n\n" for text in training.StoryGrammar(options.seed).passages(PASSAGES)]
        source = (
            f"{PASSAGES:,} passages of the grammar that wrote the model's training text "
            f"(headroles/training/english.py, seed {options.seed})"
        )
    else:
        texts = options.text.read_text(encoding="utf-8").splitlines(keepends=True)
        source = options.source
    counts: Counter[int] = Counter()
    for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]:
        counts.update(ids)
    print(write_frequencies(catalogue_key(options.model), counts, source=source))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

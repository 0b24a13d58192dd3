"""Write one report of a model: everything that is known about its heads, in one file.

    python -m scripts.report demo
    python -m scripts.report smollm2-135m-instruct --out smollm2.html
    python -m scripts.report demo --out demo.md --prompt "The cat sat. The cat"

The file is HTML that needs nothing else, or Markdown where its name ends in .md. The stored scores
are all it takes; the circuits' strongest links and a prompt need the model's weights as well.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headroles import capture, circuits, limits, models, store, view
from headroles.errors import HeadrolesError
from headroles.formatting import size
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.models import LoadedModel
    from headroles.view.report import Gathered

MARKDOWN = (".md", ".markdown")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("report", __doc__)
    add = parser.add_argument
    add("model", nargs="?", type=MODEL, default=models.DEFAULT_MODEL, metavar="MODEL",
        help="catalogue key, folder or Hub id; default: the bundled model")  # fmt: skip
    add("--out", type=command_line.output,
        help="the file, .html or .md; by default headroles_MODEL_report.html here")  # fmt: skip
    add("--prompt", type=command_line.text(limits.PROMPT),
        help="also say which listed heads are active on this prompt")  # fmt: skip
    add("--no-circuits", action="store_true",
        help="do not read the weights: the report is made in seconds")  # fmt: skip
    add("--categories", type=command_line.file, metavar="FILE",
        help="another file of scores; default: data/head_categories.json")  # fmt: skip
    options = parser.parse_args(argv)
    if options.out and options.out.suffix.lower() not in (".html", ".htm", *MARKDOWN):
        parser.error("argument --out: the name of the file must end in .html or .md")
    return options


def with_weights(gathered: Gathered, loaded: LoadedModel, *, links: bool) -> Gathered:
    """What the weights say added, where they are those of the scores; else why not."""
    if not links:
        return gathered
    frequencies = store.read_frequencies(loaded.key, len(circuits.weights.embedding(loaded)))
    heads = view.report.weight_heads(gathered.entry)
    with command_line.bar("circuits") as tell:
        found = circuits.overview.read(loaded, heads, frequencies.probabilities, progress=tell)
    return replace(gathered, weights=found)


def complete(gathered: Gathered, options: argparse.Namespace) -> Gathered:
    """The circuits and the prompt, which need the model itself.

    A model that cannot be loaded costs the report its circuits, and says so in it; a prompt was
    asked for, so there it is an error.
    """
    if options.no_circuits and not options.prompt:
        return gathered
    try:
        loaded = models.load_model(options.model)
        store.contents.check_weights(gathered.entry, loaded.source, loaded.revision)
        if (loaded.num_layers, loaded.num_heads) != (
            gathered.entry.num_layers,
            gathered.entry.num_heads,
        ):
            raise HeadrolesError("The model has another shape than its stored scores.")
        gathered = with_weights(gathered, loaded, links=not options.no_circuits)
    except HeadrolesError as error:
        if options.prompt:
            raise
        print(f"without circuits: {error}", file=sys.stderr)
        return replace(gathered, faults={**gathered.faults, "Circuits": str(error)})
    if options.prompt:
        gathered = replace(gathered, run=capture.capture(loaded, options.prompt))
    return gathered


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Gather, put together and write."""
    options = parse_arguments(argv)
    gathered = view.report.gather(options.model, path=options.categories)
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", gathered.entry.model_name).strip("-.")
    out = options.out or command_line.new_file(f"headroles_{name}_report.html")
    gathered = complete(gathered, options)
    is_markdown = out.suffix.lower() in MARKDOWN
    text = (view.report.markdown if is_markdown else view.report.html)(gathered)
    content = text.encode()
    command_line.write(out, content)
    print(f"wrote {out} ({size(len(content))})")
    return command_line.DONE


if __name__ == "__main__":
    raise SystemExit(main())

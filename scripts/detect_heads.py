"""Score every head of a model against detection patterns: all prompts and patterns in one pass.

python -m scripts.detect_heads
python -m scripts.detect_heads gpt2 --pattern induction --pattern offset:2 --generate repeats
python -m scripts.detect_heads --prompt "one two one two" --pattern "expression:k == q - 1"
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from headroles import detector, export, limits, models, roles, texts
from headroles.errors import DiskError
from headroles.types import Head

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from headroles.errors import HeadrolesError

if TYPE_CHECKING:
    from headroles.detector import Detection
    from headroles.models import LoadedModel
    from headroles.roles import Prompts, Role

KINDS = ("repeats", "sentences", "random")
DEFAULT_PROMPT = "The cat sat on the mat. The cat sat on the mat. The cat"


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", nargs="?", default="demo", help="catalogue key, folder or Hub id")
    add("--pattern", action="append", metavar="SPEC", help="what to look for; repeatable")
    add("--matrix", action="append", metavar="FILE", help="a pattern as a CSV matrix; repeatable")
    add("--prompt", action="append", metavar="TEXT", help="a prompt; repeatable")
    add("--prompts", type=Path, metavar="FILE", help="a file with one prompt per line")
    add("--generate", choices=KINDS, help="make the prompts")
    add("--n", type=int, default=32, help="how many prompts are made (default 32)")
    add("--seed", type=int, default=0, help="fixes what is made")
    add("--measure", choices=("activation", "mul", "abs"), default="activation")
    add("--exclude-bos", action="store_true", help="leave out attention on the first token")
    add("--exclude-current-token", action="store_true", help="and of a token on itself")
    add("--head", action="append", metavar="L1H3", help="only this head; repeatable")
    add("--top", type=int, default=8, help="heads printed for each pattern (default 8)")
    add("--out", type=Path, help="also write all numbers: a file that ends in .csv or .json")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Detect and print; exit code 1, with a sentence, if something cannot be used."""
    options = parse_arguments(argv)
    try:
        _run(options)
    except HeadrolesError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.out and options.out.suffix not in (".csv", ".json"):
        raise HeadrolesError(
            f"“{options.out}” ends neither in .csv nor in .json.", hint="For example: scores.csv"
        )
    patterns = _patterns(options)
    heads = [Head.parse(label) for label in options.head or []]
    loaded = models.load_model(options.model)
    prompts, made = _prompts(options, loaded)
    with tqdm(total=len(prompts), unit="prompt", disable=None) as bar:
        detection = detector.detect(
            loaded,
            prompts,
            patterns,
            exclude_bos=options.exclude_bos,
            exclude_current_token=options.exclude_current_token,
            heads=heads,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    for place in range(len(patterns)):
        print(report(detection, place, options.measure, top=options.top))
    if options.out:
        _write(options.out, detection, loaded, prompts, made)


def _patterns(options: argparse.Namespace) -> list[Role]:

    patterns = [roles.parse_pattern(spec) for spec in options.pattern or []]
    for path in map(Path, options.matrix or []):
        patterns += [roles.of_matrix(roles.read_matrix(_text(path)), title=path.stem)]
    return patterns or [roles.parse_pattern("induction")]


def _text(path: Path) -> str:
    return texts.read_text(path)


def _prompts(options: argparse.Namespace, loaded: LoadedModel) -> tuple[Prompts, str]:
    """The prompts, and how they were made if they were generated."""

    typed = list(options.prompt or [])
    if options.prompts:
        typed += [line for line in _text(options.prompts).splitlines() if line.strip()]
    if typed and options.generate:
        raise HeadrolesError(
            "Both prompts and --generate were given.", hint="Leave out --generate, or the prompts."
        )
    if options.generate:
        n = max(1, options.n)
        limits.PROMPTS.check(n)
        ids, cut = texts.generated(
            options.generate,
            n,
            tokenizer=loaded.tokenizer,
            seed=options.seed,
            max_tokens=loaded.max_tokens,
        )
        made = f"generated: {options.generate}, n={len(ids)}, seed={options.seed}"
        prompts = roles.prompts_of_ids(loaded.tokenizer, ids)
    else:
        made, typed = "", typed or [DEFAULT_PROMPT]
        prompts, encodings = roles.read_prompts(
            loaded.tokenizer, typed, max_tokens=loaded.max_tokens
        )
        cut = sum(encoding.truncated for encoding in encodings)
    if cut:
        longest = f"the {loaded.max_tokens:,} tokens that the model reads"
        print(f"{cut} of {len(prompts):,} prompts cut at the end to {longest}.", file=sys.stderr)
    return prompts, made


def report(detection: Detection, place: int, measure: str, *, top: int) -> str:
    """The best heads of a pattern as a table, with chance, errors and caveats."""

    summary = detection.summary(place, measure)
    left = detector.kept_share(detection, place)
    pattern = detection.patterns[place]
    lines = [
        "",
        f"{pattern.name} ({pattern.spec}), {measure}: {summary.prompts} prompts, "
        f"chance {_number(summary.chance)}",
        "head    score   ± error  prompts  attention left",
    ]
    lines += [
        f"{head.label:<6} {_number(summary.mean[head]):>6} {_number(summary.error[head]):>9} "
        f"{int(summary.n[head]):>8} {float(left[head]):>15.1%}"
        for head in summary.ranking()[:top]
    ]
    lines += [
        f"! {caveat.title}. {caveat.sentence}"
        for caveat in detector.caveats_of(detection, place, measure)
    ]
    return "\n".join(lines)


def _number(value: object) -> str:
    number = float(value)
    return f"{number:.3f}" if math.isfinite(number) else "–"


def _write(
    path: Path, detection: Detection, loaded: LoadedModel, prompts: Prompts, made: str
) -> None:

    origin = export.detection.provenance(detection, loaded, prompts, made=made)
    content = (
        export.csv_bytes(export.detection.as_csv(detection, origin))
        if path.suffix == ".csv"
        else export.detection.as_json(detection, origin).encode("utf-8")
    )
    try:
        path.write_bytes(content)
    except OSError as error:
        raise DiskError(path, error) from error


if __name__ == "__main__":
    sys.exit(main())

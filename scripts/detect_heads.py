"""Score every head of a model against detection patterns: all prompts and patterns in one pass.

python -m scripts.detect_heads
python -m scripts.detect_heads gpt2 --pattern induction --pattern offset:2 --generate repeats
python -m scripts.detect_heads --prompt "one two one two" --pattern "expression:k == q - 1"
python -m scripts.detect_heads --prompts my_prompts.txt --head L1H4 --by-prompt
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from headroles import detector, export, limits, models, roles, texts
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.view import by_prompt
from scripts import command_line
from scripts.command_line import MODEL, one_line

if TYPE_CHECKING:
    from headroles.detector import Detection
    from headroles.models import LoadedModel
    from headroles.roles import Prompts, Role

KINDS = ("repeats", "sentences", "random")
DEFAULT_PROMPT = "The cat sat on the mat. The cat sat on the mat. The cat"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser(
        "detect_heads",
        __doc__,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    file, text, whole = command_line.file, command_line.text, command_line.whole
    table = command_line.named_file(".csv", ".json")
    add = parser.add_argument
    add("model", nargs="?", type=MODEL, default="demo", help="catalogue key, folder or Hub id")
    add("--pattern", action="append", type=text(), metavar="SPEC",
        help="what to look for; repeatable")  # fmt: skip
    add("--matrix", action="append", type=file, metavar="FILE",
        help="a pattern as a CSV matrix; repeatable")  # fmt: skip
    add("--prompt", action="append", type=text(limits.PROMPT), metavar="TEXT",
        help="a prompt; repeatable")  # fmt: skip
    add("--prompts", type=file, metavar="FILE", help="a file with one prompt per line")
    add("--generate", choices=KINDS, help="make the prompts")
    add("--n", type=whole(limits.GENERATED), default=32,
        help="how many prompts are made (default 32)")  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="fixes what is made")
    add("--measure", choices=("activation", "mul", "abs"), default="activation",
        help="the score: activation (default), or mul or abs of TransformerLens")  # fmt: skip
    add("--exclude-bos", action="store_true", help="leave out attention on the first token")
    add("--exclude-current-token", action="store_true", help="and of a token on itself")
    add("--head", action="append", type=command_line.head, default=[], metavar="L1H3",
        help="only this head; repeatable")  # fmt: skip
    add("--top", type=whole(limits.LISTED_HEADS), default=8,
        help="heads printed for each pattern (default 8)")  # fmt: skip
    add("--out", type=table,
        help="also write all numbers: a file that ends in .csv or .json")  # fmt: skip
    add("--by-prompt", action="store_true",
        help="also print on which prompts the best head, or --head's, scores lowest")  # fmt: skip
    add("--out-prompts", type=table,
        help="also write every prompt's score of that head: .csv or .json")  # fmt: skip
    add("--script", type=command_line.named_file(".py"), metavar="FILE.py",
        help="also write a program that makes the scores again")  # fmt: skip
    add("--notebook", type=command_line.named_file(".ipynb"), metavar="FILE.ipynb",
        help="also write it as a Jupyter notebook")  # fmt: skip
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Detect and print."""
    options = parse_arguments(argv)
    patterns, typed = _patterns(options), _typed(options)
    limits.PATTERNS.check(len(patterns))
    loaded = models.load_model(options.model)
    for head in options.head:
        head.check(*loaded.shape)
    prompts, made = _prompts(options, typed, loaded)
    with tqdm(total=len(prompts), unit="prompt", disable=None) as bar:
        detection = detector.detect(
            loaded,
            prompts,
            patterns,
            exclude_bos=options.exclude_bos,
            exclude_current_token=options.exclude_current_token,
            heads=options.head,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    for place in range(len(patterns)):
        print(report(detection, place, options.measure, top=options.top))
        if options.by_prompt:
            read = texts.probe_texts.as_texts(loaded.tokenizer, prompts.sequences)
            print(lowest(detection, place, options.measure, read, top=options.top))
    if options.out:
        _write(options.out, _numbers(options.out, detection, loaded, prompts, made))
    if options.out_prompts:
        numbers = _prompt_numbers(options, detection, loaded, prompts, made)
        _write(options.out_prompts, numbers)
    _write_code(options, detection, loaded, prompts, made)
    return command_line.DONE


def _write_code(
    options: argparse.Namespace,
    detection: Detection,
    loaded: LoadedModel,
    prompts: Prompts,
    made: str,
) -> None:
    """The program that makes the scores again, and the same as a notebook, where asked for."""
    code = export.detection_code
    for path, write in ((options.script, code.script), (options.notebook, code.notebook)):
        if path:
            origin = export.detection.provenance(detection, loaded, prompts, made=made)
            text = write(detection, loaded, prompts, provenance=origin)
            _write(path, text.encode("utf-8"))


def _write(path: Path, content: bytes) -> None:
    command_line.write(path, content)
    print(f"wrote {path}", file=sys.stderr)


def _patterns(options: argparse.Namespace) -> list[Role]:
    patterns = [roles.parse_pattern(spec) for spec in options.pattern or []]
    for path in options.matrix or []:
        patterns += [roles.of_matrix(roles.read_matrix(texts.read_text(path)), title=path.stem)]
    return patterns or [roles.parse_pattern("induction")]


def _typed(options: argparse.Namespace) -> list[str]:
    """The prompts of the command line and of the file.

    Raises:
        LimitError: if they are too many or too long.
        HeadrolesError: if others are to be made as well.
    """
    typed = list(options.prompt or [])
    if options.prompts:
        typed += [line for line in texts.read_text(options.prompts).splitlines() if line.strip()]
    if typed and options.generate:
        raise HeadrolesError(
            "Both prompts and --generate were given.", hint="Leave out --generate, or the prompts."
        )
    limits.PROMPTS.check(len(typed))
    for prompt in typed:
        limits.PROMPT.check(len(prompt))
    return typed


def _prompts(
    options: argparse.Namespace, typed: Sequence[str], loaded: LoadedModel
) -> tuple[Prompts, str]:
    """The prompts, and how they were made if they were generated."""
    if options.generate:
        ids, cut = texts.generated(
            options.generate,
            options.n,
            tokenizer=loaded.tokenizer,
            seed=options.seed,
            max_tokens=loaded.max_tokens,
        )
        made = f"generated: {options.generate}, n={len(ids)}, seed={options.seed}"
        prompts = roles.prompts_of_ids(loaded.tokenizer, ids)
    else:
        made = ""
        prompts, encodings = roles.read_prompts(
            loaded.tokenizer, typed or [DEFAULT_PROMPT], max_tokens=loaded.max_tokens
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
    name = one_line(f"{pattern.name} ({pattern.spec})")
    lines = [
        "",
        f"{name}, {measure}: {count(summary.prompts, 'prompt')}, chance {_number(summary.chance)}",
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


def lowest(detection: Detection, place: int, measure: str, read: Sequence[str], *, top: int) -> str:
    """The prompts on which the best head of a pattern scores lowest, as a table.

    Of heads that were asked for, it is the best of these. ``read`` is [prompt] every prompt's text.
    """
    ranking = detection.summary(place, measure).ranking()
    if not ranking:
        return ""
    head, pattern = ranking[0], detection.patterns[place]
    scores = detector.by_prompt.by_prompt(detection, place, measure, head)
    lines = [
        "",
        by_prompt.sentence(scores, head, pattern, measure),
        "prompt   score  chance  rows  text",
    ]
    lines += [
        f"{one.place + 1:>6} {_number(one.score):>7} {_number(one.chance):>7} {one.rows:>5}  "
        f"{one_line(read[one.place])}"
        for one in scores[:top]
    ]
    return "\n".join(lines)


def _prompt_numbers(
    options: argparse.Namespace,
    detection: Detection,
    loaded: LoadedModel,
    prompts: Prompts,
    made: str,
) -> bytes:
    """Every prompt's score of the best head of each pattern, in the form the file's name asks for.

    Raises:
        HeadrolesError: if no head has a score.
    """
    rows: list[dict[str, object]] = []
    read = texts.probe_texts.as_texts(loaded.tokenizer, prompts.sequences)
    for place, pattern in enumerate(detection.patterns):
        ranking = detection.summary(place, options.measure).ranking()
        for head in ranking[:1]:
            scores = detector.by_prompt.by_prompt(detection, place, options.measure, head)
            about = {"pattern": pattern.spec, "head": head.label}
            rows += [about | row for row in by_prompt.rows(scores, read, pattern)]
    if not rows:
        raise HeadrolesError("No head has a score on these prompts.", hint="Try other prompts.")
    origin = export.detection.provenance(detection, loaded, prompts, made=made)
    origin |= {"measure": options.measure}
    if options.out_prompts.suffix.lower() == ".csv":
        return export.csv_bytes(export.tables.heads_csv(rows, origin))
    return export.tables.heads_json(rows, origin, name="rows").encode("utf-8", "replace")


def _number(value: object) -> str:
    number = math.nan if value is None else float(value)
    return f"{number:.3f}" if math.isfinite(number) else "–"


def _numbers(
    path: Path, detection: Detection, loaded: LoadedModel, prompts: Prompts, made: str
) -> bytes:
    """All numbers, in the form that the file's name asks for."""
    origin = export.detection.provenance(detection, loaded, prompts, made=made)
    if path.suffix.lower() == ".csv":
        return export.csv_bytes(export.detection.as_csv(detection, origin))
    return export.detection.as_json(detection, origin).encode("utf-8")


if __name__ == "__main__":
    sys.exit(main())

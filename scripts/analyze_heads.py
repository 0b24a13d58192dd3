"""Score every head of a model for every role and write ``data/head_categories.json``.

    python -m scripts.analyze_heads
    python -m scripts.analyze_heads gpt2 pythia-70m --sequences 100 --threshold induction=0.5
    python -m scripts.analyze_heads --check

The same seed gives the same file. Without a model it analyses the bundled one. Each model is
written as soon as it is done and one that is up to date is skipped, so a course of models that was
interrupted goes on where it stopped when the same command is given again, within a model too: what
is finished of it is kept in ``unfinished/`` beside the file until the model is done.
"""

from __future__ import annotations

import argparse
import gc
import os
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from headroles import analysis, limits, reference, store, texts

# Torch's threads sleep while they wait: on a machine that does other work too, spinning ones keep
# each other from the cores, and the same passes took three times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from headroles.errors import HeadrolesError, UnknownRoleError
from headroles.models import DEFAULT_MODEL, catalogue_key, known_models, list_file
from headroles.paths import CATEGORIES
from headroles.roles import BASIC_ROLES, EXTENDED_ROLES, ROLES, SCORED_ROLES
from headroles.view import LABELS, MARKS
from headroles.view.html import count
from scripts import command_line
from scripts.command_line import MODEL


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("analyze_heads", __doc__)
    add, whole = parser.add_argument, command_line.whole
    add("models", nargs="*", type=MODEL, metavar="MODEL",
        help="catalogue key, folder or Hub id (default: demo)")  # fmt: skip
    add("--model", type=MODEL, help="the same, for one model")
    add("--sequences", type=whole(limits.SEQUENCES), default=64, help="random repeated sequences")
    add("--seed", type=whole(limits.SEED), default=0, help="fixes texts and null")
    add("--out", type=command_line.path, default=CATEGORIES, help="the file to write")
    add("--threshold", action="append", default=[], type=_threshold, metavar="ROLE=X",
        help="use X instead of the threshold by the rule; may be given several times")  # fmt: skip
    add("--no-extended", action="store_true",
        help=f"leave out the {len(EXTENDED_ROLES)} extended roles")  # fmt: skip
    add("--cap", type=whole(limits.CAP), default=8, help="most heads listed per role")
    add("--no-causal", action="store_true",
        help="knock no head out: scores and lists alone, in a fraction of the time")  # fmt: skip
    add("--only-hints", action="store_true",
        help="measure nothing: only find anew the prompts that wake the heads that the file lists",
        )  # fmt: skip
    add("--only-missing", action="store_true",
        help="measure only the extended roles that the file lacks of a model, and keep all else",
        )  # fmt: skip
    add("--format", choices=["text", "json-lines"], default="text",
        help="json-lines prints one JSON object per line: progress, then the result")  # fmt: skip
    add("--compare", action="store_true",
        help="also compare with TransformerLens' detect_head (slow on a large model)")  # fmt: skip
    add("--force", action="store_true", help="analyse also what is up to date already")
    add("--check", action="store_true",
        help="analyse nothing: say whether what is in the file is complete and up to date",
        )  # fmt: skip
    add("--unfinished", type=command_line.new_folder, metavar="FOLDER",
        help="where an analysis that is cut off leaves what it finished, so that the same command "
        "goes on (default: unfinished/ beside the file)")  # fmt: skip
    add("--end-with-input", action="store_true",
        help="end at once when standard input closes: whoever started this is gone")  # fmt: skip
    options = parser.parse_args(argv)
    if options.only_missing and options.no_extended:
        parser.error("argument --only-missing: it measures what --no-extended leaves out")
    if not options.check:
        parser.check("--out", command_line.new_file, str(options.out))
    return options


def _threshold(text: str) -> tuple[str, float]:
    role, is_there, value = text.partition("=")
    if not is_there:
        raise argparse.ArgumentTypeError(f"'{text}' is not ROLE=X, e.g. induction=0.4")
    known = [scored.key for scored in SCORED_ROLES]
    if role not in known:
        raise argparse.ArgumentTypeError(str(UnknownRoleError(role, known=known)))
    return role, command_line.real(limits.THRESHOLD)(value)


class TextReport:
    """Progress as a bar, the result as a table."""

    def __init__(self) -> None:
        self._bar = tqdm(total=1, unit="seq", disable=None, bar_format="{desc:24}{bar}{r_bar}")

    def progress(self, phase: str, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.set_description_str(phase)
        self._bar.total = max(total, 1)
        self._bar.n = done
        self._bar.refresh()

    def notice(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self._bar.write(sentence, file=sys.stderr)

    def result(self, summary: dict[str, object]) -> None:
        """Close the bar and print the table."""
        self._bar.close()
        if reason := summary.get("skipped"):
            print(f"{summary['model']}: {reason}")
            return
        print(f"{summary['model']}: {summary['seconds']:.1f} s, written to {summary['out']}")
        if said := summary.get("listed"):
            print(f"  {said}")
        for key, category in summary["categories"].items():
            heads = "  ".join(f"{name} {score:.2f}" for name, score in category["heads"].items())
            threshold = category["threshold"]
            over = "no role   " if threshold is None else f"over {threshold:.2f} "
            print(f"  {ROLES[key].name:22} {over:10} {heads or '—'}")
        for key, role in summary["extended"].items():
            heads = "  ".join(f"{name} {score:+.2f}" for name, score in role["heads"].items())
            over = f"over {role['threshold']:.2f} " if not role["reason"] else "not known "
            print(f"  {ROLES[key].name:22} {over:10} {role['reason'] or heads or '—'}")
        causal = summary.get("causal", {})
        places = [(key, place) for key, own in causal.items() for place in (own, *own["also"])]
        for key, evidence in places:
            verdicts = "  ".join(
                f"{name} {MARKS[verdict]}" for name, verdict in evidence["heads"].items()
            )
            what = f"without {ROLES[key].name:14} on {evidence['measured_on']:9}"
            print(f"  {what} {MARKS[evidence['group']]} all  {verdicts}")
        used = {verdict for _, place in places for verdict in place["heads"].values()}
        if meanings := [f"{MARKS[key]} {label}" for key, label in LABELS.items() if key in used]:
            print("  " + ", ".join(meanings))
        for key, hints in summary.get("hints", {}).items():
            for prompt, heads in hints.items():
                print(f"  {ROLES[key].name:22} “{' '.join(prompt.split())}” wakes {len(heads)}")
        for key, difference in summary.get("detect_head_difference", {}).items():
            print(f"  detect_head agrees on {key} to {difference:.1e}")

    def error(self, message: str, hint: str) -> None:
        """Close the bar and print the sentence where errors belong."""
        self._bar.close()
        print(f"{message} {hint}".rstrip(), file=sys.stderr)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the analyses; 2 if the only model cannot be used, 1 if one of several failed."""
    options = parse_arguments(argv)
    if options.end_with_input:
        command_line.end_with_input()
    named = [*options.models, *([options.model] if options.model else [])]
    if options.check:
        return check(options.out, named)
    models = list(dict.fromkeys(named)) or [DEFAULT_MODEL]
    alone = len(models) == 1
    try:
        outcomes = {model: attempt(model, options, alone=alone) for model in models}
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where this one was.", file=sys.stderr)
        return command_line.STOPPED
    if not alone and options.format == "text":
        print_outcomes(outcomes)
    if any(outcome.startswith(FAILED) for outcome in outcomes.values()):
        return command_line.UNUSABLE if alone else command_line.FAILED
    return command_line.DONE


FAILED = "failed: "
"""How the outcome of a model that could not be analysed begins."""


def attempt(model: str, options: argparse.Namespace, *, alone: bool) -> str:
    """Analyse one model and say how it ended; one of several that fails does not stop the rest."""
    is_json = options.format == "json-lines"
    report = command_line.JsonLines(None if alone else model) if is_json else TextReport()
    try:
        report.progress("loading TransformerLens", 0, 0)
        summary = run(model, options, report)
        report.result(summary)
    except HeadrolesError as error:
        report.error(error.message, error.hint)
        return f"{FAILED}{error.message}"
    except Exception as error:  # an unexpected error in one model must not stop the others
        if alone:
            raise
        message = f"An error that nobody expected: {type(error).__name__}: {error}"
        traceback.print_exc()
        report.error(message, "The lines above say where.")
        return f"{FAILED}{message}"
    finally:
        gc.collect()  # the bridge is full of circles, and the next model wants its memory
    return "up to date, skipped" if "skipped" in summary else f"written, {summary['seconds']:.1f} s"


def print_outcomes(outcomes: dict[str, str]) -> None:
    """One line per model: how it ended."""
    width = max(len(model) for model in outcomes)
    print()
    for model, outcome in outcomes.items():
        print(f"{model:{width}}  {outcome}")


def check(path: Path, models: list[str]) -> int:
    """Print what is wrong with a file's entries; exit code 1 if anything is.

    Args:
        path: the categories file.
        models: only these; all of the file where none is named.
    """

    keys = {catalogue_key(model): model for model in models}
    try:
        entries = (
            [store.read_entry(key, path, given=model) for key, model in keys.items()]
            if keys
            else [*store.read_all(path).values()]
        )
    except HeadrolesError as error:
        print(error, file=sys.stderr)
        return command_line.FAILED
    faults = [fault for entry in entries for fault in analysis.faults(entry)]
    for fault in faults:
        print(fault, file=sys.stderr)
    for entry in entries:
        if not analysis.known_revision(entry):
            print(f"{entry.model_name}: its revision was not checked; no file of it is here.")
    if not entries:
        print(
            f"{path} holds no model. Make it with: python -m scripts.analyze_heads", file=sys.stderr
        )
    print(f"{count(len(entries), 'model')} checked, {count(len(faults), 'fault')} found.")
    return int(bool(faults) or not entries)


def run(
    model: str, options: argparse.Namespace, report: TextReport | command_line.JsonLines
) -> dict[str, object]:
    """Analyse, write, and return what there is to say about it; what is up to date is skipped."""
    began = time.monotonic()
    settings = reference.AnalysisSettings(
        sequences=options.sequences,
        seed=options.seed,
        cap=options.cap,
        thresholds=dict(options.threshold),
        extended=not options.no_extended,
        causal=not options.no_causal,
    )
    if options.only_hints or options.only_missing:
        return renew(model, options, report, began)
    # A broken file is reported before the work starts.
    known = store.read_all(options.out).get(catalogue_key(model))
    if (
        known
        and not (options.force or options.compare)
        and not analysis.why_stale(known, model, settings)
    ):
        reason = "it is up to date. --force analyses it again."
        return {"model": known.model_name, "out": str(options.out), "skipped": reason}

    is_live = options.out.resolve() == CATEGORIES.resolve()
    if is_live and (why := why_not_on_the_list(model)):
        report.notice(why)  # before the work, not after it
    entry = analysis.analyze(
        model,
        settings,
        progress=report.progress,
        unfinished=options.unfinished or options.out.parent / "unfinished",
        notice=report.notice,
    )
    store.write_entry(entry, options.out)
    summary = summary_of(entry, options.out, began)
    if is_live:
        summary["listed"] = put_on_the_list(model, entry.model_name)
    if options.compare:
        summary["detect_head_difference"] = compare(model)
    return summary


def renew(
    model: str,
    options: argparse.Namespace,
    report: TextReport | command_line.JsonLines,
    began: float,
) -> dict[str, object]:
    """Renew a part of what the file says of a model: its prompts, or the roles that it lacks."""
    entry = store.read_entry(catalogue_key(model), options.out, given=model)
    if options.only_hints:
        entry = analysis.renewed(entry, model, progress=report.progress)
    elif analysis.missing(entry):
        entry = analysis.with_missing_roles(entry, model, progress=report.progress)
    else:
        reason = "it has every extended role."
        return {"model": entry.model_name, "out": str(options.out), "skipped": reason}
    store.write_entry(entry, options.out)
    return summary_of(entry, options.out, began)


def put_on_the_list(model: str, key: str) -> str:
    """List a folder or GGUF file whose scores are live now, so that students can choose it.

    Returns:
        What came of it, as a sentence; "" where there was nothing to do.
    """
    fields = _listing(model, key)
    if not fields:
        return ""
    try:
        store.model_list.add(fields)
    except HeadrolesError as error:
        return f"Students cannot choose it: {error}"
    return f"Students can choose it as '{key}' from their next click on."


def why_not_on_the_list(model: str) -> str:
    """Why students could not choose a folder or GGUF file after its analysis, and what helps."""
    fields = _listing(model, catalogue_key(model))
    try:
        if fields:
            list_file.checked(fields)
    except HeadrolesError as error:
        return (
            f"Students will not be able to choose it. {error.message} Rename it, or list it first: "
            f"python -m scripts.models_list add {shlex.quote(model)}"
        )
    return ""


def _listing(model: str, key: str) -> dict[str, str]:
    """The fields of a folder or GGUF file in the list; none where it is there, or is neither."""
    place = Path(model)
    if key in known_models() or not place.exists():
        return {}
    return {"key": key, "gguf" if place.is_file() else "folder": str(place.resolve())}


def summary_of(entry: store.ModelEntry, out: Path, began: float) -> dict[str, object]:
    """The thresholds, heads, verdicts and hints of an entry that was written, role by role."""
    return {
        "model": entry.model_name,
        "out": str(out),
        "seconds": time.monotonic() - began,
        "categories": {
            key: {
                "threshold": category.threshold,
                "heads": {top.place.label: top.score for top in category.top_heads},
            }
            for key, category in entry.categories.items()
            if key in BASIC_ROLES
        },
        "extended": {
            key: {
                "threshold": stored.category.threshold,
                "reason": stored.category.not_measured or "",
                "heads": {top.place.label: top.score for top in stored.category.top_heads},
            }
            for key, stored in entry.extended.items()
        },
        "causal": {
            key: _verdicts(own) | {"also": [_verdicts(other) for other in own.also]}
            for key, own in entry.causal.items()
        },
        "hints": {
            key: {hint.prompt: [head.place.label for head in hint.heads] for hint in hints.prompts}
            for key, hints in entry.hints.items()
        },
    }


def _verdicts(evidence: store.CausalRole) -> dict[str, object]:
    """The verdicts of one role on one kind of text."""
    return {
        "measured_on": evidence.measured_on,
        "group": evidence.group.verdict if evidence.group else "not_tested",
        "heads": {f"L{head.layer}H{head.head}": head.verdict for head in evidence.heads},
    }


def compare(model: str) -> dict[str, float]:
    """The largest difference from ``detect_head`` on the probe sentences and two repeats."""

    repeats = [f"{sentence} {sentence}" for sentence in texts.SENTENCES[:2]]
    return analysis.largest_difference(
        analysis.load_bridge(model), [*texts.SENTENCES[:4], *repeats]
    )


if __name__ == "__main__":
    sys.exit(main())

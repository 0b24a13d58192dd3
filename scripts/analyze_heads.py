"""Score every head of a model for every role and write ``data/head_categories.json``.

    python -m scripts.analyze_heads
    python -m scripts.analyze_heads --model gpt2 --sequences 100 --threshold induction=0.5

The same seed gives the same file. Without ``--model`` it analyses the bundled model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path

# Answers with the model in its folder or in the local cache need no telemetry and no chatter.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from headroles.errors import HeadrolesError
from headroles.models import DEFAULT_MODEL
from headroles.paths import CATEGORIES
from headroles.roles import ROLES


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="catalogue key, folder or Hub id (default: demo)"
    )
    parser.add_argument("--sequences", type=int, default=64, help="random repeated sequences")
    parser.add_argument("--seed", type=int, default=0, help="fixes texts and null")
    parser.add_argument("--out", type=Path, default=CATEGORIES, help="the file to write")
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        type=_threshold,
        metavar="ROLE=X",
        help="use X instead of the calibrated threshold; may be given several times",
    )
    parser.add_argument("--cap", type=int, default=8, help="most top heads a role")
    parser.add_argument(
        "--format",
        choices=["text", "json-lines"],
        default="text",
        help="json-lines prints one JSON object a line: progress, then the result",
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="also compare with TransformerLens' detect_head (slow on a large model)",
    )
    parser.add_argument(
        "--end-with-input",
        action="store_true",
        help="end at once when standard input closes: whoever started this is gone",
    )
    return parser.parse_args(argv)


def end_with_input() -> None:
    """Never outlive the program at the other end of standard input, however it ended."""

    def wait() -> None:
        # Not sys.stdin: Python cannot end while a thread waits in its buffer.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="end-with-input", daemon=True).start()


def _threshold(text: str) -> tuple[str, float]:
    role, _, value = text.partition("=")
    try:
        return role, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not ROLE=X, e.g. induction=0.4") from None


class TextReport:
    """Progress as a bar, the result as a table."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=1, unit="seq", disable=None, bar_format="{desc:24}{bar}{r_bar}")

    def progress(self, phase: str, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.set_description_str(phase)
        self._bar.total = max(total, 1)
        self._bar.n = done
        self._bar.refresh()

    def result(self, summary: dict[str, object]) -> None:
        """Close the bar and print the table."""
        self._bar.close()
        print(f"{summary['model']}: {summary['seconds']:.1f} s, written to {summary['out']}")
        for key, category in summary["categories"].items():
            heads = "  ".join(f"{name} {score:.2f}" for name, score in category["heads"].items())
            threshold = category["threshold"]
            over = "no role   " if threshold is None else f"over {threshold:.2f} "
            print(f"  {ROLES[key].name:22} {over:10} {heads or '—'}")
        for key, difference in summary.get("detect_head_difference", {}).items():
            print(f"  detect_head agrees on {key} to {difference:.1e}")


class JsonLinesReport:
    """One JSON object a line, for a program that watches."""

    def progress(self, phase: str, done: int, total: int) -> None:
        """Print a progress event."""
        self._print({"event": "progress", "phase": phase, "done": done, "total": total})

    def result(self, summary: dict[str, object]) -> None:
        """Print the result event."""
        self._print({"event": "result", **summary})

    @staticmethod
    def _print(event: dict[str, object]) -> None:
        print(json.dumps(event), flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run the analysis; exit code 0 on success, 1 with a sentence on a known problem."""
    options = parse_arguments(argv)
    if options.end_with_input:
        end_with_input()
    report = JsonLinesReport() if options.format == "json-lines" else TextReport()
    report.progress("loading TransformerLens", 0, 0)
    try:
        report.result(run(options, report))
    except HeadrolesError as error:
        if options.format == "json-lines":
            print(json.dumps({"event": "error", "problem": error.problem, "mend": error.mend}))
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, report: TextReport | JsonLinesReport) -> dict[str, object]:
    """Analyse, write, and return what there is to say about it."""
    from headroles.analysis.run import analyze
    from headroles.selection import AnalysisSettings
    from headroles.store import write_entry

    began = time.monotonic()
    settings = AnalysisSettings(
        sequences=options.sequences,
        seed=options.seed,
        cap=options.cap,
        thresholds=dict(options.threshold),
    )
    entry = analyze(options.model, settings, progress=report.progress)
    write_entry(entry, options.out)
    summary = {
        "model": entry.model_name,
        "out": str(options.out),
        "seconds": time.monotonic() - began,
        "categories": {
            key: {
                "threshold": category.threshold,
                "heads": {f"L{top.layer}H{top.head}": top.score for top in category.top_heads},
            }
            for key, category in entry.categories.items()
        },
    }
    if options.compare:
        summary["detect_head_difference"] = compare(options.model)
    return summary


def compare(model: str) -> dict[str, float]:
    """The largest difference from ``detect_head`` on the probe sentences and two repeats."""
    from headroles.analysis.agreement import largest_difference
    from headroles.analysis.bridge import load_bridge
    from headroles.analysis.texts import SENTENCES

    repeats = [f"{sentence} {sentence}" for sentence in SENTENCES[:2]]
    return largest_difference(load_bridge(model), [*SENTENCES[:4], *repeats])


if __name__ == "__main__":
    sys.exit(main())

"""Whether an answer is the answer to its own prompt: held against numbers computed here.

All of it happens after the measurement, in another process than the visitors'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import torch

from headroles import ablation, capture, detector, models, roles, texts, verdicts
from headroles.paths import CATEGORIES
from headroles.types import Head, PromptRun
from headroles.verdicts import PromptScores
from scripts.load_test.activities import LONG, Question
from scripts.load_test.visitor import Chart, Page

CLOSE = 2e-3
"""Numbers that differ by no more are the same: pages round to four digits, and to bfloat16."""

_ROLE_CHART = re.compile(r"-(?:your_prompt-bars|head_map-map)_(\w+?)_\d+$")
_TOKEN_ID = re.compile(r"osition \d+ · id (\d+)")

Rows = list[dict[str, object]]


class Checker:
    """Knows the right answers of one model.

    Args:
        model: its key in the catalogue.
        folder: with its files, where they are not the bundled or the downloaded ones.
        categories: the analyses that the servers know.
    """

    def __init__(
        self, model: str, *, folder: Path | None = None, categories: Path = CATEGORIES
    ) -> None:
        self._model = models.load_model(str(folder or model))
        self._is_analysed = model in json.loads(categories.read_text(encoding="utf-8"))
        self._run = lru_cache(maxsize=None)(self._run_and_score)
        self._checks = {
            "prompt": self._prompt,
            "closeup": self._closeup,
            "map": self._map,
            "detector": self._detector,
            "knockout": self._knockout,
            "long": self._long,
        }

    def fault(self, question: Question, page: Page) -> str:
        """What is wrong with an answer; empty where it is right."""
        return next(self._checks[question.activity](question, page), "")

    def _run_and_score(self, prompt: str) -> tuple[PromptRun, PromptScores]:
        run = capture.capture(self._model, prompt)
        return run, verdicts.score_run(run)

    def _prompt(self, question: Question, page: Page) -> Iterator[str]:
        run, scores = self._run(question.prompt)
        strips = [text for text in page.texts if 'class="hr-strip' in text]
        tokens = tuple(int(number) for number in _TOKEN_ID.findall("".join(strips)))
        if tokens != run.token_ids:
            yield f"the tokens of another prompt: {tokens}, not {run.token_ids}"
        guesses = [row["probability"] for _, rows in tables(page, "probability") for row in rows]
        right = [guess.probability for guess in run.next_tokens[: len(guesses)]]
        if not guesses or not _close(sorted(guesses, reverse=True), right):
            yield f"the guesses of another prompt: {guesses}, not {right}"
        if self._is_analysed:
            yield from _roles(page, scores)

    def _map(self, question: Question, page: Page) -> Iterator[str]:
        _, scores = self._run(question.prompt)
        yield from _roles(page, scores)

    def _closeup(self, question: Question, page: Page) -> Iterator[str]:
        run, _ = self._run(question.prompt)
        names = [name for text in page.texts for name in re.findall("<h2>(L[0-9]+H[0-9]+)", text)]
        patterns = [rows for _, rows in tables(page, "query", "key", "weight")]
        if len(names) != 1 or len(patterns) != 1:
            yield f"{len(names)} heads and {len(patterns)} patterns instead of one"
            return
        head, (cells,) = Head.parse(names[0]), patterns
        shown = {(int(row["query"]), int(row["key"])): row["weight"] for row in cells}
        right = run.attention[head]
        if set(shown) != {(q, k) for q in range(len(right)) for k in range(q + 1)}:
            yield f"a pattern of another length than {len(right)} tokens"
        elif not _close(list(shown.values()), [float(right[cell]) for cell in shown]):
            yield f"the pattern of {head.label} on another prompt"

    def _detector(self, question: Question, page: Page) -> Iterator[str]:
        prompts, _ = roles.read_prompts(
            self._model.tokenizer, [question.prompt], max_tokens=self._model.max_tokens
        )
        yield from self._detection(page, prompts)

    def _long(self, question: Question, page: Page) -> Iterator[str]:
        ids, _ = texts.probe_texts.generated(
            "repeats",
            LONG,
            tokenizer=self._model.tokenizer,
            seed=question.seed,
            max_tokens=self._model.max_tokens,
        )
        yield from self._detection(page, roles.prompts_of_ids(self._model.tokenizer, ids))

    def _detection(self, page: Page, prompts: roles.Prompts) -> Iterator[str]:
        charts = [chart for chart in page.charts if "detector_lab-chart_" in chart.id]
        named = [role for role in roles.BASIC_ROLES.values() if charts[0].alt.startswith(role.name)]
        summary = detector.detect(self._model, prompts, named).summary(0, "activation")
        yield from _values(charts[0], summary.mean)

    def _knockout(self, question: Question, page: Page) -> Iterator[str]:
        said = re.search(r"[^>.]*now output", "".join(page.texts))
        heads = tuple(map(Head.parse, re.findall(r"L\d+H\d+", said.group() if said else "")))
        condition = ablation.Condition("", (ablation.HeadOutput(heads, "mean"),))
        row = ablation.tabulate(self._model, question.prompt, [condition]).rows[0]
        facts = "".join(text for text in page.texts if 'class="hr-facts"' in text)
        if f"<b>{row.comparison.kl:.3f} nats</b>" not in facts:
            yield f"the knock-out of {heads} on another prompt: {facts}"


def tables(page: Page, *columns: str) -> Iterator[tuple[Chart, Rows]]:
    """The tables behind a page's charts that have these columns, each with its chart."""
    for chart in page.charts:
        for table in chart.tables:
            with pa.ipc.open_stream(table) as stream:
                read = stream.read_all()
            if set(columns) <= set(read.column_names):
                yield chart, read.to_pylist()


def _roles(page: Page, scores: PromptScores) -> Iterator[str]:
    """Faults in the charts of roles; one at least must be there.

    That of the heads without a role shows the largest of the same numbers, and is left out.
    """
    charts = {match[1]: chart for chart in page.charts if (match := _ROLE_CHART.search(chart.id))}
    right: Mapping = scores.activations
    if not charts:
        yield "no chart of a role"
    for role in charts.keys() & right.keys():
        yield from _values(charts[role], right[role].value)


def _values(chart: Chart, right: torch.Tensor) -> Iterator[str]:
    """Faults of a chart that shows a number per head."""
    rows = [row for _, rows in tables(Page((chart,), (), (), ()), "layer", "head") for row in rows]
    shown = {(row["layer"], row["head"]): row["value"] for row in rows if "value" in row}
    if not shown:
        yield f"{chart.id}: no numbers"
    for place, value in shown.items():
        number = float(right[place])
        if not (number != number if value is None else abs(value - number) <= CLOSE):
            yield f"{chart.id}: {place} is {value}, not {number:.4f}"


def _close(shown: list[float], right: list[float]) -> bool:
    return len(shown) == len(right) and all(
        abs(a - b) <= CLOSE for a, b in zip(shown, right, strict=True)
    )

"""A prompt as code: a script and a notebook that reproduce the numbers and compare them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence

from headroles.models import known_models
from headroles.types import PromptRun

_HOW_TO = (
    "Save this file in the folder of the headroles project, beside README.md, install the "
    "project's requirements and run it there."
)


def script(
    run: PromptRun, rows: Sequence[Mapping[str, object]], *, provenance: Mapping[str, object]
) -> str:
    """A Python program that reproduces the numbers and prints them beside those of the page.

    Args:
        run: the prompt's run.
        rows: the heads whose numbers it prints, as for :func:`heads_csv`.
        provenance: from :func:`provenance`.
    """
    words = textwrap.fill(f"{_made(provenance)} {_HOW_TO}", 95)
    code = "\n".join(block for _, block in _steps(run, rows, provenance))
    return f'"""Run a prompt again with headroles.\n\n{words}\n"""\n\n{code}'


def notebook(
    run: PromptRun, rows: Sequence[Mapping[str, object]], *, provenance: Mapping[str, object]
) -> str:
    """The program of :func:`script` as a Jupyter notebook (nbformat 4.5), as JSON."""
    cells = [_markdown(f"# A prompt, run again with headroles\n\n{_made(provenance)} {_HOW_TO}")]
    for words, code in _steps(run, rows, provenance):
        cells += [_markdown(words), _code(code)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1) + "\n"


def _made(provenance: Mapping[str, object]) -> str:
    return f"Made by headroles {provenance['headroles_version']}, {provenance['date']}."


def _steps(
    run: PromptRun, rows: Sequence[Mapping[str, object]], provenance: Mapping[str, object]
) -> list[tuple[str, str]]:
    """The program in steps: (explanation, code). Typed text becomes a Python literal."""
    model = run.model_name if run.model_name in known_models() else provenance["source"]
    chat = ", chat=True" if run.encoding.is_chat else ""
    shown = "".join(
        f"    ({row['role']!r}, {row['layer']}, {row['head']}, {row['activation_score']:.8f}),\n"
        for row in rows
    )
    return [
        (
            "What was run, and the numbers that the page showed: role, layer, head, activation.",
            f"MODEL = {model!a}  # a key of the catalogue, an id on the Hub, or a folder\n"
            f"REVISION = {provenance['revision']!a}  # of the weights that the page used\n"
            f"PROMPT = {run.prompt!a}\n"
            f"TOKEN_IDS = {list(run.token_ids)}\n"
            f"SHOWN = [\n{shown}]\n",
        ),
        (
            "One forward pass gives the attention of every head: [layer head query key].",
            "from headroles.capture import capture\n"
            "from headroles.models import load_model, model_revision\n\n"
            "loaded = load_model(MODEL)\n"
            "if model_revision(loaded.source) != REVISION:\n"
            "    print('Note: these weights are not those of the page.')\n"
            f"run = capture(loaded, PROMPT{chat})\n"
            "assert list(run.token_ids) == TOKEN_IDS, 'The tokens differ: is it another model?'\n",
        ),
        (
            "How far each head does what its role says, now and on the page.",
            "from headroles import verify_head_activation\n"
            "from headroles.types import Head\n\n"
            "print('role', 'head', 'now', 'page', sep='\\t')\n"
            "for role, layer, place, page in SHOWN:\n"
            "    head = Head(layer, place)\n"
            "    now = verify_head_activation(run.attention, run.copy_ids, head, role)\n"
            "    print(role, head.label, f'{now:.8f}', f'{page:.8f}', sep='\\t')\n",
        ),
    ]


def _markdown(text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, object]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": text.rstrip("\n").splitlines(keepends=True),
    }

"""A prompt as code: a script and a notebook that reproduce the numbers and compare them.

They need the headroles project and its libraries, wherever they lie themselves. They say so at
their top, and when they are run without, what to do.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence

from headroles.models import CATALOGUE
from headroles.types import PromptRun

_NEEDS = (
    "It needs Python 3.11 or newer, and the headroles project (the folder with README.md and "
    "headroles/ in it; below: PROJECT). Install its libraries once:"
)
_INSTALL = "python -m pip install -r PROJECT/requirements.txt"
_PLACES = {
    "script": (
        "Run it from any folder and say where the project is:",
        "python THIS_FILE.py PROJECT",
        'project = sys.argv[1] if len(sys.argv) > 1 else ""\n',
        "Run this file again with the folder of the project: python THIS_FILE.py PROJECT",
    ),
    "notebook": (
        "Say where the project is in the first cell, unless this notebook lies in its folder:",
        'project = "path/of/the/project"',
        'project = ""  # the folder of the project\n',
        "Set project in this cell to the folder of the project.",
    ),
}
"""{kind of file: (how it is told where the project is, the example, the code, what to do)}."""


def script(
    run: PromptRun, rows: Sequence[Mapping[str, object]], *, provenance: Mapping[str, object]
) -> str:
    """A Python program that reproduces the numbers and prints them beside those of the page.

    Args:
        run: the prompt's run.
        rows: the heads whose numbers it prints, as for :func:`heads_csv`.
        provenance: from :func:`provenance`.
    """
    steps = _steps(run, rows, provenance, kind="script")
    return as_script("Run a prompt again with headroles.", steps, provenance=provenance)


def as_script(
    title: str, steps: Sequence[tuple[str, str]], *, provenance: Mapping[str, object]
) -> str:
    """A program that says at its top what it needs.

    Args:
        title: what it does, its first line.
        steps: (explanation, code); the first one is :func:`find_step`.
        provenance: the version that made it, and when.
    """
    where, example, *_ = _PLACES["script"]
    words = "\n\n".join(
        [
            textwrap.fill(f"{_made(provenance)} {_NEEDS}", 95),
            f"    {_INSTALL}",
            textwrap.fill(where, 95),
            f"    {example}",
        ]
    )
    code = "\n".join(block for _, block in steps)
    return f'"""{title}\n\n{words}\n"""\n\n{code}'


def notebook(
    run: PromptRun, rows: Sequence[Mapping[str, object]], *, provenance: Mapping[str, object]
) -> str:
    """The program of :func:`script` as a Jupyter notebook (nbformat 4.5), as JSON."""
    steps = _steps(run, rows, provenance, kind="notebook")
    return as_notebook("A prompt, run again with headroles", steps, provenance=provenance)


def as_notebook(
    title: str, steps: Sequence[tuple[str, str]], *, provenance: Mapping[str, object]
) -> str:
    """The program of :func:`as_script` as a notebook, a cell per step."""
    where, example, *_ = _PLACES["notebook"]
    cells = [
        _markdown(
            f"# {title}\n\n{_made(provenance)} {_NEEDS}\n\n"
            f"    {_INSTALL}\n\n{where}\n\n    {example}"
        )
    ]
    for words, code in steps:
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
    run: PromptRun,
    rows: Sequence[Mapping[str, object]],
    provenance: Mapping[str, object],
    *,
    kind: str,
) -> list[tuple[str, str]]:
    """The program in steps: (explanation, code). Typed text becomes a Python literal."""
    model = run.model_name if run.model_name in CATALOGUE else provenance["source"]
    chat = ", chat=True" if run.encoding.is_chat else ""
    shown = "".join(
        f"    ({row['role']!r}, {row['layer']}, {row['head']}, {row['activation_score']:.8f}),\n"
        for row in rows
    )
    return [
        find_step(kind, provenance, _IMPORTS),
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
            f"{LOAD}run = capture(loaded, PROMPT{chat})\n"
            "assert list(run.token_ids) == TOKEN_IDS, 'The tokens differ: is it another model?'\n",
        ),
        (
            "How far each head does what its role says, now and on the page.",
            "print('role', 'head', 'now', 'page', sep='\\t')\n"
            "largest = 0.0\n"
            "for role, layer, place, page in SHOWN:\n"
            "    head = Head(layer, place)\n"
            "    now = verify_head_activation(run.attention, run.copy_ids, head, role)\n"
            "    largest = max(largest, abs(now - page))\n"
            "    print(role, head.label, f'{now:.8f}', f'{page:.8f}', sep='\\t')\n"
            "print(f'{len(SHOWN)} numbers; largest difference from the page: {largest:.1e}')\n",
        ),
    ]


_IMPORTS = (
    "from headroles import __version__, verify_head_activation",
    "from headroles.capture import capture",
    "from headroles.errors import HeadrolesError",
    "from headroles.models import load_model",
    "from headroles.types import Head",
)
LOAD = (
    "try:\n"
    "    loaded = load_model(MODEL)\n"
    "except HeadrolesError as error:\n"
    "    raise SystemExit(f'{error.message} {error.hint}') from None\n"
    "if loaded.revision != REVISION:\n"
    "    print('Note: these weights are not those of the page.')\n"
)
"""Code that loads ``MODEL`` and compares its weights with ``REVISION``."""


def find_step(
    kind: str, provenance: Mapping[str, object], imports: Sequence[str]
) -> tuple[str, str]:
    """The first step: code that imports headroles, or says in a sentence what is missing."""
    _, _, project, do = _PLACES[kind]
    found = "".join(f"    {line}\n" for line in imports)
    return "Find the project and its libraries.", (
        "import sys\n"
        "from importlib.util import find_spec\n"
        "from pathlib import Path\n\n"
        f"{project}"
        "if sys.version_info < (3, 11):\n"
        "    raise SystemExit('Python 3.11 or newer is needed.')\n"
        "if project:\n"
        "    sys.path.insert(0, str(Path(project).expanduser().resolve()))\n"
        "found = find_spec('headroles')\n"
        "if found is None or found.origin is None:\n"
        f"    raise SystemExit('headroles was not found. {do}')\n"
        "try:\n"
        f"{found}"
        "except ModuleNotFoundError as error:\n"
        "    folder = Path(found.origin).parent.parent\n"
        "    raise SystemExit(\n"
        "        f'The library {error.name} is missing. Install what headroles needs: '\n"
        "        f'{sys.executable} -m pip install -r {folder / \"requirements.txt\"}'\n"
        "    ) from None\n"
        f"if __version__ != {provenance['headroles_version']!a}:\n"
        f"    print('Note: the page ran headroles {provenance['headroles_version']}, this is', "
        "__version__)\n"
    )


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

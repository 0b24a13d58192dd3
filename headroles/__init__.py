"""What the attention heads of a language model are for, and whether they do it on this sentence.

The package's face is small, and lazy: importing ``headroles`` loads no heavy library; the first use
of a function below loads torch. Neither needs TransformerLens, Streamlit or PyVene.

>>> import headroles
>>> headroles.load_head_categories("demo")["categories"].keys()  # doctest: +SKIP
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "load_head_categories": "headroles.verdicts.prompt",
    "verify_head_activation": "headroles.verdicts.prompt",
    "get_active_head_summary": "headroles.verdicts.prompt",
    "HeadrolesError": "headroles.errors",
}

__all__ = [
    "HeadrolesError",
    "get_active_head_summary",
    "load_head_categories",
    "verify_head_activation",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'headroles' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

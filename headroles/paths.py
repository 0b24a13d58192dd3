"""Where the project keeps its files."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder."""

DATA = Path(os.environ.get("HEADROLES_DATA", ROOT / "data"))
"""Categories, the bundled model and other data; the variable HEADROLES_DATA moves it."""

CATEGORIES = DATA / "head_categories.json"
"""The reference scores of every analysed model."""

DEMO_MODEL = ROOT / "data" / "demo_model"
"""The bundled model: it ships with the code and does not move."""

ATTN_ONLY_1L = ROOT / "data" / "attn_only_1l"
"""The bundled model of one layer and no MLP."""

ATTN_ONLY_2L = ROOT / "data" / "attn_only_2l"
"""The bundled model of two layers and no MLP."""

COMPONENTS = ROOT / "data" / "components"
"""Trained components of the bundled models; they ship with the code."""

CACHE = Path(
    os.path.expanduser(  # which, unlike Path.home, takes it that there may be no home
        os.environ.get("HEADROLES_CACHE")
        or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "headroles")
    )
)
"""Models that were taken from a package or converted; the variable HEADROLES_CACHE moves it."""

BUNDLED = {"demo": DEMO_MODEL, "attn-only-1l-tiny": ATTN_ONLY_1L, "attn-only-2l-tiny": ATTN_ONLY_2L}
"""Every model that ships with the code, by catalogue key."""

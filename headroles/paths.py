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

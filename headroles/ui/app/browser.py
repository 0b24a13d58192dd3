"""Scripts that run in the browser on every page.

One entry of its history per page, keys for the marks of charts, text that is typed and not run,
tables that are wider than their place, and a menu that makes way.
"""

from __future__ import annotations

from pathlib import Path

from headroles.ui.app import page_settings

_HERE = Path(__file__).parent
_NAMES = ("address.js", "chart_keys.js", "draft_box.js", "tables.js", "menu.js")
_SCRIPTS = [(_HERE / name).read_text(encoding="utf-8") for name in _NAMES]


def draw() -> None:
    """Load them; each runs once, however often it is drawn."""
    for script in _SCRIPTS:
        page_settings.script(script)

"""The names in the address of the page Lessons.

Whether there is such a lesson, the page says: reading the lessons would be waited for by its title.
"""

from __future__ import annotations

import re

from headroles.ui.app import link, session
from headroles.ui.app.link import Row
from headroles.ui.lessons import state

_KEY = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
"""As :data:`headroles.lessons.lesson.KEY`."""
LONGEST = 60
"""Most characters of a key."""


def _read_key(text: str) -> str:
    if not _KEY.fullmatch(text) or len(text) > LONGEST:
        raise link.Unusable("which is no name.", "Choose from the list of lessons.")
    return text


def _read_step(text: str) -> str:
    return text if text == state.END else _read_key(text)


ROWS = (
    link.MODEL,
    Row("lesson", state.LESSON, "lesson", _read_key, leads_to=session.LESSONS),
    Row("step", state.STEP, "step", _read_step),
    Row(
        "free", state.FREE, "switch", link.flag("1 lets any step be opened, 0 goes step by step."),
        lambda on: str(int(on)), first=False,
    ),
)  # fmt: skip
"""``lesson=induction&step=where`` opens that lesson at that step; ``step=_summary`` at its end."""

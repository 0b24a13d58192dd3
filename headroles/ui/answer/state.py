"""The session keys of the page Answer."""

from __future__ import annotations

from headroles.ui.app.keys import Keys

PAGE = "pages/answer.py"
"""The page's path."""
key = Keys(__name__)
SECTION_NAMES = ("Contributions", "Two prompts", "Paths")
"""What the reader sees, in the order of :data:`headroles.ui.answer.link.SECTIONS`."""
# widget keys
SECTION = key("section", SECTION_NAMES[0])
"""The open section."""
ANSWER = key("answer", "")
"""The token that is watched; empty for the model's own first guess."""
AGAINST = key("against", "")
"""The token that is subtracted; empty for none."""

begin = key.begin

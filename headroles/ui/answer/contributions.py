"""A section of the page Answer."""

from __future__ import annotations

from headroles.ui.app import prompt_form, run_prompt


def draw() -> None:
    """Draw the section."""
    prompt_form.folded(key="answer-prompt")
    run_prompt.run()

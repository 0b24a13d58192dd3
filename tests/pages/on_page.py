"""What a test of a page does with the app again and again: run a prompt, and read what it shows."""

from __future__ import annotations

from headroles.ui.app import session
from headroles.view.glossary import unmarked


def run_prompt(app, prompt: str):
    """Type a prompt and run it; the app."""
    app.text_area(key=session.BOX).set_value(prompt)
    app.button(key="app-run").click().run()
    assert not app.exception
    return app


def page_html(app) -> str:
    """All HTML that the page shows, without the definitions behind its words."""
    return unmarked("\n".join(element.proto.body for element in app.get("html")))


def alts(app) -> list[str]:
    """The alternative text of every chart."""
    return [element.proto.alt for element in app.get("vega_lite_chart")]

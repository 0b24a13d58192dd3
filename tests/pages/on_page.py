"""What a test of a page does with the app again and again: run a prompt, and read what it shows."""

from __future__ import annotations

from headroles.paths import ROOT
from headroles.ui.app import session
from headroles.view.glossary import unmarked


def opened(page: str | None = None, **query: str):
    """The app as a link opens it; on Your Prompt unless another page is named."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    if page is not None:
        app.switch_page(page)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


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

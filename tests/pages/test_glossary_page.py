"""The glossary's page, its links, and the marks that lead there from every page."""

from __future__ import annotations

import pytest

from headroles.paths import DEMO_MODEL
from headroles.ui.app import glossary as page_of
from headroles.view import glossary
from tests.pages.on_page import opened as opened_on
from tests.pages.on_page import page_html

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)


def opened(**query: str):
    return opened_on(page_of.PAGE, **query)


def shown(app) -> list[str]:
    """The keys of the terms on the page."""
    return [key for key in glossary.TERMS if f'<div class="hr-entry" id="{key}">' in page_html(app)]


def test_the_page_shows_every_term_with_its_picture_and_filters_them() -> None:
    app = opened()
    assert shown(app) == list(glossary.TERMS)
    assert page_html(app).count('class="hr-picture" role="img"') == len(glossary.TERMS)
    app.text_input(key=page_of.SEARCH).set_value("standard error").run()
    assert "standard_error" in shown(app)
    assert len(shown(app)) < 5
    app.text_input(key=page_of.SEARCH).set_value("zebra").run()
    assert shown(app) == []
    assert "no such word" in app.info[0].value


def test_a_link_looks_a_term_up_and_the_address_says_so() -> None:
    app = opened(term="nats")
    assert page_html(app).split('class="hr-entry" id="')[1].startswith("nats")  # the first one
    assert app.text_input(key=page_of.SEARCH).value == "nats"
    assert app.query_params["term"] == "nats"
    app.text_input(key=page_of.SEARCH).set_value("two words").run()
    assert "term" not in app.query_params


def test_a_link_to_a_word_that_is_not_there_gets_a_sentence() -> None:
    app = opened(term="zebra")
    assert "which the glossary does not have" in app.warning[0].value
    assert shown(app) == list(glossary.TERMS)


def test_somebody_new_is_told_what_a_head_is() -> None:
    app = opened().switch_page("pages/your_prompt.py").run()
    lead = next(one.proto.body for one in app.get("html") if 'class="hr-lead"' in one.proto.body)
    assert 'popovertarget="hr-head-' in lead
    invitation = next(one.proto for one in app.get("page_link") if one.proto.page == "lessons")
    assert invitation.label.startswith("New here?")

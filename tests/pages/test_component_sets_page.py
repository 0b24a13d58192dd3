"""Two sections of the page Components that take components away: behind a role, and a set."""

from __future__ import annotations

import pytest

from headroles import ablation
from headroles.ablation import component_search, component_tests
from headroles.circuits import TRAINED
from headroles.models.loading import load_model
from headroles.types import ComponentSet, Head
from headroles.ui.app import long_work
from headroles.ui.components import carriers, state, tested
from tests.pages.on_page import alts, opened, page_html

PAGE, MODEL = state.PAGE, "attn-only-2l-tiny"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """No browser ticks here; a small search, and few texts."""
    monkeypatch.setattr(long_work, "MOMENT", 120.0)
    monkeypatch.setattr(long_work, "LIGHT", 1e6)
    for module in (carriers, tested):
        monkeypatch.setattr(module, "TEXTS", 2)
        monkeypatch.setattr(module, "DRAWS", 2)
    monkeypatch.setattr(carriers, "SIZES", (1, 2))
    monkeypatch.setattr(tested, "SAMPLES", 3)


def test_what_a_role_hangs_on_is_what_a_direct_search_finds() -> None:
    app = opened(PAGE, model=MODEL, section="role", role="previous_token")
    loaded, heads = load_model(MODEL), [Head(0, 3)]
    rows = ablation.repeated_rows(loaded, n=2, seed=0)
    every = component_search.components_of(loaded, TRAINED, [(0, "q"), (0, "k")])
    best = component_search.ranked(
        component_search.drops(loaded, TRAINED, "previous_token", heads, rows, every)
    )
    html = page_html(app)
    assert best[0].component.label in html
    assert f"of {len(every):,}" in html
    measured = component_search.without_top(
        loaded, TRAINED, "previous_token", heads,
        ablation.repeated_rows(loaded, n=2, seed=1), [best[0].component], draws=2,
    )  # fmt: skip
    assert f"{measured.top:.2f}" in html
    assert any("Activation that is left" in alt for alt in alts(app))
    app.pills(key=state.CARRIER).set_value(best[0].component.label).run()
    assert not app.exception
    assert app.session_state[state.COMPONENT] == best[0].component


def test_a_model_without_such_heads_says_so() -> None:
    app = opened(PAGE, model="attn-only-1l-tiny", section="role")
    assert any("lists no induction" in one.value for one in app.info)


def test_a_set_is_tested_beside_the_svd_and_the_head() -> None:
    app = opened(PAGE, model=MODEL, section="test", sets="L0Q21,L0K10;L0Q21@H3")
    html = page_html(app)
    assert html.count("SVD component") >= 2
    loaded = load_model(MODEL)
    subject = component_tests.of_components(
        loaded, ComponentSet.parse("L0Q21, L0K10"), pool=ablation.reference_alive(loaded), draws=2
    )
    rows = ablation.repeated_rows(loaded, n=2)
    rises = [component_tests.on_repeats(loaded, row, subject) for row in rows]
    rise = sum(one.loss_after - one.loss_before for one in rises) / len(rises)
    assert f"{rise:+.3f}" in html.replace("−", "-")
    assert any("Rise of the loss" in alt for alt in alts(app))


def test_what_cannot_be_read_or_is_not_there_is_named() -> None:
    app = opened(PAGE, model=MODEL, section="test", sets="L0Q0")
    for typed, says in (("L0H17", "L0H17"), ("L0Q999", "L0Q999"), ("", "Write a component")):
        app.text_area(key=state.SETS).set_value(typed).run()
        assert not app.exception
        told = [one.value for one in (*app.error, *app.info, *app.warning)]
        assert any(says in each for each in told), typed

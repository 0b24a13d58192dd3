"""Components in the section of the Knock-out lab for one prompt."""

from __future__ import annotations

import re

import pytest

from headroles import ablation, texts
from headroles.ablation import component_profiles
from headroles.circuits import SVD
from headroles.models.loading import load_model
from headroles.texts import DEFAULT_PROMPT, encode
from headroles.types import Component, ComponentSet
from headroles.ui.app import long_work, session
from headroles.ui.components import state as components_state
from headroles.ui.knockout_lab import offset_test, state
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html

MODEL = "attn-only-2l-tiny"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """No browser ticks here."""
    monkeypatch.setattr(long_work, "MOMENT", 120.0)
    monkeypatch.setattr(long_work, "LIGHT", 1e6)


def lab(model: str = MODEL, **query: str):
    return opened(state.PAGE, model=model, **query)


def conclusion(app) -> str:
    (found,) = re.findall(r'<p class="hr-conclusion"[^>]*>(.*?)</p>', page_html(app))
    return re.sub("<[^>]+>", "", found)


def test_trained_components_are_compared_with_the_model_that_has_all_of_them() -> None:
    app = lab(components="L0Q21,L0K10")
    assert app.session_state[state.LAB_WHAT] == state.COMPONENTS
    loaded = load_model(MODEL)
    row, alone = ablation.tabulate(
        loaded,
        DEFAULT_PROMPT,
        [
            ablation.removal(ComponentSet.parse("L0Q21, L0K10")),
            ablation.removal(ComponentSet.parse("L0Q21"), "svd"),
        ],
    ).rows
    assert row.verdict.replace("“", "").split()[0] in page_html(app)
    html = page_html(app)
    before = re.search(r"<h4>Before</h4><ol>(.*?)</ol>", html)[1]
    shares = [f"{round(100 * guess.probability)}%" for guess in row.guesses_before]
    assert all(share in before for share in shares if len(share) > 2)
    assert row.guesses_before != alone.guesses_before  # the SVD's is the untouched model
    assert says(html, "without L0Q21, L0K10", "all its trained components")
    assert says(conclusion(app), "These components matter here", "none of 20 random sets")
    assert "with all components" in "".join(one.value for one in app.markdown)


def test_the_address_keeps_what_is_missing() -> None:
    app = lab(components="L0Q21@H3;L1K2", kind="svd")
    assert app.session_state[state.LAB_SET] == "L0Q21 @ L0H3\nL1K2"
    assert app.session_state[state.LAB_KIND] == SVD
    again = lab(**{name: app.query_params[name] for name in ("components", "kind")})
    assert conclusion(again) == conclusion(app)
    assert "heads" not in app.query_params


def test_it_begins_with_what_matters_most_on_the_prompt() -> None:
    app = lab("demo")
    app.session_state[state.LAB_WHAT] = state.COMPONENTS
    app.run()
    assert not app.exception
    loaded = load_model("demo")
    ids = encode(loaded.tokenizer, DEFAULT_PROMPT).token_ids
    shares = component_profiles.on_prompt(loaded, SVD, (0, "q"), ids).shares
    first = Component(0, "q", int(shares.argmax())).label
    assert app.text_input(key=state.LAB_SET).value == first
    assert f"without {first}" in page_html(app)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [("L9Q0", "L9Q0"), ("nonsense", "nonsense"), ("L0Q1 @ H99", "H99"), ("L0Q9999", "L0Q9999")],
)
def test_what_is_not_there_is_said(typed: str, sentence: str) -> None:
    app = lab(components="L0Q21")
    app.text_input(key=state.LAB_SET).set_value(typed).run()
    assert not app.exception
    (error,) = app.error
    assert sentence in error.value.replace("\\", "")
    app.text_input(key=state.LAB_SET).set_value("").run()
    assert any("Write a component" in one.value for one in app.info)


def test_a_query_component_changes_looks_in_its_own_layer() -> None:
    app = lab(components="L1Q2", kind="svd", more="looks")
    loaded = load_model(MODEL)
    encoding = encode(loaded.tokenizer, DEFAULT_PROMPT)
    condition = ablation.removal(ComponentSet.parse("L1Q2"), "svd")
    before, after = ablation.looks(loaded, encoding, [condition.baseline, condition])
    changed = ablation.moved(before.at, after.at)
    assert changed[0].max() == 0
    most = f"L1H{int(changed[1].argmax())}"
    (alt,) = [alt for alt in alts(app) if alt.startswith("The attention of")]
    assert alt.startswith(f"The attention of {most} ")
    assert "without L1Q2" in alt


def test_the_way_to_many_prompts_and_to_the_tests_takes_them_along() -> None:
    app = lab(components="L0Q21,L0K10")
    app.button(key="knockout_lab-to_many").click().run()
    assert not app.exception
    assert app.text_area(key=state.MANY_SETS).value == "L0Q21, L0K10"
    app = lab(components="L0Q21,L0K10")
    app.button(key="knockout_lab-to_test").click().run()
    assert not app.exception
    assert app.session_state[components_state.SETS] == "L0Q21, L0K10"
    assert app.session_state[components_state.SECTION] == components_state.SECTION_NAMES[3]


def test_another_model_begins_with_its_own() -> None:
    app = lab(components="L0Q21")
    app.session_state[session.MODEL] = "demo"
    app.run()
    assert not app.exception
    first = app.text_input(key=state.LAB_SET).value
    assert first != "L0Q21"
    assert app.query_params["components"] == first


def test_the_previous_token_test_takes_components_too() -> None:
    app = lab(section="offsets", components="L0Q21,L0K10")
    assert app.session_state[state.OFFSET_WHAT] == state.COMPONENTS
    loaded, off = load_model(MODEL), ablation.removal(ComponentSet.parse("L0Q21, L0K10"))
    samples = ablation.draw_samples(loaded, texts.SENTENCES, n=48, offsets=6)
    others = ablation.others_of(off, loaded, length=1, draws=offset_test.OTHERS).conditions
    profile = ablation.profile(
        [ablation.offset_test.measure(loaded, sample, off, offsets=6, others=others)
         for sample in samples]
    )  # fmt: skip
    said = offset_test.sentence(profile, "L0Q21, L0K10")
    assert conclusion(app) == said
    assert says(said, "L0Q21, L0K10 carry most from one token back", "random others")
    (alt,) = alts(app)
    assert alt.startswith("What L0Q21, L0K10 carries")
    assert "head" not in app.query_params
    assert app.query_params["components"] == "L0Q21,L0K10"
    app.segmented_control(key=state.OFFSET_WHAT).set_value(state.HEAD).run()
    assert not app.exception
    assert conclusion(app).startswith("L0H3 carries")
    assert "components" not in app.query_params


def test_a_component_that_is_looked_at_leads_to_the_lab_and_to_the_tests() -> None:
    query = {"model": MODEL, "section": "one", "matrix": "q", "component": "L0Q10"}
    app = opened(components_state.PAGE, decomposition="svd", **query)
    app.button(key="components-to_test").click().run()
    assert not app.exception
    assert app.text_area(key=components_state.SETS).value == "L0Q10"
    app = opened(components_state.PAGE, decomposition="svd", **query)
    app.button(key="components-to_lab").click().run()
    assert not app.exception
    assert app.title[0].value == "Knock-out lab"
    assert app.text_input(key=state.LAB_SET).value == "L0Q10"
    assert app.session_state[state.LAB_KIND] == SVD
    assert "without L0Q10" in page_html(app)


def test_without_a_prompt_the_test_begins_with_the_first_of_the_matrix(monkeypatch) -> None:
    monkeypatch.setattr(long_work, "LIGHT", -1.0)  # the test itself is not run
    app = opened(model="attn-only-1l-tiny")
    app.session_state[session.PROMPT] = "  "
    app.session_state[state.SECTION] = state.SECTION_NAMES[2]
    app.session_state[state.OFFSET_WHAT] = state.COMPONENTS
    app.switch_page(state.PAGE).run()
    assert not app.exception
    assert not app.error
    assert app.text_input(key=state.LAB_SET).value == "L0Q0"

"""The page Components, without a browser."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
import torch

from headroles.ablation import component_activity, component_profiles
from headroles.circuits import SVD, component_sets, factors_at
from headroles.circuits.trained_components import Factors, Gate, save_factors
from headroles.formatting import decimal, percent
from headroles.models.loading import load_model
from headroles.texts import DEFAULT_PROMPT, encode
from headroles.types import Component
from headroles.ui.app import session
from headroles.ui.components import files, state
from headroles.ui.components.choose import Chosen
from headroles.ui.components.subject import Subject
from tests.pages.on_page import alts, opened, page_html, run_prompt

PAGE, MODEL = state.PAGE, "attn-only-1l-tiny"


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Trained components of one matrix of the bundled one-layer model: L0Q3 is always on, L0Q5 is
    half on, the others never are."""
    from headroles.ui.app import caches

    monkeypatch.setattr(component_sets, "COMPONENTS", tmp_path)
    of = factors_at(load_model(MODEL), SVD, (0, "q"))
    level = torch.zeros(len(of.U))
    level[3], level[5] = 1.0, 0.5
    flat = torch.zeros(len(of.U), 1)
    made = {(0, "q"): Factors(of.U, of.V, Gate(flat, flat, flat, level))}
    save_factors(tmp_path / f"{MODEL}.safetensors", made)
    pool = caches.models_in_memory()
    for name in list(pool.names()):  # what it read of another file stays with a loaded model
        with pool.borrow(name) as loaded:
            loaded.tools.pop("components-trained", None)
    yield tmp_path
    for name in list(pool.names()):
        with pool.borrow(name) as loaded:
            loaded.tools.pop("components-trained", None)


def tables(app) -> list[list[list[str]]]:
    """Every table: its rows of cells."""
    return [
        [
            re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)
            for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body)
        ]
        for body in re.findall(r"<table>(.*?)</table>", page_html(app), re.S)
    ]


def conclusion(app) -> str:
    (said,) = re.findall(r'<p class="hr-conclusion"[^>]*>(.*?)</p>', page_html(app))
    return re.sub("<[^>]+>", "", said)


def test_the_list_has_every_component_by_its_share_of_the_prompt() -> None:
    app = opened(PAGE, model="demo", layer="1", matrix="v")
    head, *rows = tables(app)[0]
    rows += tables(app)[1][1:]
    loaded = load_model("demo")
    ids = encode(loaded.tokenizer, DEFAULT_PROMPT).token_ids
    found = component_profiles.on_prompt(loaded, SVD, (1, "v"), ids)
    order = found.shares.argsort(descending=True).tolist()
    assert head[:3] == ["Component", "Share here", "Share on text"]
    assert len(rows) == len(order)
    assert [row[0] for row in rows[:5]] == [f"L1V{number}" for number in order[:5]]
    half = 1 + int((found.shares[order].cumsum(0) < 0.5).sum())
    assert conclusion(app).startswith(f"{half} of {len(order)}")


def test_a_model_without_trained_components_says_so_and_leads_to_one_with_them() -> None:
    app = opened(PAGE, model="demo")
    assert app.segmented_control(key=state.KIND).options == ["SVD"]
    assert "No <" not in page_html(app)
    app.button(key="components-with_trained").click().run()
    assert not app.exception
    assert app.session_state[session.MODEL] == "attn-only-2l-tiny"


def test_trained_components_are_listed_by_importance(trained) -> None:
    app = opened(PAGE, model=MODEL)
    assert app.segmented_control(key=state.KIND).options == ["Trained", "SVD"]
    first, second, third = tables(app)[0][1:4]
    assert first[:4] == ["L0Q3", "1.00", "100%", "100%"]
    assert second[:4] == ["L0Q5", "0.50", "100%", "100%"]
    assert third[1:4] == ["0.00", "0%", "0%"]
    assert conclusion(app).startswith("2 of 128 components")


def test_the_map_shows_the_shares_and_spread_of_each(trained) -> None:
    app = opened(PAGE, model=MODEL)
    cells, heads = next(t for t in tables(app) if t[0][-1] == "Heads at once")[1:], 8
    assert cells[0][0] == "L0Q3"
    shares = [float(cell.strip("%<")) / 100 for cell in cells[0][1 : 1 + heads]]
    assert sum(shares) == pytest.approx(1, abs=0.04)
    entropy = -sum(share * math.log(share) for share in shares if share)
    assert float(cells[0][-2]) == pytest.approx(entropy, abs=0.05)
    assert float(cells[0][-1]) == pytest.approx(math.exp(entropy), abs=0.4)
    assert any("Map of the share" in alt for alt in alts(app))


def test_one_component_is_opened_from_the_list_and_taken_out_alone(trained) -> None:
    app = opened(PAGE, model=MODEL)
    app.pills(key=state.PILLS).set_value("L0Q5").run()
    assert not app.exception
    assert app.session_state[state.SECTION] == state.SECTION_NAMES[1]
    loaded = load_model(MODEL)
    encoding = encode(loaded.tokenizer, DEFAULT_PROMPT)
    effects = component_profiles.alone(loaded, SVD, Component(0, "q", 5), encoding)
    rows = next(t for t in tables(app) if t[0][0] == "Missing in")[1:]
    assert [row[0] for row in rows] == ["all heads", *(f"H{head}" for head in range(8))]
    for row, effect in zip(rows, effects, strict=True):
        assert float(row[2]) == pytest.approx(effect.comparison.kl, abs=2e-4)
    length = len(encoding.token_ids)
    assert page_html(app).count('class="hr-token') == length
    assert f"alive on {length - 1} of {length - 1} tokens" in conclusion(app)


def test_importance_against_inner_activation_of_one_trained_component(trained) -> None:
    of = factors_at(load_model(MODEL), SVD, (0, "q"))
    gate = Gate(
        torch.ones(len(of.U), 1), torch.zeros(len(of.U), 1), torch.ones(len(of.U), 1),
        torch.full((len(of.U),), -0.5),
    )  # fmt: skip
    save_factors(trained / f"{MODEL}.safetensors", {(0, "q"): Factors(of.U, of.V, gate)})
    app = opened(PAGE, model=MODEL, section="one", component="L0Q5", decomposition="trained")
    loaded = load_model(MODEL)
    texts = component_activity.on_text(loaded, SVD, [(0, "q")])
    a = torch.cat([text[0, "q"][1:, 5] for text in texts])
    alive = gate.importances(a[:, None].expand(-1, len(of.U)))[:, 5] > 0.1
    assert 0 < int(alive.sum()) < len(a)
    (said,) = (alt for alt in alts(app) if "alive on" in alt)
    assert said.startswith(f"L0Q5 is alive on {percent(float(alive.double().mean()))} of")
    assert f"({decimal(float(a[alive].min()))} to {decimal(float(a[alive].max()))})" in said
    app = opened(PAGE, model=MODEL, section="one", component="L0Q5", decomposition="svd")
    assert not any("alive on" in alt for alt in alts(app))


def test_a_link_opens_a_component_and_names_what_is_not_there() -> None:
    app = opened(PAGE, model="demo", section="one", component="L2O7")
    assert app.session_state[state.LAYER] == 2
    assert app.session_state[state.MATRIX] == "o"
    assert conclusion(app).startswith("L2O7")
    for label in ("L2O999", "L9Q1"):
        app = opened(PAGE, model="demo", section="one", component=label)
        assert any(label in warning.value for warning in app.warning)
        assert conclusion(app)


def test_a_prompt_without_words_is_no_fault() -> None:
    app = opened(PAGE, model="demo", section="one")
    run_prompt(app, "a")
    assert conclusion(app)


def test_a_component_that_is_only_rounding_comes_last_and_is_flagged(trained) -> None:
    of = factors_at(load_model(MODEL), SVD, (0, "q"))
    V = of.V.clone()
    V[120] *= 1e-9
    level = torch.full((len(V),), 0.5)
    level[120] = 1.0
    flat = torch.zeros(len(V), 1)
    made = {(0, "q"): Factors(of.U, V, Gate(flat, flat, flat, level))}
    save_factors(trained / f"{MODEL}.safetensors", made)
    app = opened(PAGE, model=MODEL)
    last = tables(app)[1][-1]
    assert last[0] == "L0Q120"
    assert "rounding" in last[-1]


def test_the_card_is_drawn_where_there_is_one_and_a_damaged_one_is_named(trained) -> None:
    assert not any("Faithfulness" in alt for alt in alts(opened(PAGE, model=MODEL)))
    card = trained / f"{MODEL}.json"
    history = [
        {"step": step, "reconstruction": 1 / step, "minimality": 2.0, "faithfulness": 0.1}
        for step in (1, 2, 4)
    ]
    figures = [{"what": "all components", "kl": 0.25}]
    card.write_text(json.dumps({"history": history, "figures": figures}))
    app = opened(PAGE, model=MODEL)
    (alt,) = (alt for alt in alts(app) if alt.startswith("Reconstruction"))
    assert "1 at step 1, 0.25 at step 4" in alt
    assert ["all components", "0.25"] in [row for table in tables(app) for row in table]
    card.write_text('{"history": [3]}')
    app = opened(PAGE, model=MODEL)
    assert any("cannot be read" in warning.value for warning in app.warning)


def test_files_hold_what_the_page_shows() -> None:
    app = opened(PAGE, model="demo")
    from headroles.ui.app import caches as app_caches
    from headroles.ui.components import caches

    answer = app_caches.answer("demo", DEFAULT_PROMPT)
    place = (0, "q")
    asked = Subject(
        Chosen("demo", SVD, *place),
        answer,
        caches.matrix("demo", SVD, place),
        caches.on_prompt("demo", SVD, place, answer.run.token_ids),
        caches.on_text("demo", SVD, place),
    )
    made = {file.label: file.make() for file in files.of_list(asked, asked.found[:5])}
    lines = [line for line in made["Components as CSV"].decode("utf-8-sig").splitlines()
             if not line.startswith("#")]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert [row["component"] for row in rows] == [one.component.label for one in asked.found]
    for row in rows[:9]:
        assert sum(float(row[f"share_H{head}"]) for head in range(8)) == pytest.approx(1, abs=1e-5)
    assert rows[0]["component"] in made["List as HTML"].decode()
    told = json.loads(made["Components as JSON"])
    assert told["provenance"]["matrix"] == "q"
    assert not app.exception


def test_another_model_forgets_the_component_and_the_sets_and_a_link_keeps_its_own() -> None:
    app = opened(PAGE, model="attn-only-2l-tiny", section="one", component="L0Q10", sets="L0Q10")
    assert app.session_state[state.COMPONENT] == Component(0, "q", 10)
    app.session_state[session.MODEL] = "demo"
    app.run()
    assert not app.exception
    assert not app.warning
    assert app.session_state[state.COMPONENT] is None
    assert app.session_state[state.SETS] is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"layer": "9"}, "There is no layer 9"),
        ({"section": "by_offset", "of_head": "H99"}, "There is no head H99"),
        ({"section": "role", "role": "duplicate_token"}, "no head of the role"),
    ],
)
def test_what_a_link_names_and_the_model_lacks_is_said_above_the_page(query, said) -> None:
    app = opened(PAGE, model="attn-only-2l-tiny", **query)
    assert any(said in one.value for one in app.warning)
    app.run()
    assert not app.exception
    assert app.session_state[state.LAYER] == 0

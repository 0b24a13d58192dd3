"""The sections with the pictures of components, without a browser, on the bundled model."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re

import pyarrow as pa
import pytest
import torch

from headroles import models
from headroles.ablation import component_errors, repeated_rows
from headroles.charts import component_pairs, component_pictures
from headroles.circuits import SVD, component_sets, factors_at, layer_weights
from headroles.circuits.trained_components import Factors, Gate, projection, save_factors
from headroles.formatting import percent, signed
from headroles.types import Head
from headroles.ui.components import by_offset, picture_caches, picture_state
from headroles.ui.components.choose import Chosen
from headroles.view import component_errors as error_words
from headroles.view.component_pairs import name_of, square_records
from headroles.view.component_pairs import sentence as pair_sentence
from headroles.view.component_pictures import EXACT, SMALL_POINTS
from headroles.view.component_pictures import error_words as missing_words
from tests.pages.on_page import alts, opened, page_html

PAGE = "pages/components.py"


@pytest.fixture(scope="module")
def loaded():
    return models.load_model("demo")


@pytest.fixture
def trained(loaded, tmp_path, monkeypatch):
    """Components of the SVD of one layer, but for the two largest, with importances."""
    draw = torch.Generator().manual_seed(0)
    made = {}
    for name in "qkv":
        own = factors_at(loaded, SVD, (0, name))
        n = len(own.U) - 2
        w_in, b_in, w_out = (torch.randn(n, 4, generator=draw) for _ in range(3))
        gate = Gate(w_in, b_in, w_out, torch.zeros(n))
        made[0, name] = Factors(own.U[2:], own.V[2:], gate)
    monkeypatch.setattr(component_sets, "_OF_OTHER_WEIGHTS", 1.0)
    monkeypatch.setattr(component_sets, "COMPONENTS", tmp_path)
    save_factors(tmp_path / "demo.safetensors", made)
    return made


def text_of(app) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page_html(app)))


def section(name: str, **query: str):
    app = opened(PAGE, model="demo", section=name, **query)
    assert not app.error
    return app


def parts_drawn(app) -> set[str]:
    """The names of all lines of the first chart."""
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    (lines,) = (layer for layer in spec["layer"] if "color" in layer["encoding"])
    return set(lines["encoding"]["color"]["scale"]["domain"])


def test_scores_by_distance(loaded) -> None:
    app = section("by_offset", decomposition="svd", layer="1", of_head="H2")
    found = picture_caches.profile("demo", "svd", 1, "typical", "size", 2).found
    best = found.parts[0, 2]
    most = float(best[int(best.abs().argmax())])
    assert f"L1Q{found.pairs[0][0]} × L1K{found.pairs[0][1]}" in text_of(app)
    assert signed(most) in text_of(app)
    assert len(alts(app)) == 3 + loaded.num_heads
    assert all(alts(app))
    assert parts_drawn(app) == {name_of(1, pair) for pair in found.pairs}
    app.toggle(key=picture_state.WITH_REST).set_value(True).run()
    assert not app.exception
    assert {"biases", "all other pairs", "sum"} < parts_drawn(app)
    assert app.query_params["with_rest"] in ("1", ["1"])
    box = next(one for one in app.selectbox if one.label == "Heads")
    assert "of_head" in app.query_params
    box.set_value(-1).run()
    assert "For all heads of layer 1 together" in text_of(app)
    assert "of_head" not in app.query_params


def test_the_file_of_pairs_sums_to_the_whole() -> None:
    made = picture_caches.profile("demo", "svd", 1, "measured", "change", None)
    chosen = Chosen("demo", "svd", 1, "q")
    rows, origin = by_offset._table(chosen, made, "said", "measured")
    assert origin["strength"] == "measured"
    assert origin["revision"]
    for head in (0, 3):
        total = sum(r["added_to_score"] for r in rows if (r["head"], r["tokens_back"]) == (head, 2))
        assert total == pytest.approx(float(made.found.total[head, 2]), abs=1e-3)


def test_without_importances_nothing_is_alive() -> None:
    app = section("together", decomposition="svd")
    assert "no importance" in app.info[0].value
    assert "Attention only, 2 layers" in app.info[0].value
    assert any(f"*{button.label}*" in app.info[0].value for button in app.button)


def test_who_has_trained_components_is_told_to_choose_them(trained) -> None:
    app = section("together", decomposition="svd")
    assert "Choose trained components above" in app.info[0].value


def test_alive_together(trained) -> None:
    app = section("together", decomposition="trained", layer="0", matrix="k")
    found = picture_caches.together("demo", "trained", 0)
    assert found.tokens > 100
    phi = found.phi.masked_fill(found.both == 0, -2)
    key, value = divmod(int(phi.argmax()), phi.shape[1])
    assert f"L0K{key} and L0V{value} go together" in text_of(app)
    assert len(alts(app)) > 4
    assert all(alts(app))
    drawn = 0
    for chart in app.get("vega_lite_chart"):
        for data in chart.proto.datasets:
            if data.name == "tokens":
                drawn += 1
                with pa.ipc.open_stream(data.data.data) as stream:
                    assert stream.read_all().num_rows == SMALL_POINTS
    assert drawn > 1
    assert f"Of {found.tokens:,} tokens of text {SMALL_POINTS} are drawn" in text_of(app)


@pytest.mark.parametrize("name", "qv")
def test_the_sum_of_trained_components_misses_what_was_left_out(name, trained, loaded) -> None:
    app = section("reconstruction", decomposition="trained", layer="0", matrix=name)
    W = projection(layer_weights(loaded, 0), name)
    missing = float((trained[0, name].matrix() - W).norm() / W.norm())
    said = text_of(app)
    assert f"misses {missing_words(missing)} of the" in said
    assert "nats" in said
    assert len(alts(app)) == 3


def test_the_sum_of_the_svd_is_the_matrix() -> None:
    app = section("reconstruction", decomposition="svd", layer="2", matrix="o")
    said = text_of(app)
    assert "nothing but rounding" in said
    assert "is the output matrix of layer 2, but for rounding" in said
    assert "The matrices of layer 2" in [one.value for one in app.subheader]
    assert EXACT in said
    assert "e-0" not in said + " ".join(alts(app))
    assert "output, layer 2" in said


def test_names_of_rows_stand_in_the_middle_of_their_rows() -> None:
    record = {"row": "L0Q0", "key": "L0K0", "value_component": "L0V0", "offset": 0}
    for drawing in (
        component_pairs.squares([record], unit="", down="pair"),
        component_pictures.couples([record], unit=""),
    ):
        for layer in drawing.to_dict()["layer"]:
            assert layer["encoding"]["y"]["axis"]["labelFlush"] is False


def test_zero_is_tinted_neither_way() -> None:
    found = picture_caches.profile("demo", "svd", 1, "measured", "size", 0).found
    none = dataclasses.replace(found, parts=found.parts * 0 - 1e-7)
    below = dataclasses.replace(found, parts=found.parts * 0 - 0.5)
    assert not any(record["against"] for record in square_records(1, none, 0))
    assert all(record["against"] for record in square_records(1, below, 0))


def test_of_pairs_that_change_most_none_is_called_the_strongest() -> None:
    found = picture_caches.profile("demo", "svd", 1, "measured", "change", 0).found
    values = found.parts[0, 0]
    first = name_of(1, found.pairs[0])
    said = pair_sentence(1, found, 0, order="change")
    assert f"changes most with distance is {first}: from {signed(float(values.min()))}" in said
    assert signed(float(values.max())) in said
    assert "strongest" not in said
    assert f"strongest pair is {first}" in pair_sentence(1, found, 0)


def test_pairs_that_are_the_same_at_every_distance_favour_none() -> None:
    found = picture_caches.profile("demo", "svd", 1, "measured", "change", 0).found
    flat = dataclasses.replace(found, parts=found.parts[..., :1].expand(-1, -1, 4))
    said = pair_sentence(1, flat, 0)
    assert "the same at every distance" in said
    assert signed(float(flat.parts[0, 0, 0])) in said
    assert "favour " not in said


def test_wrong_cells(loaded) -> None:
    app = section("wrong_cells", decomposition="svd", wrong_head="L1H2")
    rows = repeated_rows(loaded, n=picture_caches.TEXTS)
    found = component_errors.errors(loaded, SVD, Head(1, 2), rows)
    said = text_of(app)
    assert f"L1H2 puts {percent(found.right)} of its attention on the right tokens" in said
    assert signed(found.cells[0].total.push) in said
    app = section("wrong_cells", decomposition="svd", wrong_head="L9H2")
    assert any("L9H2" in warning.value for warning in app.warning)


def closely(app) -> str:
    """The sentence about the wrong cell that is open, from one long sentence in bold."""
    return next(part for part in re.findall(r"<b>(.*?)</b>", page_html(app)) if "looks at" in part)


def test_a_link_carries_the_wrong_cell_that_is_open(loaded) -> None:
    found = picture_caches.wrong_cells("demo", "svd", Head(1, 2))
    third, second = found.found.cells[2], found.found.cells[1]
    assert (third.text, third.query, third.key) != (second.text, second.query, second.key)
    app = section("wrong_cells", decomposition="svd", wrong_head="L1H2", wrong_cell="3")
    assert not app.warning
    assert f" at {third.query} looks at " in closely(app)
    assert signed(third.total.push) in closely(app)
    box = next(one for one in app.selectbox if one.label == "Look closely at")
    assert box.value == 2
    box.set_value(1).run()
    assert signed(second.total.push) in closely(app)
    assert app.query_params["wrong_cell"] in ("2", ["2"])
    head = next(one for one in app.selectbox if one.label == "Head")
    head.set_value(Head(1, 3)).run()
    assert "wrong_cell" not in app.query_params
    assert not app.exception


@pytest.mark.parametrize("bad", ["0", "9", "L1H2", "", "1.0"])
def test_a_wrong_cell_that_no_list_has_is_told_above_the_page(bad) -> None:
    app = section("wrong_cells", decomposition="svd", wrong_head="L1H2", wrong_cell=bad)
    (warning,) = app.warning
    assert "wrong cell" in warning.value
    assert "from 1 to 8" in warning.value
    assert "wrong_cell" not in app.query_params


def test_a_wrong_cell_that_this_head_does_not_have(monkeypatch) -> None:
    made = picture_caches.wrong_cells("demo", "svd", Head(1, 2))
    few = dataclasses.replace(made.found, cells=made.found.cells[:2])
    monkeypatch.setattr(picture_caches, "wrong_cells", lambda *_: made._replace(found=few))
    app = section("wrong_cells", decomposition="svd", wrong_head="L1H2", wrong_cell="3")
    (warning,) = app.warning
    assert "L1H2 has no wrong cell 3" in warning.value
    assert signed(few.cells[0].total.push) in closely(app)
    none = dataclasses.replace(made.found, cells=())
    monkeypatch.setattr(picture_caches, "wrong_cells", lambda *_: made._replace(found=none))
    app = section("wrong_cells", decomposition="svd", wrong_head="L1H2", wrong_cell="2")
    assert len(app.warning) == 1


def test_a_link_can_name_as_many_wrong_cells_as_are_looked_at() -> None:
    assert picture_state.MOST_CELLS == component_errors.CELLS


def test_named_and_unnamed_parts_of_a_push_sum_to_the_whole(loaded) -> None:
    rows = repeated_rows(loaded, n=1)
    found = component_errors.errors(loaded, SVD, Head(1, 2), rows, cells=2, pairs=4)
    for cell in found.cells:
        *parts, whole = error_words.push_records(cell, 1)
        assert whole["value"] == pytest.approx(sum(part["value"] for part in parts), abs=1e-4)
        headers, lines = error_words.push_table(cell, 1)
        assert len(lines) == len(parts) + 1
        assert len(headers) == len(lines[0])


def test_a_file_of_wrong_cells_can_be_read(loaded) -> None:
    made = picture_caches.wrong_cells("demo", "svd", Head(1, 2))
    rows = error_words.export_rows(made.found, made.tokens)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=rows[0])
    writer.writeheader()
    writer.writerows(rows)
    assert len(rows) >= 3 * len(made.found.cells)
    assert {row["part"] for row in rows} >= {"sum", "biases"}

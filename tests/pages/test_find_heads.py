"""The page Find heads, without a browser, on the bundled model."""

from __future__ import annotations

import json
from functools import partial

import pytest
import torch

from headroles import capture, charts, corpus, models, store, view
from headroles.charts.scatter import REGION
from headroles.circuits import likeness as weight_likeness
from headroles.store.real_text import RealText, write_real_text
from headroles.texts import sources
from headroles.types import Head
from headroles.ui.app import caches, session
from headroles.ui.find_heads import link as find_link
from headroles.ui.find_heads import state
from headroles.view import head_numbers, layer_glance
from headroles.view import likeness as words
from headroles.view import scatter as scatter_words
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html

PAGE = "pages/find_heads.py"


@pytest.fixture(scope="module")
def loaded():
    return models.load_model("demo")


@pytest.fixture(scope="module")
def entry():
    return store.read_entry("demo")


def points(app) -> list[dict]:
    """The heads of the scatter, as the page sends them."""
    return data_of(app, 0, "heads")


def data_of(app, chart: int, name: str) -> list[dict]:
    import pyarrow as pa

    proto = app.get("vega_lite_chart")[chart].proto
    (dataset,) = (one for one in proto.datasets if one.name == name)
    return pa.ipc.open_stream(dataset.data.data).read_all().to_pylist()


# ------------------------------------------------------------------ any two numbers


def test_every_head_stands_at_its_two_scores(entry) -> None:
    app = opened(PAGE)
    drawn = points(app)
    assert len(drawn) == 32
    for point in drawn:
        for axis, role in (("x", "previous_token"), ("y", "induction")):
            assert point[axis] == entry.all_scores[role][point["layer"]][point["head"]]
    assert all(alts(app))
    numbers = head_numbers.of_entry(entry)
    said = scatter_words.correlation_sentence(numbers["previous_token"], numbers["induction"])
    assert said.split("Spearman")[1][1:] in page_html(app).replace("&#x27;", "’")


def test_a_question_the_boxes_and_the_swap_choose_the_numbers() -> None:
    app = opened(PAGE)
    (questions,) = [one for one in app.get("button_group") if one.key == state.PRESETS]
    questions.set_value("Place or content?").run()
    assert not app.exception
    assert app.selectbox(key=state.UP).value == "previous_token.control"
    app.button(key="find_heads-swap").click().run()
    assert app.selectbox(key=state.ALONG).value == "previous_token.control"
    assert app.query_params["along"] == app.selectbox(key=state.ALONG).value
    app.selectbox(key=state.UP).set_value("diffuse").run()
    assert dict(app.query_params)["up"] in ("diffuse", ["diffuse"])


def test_a_link_opens_two_numbers_a_head_and_a_colour() -> None:
    app = opened(PAGE, along="delimiter", up="fixed_offset.distance", colour="role", head="L1H4")
    assert app.selectbox(key=state.ALONG).value == "delimiter"
    assert app.session_state[state.COLOUR] == "role"
    (chosen,) = [point for point in points(app) if point["open"]]
    assert chosen["label"] == "L1H4"
    app.button(key="find_heads-closeup").click().run()
    assert app.session_state[session.HEAD] == Head(1, 4)
    assert app.title[0].value == "Head close-up"


def test_a_number_that_the_model_has_not_gives_way_to_the_first_ones() -> None:
    app = opened(PAGE, along="no_such_number", up="induction")
    assert app.selectbox(key=state.ALONG).value == "previous_token"
    assert not app.error


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"along": "<b>"}, "which is no number of heads"),
        ({"colour": "size"}, "names a colour “size”"),
        ({"region": "1,2,3"}, "which is no rectangle"),
        ({"region": "1,0,0,1"}, "the wrong way round"),
        ({"alike_by": "taste"}, "names a way of comparing “taste”"),
        ({"head": "L9H9"}, "There is no head 'L9H9'."),
        ({"section": "all"}, "names a section “all”"),
    ],
)
def test_what_a_link_cannot_mean_is_said(query: dict, said: str) -> None:
    app = opened(PAGE, **query)
    shown = "\n".join(one.value.replace("\\", "") for one in [*app.warning, *app.error])
    assert said in shown
    assert len(points(app)) == 32


def test_a_region_lists_the_heads_in_it_and_the_files_hold_them(entry) -> None:
    app = opened(PAGE)
    app.session_state[state.REGION] = (0.0, 0.2, 0.5, 1.0)
    app.run()
    inside = [point["label"] for point in points(app) if point["inside"]]
    expected = [
        head.label
        for head in entry.heads
        if entry.all_scores["previous_token"][head.layer][head.head] <= 0.2
        and 0.5 <= entry.all_scores["induction"][head.layer][head.head] <= 1.0
    ]
    assert inside == expected
    assert list(app.query_params["region"]) in ([*"0,0.2,0.5,1"], ["0,0.2,0.5,1"])
    linked = opened(PAGE, region="0,0.2,0.5,1")
    assert [point["label"] for point in points(linked) if point["inside"]] == expected
    assert app.dataframe[0].value["head"].tolist() != []
    assert set(app.dataframe[0].value["head"]) == set(expected)
    app.button(key="find_heads-all").click().run()
    assert len(app.dataframe[0].value) == 32
    app.session_state[state.REGION] = (0.99, 1.0, 0.99, 1.0)
    app.run()
    assert says(app.info[0].value, "No head")


def test_a_drawn_rectangle_becomes_the_region(monkeypatch) -> None:
    import streamlit as st

    now = {session._MOUNTS: {}, state.REGION: None}
    now[f"{state.SCATTER}_0"] = {"selection": {REGION: {"x": [0.1, 0.2], "y": [0.3, 0.4]}}}
    monkeypatch.setattr(st, "session_state", now)
    state.take_region()
    assert now[state.REGION] == (0.1, 0.2, 0.3, 0.4)
    state.take_region()  # the chart was mounted anew, and nothing is drawn on it
    assert now[state.REGION] == (0.1, 0.2, 0.3, 0.4)
    now |= {state.ALONG: "a", state.UP: "b"}
    state.swap()
    assert (now[state.ALONG], now[state.REGION]) == ("b", (0.3, 0.4, 0.1, 0.2))


def test_a_number_of_this_prompt_runs_it(loaded) -> None:
    prompt = "The cat sat on the mat. The cat sat on the mat."
    app = opened(PAGE, up="induction.prompt", prompt=prompt)
    answer = caches.answer("demo", prompt)
    values = answer.scores.activations["induction"].value
    for point in points(app):
        assert point["y"] == pytest.approx(float(values[point["layer"], point["head"]]), abs=1e-6)


def test_copying_is_read_from_the_weights_on_demand(loaded) -> None:
    from headroles import circuits

    app = opened(PAGE, up="copying.weights")
    factors = circuits.head_factors(loaded, Head(2, 3), circuits.CircuitSettings())
    (point,) = [point for point in points(app) if point["label"] == "L2H3"]
    assert point["y"] == pytest.approx(circuits.summary.copying_score(factors), abs=1e-5)


# ------------------------------------------------------------------ heads like this one


def read_all(loaded):
    """The same text as the page reads, in one pass."""
    read = corpus.likeness.sample(loaded.tokenizer, "stories")
    profile = corpus.profiles.ProfileCollector(loaded.shape)
    products = corpus.likeness.PatternProducts(loaded.shape)
    corpus.read(read, [profile, products], partial(capture.each_layer, loaded))
    return profile.record(), products.likeness()


@pytest.mark.parametrize("way", ["profile", "pattern"])
def test_the_most_alike_head_is_that_of_the_numbers(loaded, way: str) -> None:
    app = opened(PAGE, section="alike", head="L1H4", alike_by=way)
    if way == "profile":  # of the stored pass, which the page takes where there is one
        record = store.read_real_text("demo").profiles
        total = corpus.likeness.by_profile(record, record).total
    else:
        total = read_all(loaded)[1]
    row = total[12].clone()
    row[12] = -1
    best = Head(*divmod(int(row.argmax()), 8))
    html = page_html(app)
    assert f"Most like L1H4 is {best.label}: {float(row.max()):.0%} alike" in html
    pairs = total[torch.triu(torch.ones(32, 32), 1).bool()]
    below = float((pairs < row.max()).float().mean())
    assert words.more_than(below) in html
    assert len(app.get("vega_lite_chart")) == 3  # the map, and the pictures twice


def test_by_weights_the_numbers_are_those_of_the_circuits(loaded) -> None:
    app = opened(PAGE, section="alike", head="L0H6", alike_by="weights")
    every = Head.every(4, 8)
    found = weight_likeness.likeness(loaded, Head(0, 6), every)
    order = found.both.argsort(descending=True).tolist()
    assert every[order[0]] == Head(0, 6)
    assert f"Most like L0H6 is {every[order[1]].label}" in page_html(app)


def test_a_copy_of_the_model_has_the_same_head_first(loaded) -> None:
    app = opened(PAGE, section="alike", head="L1H4", second_model="attn-only-2l-tiny")
    html = page_html(app)
    other = models.load_model("attn-only-2l-tiny")
    there = read_all(other)[0]
    total = corpus.likeness.by_profile(read_all(loaded)[0], there).total[12]
    best = Head(*divmod(int(total.argmax()), other.num_heads))
    assert f"is {best.label} of" in html
    assert f"{float(total.max()):.0%} alike" in html
    assert app.dataframe[0].value["head"][0] == best.label
    assert len(app.dataframe[0].value) == 16


def test_a_stored_pass_over_real_text_is_used(loaded, monkeypatch, tmp_path) -> None:
    from headroles import paths

    monkeypatch.setattr(paths, "DATA", tmp_path)
    read = corpus.tokenize(loaded.tokenizer, sources.read_passages(sources.STORIES)[:5])
    setting = corpus.Setting(read, loaded.shape, None, seed=0)
    parts = {"profiles": corpus.PARTS["profiles"](setting)}
    corpus.read(read, list(parts.values()), partial(capture.each_layer, loaded))
    record = corpus.stored(
        setting, parts, model="demo", revision=loaded.revision,
        sources={"stories": sources.STORIES},
    )  # fmt: skip
    write_real_text(record)
    assert json.loads(RealText.model_validate(record).model_dump_json())["profiles"]["rows"] > 0
    app = opened(PAGE, section="alike", head="L1H4")
    assert f"{read.tokens:,} tokens of {sources.STORIES.name}" in page_html(app)
    app = opened(PAGE, along="first.real_text")
    assert points(app)[5]["x"] == record.profiles.first[0][5]


# ------------------------------------------------------------------ a layer at a glance


def test_every_head_of_the_layer_has_a_picture_and_its_role(loaded, entry) -> None:
    prompt = "The cat sat on the mat. The cat sat on the mat."
    app = opened(PAGE, section="layer", layer="1", prompt=prompt)
    for chart in (0, 1):
        drawn = data_of(app, chart, "heads")
        assert [one["label"] for one in drawn] == [f"L1H{head}" for head in range(8)]
        assert all(one["image"].startswith("data:image/png;base64,") for one in drawn)
    answer = caches.answer("demo", prompt)
    thresholds = caches.reference(answer).thresholds
    found = [layer_glance.notable(answer.scores, thresholds, head) for head in Head.every([1], 8)]
    assert [one["does"] for one in data_of(app, 0, "heads")] == [one.words for one in found]
    assert any(one.role == "induction" for one in found)


def test_a_layer_that_is_not_there_becomes_the_last_one() -> None:
    app = opened(PAGE, section="layer", layer="99")
    assert app.number_input(key=state.LAYER).value == 3
    assert not app.exception


# ------------------------------------------------------------------ across models


def test_the_peak_of_a_role_is_the_highest_score_of_each_model() -> None:
    app = opened(PAGE, section="models", role="previous_token")
    chosen = app.multiselect(key=state.MODELS).value
    drawn = data_of(app, 0, "layers")
    for key in chosen:
        scores = store.read_entry(key).all_scores["previous_token"]
        of_model = [one for one in drawn if one["model"] == key]
        assert [one["score"] for one in of_model] == [max(row) for row in scores]
        depths = [0.0] if len(scores) == 1 else [n / (len(scores) - 1) for n in range(len(scores))]
        assert [one["depth"] for one in of_model] == pytest.approx(depths)
    app.multiselect(key=state.MODELS).set_value(["demo"]).run()
    assert {one["model"] for one in data_of(app, 0, "layers")} == {"demo"}


def test_the_models_that_are_compared_are_in_the_link() -> None:
    app = opened(PAGE, section="models")
    every = app.multiselect(key=state.MODELS).value
    assert "models" not in app.query_params  # all of them: what the section shows anyway
    app.multiselect(key=state.MODELS).set_value([every[1], every[0]]).run()
    assert "".join(app.query_params["models"]) == f"{every[1]},{every[0]}"
    again = opened(PAGE, section="models", models=f"{every[1]},{every[0]}")
    assert again.multiselect(key=state.MODELS).value == [every[1], every[0]]
    assert {one["model"] for one in data_of(again, 0, "layers")} == set(every[:2])


def test_a_link_to_models_that_are_not_there_is_told() -> None:
    app = opened(PAGE, section="models", models="demo,nobody/nothing")
    assert says("\n".join(one.value for one in app.warning), "nobody/nothing")
    missing = next(
        key
        for key in view.offer.offered()
        if view.offer.choice(key).scores == view.offer.NOT_ANALYSED
    )
    app = opened(PAGE, section="models", models=f"{missing},demo")
    assert app.info[0].value.replace("\\", "").count(models.name_of(missing)) == 1
    assert app.multiselect(key=state.MODELS).value == ["demo"]


def test_a_list_of_models_comes_back_from_an_address(monkeypatch) -> None:
    row = next(row for row in find_link.ROWS if row.name == "models")
    monkeypatch.setattr(find_link.link, "read_model", lambda text: text)
    keys = ("a folder, or two-12ab", "someone/new-model", "demo")
    assert row.read(row.write(keys)) == keys
    assert row.read("demo,demo") == ("demo",)
    with pytest.raises(find_link.Unusable):
        row.read(",".join(f"model{n}" for n in range(len(charts.depth.LOOKS) + 1)))

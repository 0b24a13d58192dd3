"""The page Detector lab, without a browser."""

from __future__ import annotations

import json

import pytest

from headroles import texts
from headroles.detector import detection as detector_detection
from headroles.detector.by_prompt import PromptScore
from headroles.errors import PatternError
from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import BUILT_IN, ROLES, Role, of_expression
from headroles.texts.ready_detections import READY_DETECTIONS
from headroles.types import Head
from headroles.ui.app import caches, long_work, map_marks, session
from headroles.ui.detector_lab import by_prompt, state
from headroles.ui.detector_lab.detection import Request
from headroles.view.glossary import unmarked
from tests.facts import says
from tests.pages.on_page import opened
from tests.pages.planted import PLANTED, planted_attention

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)


@pytest.fixture
def app(planted, monkeypatch):
    """The page on a model with planted heads."""
    import torch
    from streamlit.testing.v1 import AppTest

    def each_layer(loaded, token_ids, on_layer) -> None:
        shape = (loaded.num_layers, loaded.num_heads)
        found = torch.stack([planted_attention(row, *shape) for row in token_ids.tolist()])
        for layer in range(loaded.num_layers):
            on_layer(layer, found[:, layer])

    monkeypatch.setattr(detector_detection, "each_layer", each_layer)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.switch_page(state.PAGE).run()
    assert not app.exception
    return app


def html(app) -> str:
    return unmarked("\n".join(element.proto.body for element in app.get("html")))


def warnings(app) -> str:
    return told(app.warning)


def told(elements) -> str:
    """What boxes say, without the backslashes that keep Markdown away."""
    return "\n".join(one.value for one in elements).replace("\\", "")


def choose(app, *patterns: Role):
    app.session_state[state.OWN] = tuple(one for one in patterns if one not in BUILT_IN)
    app.run()  # only then are they among the pills
    app.session_state[state.CHOSEN] = list(patterns)
    app.run()
    assert not app.exception
    return app


def ranking(app):
    return app.dataframe[0].value


def test_it_answers_as_it_opens(app) -> None:
    # rows 8 to 16, one cell each: (1/9 + ... + 1/17) / (8/9 + ... + 16/17) by chance
    assert says(html(app), "L1H1", "100%", "9%")
    charts = app.get("vega_lite_chart")
    assert len(charts) == 2  # the picture of the pattern, and the map
    assert "9 cells on this prompt" in html(app)
    table = ranking(app)
    assert len(table) == 32
    assert table["head"][0] == PLANTED["induction"].label
    assert table["score"][0] == 1
    assert table["chance"][0] < 0.1


def test_every_pattern_gets_a_map_on_one_scale(app) -> None:
    choose(app, ROLES["induction"], ROLES["delimiter"], ROLES["current_word"])
    charts = app.get("vega_lite_chart")
    assert len(charts) == 4
    for chart in charts[1:]:
        cells = json.loads(chart.proto.spec)["layer"][0]
        assert cells["encoding"]["fillOpacity"]["scale"]["domain"] == [0, 1]


def test_an_expression_becomes_a_pattern_and_goes_again(app) -> None:
    app.text_input(key=state.EXPRESSION).set_value("k == q - 1 and k > 0")
    app.text_input(key=state.TITLE).set_value("One back")
    app.button(key="detector_lab-add").click().run()
    assert not app.exception
    assert "<h3>One back</h3>" in html(app)
    assert "L0H0 matches best: 100%" in html(app)
    app.button(key="detector_lab-remove_0").click().run()
    assert "<h3>One back</h3>" not in html(app)
    app.button(key="detector_lab-undo_remove").click().run()
    assert "<h3>One back</h3>" in html(app)


def test_two_patterns_never_bear_one_name(app) -> None:
    for text in ("k == q - 1", "k == q - 2"):
        app.text_input(key=state.EXPRESSION).set_value(text)
        app.text_input(key=state.TITLE).set_value("Mine")
        app.button(key="detector_lab-add").click().run()
    assert [one.name for one in app.session_state[state.OWN]] == ["Mine", "Mine (2)"]
    assert app.session_state[state.RANKED].key == "expression:k == q - 2"  # its picture is shown


def test_a_bad_expression_is_explained(app) -> None:
    app.text_input(key=state.EXPRESSION).set_value("__import__('os')")
    app.button(key="detector_lab-add").click().run()
    assert "no function" in told(app.error)
    assert app.session_state[state.OWN] == ()


def test_an_expression_that_gives_no_share_is_explained(app) -> None:
    choose(app, of_expression("q + 1"))
    assert "the expression gives 2" in told(app.error)


def test_several_prompts_give_an_error_of_the_mean(app) -> None:
    app.session_state[state.SOURCE] = state.SEVERAL
    app.run()
    assert says(html(app), "standard error", "3", "3")
    assert ranking(app)["n"][0] == 3
    app.text_area(key=state.MANY).set_value("   \n")
    app.button(key="detector_lab-run_many").click().run()
    assert says(told(app.info), "at least one prompt")


def test_generated_prompts_are_seeded(app) -> None:
    app.session_state[state.SOURCE] = state.GENERATED
    app.session_state[state.COUNT] = 4
    app.run()
    assert not app.exception
    assert "over 4 prompts of 4." in html(app)
    assert ranking(app)["head"][0] == "L1H1"


def test_ones_everywhere_are_seen_through(app) -> None:
    app.session_state[state.MEASURE] = "mul"
    choose(app, of_expression("1"))
    assert says(warnings(app), "nearly everything")
    app.session_state[state.MEASURE] = "abs"
    app.run()
    assert "**Below −1.**" in warnings(app)
    app.session_state[state.MEASURE] = "activation"
    app.run()
    assert "Nothing to judge by" in warnings(app)


def test_undefined_scores_are_said_and_shown(app) -> None:
    app.session_state[state.MEASURE] = "mul"
    app.session_state[state.NO_BOS] = True
    app.session_state[state.NO_SELF] = True
    app.run()
    assert "Undefined scores" in warnings(app)  # the heads that look only at themselves
    spec = app.get("vega_lite_chart")[1].proto
    assert "undefined" in json.dumps(spec.spec) or spec.datasets


def test_heads_that_were_not_asked_have_no_row(app) -> None:
    app.session_state[state.HEADS] = ["L1H1", "L0H0"]
    app.run()
    assert list(ranking(app)["head"]) == ["L1H1", "L0H0"]


def test_a_saved_role_is_a_card_of_your_prompt(app) -> None:
    app.button(key="detector_lab-save").click().run()
    assert says(told(app.success), "role", "L1H1")
    app.switch_page(session.YOUR_PROMPT).run()
    assert not app.exception
    shown = html(app)
    assert ROLES["induction"].explanation in shown
    assert "1 of 1 head active" in shown
    assert "provisional" in told(app.caption)
    app.text_area(key=session.BOX).set_value("The old man walked slowly to the river.")
    app.button(key="app-run").click().run()
    assert ROLES["induction"].asleep in html(app)
    app.button(key="app-saved_remove_0").click().run()
    assert "Saved by you" not in html(app)


def test_a_painted_role_says_which_length_it_needs(app) -> None:
    from headroles.roles.patterns import of_matrix

    size = 17
    cells = [[float(k == q - 1 and k > 0) for k in range(size)] for q in range(size)]
    choose(app, of_matrix(cells, title="Mine"))
    assert "L0H0 matches best: 100%" in html(app)
    app.button(key="detector_lab-save").click().run()
    app.switch_page(session.YOUR_PROMPT).run()
    assert "1 of 1 head active" in html(app)
    app.text_area(key=session.BOX).set_value("The old man walked.")
    app.button(key="app-run").click().run()
    assert not app.exception
    assert says(told(app.info), "painted", "17 tokens")
    app.switch_page(state.PAGE).run()
    assert says(told(app.error), "17 tokens")


@pytest.mark.parametrize("way", state.WAYS)
def test_every_way_to_make_a_pattern_opens(app, way: str) -> None:
    app.session_state[state.WAY] = way
    app.run()
    assert not app.exception
    if way == state.BY_PAINT:
        assert says(told(app.caption), "only", "17 tokens")


def test_odd_prompts_do_no_harm(app) -> None:
    app.session_state[session.PROMPT] = "<b>🐈</b> \u202e**x** $y$ " * 30
    app.run()
    assert not app.exception
    assert "<b>🐈</b>" not in html(app)


def test_no_pattern_and_no_prompt_are_said(app) -> None:
    choose(app)
    assert says(told(app.info), "at least one pattern")
    choose(app, ROLES["induction"])
    app.session_state[session.PROMPT] = " "
    app.run()
    assert "The prompt is empty." in told(app.error)


def test_a_stopped_detection_waits_and_keeps_what_is_done(app, monkeypatch) -> None:
    monkeypatch.setattr(detector_detection, "MAX_CELLS", 1)  # one prompt per batch
    monkeypatch.setattr(long_work, "MOMENT", 0.0)  # no step is done by itself
    app.session_state[state.SOURCE] = state.GENERATED
    app.session_state[state.COUNT] = 5
    app.run()
    app.button(key=f"app-stop_{state.WORK}").click().run()
    assert says(told(app.caption), "stopped", "0 of 5")
    monkeypatch.setattr(long_work, "MOMENT", 300.0)
    app.button(key=f"app-go_on_{state.WORK}").click().run()
    assert "over 5 prompts of 5." in html(app)


def test_a_row_leads_to_the_close_up(app) -> None:
    heads = [Head(1, 1), Head(0, 0)]
    assert session.head_of_row({"selection": {"rows": [0]}}, heads) == Head(1, 1)
    app.session_state[session.HEAD] = None
    app.session_state[session.NAVIGATE_TO] = session.CLOSEUP
    app.session_state[session.HEAD] = Head(1, 1)
    app.run()
    assert not app.exception


def test_single_heads_can_be_asked_of_a_model_that_nobody_analysed(
    app, monkeypatch, tmp_path
) -> None:
    from headroles import paths

    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "none.json")
    app.run()
    assert not app.exception
    assert len(app.multiselect(key=state.HEADS).options) == 32
    app.multiselect(key=state.HEADS).set_value(["L1H1"]).run()
    assert "not asked" in html(app)


def test_a_generated_row_beyond_the_context_is_said(app, monkeypatch) -> None:
    from headroles.texts import probe_texts

    long = probe_texts.RepeatKind("long copies", (200, 200), (0, 0), 3)
    monkeypatch.setattr(probe_texts, "KINDS", (long,))
    app.session_state[state.SOURCE] = state.GENERATED
    app.session_state[state.COUNT] = 3
    app.run()
    assert not app.exception
    assert "longer than the" in told(app.warning)
    assert "3 of 3 prompts are" in told(app.warning)


class _File:
    """An uploaded file, as Streamlit hands it over."""

    def __init__(self, content: bytes, name: str = "prompts.txt") -> None:
        self.name, self.size, self._content = name, len(content), content

    def getvalue(self) -> bytes:
        return self._content


def test_a_file_that_is_no_text_is_refused() -> None:
    from headroles.errors import TextFileError
    from headroles.ui.detector_lab import prompts

    assert prompts._text(_File("\ufeffdéjà vu\n".encode())) == "déjà vu\n"
    assert prompts._text(_File("déjà vu\n".encode("utf-16"))) == "déjà vu\n"
    with pytest.raises(TextFileError, match=r"noise\.txt is neither UTF-8"):
        prompts._text(_File(bytes(range(256)), "noise.txt"))


# ------------------------------------------------------------------ prompt by prompt


def many(app, *prompts: str):
    app.segmented_control(key=state.SOURCE).set_value(state.SEVERAL).run()
    app.text_area(key=state.MANY).set_value("\n".join(prompts))
    app.button(key="detector_lab-run_many").click().run()
    assert not app.exception
    return app


def prompts_table(app):
    return next(table for table in app.dataframe if "text" in table.value.columns).value


def test_one_prompt_has_no_table_of_prompts(app) -> None:
    assert not any("text" in table.value.columns for table in app.dataframe)


def test_the_prompt_that_breaks_a_head_comes_first(app) -> None:
    """The planted induction head looks at its own token where nothing repeats."""
    many(app, "a b c a b c a", "The old man walked slowly.", "one two one two one two")
    table = prompts_table(app)
    assert sorted(table["prompt"].tolist()) == [1, 2, 3]
    assert table["prompt"].tolist()[-1] == 2  # no score there, so it comes last
    assert table["score"].isna().tolist() == [False, False, True]
    assert table["rows"].tolist()[-1] == 0
    assert says(html(app), "L1H1", "1 more prompt")


@pytest.mark.parametrize("kind", ["random", "sentences"])
def test_a_generated_prompt_is_opened_where_its_text_is_read_as_its_tokens(app, kind: str) -> None:
    request = Request("demo", (), (kind, 8, 0), (ROLES["induction"],), False, False, ())
    with caches.borrow("demo") as loaded:
        ids, _ = texts.generated(kind, 8, tokenizer=loaded.tokenizer, seed=0, max_tokens=512)
        read = texts.probe_texts.as_texts(loaded.tokenizer, ids)
        tokenizer = loaded.tokenizer
    refused = 0
    for place, text in enumerate(read):
        length = int(ids.lengths[place])
        row = PromptScore(place, 0.5, 0.1, 1, length)
        if texts.encode(tokenizer, text).token_ids == tuple(ids.token_ids[place, :length].tolist()):
            by_prompt.check_typed(request, text, row)
        else:
            refused += 1
            with pytest.raises(PatternError, match=f"Prompt {place + 1} "):
                by_prompt.check_typed(request, text, row)
    assert (refused > 0) == (kind == "random")


# ------------------------------------------------------------------ ready experiments


@pytest.mark.parametrize("one", READY_DETECTIONS, ids=lambda one: one.key)
def test_every_ready_experiment_runs_and_stands_in_the_link(app, one) -> None:
    app.selectbox(key=state.READY).set_value(one.key).run()
    assert not app.exception
    assert not app.error
    assert says(html(app), "What to look for")
    assert app.session_state[state.MEASURE] == one.measure
    assert len(app.session_state[state.CHOSEN]) == len(one.patterns)
    assert app.query_params["experiment"] == one.key
    app.segmented_control(key=state.MEASURE).set_value(
        "mul" if one.measure == "activation" else "activation"
    ).run()
    assert "experiment" not in app.query_params  # it is another experiment now


def test_a_link_opens_a_ready_experiment() -> None:
    app = opened(state.PAGE, experiment="demo-word-abs")
    assert app.session_state[state.MEASURE] == "abs"
    assert bool(app.session_state[state.NO_SELF])
    assert app.selectbox(key=state.READY).value == "demo-word-abs"


# ------------------------------------------------------------------ own marks


def test_own_marks_are_on_the_maps_and_in_the_ranking(app) -> None:
    app.segmented_control(key=map_marks.WAY).set_value("top").run()
    app.number_input(key=map_marks.MOST).set_value(1).run()
    assert not app.exception
    ranking = next(table for table in app.dataframe if "marked" in table.value.columns).value
    assert ranking["marked"].tolist().count("▲") == 1
    assert app.query_params["mark"] == "top"
    assert app.query_params["mark_top"] == "1"


def test_the_lab_as_a_script_and_a_notebook(app) -> None:
    labels = [button.proto.label for button in app.get("download_button")]
    assert {"Python script", "Jupyter notebook"} <= set(labels)


def test_a_link_with_an_experiment_and_its_first_expression_has_each_pattern_once() -> None:
    first = "is_number(q) and is_number(k) and k < q"
    app = opened(state.PAGE, experiment="names-and-values", pattern=first)
    assert not app.error
    chosen = [pattern.key for pattern in app.session_state[state.CHOSEN]]
    assert len(chosen) == len(set(chosen)) == 3
    assert app.query_params["experiment"] == "names-and-values"

"""The page Circuits, without a browser."""

from __future__ import annotations

import html
import json
import re

import pytest

from headroles.circuits import effective
from headroles.paths import ATTN_ONLY_2L, ROOT
from headroles.types import Head
from headroles.ui.app import long_work, session
from headroles.ui.circuits import state
from tests.facts import says
from tests.pages.on_page import page_html


def open_page():
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=90)
    app.switch_page("pages/circuits.py").run()
    assert not app.exception
    return app


def captions(app) -> str:
    return "\n".join(element.value for element in app.caption)


def words_of(app) -> str:
    """What the page says, without the definitions behind its words."""
    return re.sub(r"<[^>]+>", "", page_html(app)) + captions(app)


def concluded(app) -> list[str]:
    """What the page concludes: about the head, about pairs of heads, and about all heads."""
    found = re.findall(r'<p class="hr-conclusion"[^>]*>(.*?)</p>', page_html(app))
    return [html.unescape(body) for body in found]


def test_the_page_answers_at_once_with_a_table_of_ten_keys() -> None:
    app = open_page()
    table = app.dataframe[0].value
    assert len(table) == 10
    assert list(table)[:4] == ["key", "importance", "max QK", "max OV"]
    assert table["importance"].is_monotonic_decreasing
    assert says(words_of(app), "grammar")
    head, pairs, every = concluded(app)
    assert says(head, "L0H6", "token just before", "90%", "5%")
    assert says(pairs, "L0H6 writes, L1H6 reads", "0.154", "0.088")
    assert says(every, "32 heads")
    assert "0 is chance" in page_html(app)


def test_settings_change_the_table_and_reset_brings_it_back() -> None:
    app = open_page()
    before = app.dataframe[0].value
    app.selectbox(key=state.NORM).set_value("none").run()
    app.toggle(key=state.MINUS_BOS).set_value(False).run()
    app.number_input(key=state.KEYS).set_value(3).run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 3
    app.button(key="circuits-reset").click().run()
    assert not app.exception
    assert app.dataframe[0].value.equals(before)


def test_a_deeper_head_states_the_direct_path() -> None:
    app = open_page()
    assert "First layer" in "\n".join(one.value for one in app.markdown)
    app.selectbox(key=state.HEAD).set_value("L2H4").run()
    words = "\n".join(one.value for one in app.markdown)
    assert "Earlier layers" in words
    assert "rotary positions" in words
    assert says(concluded(app)[0], "do not tell a clear story", "L2H4")


def test_the_embedding_can_be_chosen_above_the_first_layer() -> None:
    app = open_page()
    assert state.EMBEDDING not in {box.key for box in app.selectbox}  # L0H6: no choice
    app.selectbox(key=state.HEAD).set_value("L1H4").run()
    assert "as the first block leaves it" in words_of(app)
    assert says(concluded(app)[0], "It copies", "+0.99", "For example")  # an induction head
    assert says(words_of(app), "L1H4", "induction", "K-composition")
    before = app.dataframe[0].value
    app.selectbox(key=state.EMBEDDING).set_value("bare").run()
    assert not app.exception
    assert "−0.97" in page_html(app)
    assert "bare embedding" in words_of(app)
    assert not app.dataframe[0].value.equals(before)
    app.button(key="circuits-reset").click().run()
    assert app.dataframe[0].value.equals(before)


def test_whole_words_come_first_and_fragments_on_demand() -> None:
    app = open_page()
    words = app.dataframe[0].value
    assert all(key[0] == "·" and key[1:].isalpha() for key in words["key"])
    assert says(words_of(app), "1,090", "whole words")
    app.toggle(key=state.FRAGMENTS).set_value(True).run()
    assert not app.exception
    assert says(words_of(app), "2,816", "tokens")
    every = app.dataframe[0].value
    assert not all(key[0] == "·" for key in every["key"])
    assert every["importance"].iloc[0] >= words["importance"].iloc[0]


def test_every_token_is_run_through_the_first_block_before_a_deeper_head(monkeypatch) -> None:
    app = open_page()
    monkeypatch.setattr(effective, "passes", lambda loaded: [0, 1024, 2048])
    monkeypatch.setattr(long_work, "MOMENT", 0.0)
    app.selectbox(key=state.HEAD).set_value("L2H3").run()
    app.button(key="app-stop_embedding").click().run()
    assert not app.exception
    assert "Stopped after 0 of 3 steps." in captions(app)
    monkeypatch.setattr(long_work, "MOMENT", 300.0)
    app.button(key="app-go_on_embedding").click().run()
    assert "Stopped" not in captions(app)
    assert len(app.dataframe[0].value) == 10


def test_a_token_of_ones_own_is_looked_up_and_shown_as_text() -> None:
    app = open_page()
    app.text_input(key=state.LOOKUP).set_value(" cat").run()
    assert "Key <b>·cat</b>" in page_html(app)
    app.text_input(key=state.LOOKUP).set_value("<b>").run()
    assert not app.exception
    assert "Key <b>&lt;</b>" in page_html(app)
    app.text_input(key=state.LOOKUP).set_value("🐈 שלום").run()
    assert not app.exception


def test_a_key_leads_to_the_close_up_on_a_prompt_with_it() -> None:
    app = open_page()
    app.selectbox(key=state.HEAD).set_value("L1H2").run()
    key = app.dataframe[0].value["key"].iloc[0].replace("·", " ")
    app.button(key="circuits-try").click().run()
    assert not app.exception
    assert app.title[0].value == "Head close-up"
    assert app.session_state[session.HEAD] == Head(1, 2)
    assert key in app.session_state[session.PROMPT]


def test_the_numbers_of_composition_are_drawn_when_their_box_is_open() -> None:
    app = open_page()
    columns = [list(table.value.columns) for table in app.dataframe]
    assert not any("earlier head" in names for names in columns)
    app.session_state["circuits-composition_numbers"] = True
    app.run()
    (table,) = [t.value for t in app.dataframe if "earlier head" in t.value.columns]
    assert (table["score"].diff().dropna() <= 0).all()  # strongest first
    assert 0 < table["score"].iloc[0] <= 1


def test_the_kind_of_composition_and_the_baseline_can_be_chosen() -> None:
    app = open_page()
    app.selectbox(key=state.KIND).set_value("V").run()
    assert "strongest V-composition" in concluded(app)[1]
    chart = next(
        json.loads(one.proto.spec)
        for one in app.get("vega_lite_chart")
        if "earlier" in one.proto.spec
    )
    assert len(chart["layer"]) == 2
    app.toggle(key=state.SUBTRACT).set_value(False).run()
    assert not app.exception


def test_what_was_stopped_waits_for_the_reader(monkeypatch) -> None:
    app = open_page()
    monkeypatch.setattr(long_work, "MOMENT", 0.0)  # no step is done by itself
    app.selectbox(key=state.HEAD).set_value("L3H3").run()  # another head's table
    app.button(key="app-stop_table").click().run()
    assert not app.exception
    assert "Stopped after 0 of 1 step." in captions(app)
    monkeypatch.setattr(long_work, "MOMENT", 300.0)
    app.button(key="app-go_on_table").click().run()
    assert "Stopped" not in captions(app)
    assert len(app.dataframe[0].value) == 10


@pytest.mark.skipif(not (ATTN_ONLY_2L / "config.json").exists(), reason="model not there")
def test_the_attention_only_model_is_served_too() -> None:
    app = open_page()
    app.selectbox(key=session.MODEL).set_value("attn-only-2l-tiny").run()
    assert not app.exception
    assert "L0H3 writes, L1H7 reads" in concluded(app)[1]


def test_a_model_out_of_reach_says_so_and_offers_the_bundled_one() -> None:
    app = open_page()
    app.selectbox(key=session.MODEL).set_value("gpt2").run()
    assert not app.exception
    assert "gpt2" in app.error[0].value.lower()
    app.button(key="app-use_default_model").click().run()
    assert len(app.dataframe[0].value) == 10


def test_a_file_of_words_is_what_the_tables_are_about() -> None:
    app = open_page()
    raw = b"cat\ndog\nmat\nxylophonist\n"
    app.file_uploader(key=state.WORDS_FILE).upload("mine.txt", raw, "text/plain").run()
    assert not app.exception
    assert "xylophonist" in captions(app)
    table = app.dataframe[0].value
    assert {key.strip("·") for key in table["key"]} <= {"cat", "dog", "mat"}
    app.file_uploader(key=state.WORDS_FILE).upload("mine.txt", b"\x89PNG", "text/plain").run()
    assert not app.exception
    assert says("\n".join(error.value for error in app.error), "picture", "no plain text")
    assert len(app.dataframe[0].value) == 10  # the whole words, as without a file


def test_a_second_head_stands_beside_the_first() -> None:
    app = open_page()
    app.selectbox(key=state.SECOND).set_value("L1H4").run()
    assert not app.exception
    frames = [frame.value for frame in app.dataframe]
    table, first, second = (frame for frame in frames if "importance" in frame)
    assert list(first["key"]) == list(table["key"]) != list(second["key"])
    app.selectbox(key=state.HEAD).set_value("L1H4").run()
    assert app.session_state[state.SECOND] is None  # no head is beside itself
    assert list(app.dataframe[0].value["key"]) == list(second["key"])


def test_own_numbers_of_queries_and_outputs_are_in_the_link_and_the_lists() -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=90)
    app.query_params.update({"queries": "3", "outputs": "4", "second_head": "L1H4"})
    app.switch_page("pages/circuits.py").run()
    assert not app.exception
    assert app.session_state[state.QUERIES] == 3
    assert app.session_state[state.SECOND] == "L1H4"
    lists = re.findall(r"<table.*?</table>", page_html(app), re.DOTALL)
    sizes = [body.count("<tr>") - 1 for body in lists if ">QK<" in body or ">OV<" in body]
    assert sizes[:3] == [3, 4, 4]

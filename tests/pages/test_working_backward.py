"""The section *Working backward* of the knock-out lab, without a browser, on the bundled model."""

from __future__ import annotations

import json
import re

import pytest

from headroles.ablation import keep_only, random_kept, standings
from headroles.ablation.backup import measure
from headroles.models import load_model
from headroles.paths import DEMO_MODEL, ROOT
from headroles.texts import DEFAULT_PROMPT, encode
from headroles.types import Head
from headroles.ui.app import caches, session
from headroles.ui.knockout_lab import backward_files, state
from headroles.view.glossary import unmarked
from scripts import keep_heads
from tests.facts import says
from tests.pages.on_page import page_html
from tests.pages.test_download_buttons import made, offered, read_csv

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)
SHAPE = (4, 8)


def open_link(**query: str):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300)
    for name, value in {"section": "backward", **query}.items():
        app.query_params[name] = value
    app.switch_page("pages/knockout_lab.py").run()
    assert not app.exception
    return app


def concluded(app) -> str:
    found = re.findall(
        r'<p class="hr-conclusion" role="status">(.*?)</p>', unmarked(page_html(app))
    )
    return found[-1]


def alone(gone_or_kept, *, keep: bool = True):
    """How the default prompt's first guess stands, by the engine alone."""
    loaded = load_model("demo")
    ids = encode(loaded.tokenizer, DEFAULT_PROMPT).token_ids
    (clean,) = standings(loaded, ids, [keep_only([Head(n, m) for n in range(4) for m in range(8)],
                                                 shape=SHAPE)], 0)  # fmt: skip
    (found,) = standings(loaded, ids, [keep_only(gone_or_kept, shape=SHAPE)], clean.says)
    return loaded, ids, clean.says, found


def test_the_section_opens_with_the_heads_of_both_roles_kept() -> None:
    app = open_link()
    kept = app.multiselect(key=state.BACKWARD_HEADS).value
    assert {"L0H6", "L1H4", "L1H1"} <= set(kept)
    *_, found = alone([Head.parse(label) for label in kept])
    assert found.rank == 1
    assert says(concluded(app), f"{len(kept)} of 32 heads", "first", "clearly more than random")
    assert app.query_params["section"] == "backward"


def test_a_link_keeps_its_heads_and_what_the_answer_falls_to_is_said() -> None:
    app = open_link(heads="L0H6,L1H1,L1H4")
    assert app.multiselect(key=state.BACKWARD_HEADS).value == ["L0H6", "L1H1", "L1H4"]
    *_, found = alone([Head(0, 6), Head(1, 1), Head(1, 4)])
    assert found.rank == 3
    assert says(concluded(app), "L0H6, L1H1 and L1H4", "3 of 32 heads", "from 1st to 3rd")
    assert app.query_params["heads"] == "L0H6,L1H1,L1H4"


def test_random_heads_beside_them_are_the_engine_s() -> None:
    app = open_link(heads="L0H6,L1H1,L1H4")
    html = unmarked(page_html(app))
    shown = re.search(r"Kept instead.*?</table>", html, re.S)[0]
    # Listed heads matter only where a layer has too few others, which is not so here.
    control = random_kept([Head(0, 6), Head(1, 1), Head(1, 4)], shape=SHAPE)
    assert [condition.name for condition in control.conditions] == re.findall(
        r'<th scope="row">(.*?)</th>', shown
    )
    loaded, ids, answer, _ = alone([])
    expected = standings(loaded, ids, control.conditions, answer)
    ranks = re.findall(r"</th><td>([\d,]+)</td>", shown)
    assert ranks == [f"{found.rank:,}" for found in expected]


def test_only_the_layers_of_the_kept_heads_and_chosen_layers() -> None:
    app = open_link(heads="L1H1", cut="own")
    (row,) = re.findall(r"only these 1</th><td>(.*?) of", unmarked(page_html(app)))
    loaded, ids, answer, _ = alone([])
    condition = keep_only([Head(1, 1)], shape=SHAPE, layers=[1])
    assert row == f"{standings(loaded, ids, [condition], answer)[0].rank}"
    assert app.query_params["cut"] == "own"
    app.selectbox(key=state.BACKWARD_CUT).set_value(state.CUT_SOME).run()
    assert says(app.info[0].value, "Choose at least one layer")
    app.multiselect(key=state.BACKWARD_LAYERS).set_value([0, 2]).run()
    assert not app.exception
    condition = keep_only([Head(1, 1)], shape=SHAPE, layers=[0, 2])
    (row,) = re.findall(r"only these 1</th><td>(.*?) of", unmarked(page_html(app)))
    assert row == f"{standings(loaded, ids, [condition], answer)[0].rank}"


def test_a_named_answer_is_watched_and_stands_in_the_link() -> None:
    app = open_link(heads="L1H1", answer="ran")
    assert app.query_params["answer"] == "ran"
    assert says((one.value for one in app.caption), "“·ran”", "you named")
    app.text_input(key=state.BACKWARD_ANSWER).set_value("").run()
    assert "answer" not in app.query_params
    assert says((one.value for one in app.caption), "“·sat”", "first guess")


def test_no_head_kept_is_said_too() -> None:
    app = open_link(heads="L1H1")
    app.multiselect(key=state.BACKWARD_HEADS).set_value([]).run()
    assert not app.exception
    *_, none = alone([])
    assert says(concluded(app), "No head kept", f"{none.rank}th", "random")


def test_the_curve_ends_as_keep_none_does_and_leads_to_keep_only_these() -> None:
    app = open_link(part="curve")
    assert {"Curve as CSV", "Curve as JSON", "Chart as PNG"} <= set(offered(app))
    html = unmarked(page_html(app))
    table = re.search(r"Went last.*?</table>", html, re.S)[0]
    rows = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in table.split("<tr>")[1:]]
    assert [int(row[0]) for row in rows] == list(range(32, -1, -1))
    *_, none = alone([])
    assert int(rows[-1][2]) == none.rank
    first = [row for row in rows if row[2] == "1"]
    smallest = int(first[-1][0])
    assert says(concluded(app), f"{smallest} of 32 heads are enough")
    app.button(key="knockout_lab-keep_these").click().run()
    assert not app.exception
    kept = app.multiselect(key=state.BACKWARD_HEADS).value
    assert len(kept) == smallest
    assert {row[1] for row in rows if int(row[0]) < smallest} == set(kept)
    assert says(concluded(app), f"{smallest} of 32 heads", "still first")
    assert app.query_params["heads"] == ",".join(kept)


def test_the_curve_shows_the_loss_on_the_prompt_too() -> None:
    app = open_link(part="curve")
    app.segmented_control(key=state.BACKWARD_MEASURE).set_value("loss on the prompt").run()
    assert not app.exception
    (chart,) = app.get("vega_lite_chart")
    assert "loss on the prompt (nats per token)" in chart.proto.spec


def test_backup_is_the_engine_s_and_takes_a_partner_by_a_click() -> None:
    app = open_link(part="backup", heads="L1H1", **{"with": "L1H7"}, at="last")
    loaded, ids, answer, _ = alone([])
    found = measure(loaded, ids, answer, [Head(1, 1)], [Head(1, 7)], position=-1)
    shown = concluded(app)
    for cost in (found.pair.a, found.pair.b, found.pair.both):
        assert f"{cost.log_probability:.2f}" in shown
    assert app.query_params["with"] == "L1H7"
    assert app.query_params["at"] == "last"
    assert set(offered(app)) >= {"Pairs as CSV", "Pairs as JSON"}
    button = app.button(key="knockout_lab-take_b")
    best = button.label.split()[1]
    button.click().run()
    assert app.multiselect(key=state.BACKUP_B).value == [best]
    assert app.query_params["with"] == best


def test_a_head_in_both_groups_is_refused_in_a_sentence() -> None:
    app = open_link(part="backup", heads="L1H1", **{"with": "L1H1"})
    assert says(app.info[0].value, "L1H1 is in A and in B")
    assert not app.error
    app.multiselect(key=state.BACKUP_A).set_value([]).run()
    assert says(app.info[0].value, "Choose at least one head")


def test_a_link_with_heads_that_the_model_lacks() -> None:
    app = open_link(part="backup", heads="L1H1", **{"with": "L9H9"})
    assert says((one.value for one in app.warning), "There is no head 'L9H9'")
    assert app.multiselect(key=state.BACKUP_A).value == ["L1H1"]
    assert app.query_params["with"] != "L9H9"


def test_another_prompt_starts_other_work() -> None:
    app = open_link(part="curve")
    before = concluded(app)
    app.session_state[session.PROMPT] = "One day, a dog saw a"
    app.run()
    assert not app.exception
    assert concluded(app) != before


def test_files_hold_the_prompt_and_every_number() -> None:
    answered = caches.answer("demo", DEFAULT_PROMPT), caches.stored("demo")
    loaded, ids, answer, _ = alone([])
    pair = measure(loaded, ids, answer, [Head(1, 1)], [Head(1, 4)], draws=3)
    offered_files = backward_files.of_backup(*answered, pair, "nats")
    origin, rows = read_csv(made(offered_files, "Pairs as CSV"))
    assert origin["prompt"] == DEFAULT_PROMPT
    assert [row["random"] for row in rows] == ["False", "True", "True", "True"]
    assert float(rows[0]["both_log_odds"]) == pytest.approx(pair.pair.both.log_odds, rel=1e-5)
    assert made(offered_files, "Chart as SVG").startswith(b"<svg")


# ------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["keep", "--heads", "L0H6,L1H1", "--control", "3"], 6),
        (["keep", "--heads", "L0H6,L1H1", "--control", "0", "--layers", "0,1"], 3),
        (["curve"], 33 + 5 * 15),
        (["backup", "--a", "L1H1", "--b", "L1H4", "--control", "2"], 3),
        (["backup", "--a", "L1H1", "--last"], 31),
    ],
)
def test_a_command_prints_all_its_numbers(arguments, rows, capsys, tmp_path) -> None:
    out = tmp_path / "table.csv"
    assert keep_heads.main([*arguments, "--json", "--csv", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "demo"
    assert len(found["rows"]) == rows
    assert all(found["sentences"])
    assert out.read_text().count("\n") > rows
    assert keep_heads.main(arguments) == 0
    printed = capsys.readouterr().out
    assert found["sentences"][1] in printed


def test_the_command_s_numbers_are_the_engine_s(capsys) -> None:
    keep_heads.main(["keep", "--heads", "L0H6,L1H1,L1H4", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    *_, found = alone([Head(0, 6), Head(1, 1), Head(1, 4)])
    assert rows[1]["rank"] == found.rank
    assert rows[1]["log_probability"] == pytest.approx(found.log_probability, abs=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        ["keep", "--heads", "L9H9"],
        ["keep", "--heads", "L1H1", "--layers", "9"],
        ["backup", "--a", "L1H1", "--b", "L1H1"],
        ["backup", "--a", "L9H9"],
        ["backup", "--a", "L1H1", "--control", "9"],
    ],
)
def test_what_cannot_be_asked_ends_in_a_sentence(arguments, capsys) -> None:
    assert keep_heads.main(arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()[-1]) > 20

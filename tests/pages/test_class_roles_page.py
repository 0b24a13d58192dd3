"""Roles of the class on every page that shows them, in a link, and in the instructor's hands."""

from __future__ import annotations

import json
import shutil

import pytest

from headroles import paths, roles, view
from headroles.admin import hash_password
from headroles.errors import NotSignedInError
from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import SavedRole, saved_roles
from headroles.store import class_roles
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.admin import server as admin_server
from headroles.ui.admin import state as admin_state
from headroles.ui.app import caches, session
from headroles.ui.app import saved_roles as ui_saved_roles
from headroles.ui.detector_lab import state as lab_state
from headroles.ui.head_map import files as head_map_files
from headroles.ui.your_prompt import files as your_prompt_files
from headroles.view.glossary import unmarked
from scripts import head_map, prompt
from tests.facts import says

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)
PASSWORD = "four random words here"
HEADS = ((Head(0, 6), 0.89), (Head(3, 2), 0.5))
BACK = SavedRole(roles.saved_roles.renamed(roles.offset(1), "One back"), "demo", HEADS)
MINE = SavedRole(roles.of_expression("k == q - 2", title="Two back"), "demo", HEADS[:1])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a copy of the shipped categories."""
    shutil.copy(ROOT / "data" / "head_categories.json", tmp_path)
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    yield tmp_path
    admin_server.close()


def opened(page: str, *, password_hash: str = "", **query: str):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    if password_hash:
        app.secrets["admin"] = {"password_hash": password_hash}
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception
    return app


def html(app) -> str:
    return unmarked("\n".join(element.proto.body for element in app.get("html")))


def told(elements) -> str:
    return "\n".join(one.value for one in elements).replace("\\", "")


def test_every_visitor_sees_a_kept_role_on_every_page(folder) -> None:
    class_roles.keep(BACK)
    answer = caches.answer("demo", DEFAULT_PROMPT)
    card = view.saved_roles.card_of(BACK, answer.run, answer.scores)
    page = html(opened(session.YOUR_PROMPT))
    assert "<h3>One back</h3>" in page
    assert view.saved_roles.KEPT in page
    assert card.headline in page
    app = opened(session.MAP, view="all")
    drawn = view.saved_roles.map_of(BACK, answer.run, answer.scores)
    assert drawn.sentence in html(app)
    shown = view.role_cards.shown(next(r for r in card.rows if r["label"] == "L0H6"))
    assert f"<td>{shown}</td>" in html(opened(session.CLOSEUP, head="L0H6"))
    lab = opened(lab_state.PAGE)
    offered = [option for group in lab.get("button_group") for option in group.options]
    assert "One back" in map(str, offered)


# ------------------------------------------------------------------ in tables and commands


@pytest.fixture
def answered(folder):
    """The kept roles "One back", and one that is painted for another length; the answer."""
    painted = roles.of_matrix([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], title="Painted")
    class_roles.keep(BACK)
    class_roles.keep(SavedRole(painted, "demo", HEADS[:1]))
    return caches.answer("demo", DEFAULT_PROMPT), caches.stored("demo")


def saved_rows(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["role"].startswith("saved:")]


def content(offer: list, label: str) -> bytes:
    (file,) = (file for file in offer if file.label == label)
    return file.make()


def test_the_tables_of_a_prompt_hold_what_the_cards_show(answered) -> None:
    answer = answered[0]
    shown = [*ui_saved_roles.shown("demo"), (MINE, False)]
    offer = your_prompt_files.of_prompt(*answered, saved=shown)
    rows = saved_rows(json.loads(content(offer, "Heads as JSON"))["heads"])
    assert [(row["role"], row["label"], row["kept_for_the_class"]) for row in rows] == [
        ("saved:One back", "L0H6", True),
        ("saved:One back", "L3H2", True),
        ("saved:Painted", "L0H6", True),
        ("saved:Two back", "L0H6", False),
    ]
    card = view.saved_roles.card_of(BACK, answer.run, answer.scores)
    for row, drawn in zip(rows, card.rows, strict=False):
        assert row["score"] == drawn["score"]
        assert row["state"] == drawn["state"]
        assert row["activation_score"] == pytest.approx(drawn["activation_score"], abs=1e-7)
        # a second way: the attention one token back, over the rows that have one
        back = answer.run.attention[row["layer"], row["head"]].diagonal(-1)
        assert row["activation_score"] == pytest.approx(float(back[1:].mean()), abs=0.02)
    assert rows[2]["state"] == "not_applicable"
    assert says(rows[2]["reason"], "3 tokens")
    assert "activation_score" not in rows[2]
    alone = json.loads(content(your_prompt_files.of_prompt(*answered), "Heads as JSON"))
    assert not saved_rows(alone["heads"])
    assert "saved:" not in content(offer, "Python script").decode()


def test_the_table_of_the_map_holds_every_head_in_a_kept_role(answered) -> None:
    shown = ui_saved_roles.shown("demo")
    offer = head_map_files.of_map("demo", DEFAULT_PROMPT, answered[1], extended=False, saved=shown)
    rows = saved_rows(json.loads(content(offer, "Table as JSON"))["heads"])
    assert len(rows) == 2 * 32
    assert {row["label"] for row in rows if row["listed"] and row["role"] == "saved:One back"} == {
        "L0H6",
        "L3H2",
    }
    stored = head_map_files.of_map("demo", None, answered[1], extended=False, saved=shown)
    assert not saved_rows(json.loads(content(stored, "Table as JSON"))["heads"])


def test_the_command_says_what_the_page_says(answered, capsys) -> None:
    offer = your_prompt_files.of_prompt(*answered, saved=ui_saved_roles.shown("demo"))
    page = json.loads(content(offer, "Heads as JSON"))["heads"]
    assert prompt.main(["demo", DEFAULT_PROMPT, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == page
    assert prompt.main(["demo", DEFAULT_PROMPT, "--format", "csv"]) == 0
    assert capsys.readouterr().out.count('"saved:One back"') == 2
    assert prompt.main(["demo", DEFAULT_PROMPT]) == 0
    text = capsys.readouterr().out
    card = view.saved_roles.card_of(BACK, answered[0].run, answered[0].scores)
    assert f"One back: {card.headline}" in text
    assert text.count(view.saved_roles.KEPT) == 2
    assert says(text.partition("Painted: ")[2], "3 tokens")
    assert prompt.main(["demo", DEFAULT_PROMPT, "--role", "induction"]) == 0
    assert "One back" not in capsys.readouterr().out  # another role was asked for
    assert head_map.main(["demo", DEFAULT_PROMPT, "--format", "json"]) == 0
    assert len(saved_rows(json.loads(capsys.readouterr().out)["rows"])) == 2 * 32


def test_a_damaged_file_is_told_and_stops_no_command(folder, capsys) -> None:
    (folder / class_roles.FILE).write_text("[")
    assert prompt.main(["demo", DEFAULT_PROMPT, "--format", "json"]) == 0
    told = capsys.readouterr()
    assert class_roles.FILE in told.err
    assert not saved_rows(json.loads(told.out)["rows"])


def test_a_kept_role_that_goes_is_unticked(folder) -> None:
    class_roles.keep(BACK)
    app = opened(lab_state.PAGE)
    (pattern,) = (role.pattern for role in class_roles.read().roles)
    app.session_state[lab_state.CHOSEN] = [roles.ROLES["induction"], pattern]
    app.run()
    assert not app.exception
    assert len(app.session_state[lab_state.CHOSEN]) == 2
    class_roles.remove("demo", "One back")
    app.run()
    assert not app.exception
    assert app.session_state[lab_state.CHOSEN] == [roles.ROLES["induction"]]


def test_a_damaged_file_breaks_no_page(folder) -> None:
    (folder / class_roles.FILE).write_text("{")
    for page in (session.YOUR_PROMPT, session.CLOSEUP, session.MAP, lab_state.PAGE):
        app = opened(page)
        assert class_roles.FILE not in told(app.error)  # it is the instructor's business


def test_a_link_carries_a_role_to_anybody(folder) -> None:
    text = saved_roles.to_link([MINE])
    app = opened(session.YOUR_PROMPT, own_roles=text)
    assert app.session_state[ui_saved_roles.SAVED] == (MINE,)
    assert "<h3>Two back</h3>" in html(app)
    assert "Saved by you" in html(app)
    assert app.query_params["own_roles"] in (text, [text])
    app.switch_page(session.MAP).run()
    assert not app.exception
    assert app.session_state[ui_saved_roles.SAVED] == (MINE,)


@pytest.mark.parametrize("text", ["[", "[3]", '[["a","expression:import os","demo",{"L0H0":1}]]'])
def test_a_link_that_holds_no_role_says_so(folder, text: str) -> None:
    app = opened(session.YOUR_PROMPT, own_roles=text)
    assert "saved role" in told(app.warning)
    assert ui_saved_roles.SAVED not in app.session_state


def signed_in(**query: str):
    app = opened("pages/admin.py", password_hash=hash_password(PASSWORD), **query)
    app.text_input(key=admin_state.SECRET).set_value(PASSWORD)
    app.button(key="admin-sign_in").click().run()
    app.segmented_control(key=admin_state.SECTION).set_value(admin_state.CLASS_ROLES).run()
    assert not app.exception
    return app


def press(app, key: str) -> None:
    app.button(key=f"admin-roles_{key}").click().run()
    assert not app.exception


def test_an_instructor_keeps_renames_removes_and_undoes(folder) -> None:
    app = signed_in()
    app.session_state[ui_saved_roles.SAVED] = (BACK, MINE)
    app.run()
    press(app, "keep_1")
    assert class_roles.read().roles == (MINE,)
    press(app, "keep_0")
    assert [role.name for role in class_roles.read().roles] == ["Two back", "One back"]
    app.text_input(key=admin_state.NEW_ROLE_NAME).set_value("  Look   two back ")
    press(app, "rename")
    assert class_roles.read().roles[0].name == "Look two back"
    assert app.text_input(key=admin_state.NEW_ROLE_NAME).value == ""
    app.text_input(key=admin_state.NEW_ROLE_NAME).set_value("One back")  # which is taken
    press(app, "rename")
    assert "One back" in told(app.error)
    assert class_roles.read().roles[0].name == "Look two back"
    press(app, "remove")
    assert [role.name for role in class_roles.read().roles] == ["One back"]
    press(app, "undo")
    assert len(class_roles.read().roles) == 2
    office = admin_server._offices[folder]
    rows = office.history(app.session_state[admin_state.TICKET]).rows
    done = [row.outcome for row in rows if row.action == "edited_roles"][::-1]
    assert done == [
        "kept “Two back”",
        "kept “One back”",
        "renamed “Two back” to “Look two back”",
        "removed “Look two back”",
        "undone",
    ]
    with pytest.raises(NotSignedInError):
        office.keep_role(None, BACK)
    with pytest.raises(NotSignedInError):
        office.edit_role(None, "undo")


def test_a_damaged_file_is_explained_to_the_instructor_and_undone(folder) -> None:
    class_roles.keep(BACK)
    class_roles.keep(MINE)
    (folder / class_roles.FILE).write_text('{"format": 1, "roles": [{}]}')
    app = signed_in()
    assert class_roles.FILE in told(app.error)
    press(app, "undo")
    kept = json.loads((folder / class_roles.FILE).read_text())
    assert [role["name"] for role in kept["roles"]] == ["One back"]

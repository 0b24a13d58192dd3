"""The instructor's page, without a browser: real analyses of the bundled model, nothing mocked."""

from __future__ import annotations

import json
import re
import shutil
import time
from datetime import UTC, datetime

import pytest

from headroles import admin, errors, models, paths
from headroles.admin import hash_password
from headroles.admin.job_records import Job, JobRequest, Owner
from headroles.errors import NotSignedInError
from headroles.paths import DEMO_MODEL, ROOT
from headroles.reference.diff import compare
from headroles.roles import BASIC_ROLES, EXTENDED_ROLES
from headroles.store import categories
from headroles.ui.admin import publish, review_role, state
from headroles.ui.admin import server as admin_server
from headroles.view import entry_diff, jobs
from headroles.view.glossary import unmarked
from tests import elsewhere
from tests.facts import says

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

PASSWORD = "four random words here"
SEQUENCES = 8
"""Few, so that the analysis is quick; its scores are as real as any."""


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a copy of the shipped categories, used by the page and by the store."""
    shutil.copy(ROOT / "data" / "head_categories.json", tmp_path)
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    yield tmp_path
    admin_server.close()


@pytest.fixture(scope="module")
def analysed(tmp_path_factory, password_hash):
    """A folder in which the page has run one analysis, and what it showed meanwhile."""
    place = tmp_path_factory.mktemp("analysed")
    shutil.copy(ROOT / "data" / "head_categories.json", place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CATEGORIES", place / "head_categories.json")
        app = signed_in(password_hash)
        app.number_input(key=state.SEQUENCES).set_value(SEQUENCES).run()
        app.button(key="admin-start").click().run()
        shown = []
        while not texts(app).count("Review it"):
            shown += [(bar.proto.value, bar.proto.text) for bar in app.get("progress")]
            assert len(shown) < 600, "the analysis does not end"
            time.sleep(0.1)
            app.run()
            assert not app.exception
        admin_server.close()
    return place, shown


@pytest.fixture
def done(analysed, folder):
    """A fresh folder that holds the finished analysis; the id of its job."""
    shutil.copytree(analysed[0] / "jobs", folder / "jobs")
    (job,) = (folder / "jobs").iterdir()
    return job.name


def server(folder):
    """The server's side of the page, past everything that the page hides."""
    return admin_server._offices[folder]


def open_page(password_hash: str | None = None, *, page: str = "pages/admin.py"):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    if password_hash is not None:
        app.secrets["admin"] = {"password_hash": password_hash}
    app.switch_page(page).run()
    assert not app.exception
    return app


def enter(app, secret: str):
    app.text_input(key=state.SECRET).set_value(secret)
    app.button(key="admin-sign_in").click()
    app.run()
    assert not app.exception
    return app


def signed_in(password_hash: str):
    app = enter(open_page(password_hash), PASSWORD)
    assert state.SECTION in [group.key for group in app.segmented_control]
    return app


def test_the_list_of_models(folder, password_hash):
    app = section(signed_in(password_hash), state.OFFERED)
    fields = {state.NEW_HUB_ID: "EleutherAI/pythia-1b", state.NEW_REVISION: "step512"}
    for key, text in fields.items():
        app.text_input(key=key).set_value(text)
    press(app, "models_add")
    listed = (folder / "models.toml").read_text()
    assert 'hub = "EleutherAI/pythia-1b"' in listed
    assert 'revision = "step512"' in listed
    assert app.text_input(key=state.NEW_HUB_ID).value == ""
    assert any("pythia-1b" in option for option in app.sidebar.selectbox[0].options)

    app.selectbox(key=state.LISTED).set_value("gpt2").run()
    press(app, "models_up")
    press(app, "models_hide")
    options = app.sidebar.selectbox[0].options
    assert not any(option.startswith("GPT-2 small") for option in options)
    press(app, "models_undo")
    assert app.sidebar.selectbox[0].options[3].startswith("GPT-2 small")  # one place further up

    app.selectbox(key=state.LISTED).set_value("EleutherAI/pythia-1b").run()
    press(app, "models_remove")
    assert "pythia-1b" not in (folder / "models.toml").read_text().split("licence")[-1]
    app.selectbox(key=state.LISTED).set_value("demo").run()
    assert app.button(key="admin-models_hide").disabled
    rows = server(folder).history(app.session_state[state.TICKET]).rows
    done = [(row.model, row.outcome) for row in rows if row.action == "edited_models"]
    assert done[::-1] == [
        ("EleutherAI/pythia-1b", "added at revision step512"),
        ("", "order"),
        ("gpt2", "hide"),
        ("", "undo"),
        ("EleutherAI/pythia-1b", "remove"),
    ]


def test_an_id_that_is_too_long_is_left_out_alone(folder, password_hash):
    app = signed_in(password_hash)
    app.text_area(key=state.HUB_IDS).set_value("a/" + "b" * 300).run()
    assert not app.exception
    said = [warning.value for warning in app.warning]
    assert says(" ".join(said), "is left out", "at most 200 characters")
    assert not app.button(key="admin-start").disabled  # the bundled model is still chosen


@pytest.mark.parametrize("typed", ["/srv/models/ours", "../x", "headroles/models", "a b", ""])
def test_the_list_takes_no_folder_from_a_browser(folder, password_hash, typed):
    app = section(signed_in(password_hash), state.OFFERED)
    app.text_input(key=state.NEW_HUB_ID).set_value(typed)
    press(app, "models_add")
    assert "list of models" in app.error[0].value
    assert not (folder / "models.toml").exists()


def test_a_damaged_list_is_explained_to_the_instructor_alone(folder, password_hash):
    (folder / "models.toml").write_text("hide = ['nobody']")
    app = section(signed_in(password_hash), state.OFFERED)
    assert "nobody" in app.error[0].value
    assert any("an earlier one is in use" in caption.value for caption in app.sidebar.caption)
    assert len(app.sidebar.selectbox[0].options) > 10


def section(app, name: str):
    app.segmented_control(key=state.SECTION).set_value(name).run()
    assert not app.exception
    return app


def press(app, key: str):
    app.button(key=f"admin-{key}").click().run()
    assert not app.exception
    return app


def buttons(app) -> dict[str, object]:
    return {button.key.removeprefix("admin-"): button for button in app.button if button.key}


def texts(app) -> str:
    """Everything that the page says."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.success, app.info, app.button)
    said = [str(getattr(one, "value", "")) for kind in kinds for one in kind]
    said += [button.label for button in app.button]
    said += [unmarked(one.proto.body) for one in app.get("html")]
    return "\n".join(said).replace("\\", "")


def listed(app) -> list[str]:
    """The heads of the role that is shown, from the table of its list."""
    return re.findall(r'<th scope="row">\d+\. (L\d+H\d+)</th>', texts(app))


# ------------------------------------------------------------------ who may enter


def test_nothing_can_be_done_without_a_sign_in(folder, password_hash) -> None:
    app = open_page(password_hash)
    assert set(buttons(app)) == {"sign_in"}
    assert not app.segmented_control
    assert not app.slider
    actions = server(folder)
    with pytest.raises(NotSignedInError):
        actions.start(app.session_state[state.TICKET], [JobRequest(model="demo")])
    assert not (folder / "jobs").exists()


def test_a_wrong_password_is_said_and_then_slowed(folder, password_hash) -> None:
    app = enter(open_page(password_hash), "a guess")
    assert errors.WrongSecretError("password").message in texts(app)
    assert not buttons(app)["sign_in"].disabled
    enter(app, "another guess")
    assert buttons(app)["sign_in"].disabled
    assert says(texts(app), "try again", "1 second")
    assert app.session_state[state.TICKET] is None


def test_the_password_opens_the_page_and_signing_out_closes_it(folder, password_hash) -> None:
    app = signed_in(password_hash)
    ticket = app.session_state[state.TICKET]
    press(app, "sign_out")
    assert set(buttons(app)) == {"sign_in"}
    with pytest.raises(NotSignedInError):
        server(folder).jobs(ticket)


def test_without_a_password_the_log_holds_a_token_and_the_page_says_where(folder, capfd) -> None:
    app = open_page(page="pages/your_prompt.py")  # any page: the token is there from the start
    token = re.search(r"^ {4}(\S{20,})$", capfd.readouterr().err, re.MULTILINE)[1]
    app.switch_page("pages/admin.py").run()
    assert "`streamlit run`" in texts(app)
    assert "*Manage app*" in texts(app)
    enter(app, token)
    assert "start" in buttons(app)
    other = enter(open_page(), token)  # it works once
    assert errors.WrongSecretError("token").message in texts(other)


def test_a_broken_hash_lets_nobody_in_and_disturbs_no_student(folder) -> None:
    app = open_page("not a hash")
    assert len(app.error) == 1
    said = app.error[0].value.replace("\\", "")  # Markdown's escapes
    assert says(said, "password_hash", "argon2")
    assert says(said, "scripts.hash_password", ".streamlit/secrets.toml")
    assert "not a hash" not in said
    assert not app.text_input
    app.switch_page("pages/your_prompt.py").run()
    assert not app.exception
    assert not app.error


def test_a_sign_in_that_has_ended_leads_back_to_the_form(folder, password_hash) -> None:
    app = signed_in(password_hash)
    server(folder).sign_out(app.session_state[state.TICKET])  # as after eight hours
    press(app, "start")
    assert errors.NotSignedInError().message in texts(app)
    assert set(buttons(app)) == {"sign_in"}
    assert not list(folder.glob("jobs/*"))


# ------------------------------------------------------------------ starting and watching


def test_it_says_beforehand_how_long_it_takes_and_how_much_memory(folder, password_hash) -> None:
    said = texts(signed_in(password_hash))
    assert re.search(r"<b>\d+ s to \d+ (s|min)</b>", said)
    assert re.search(r"<b>\d+ MB</b> of memory.* [\d.]+ [GM]B", said)
    assert says(said, "nothing", "analysed")


@pytest.mark.parametrize("name", ["../demo_model", "data/demo_model", str(DEMO_MODEL)])
def test_a_folder_is_no_model_for_a_browser(folder, password_hash, name: str) -> None:
    app = signed_in(password_hash)
    app.multiselect(key=state.MODELS).set_value([])
    app.text_area(key=state.HUB_IDS).set_value(name).run()
    assert f"**{name} is left out.**" in texts(app)
    assert buttons(app)["start"].disabled


def test_parts_that_are_switched_off_are_left_out_and_said(folder, password_hash) -> None:
    app = signed_in(password_hash)
    assert app.toggle(key=state.CAUSAL).value
    assert app.toggle(key=state.EXTENDED_TOO).value
    app.number_input(key=state.SEQUENCES).set_value(SEQUENCES)
    app.toggle(key=state.CAUSAL).set_value(False)
    app.toggle(key=state.EXTENDED_TOO).set_value(False).run()
    assert not app.exception
    press(app, "start")
    (job,) = server(folder).jobs(app.session_state[state.TICKET])
    assert (job.request.causal, job.request.extended) == (False, False)
    assert says(texts(app), "without knock", "without extended")


def test_writing_over_a_proof_without_one_says_what_students_lose() -> None:
    live = categories.read_entry("demo")
    basic = {key: live.categories[key] for key in BASIC_ROLES}
    bare = live.model_copy(update={"causal": {}, "categories": basic})
    assert publish.warnings(live, live) == publish.warnings(bare, None) == ()
    without, with_it = compare(live, bare), compare(bare, live)
    assert (with_it.evidence, with_it.extended) == ("new", "new")
    assert (without.evidence, without.extended) == ("gone", "gone")
    assert compare(live, live).nothing
    # With the same scores, a proof is something to write.
    assert not with_it.nothing
    assert says(entry_diff.sentences("demo", with_it), "evidence", "ablation", "new")
    lost = publish.warnings(bare, live)
    assert [("ablation" in line, "extended" in line) for line in lost] == [
        (True, False),
        (False, True),
    ]


def test_what_stands_below_the_listed_heads_shows_no_backslash() -> None:
    """It was escaped twice, and every sign of it was shown with a backslash, all in one line."""
    live = categories.read_entry("demo")
    for key in BASIC_ROLES:
        said = review_role.about_the_table(live, key)
        assert "\\\\" not in said  # an escaped backslash, and so one that is shown
        assert said.count("  \n") >= 2 if key in live.causal else "\n" not in said
    assert live.causal


def test_what_cannot_be_reached_is_left_out_and_the_rest_can_start(folder, password_hash) -> None:
    app = signed_in(password_hash)
    app.text_area(key=state.HUB_IDS).set_value("nobody/no-such-model").run()
    assert says(texts(app), "nobody/no-such-model", "left out")
    assert "ask_again_nobody/no-such-model" in buttons(app)
    assert not buttons(app)["start"].disabled


def test_a_reading_of_real_text_says_how_long_it_will_take(folder, password_hash) -> None:
    """By its own formula: the knock-outs of an analysis are no measure of it."""
    app = signed_in(password_hash)
    app.number_input(key=state.READ_TOKENS).set_value(100_000).run()
    request = admin.job_request(model="demo", read_tokens=100_000)
    expected = admin.estimate_of(request, models.inspect_model("demo"))
    assert expected.seconds > 100
    assert texts(app).count("likely takes") == 2  # the analysis above it, and the reading
    assert jobs.time_range(expected) in texts(app)
    assert not buttons(app)["read_text"].disabled


def test_the_bar_moves_and_counts_sequences(analysed) -> None:
    _, shown = analysed
    values = [value for value, _ in shown]
    assert values == sorted(values)
    assert any(0 < value < 100 for value in values)
    assert any(re.search(r"[\d,]+ of [\d,]+", text) for _, text in shown)


def test_a_cancelled_analysis_leaves_nothing_and_can_be_started_again(
    folder, password_hash
) -> None:
    app = signed_in(password_hash)
    press(app, "start")
    (job,) = (path.name for path in (folder / "jobs").iterdir())
    other = signed_in(password_hash)  # a second tab shows the same one
    assert f"cancel_{job}" in buttons(other)
    press(other, f"cancel_{job}")
    app.run()
    for one in (app, other):
        assert "⊘ cancelled" in texts(one)
        assert f"again_{job}" in buttons(one)
    assert [path.name for path in (folder / "jobs" / job).iterdir()] == ["job.json"]

    press(app, f"again_{job}")
    requests = [one.request for one in server(folder).jobs(app.session_state[state.TICKET])]
    assert len(requests) == 2
    assert requests[0] == requests[1]


def test_several_analyses_wait_in_a_queue(folder, password_hash) -> None:
    app = signed_in(password_hash)
    press(app, "start")
    app.number_input(key=state.SEED).set_value(1).run()
    press(app, "start")
    assert len(app.get("progress")) == 1
    assert says(texts(app), "Waiting", "1")
    waiting = max(path.name for path in (folder / "jobs").iterdir())
    press(app, f"cancel_{waiting}")
    assert "Waiting" not in texts(app)
    assert len(app.get("progress")) == 1


def test_what_runs_comes_first_and_cannot_be_started_again(folder, password_hash) -> None:
    app = signed_in(password_hash)
    start = app.button(key="admin-start")
    press(app, "start")
    (job,) = (path.name for path in (folder / "jobs").iterdir())
    order = [button.key for button in app.main.button]
    assert order.index(f"admin-cancel_{job}") < order.index("admin-start")
    assert "Set up another analysis" in [part.label for part in app.expander]
    assert buttons(app)["start"].disabled
    assert says(texts(app), "already", "running")
    start.click().run()  # the second click of two quick ones: the page had not changed yet
    assert len(list((folder / "jobs").iterdir())) == 1
    press(app, f"cancel_{job}")
    app.run()
    assert "Set up another analysis" not in [part.label for part in app.expander]
    assert not buttons(app)["start"].disabled


def test_an_analysis_that_a_restart_cut_off_is_said_to_be_lost(folder, password_hash) -> None:
    lost = Job(
        id="20260131T120000000000-0001",
        request=JobRequest(model="demo", sequences=24),
        who="session 0001",
        owner=Owner(pid=1, started=0.0),  # no process started then
        state="running",
        queued_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        started_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    )
    place = folder / "jobs" / lost.id
    place.mkdir(parents=True)
    (place / "job.json").write_text(lost.model_dump_json())
    (place / "candidate.json").write_text('{"demo": {"half')
    app = signed_in(password_hash)
    assert says(texts(app), "server restarted")
    assert f"look_{lost.id}" not in buttons(app)
    section(app, state.LOOK)
    assert says(texts(app), "no finished analysis")
    section(app, state.AUDIT)
    assert "analysis lost" in texts(app)


# ------------------------------------------------------------------ looking


@pytest.fixture
def looking(done, password_hash):
    """The page with the finished analysis open."""
    app = signed_in(password_hash)
    press(app, f"look_{done}")
    assert app.segmented_control(key=state.SECTION).value == state.LOOK
    return app


def data_of(chart) -> list[dict[str, object]]:
    """The records behind a chart; Streamlit sends them beside the spec."""
    from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

    first = chart.proto.datasets[0].data.data
    return convert_arrow_bytes_to_pandas_df(first).to_dict("records")


def role(app, key: str):
    app.segmented_control(key=state.LOOK_ROLE).set_value(key).run()
    assert not app.exception
    return app


def candidate_of(folder, job: str) -> categories.ModelEntry:
    return categories.read_all(folder / "jobs" / job / "candidate.json")["demo"]


@pytest.mark.parametrize("key", ["previous_token", "induction", "diffuse", "other"])
def test_every_head_is_on_the_map_of_a_role(looking, folder, done, key: str) -> None:
    role(looking, key)
    rows = data_of(looking.get("vega_lite_chart")[0])
    entry = candidate_of(folder, done)
    assert len(rows) == entry.num_layers * entry.num_heads == 32
    if key != "other":
        for row in rows:
            score = entry.all_scores[key][row["layer"]][row["head"]]
            assert row["value"] == pytest.approx(score, abs=5e-5)  # four digits are drawn
            assert row["active"] == (score >= entry.categories[key].threshold)
    marked = {f"L{row['layer']}H{row['head']}" for row in rows if row["listed"]}
    assert marked == set(listed(looking))
    charts = looking.get("vega_lite_chart")
    assert len(charts) == (1 if key == "other" else 2)  # what fits no role has no scale of its own
    assert all(chart.proto.alt for chart in charts)


def test_the_difference_names_every_role(looking, folder, done) -> None:
    from headroles.reference.diff import compare

    found = compare(categories.read_entry("demo"), candidate_of(folder, done))
    said = texts(looking)
    assert says((one.value for one in looking.subheader), "change", "students")
    for key, change in found.roles.items():
        role(looking, key)
        said = texts(looking)
        for head in (*change.entering, *change.leaving):
            assert f"<td>{head.label}</td>" in said
        for one in change.scores:
            assert f"<td>{one.before:.3f}</td><td>{one.after:.3f}</td>" in said


def test_moving_a_threshold_or_the_cap_moves_the_list_at_once(looking, folder, done) -> None:
    role(looking, "induction")
    before = listed(looking)
    scores = candidate_of(folder, done).all_scores["induction"]
    ranked = sorted(
        ((score, f"L{i}H{j}") for i, row in enumerate(scores) for j, score in enumerate(row)),
        reverse=True,
    )
    assert before == [label for _, label in ranked[: len(before)]]
    halfway = (ranked[1][0] + ranked[2][0]) / 2  # two heads are over it
    looking.slider(key=state.threshold_key(done, "induction")).set_value(halfway).run()
    assert listed(looking)[:2] == [ranked[0][1], ranked[1][1]]
    assert len(listed(looking)) < len(before)
    assert "Chosen by hand." in texts(looking)

    looking.slider(key=state.cap_key(done)).set_value(1).run()
    assert listed(looking) == [ranked[0][1]]
    press(looking, "undo_choice")
    press(looking, "undo_choice")
    assert listed(looking) == before
    assert buttons(looking)["undo_choice"].disabled
    assert len(list((folder / "jobs").iterdir())) == 1  # no model was run


def test_calibrated_takes_all_changes_back(looking, done) -> None:
    role(looking, "induction")
    before = listed(looking)
    assert buttons(looking)["calibrated"].disabled
    looking.slider(key=state.cap_key(done)).set_value(2).run()
    assert len(listed(looking)) == 2
    press(looking, "calibrated")
    assert listed(looking) == before
    press(looking, "undo_choice")  # that, too, can be undone
    assert len(listed(looking)) == 2


# ------------------------------------------------------------------ writing and restoring


def heads_of(folder, key: str = "induction") -> int:
    return len(
        categories.read_entry("demo", folder / "head_categories.json").categories[key].top_heads
    )


def ask_to_write_with_cap(app, job: str, cap: int):
    app.slider(key=state.cap_key(job)).set_value(cap).run()
    return press(app, "write")


def test_writing_asks_first_and_students_get_it_with_their_next_click(
    looking, folder, done, password_hash
) -> None:
    student = open_page(page="pages/your_prompt.py")
    assert "of 1 listed head active" not in "".join(
        one for one in texts(student).splitlines() if "Induction" in one
    )
    was = heads_of(folder)
    assert was > 1
    ask_to_write_with_cap(looking, done, 1)
    said = texts(looking)
    assert re.search(r"- Induction: .*lea", said)
    assert f"Only {SEQUENCES} sequences were scored." in said
    assert heads_of(folder) == was  # nothing yet
    press(looking, "confirm_yes")
    assert says(texts(looking), "Headroles demo (bundled)", "live")
    assert heads_of(folder) == 1
    student.run()
    assert "of 1 listed head active" in card(student, "Induction")

    press(looking, "undo_write")
    assert heads_of(folder) == was
    student.run()
    assert f"of {was} listed heads active" in card(student, "Induction")


def card(student, name: str) -> str:
    assert not student.exception
    return next(line for line in texts(student).splitlines() if f"<h3>{name}</h3>" in line)


def test_leaving_it_changes_nothing(looking, folder, done) -> None:
    before = (folder / "head_categories.json").read_bytes()
    ask_to_write_with_cap(looking, done, 1)
    press(looking, "confirm_no")
    assert "confirm_yes" not in buttons(looking)
    assert (folder / "head_categories.json").read_bytes() == before


def test_what_students_already_see_cannot_be_written(looking, done) -> None:
    press(looking, "write")
    press(looking, "confirm_yes")
    assert buttons(looking)["write"].disabled
    assert says(texts(looking), "nothing to publish")


def test_of_two_who_press_write_together_one_is_told(looking, folder, done, password_hash) -> None:
    other = press(signed_in(password_hash), f"look_{done}")
    ask_to_write_with_cap(looking, done, 1)
    ask_to_write_with_cap(other, done, 2)
    press(looking, "confirm_yes")
    press(other, "confirm_yes")
    assert says(texts(other), "Someone else", "'demo'")
    assert heads_of(folder) == 1  # nothing was written over
    assert "confirm_yes" not in buttons(other)
    press(other, "write")  # the new difference is there to be looked at
    press(other, "confirm_yes")
    assert heads_of(folder) == 2


def test_an_earlier_version_is_looked_at_and_restored(looking, folder, done) -> None:
    was = (folder / "head_categories.json").read_bytes()
    ask_to_write_with_cap(looking, done, 1)
    press(looking, "confirm_yes")
    section(looking, state.VERSIONS)
    assert says(texts(looking), "restor", "Headroles demo")
    looking.segmented_control(key=state.VERSION_ROLE).set_value("induction").run()
    assert texts(looking).count("+ enters") > 1
    press(looking, "restore_file")
    assert (folder / "head_categories.json").read_bytes() != was
    press(looking, "confirm_yes")
    assert (folder / "head_categories.json").read_bytes() == was
    assert says(texts(looking), "restored to the version", "UTC")
    press(looking, "undo_write")
    assert heads_of(folder) == 1  # as it was before the restore
    assert "undo_write" not in buttons(looking)


def test_lists_made_elsewhere_are_marked_and_come_back_as_they_were(folder, password_hash) -> None:
    path = folder / "head_categories.json"
    ours = categories.read_entry("demo", path)
    theirs = {"demo": elsewhere.plain(), "openai-community/gpt2": elsewhere.EXAMPLE["gpt2"]}
    path.write_text(json.dumps(theirs))
    app = section(signed_in(password_hash), state.VERSIONS)
    assert texts(app).count("made elsewhere") == 2  # a row for each model
    assert "None" not in texts(app)
    categories.write_entry(ours, path)
    there = compare(categories.read_version(categories.versions(path)[0].name, path)["demo"], ours)
    assert any(
        "scores that were measured here" in one for one in entry_diff.sentences("demo", there)
    )
    app = section(signed_in(password_hash), state.VERSIONS)
    app.segmented_control(key=state.VERSION_MODEL).set_value("demo").run()
    assert says(texts(app), "These lists were made elsewhere")
    press(app, "restore_file")
    press(app, "confirm_yes")
    assert json.loads(path.read_text()) == theirs


def test_one_model_alone_can_be_restored(folder, password_hash) -> None:
    from tests.entries import entry

    path = folder / "head_categories.json"
    demo = categories.read_entry("demo", path)
    categories.write_entry(entry("tiny"), path)
    categories.write_entry(entry("tiny", seed=7), path)
    categories.write_entry(demo.model_copy(update={"cap": 3}), path)
    app = section(signed_in(password_hash), state.VERSIONS)
    name = categories.versions(path)[1].name  # tiny with seed 0, demo as shipped
    app.selectbox(key=state.VERSION).set_value(name).run()
    app.segmented_control(key=state.VERSION_MODEL).set_value("tiny").run()
    press(app, "restore_model")
    assert says(texts(app), "other model", "stay")
    press(app, "confirm_yes")
    assert categories.read_entry("tiny", path).seed == 0
    assert categories.read_entry("demo", path).cap == 3
    press(app, "undo_write")
    assert categories.read_entry("tiny", path).seed == 7
    assert categories.read_entry("demo", path).cap == 3


# ------------------------------------------------------------------ faults


def test_a_damaged_file_is_shown_and_an_earlier_version_restored(
    looking, folder, done, password_hash
) -> None:
    ask_to_write_with_cap(looking, done, 1)
    press(looking, "confirm_yes")
    path = folder / "head_categories.json"
    path.write_bytes(path.read_bytes()[:500])
    looking.run()
    assert "write" not in buttons(looking)
    assert says(texts(looking), "until then, nothing", "published")
    section(looking, state.VERSIONS)
    assert "cannot be read" in looking.error[0].value
    assert says(texts(looking), "students still see")
    press(looking, "restore_newest")
    press(looking, "confirm_yes")
    assert categories.fault(path) is None
    assert not looking.error
    assert "damaged" in texts(looking)  # it is kept
    assert "undo_write" not in buttons(looking)  # nobody wants a damaged file back


def test_a_damaged_file_without_a_version_is_set_aside(folder, password_hash) -> None:
    path = folder / "head_categories.json"
    path.write_text("{")
    app = section(signed_in(password_hash), state.VERSIONS)
    assert "restore_newest" not in buttons(app)
    press(app, "set_aside")
    press(app, "confirm_yes")
    assert not path.exists()
    assert "There is no file yet" in texts(app)
    assert [one.fault != "" for one in categories.versions(path)] == [True]


# ------------------------------------------------------------------ remembering


def test_the_audit_list_tells_who_did_what(looking, folder, done) -> None:
    press(looking, "write")
    press(looking, "confirm_yes")
    section(looking, state.AUDIT)
    said = texts(looking)
    assert "<td>published</td><td>Headroles demo (bundled)</td>" in said
    assert says(said, f"{SEQUENCES} sequences", "seed 0", "sha256:")
    assert "<td>signed in</td>" in said


# ------------------------------------------------------------------ the extended roles


def test_the_extended_roles_of_a_candidate_are_listed_and_mapped(looking, folder, done) -> None:
    extended = candidate_of(folder, done).extended
    assert list(extended) == list(EXTENDED_ROLES)
    assert extended["name_mover"].listed[0].label in texts(looking)
    looking.toggle(key="admin-look_maps").set_value(True).run()
    for name, stored in extended.items():
        looking.segmented_control(key="admin-look_extended_role").set_value(name).run()
        assert not looking.exception
        assert stored.category.threshold_reason in texts(looking)
    assert "writes against it" in texts(looking)

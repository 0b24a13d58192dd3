"""What the instructor's page says of numbers, changes and moments, checked by hand."""

from __future__ import annotations

import csv
import doctest
import io
from datetime import UTC, datetime

import pytest

from headroles import formatting
from headroles.admin import AuditRow
from headroles.errors import HeadrolesError, NotSignedInError
from headroles.reference.diff import compare
from headroles.roles import BASIC_ROLES
from headroles.ui.admin import audit_log, desk, state
from headroles.view import candidate, entry_diff, jobs
from tests.entries import entry, plain_entry
from tests.facts import says


def test_the_examples_in_the_code_are_true() -> None:
    of_numbers, of_jobs = doctest.testmod(formatting), doctest.testmod(jobs)
    assert of_numbers.attempted >= 8
    assert of_numbers.failed == of_jobs.failed == 0


def listing(model: str, heads: list[tuple[int, int]], *, threshold: float = 0.5):
    """The plain entry whose induction list is this one."""
    plain = plain_entry(model)
    plain["categories"]["induction"]["threshold"] = threshold
    plain["categories"]["induction"]["top_heads"] = [
        {"layer": layer, "head": head, "score": 0.5, "standard_error": 0.0} for layer, head in heads
    ]
    return type(entry()).model_validate(plain)


BEFORE = listing("tiny", [(1, 2), (1, 1), (0, 2)])
AFTER = listing("tiny", [(1, 1), (1, 2), (1, 0)], threshold=0.625)


def test_a_role_s_change_in_a_sentence() -> None:
    change = compare(BEFORE, AFTER).roles["induction"]
    assert says(
        entry_diff.role_sentence("induction", change),
        *("Induction", "L1H0 enters", "L0H2 leaves", "L1H1", "L1H2 move", "0.50 → 0.62"),
    )


def test_many_heads_are_counted_and_not_named() -> None:
    more = listing("tiny", [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)])
    change = compare(listing("tiny", []), more).roles["induction"]
    assert says(entry_diff.role_sentence("induction", change), "Induction", "6 heads enter")


def test_thresholds_that_look_alike_show_more_digits() -> None:
    close = listing("tiny", [(1, 2), (1, 1), (0, 2)], threshold=0.5012)
    change = compare(BEFORE, close).roles["induction"]
    assert entry_diff.threshold_change(change) == "0.5000 → 0.5012"


def test_all_of_a_model_s_changes_name_what_stays_too() -> None:
    changed, rest = entry_diff.sentences("tiny", compare(BEFORE, AFTER))
    assert says(changed, "Induction", "L1H0", "0.50 → 0.62")
    assert says(rest, "5 roles", "unchanged")
    assert entry_diff.sentences("tiny", compare(BEFORE, BEFORE)) == ["tiny: nothing changes."]
    (sentence,) = entry_diff.sentences("tiny", compare(None, AFTER))
    assert says(sentence, "tiny is new")


def test_rows_say_enter_leave_and_move_in_words() -> None:
    rows = entry_diff.head_rows(compare(BEFORE, AFTER).roles["induction"])
    assert rows == [
        ["+ enters", "L1H0", "not listed", "listed"],
        ["− leaves", "L0H2", "listed", "not listed"],
        ["↑ moves up", "L1H1", "place 2", "place 1"],
        ["↓ moves down", "L1H2", "place 1", "place 2"],
    ]


def test_a_file_that_lacks_a_model_would_lose_it() -> None:
    lines, lost = entry_diff.file_sentences(
        {"tiny": BEFORE, "gpt2": entry("gpt2")}, {"tiny": AFTER}
    )
    assert says(lines[0], "tiny", "Induction", "L1H0 enters")
    assert len(lost) == 1
    assert says(lost, "GPT-2 small", "disappear")


# ------------------------------------------------------------------ numbers


def test_the_record_of_a_head_holds_score_error_and_state() -> None:
    records = {row["label"]: row for row in candidate.role_map(AFTER, "induction").records}
    assert len(records) == 6
    best = records["L1H2"]  # the matrix of tests/entries.py: 1.0 there, also as its error
    assert (best["value"], best["active"], best["listed"]) == (1.0, True, True)
    assert says(best["shown"], "1.000 ± 1.000", "over", "listed")
    assert records["L0H2"]["shown"] == "0.500 ± 0.500"  # the threshold is .625


def test_the_map_in_a_sentence() -> None:
    assert says(
        candidate.map_sentence(AFTER, "induction"),
        *("Induction", "3 of 6", "0.62", "L1H2", "1.00"),
    )
    assert says(candidate.map_sentence(AFTER, "other"), "Other", "1 of 6")


def test_what_the_classic_threshold_would_say_stands_beside_another_one() -> None:
    """Scores .125 .25 .5 / .75 .875 1: four of six reach .40."""
    assert says(candidate.classic_sentence(AFTER, "induction"), "4 of 6 heads", "0.40")
    own = listing("tiny", [(1, 2)], threshold=0.4)
    assert candidate.classic_sentence(own, "induction") == ""
    assert candidate.classic_sentence(AFTER, "other") == ""
    assert candidate.classic_sentence(AFTER, "diffuse") == ""  # evenness: .40 was never its cut


def test_a_full_list_says_how_it_was_filled() -> None:
    full = AFTER.model_copy(update={"cap": 2})
    assert says(candidate.order_sentence(full, "induction"), "2 of the 3 heads", "by score.")
    low = AFTER.categories["induction"].model_copy(update={"threshold": 0.1})
    four = AFTER.model_copy(update={"cap": 4, "categories": {"induction": low}})
    assert says(candidate.order_sentence(four, "induction"), "4 of the 6", "3 for", "1 first for")
    assert says(candidate.order_sentence(AFTER, "induction"), "at most 8")
    assert candidate.order_sentence(AFTER, "other") == ""


def test_heads_that_papers_name_are_counted_once_a_role_and_by_kind_of_evidence() -> None:
    from tests.pages.planted import planted_entry

    gpt2 = planted_entry(12, 12, model="gpt2")  # lists L1H1 for induction and nothing that is known
    by_pattern = candidate.known_in(gpt2, "pattern")
    # L2H2 and L4H11 for previous token (L4H11 in two sources), and five induction heads.
    assert len(by_pattern) == 8
    assert candidate.tally(by_pattern) == (0, 7)
    named = gpt2.categories["induction"].top_heads[0].model_copy(update={"layer": 5, "head": 1})
    induction = gpt2.categories["induction"].model_copy(update={"top_heads": [named]})
    finds_one = gpt2.model_copy(update={"categories": {**gpt2.categories, "induction": induction}})
    assert candidate.tally(candidate.known_in(finds_one, "pattern")) == (1, 7)
    by_function = {one.known.role for one in candidate.known_in(gpt2, "function")}
    assert by_function <= set(BASIC_ROLES)  # name movers and others are not scored here


def test_a_small_model_under_a_known_name_has_none_of_its_heads() -> None:
    assert candidate.known_in(entry("gpt2"), "pattern") == []  # 2 layers of 3 heads


# ------------------------------------------------------------------ the audit list


def test_the_csv_holds_every_field_and_no_formula() -> None:
    when = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)
    row = AuditRow(
        when=when, who="session 3f2a", action="failed", model="=1+1", seed=3, outcome="a, b"
    )
    (read,) = csv.DictReader(io.StringIO(audit_log.as_csv([row])))
    assert read["when"] == "2026-01-31T12:05:00Z"
    assert (read["who"], read["action"], read["seed"]) == ("session 3f2a", "failed", "3")
    assert read["model"] == "'=1+1"
    assert read["outcome"] == "a, b"


# ------------------------------------------------------------------ what goes wrong


@pytest.fixture
def session(monkeypatch):
    store: dict[str, object] = {}
    monkeypatch.setattr(state.st, "session_state", store)
    state.begin()
    return store


def fail(error: Exception):
    def action() -> None:
        raise error

    return action


def test_a_disk_that_fails_is_a_sentence(session) -> None:
    assert not desk.run_action(fail(OSError(28, "No space left on device")))
    said = session[state.NOTICE]
    assert said.kind == "failed"
    assert "No space left on device" in said.message


def test_a_sign_in_that_ended_takes_ticket_and_question_away(session) -> None:
    session[state.TICKET], session[state.CONFIRM] = "a ticket", "a question"
    assert not desk.run_action(fail(NotSignedInError()))
    assert session[state.TICKET] is None
    assert session[state.CONFIRM] is None
    assert session[state.NOTICE].message == NotSignedInError().message


def test_what_has_a_sentence_is_said_and_a_bug_is_not_hidden(session) -> None:
    assert not desk.run_action(fail(HeadrolesError("It is so.", hint="Do this.")))
    assert session[state.NOTICE][:3] == ("failed", "It is so.", "Do this.")
    with pytest.raises(ZeroDivisionError):
        desk.run_action(lambda: 1 / 0)


def test_choices_are_kept_for_the_way_back(session) -> None:
    first = state.Choice((), 8)
    assert state.chosen("job", first) == first
    assert not state.can_undo("job")
    state.choose("job", state.Choice((), 4))
    state.choose("job", state.Choice((), 4))  # the same again is no step
    state.choose("job", state.Choice((("induction", 0.5),), 4))
    assert state.chosen("job", first).thresholds == (("induction", 0.5),)
    state.undo_choice("job")
    state.undo_choice("job")
    assert state.chosen("job", first) == first
    state.undo_choice("job")  # there is nothing left to take back
    assert state.chosen("job", first) == first

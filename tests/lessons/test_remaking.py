"""Numbers of worksheets, asked again: the same where they are true, named where they are not."""

from __future__ import annotations

import pytest

from headroles.lessons import answers, classroom, remaking
from headroles.lessons.handed_in import File
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Entry
from headroles.view import class_worksheets
from tests.lessons import a_class


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    """All answers that count, in no order."""
    files = (File(name, raw) for name, raw in a_class.made().files.items())
    found = classroom.gather(classroom.pile(files), a_class.lessons())
    return [entry for student in found.students for entry in student.entries]


def of_step(entries: list[Entry], step: str) -> Entry:
    return next(e for e in entries if e.step == step and e.answer.revision != "other-weights")


def test_every_question_is_asked_once_and_true_numbers_are_made_again(entries, monkeypatch) -> None:
    asked = remaking.distinct(entries)
    here, lessons = remaking.revision_here("demo"), a_class.lessons()
    assert here == a_class.loaded().revision
    can = [one for one in asked if remaking.obstacle(one, lessons, here=here) is None]
    calls, ask = [], answers.answer
    monkeypatch.setattr(
        answers, "answer", lambda step, *a, **k: calls.append(step.key) or ask(step, *a, **k)
    )
    made = [remaking.remake(one, a_class.loaded(), lessons) for one in can]
    assert sorted(calls) == sorted([*a_class.STEPS, "wake"])  # two prompts were written
    assert (sum(one.same for one in made), sum(one.of for one in made)) == (120, 120)
    cannot = [o for one in asked if (o := remaking.obstacle(one, lessons, here=here))]
    assert {one.state for one in cannot} == {"other weights"}
    assert sum(one.of for one in cannot) == 5
    assert "120 of 120 answers" in class_worksheets.made_again([*made, *cannot])
    assert class_worksheets.made_rows(made) == []
    assert len(class_worksheets.made_rows([*made, *cannot])) == 5


def changed(entry: Entry, **fields) -> Entry:
    return entry.model_copy(update={"answer": entry.answer.model_copy(update=fields)})


def remade(entry: Entry) -> remaking.Remade:
    (one,) = remaking.distinct([entry])
    return remaking.remake(one, a_class.loaded(), a_class.lessons())


def test_what_was_changed_is_found(entries) -> None:
    where, much, most = (of_step(entries, step) for step in ("where", "much", "most"))
    value = much.answer.value
    for off, same in ((9e-5, 1), (2e-4, 0), (-2e-4, 0)):
        near = changed(much, value=value + off).model_copy(update={"score": much.score})
        found = remade(near)
        assert (found.state, found.same, found.of) == ("made", same, 1)
    row = where.answer.rows[0]
    rows = ((row[0], row[1] + 0.01, *row[2:]), *where.answer.rows[1:])
    wrong = [
        changed(where, rows=rows),
        changed(where, head="L0H0"),
        changed(where, tokens=(*where.answer.tokens[:-1], "dog")),
        changed(most, options=most.answer.options[::-1]),
        where.model_copy(update={"score": where.score - 0.01}),
    ]
    for entry in wrong:
        found = remade(entry)
        assert (found.state, found.same) == ("made", 0)
        assert found.why


def test_what_stands_in_the_way_is_said(entries) -> None:
    (asked,) = remaking.distinct([of_step(entries, "most")])
    here = a_class.loaded().revision

    def state(lessons: Lessons, revision: str = here) -> str:
        return remaking.obstacle(asked, lessons, here=revision).state

    assert state(a_class.lessons(), "") == "no model"
    assert state(a_class.lessons(), "sha256:other") == "other weights"
    assert state(Lessons({}, {})) == "no question"
    own = a_class.lessons().by_key["own"]
    fewer = own.lesson.model_copy(update={"steps": own.lesson.steps[:1]})
    assert state(Lessons({"own": own._replace(lesson=fewer)}, {})) == "no question"
    # A lesson that asks of a head that is not there.
    step = own.lesson.questions[2]
    broken = step.model_copy(update={"case": step.case.model_copy(update={"head": "L9H9"})})
    bad = own.lesson.model_copy(update={"steps": (broken,)})
    found = remaking.remake(asked, a_class.loaded(), Lessons({"own": own._replace(lesson=bad)}, {}))
    assert (found.state, found.same, found.of) == ("failed", 0, 1)


@pytest.mark.parametrize("name", ["", "../demo", "/etc", "data/demo_model", "no-such-model"])
def test_a_strangers_name_of_a_model_leads_to_no_folder(name: str) -> None:
    assert remaking.revision_here(name) == ""

"""A class of thirty: what was planted comes out, what is no worksheet is named, the rest counts."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from headroles.lessons import class_question, classroom, made_class, worksheet
from headroles.lessons.answers import Answer, OptionAnswer
from headroles.lessons.class_question import Group
from headroles.lessons.handed_in import File
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Entry, Prediction, Try, Worksheet
from headroles.view import class_worksheets, worksheet_records
from tests.lessons import a_class

AT = datetime(2026, 1, 12, tzinfo=UTC)


def read(files: dict[str, bytes]) -> classroom.Pile:
    return classroom.pile(File(name, raw) for name, raw in files.items())


@pytest.fixture(scope="module")
def pile() -> classroom.Pile:
    return read(a_class.made().files)


@pytest.fixture(scope="module")
def found(pile) -> classroom.Class:
    return classroom.gather(pile, a_class.lessons())


def plain(number: int) -> dict:
    return json.loads(a_class.made().files[f"student-{number:02}.json"])


COUNTED = [number for number in range(1, 30) if number not in (23, 24, 25, 26, 27)]
"""Students whose files are in order, hold answers, and are of the same weights."""


def test_bad_and_altered_files_are_named_and_the_rest_counts(pile, found) -> None:
    assert [one.path for one in pile.left_out] == [
        "student-23.json", "student-24.json", "student-26.json",
    ]  # fmt: skip
    assert [one.path for one in pile.altered] == ["student-25.json"]
    names = [student.owner.name for student in found.students]
    assert names == [f"student-{n:02}" for n in range(1, 31) if n not in (23, 24, 25, 26)]
    assert found.answers == 5 * (len(COUNTED) + 1)
    with_altered = classroom.gather(pile, a_class.lessons(), altered=True)
    assert len(with_altered.students) == len(found.students) + 1
    assert with_altered.answers == found.answers + 5


def test_the_misunderstanding_of_every_question_comes_out_as_planted(found) -> None:
    decoys = a_class.made().decoys
    for question in found.questions:
        group, decoy = question.groups[0], decoys["own", question.step]
        belief = group.misunderstanding()
        # Who said it, counted from the files themselves.
        said = [next(e for e in plain(n)["entries"] if e["step"] == question.step) for n in COUNTED]
        wrong = [one for one in said if one["prediction"] == decoy.model_dump(mode="json")]
        assert belief.of == group.size == len(COUNTED)
        if question.step == "where":
            assert list(belief.cell) in [list(cell) for cell in decoy.cells]
            cells = Counter(tuple(cell) for one in said for cell in one["prediction"]["cells"])
            assert belief.times == cells[belief.cell]
            assert group.cell_counts() == cells
        elif question.step == "wake":
            assert belief.kind == "asleep"
            tried = [one for one in said if one["tries"] or one["answer"]["state"] != "active"]
            assert belief.times == len(tried)
        else:
            assert belief.times == len(wrong) > 6
    by_step = {q.step: q.groups[0].misunderstanding() for q in found.questions}
    assert (by_step["which"].kind, by_step["which"].what) == ("ticked", "Induction")
    assert (by_step["most"].kind, by_step["most"].what) == ("chose", "once")
    assert by_step["most"].feedback == "{model}: no copy."
    assert (by_step["much"].kind, by_step["much"].value) == ("high", 1.0)
    assert class_worksheets.feedback(found.questions[2].groups[0]).endswith(": no copy.")


def test_the_heat_map_holds_the_class_above_the_head(found) -> None:
    group = found.questions[0].groups[0]
    drawn = worksheet_records.pattern(group)
    assert len(drawn.lines) == 4
    own = [cell for cell in drawn.cells if cell["line"] == 0]
    head = [cell for cell in drawn.cells if cell["line"] == 1]
    query = group.answer.queries[0]
    counts = {key: times for (q, key), times in group.cell_counts().items() if q == query}
    assert {c["key"]: int(c["number"]) for c in own if c["number"]} == counts
    assert [c["shade"] for c in head] == pytest.approx(list(group.answer.rows[0]), abs=1e-4)
    best = max(range(query + 1), key=group.answer.rows[0].__getitem__)
    assert [c["key"] for c in own if c["is_right"]] == [best]
    assert len(drawn.tokens) == len(group.answer.tokens)


def test_the_first_answers_of_two_files_count_and_copies_are_mentioned(found) -> None:
    twice = next(s for s in found.students if s.owner.name == "student-28")
    assert twice.files == ("student-28.json", "student-28 (1).json")
    assert {entry.answered.date() for entry in twice.entries} == {datetime(2026, 1, 12).date()}
    (pair,) = found.alike
    assert (pair.students, pair.same, pair.of) == (
        ("named student-28", "named student-29"), 5, 5,
    )  # fmt: skip


def test_other_weights_are_a_group_of_their_own(found) -> None:
    assert [(model, times) for model, _, times in found.models] == [("demo", 120), ("demo", 5)]
    for question in found.questions:
        assert [group.size for group in question.groups] == [24, 1]
        assert question.groups[1].answer.revision == "other-weights"


def test_a_lesson_that_is_another_one_here_is_said(pile) -> None:
    own = a_class.lessons().by_key["own"]
    changed = Lessons({"own": own._replace(digest="000000000000")}, {})
    assert classroom.gather(pile, changed).other_lessons == (("own", 125),)
    unknown = classroom.gather(pile, Lessons({}, {}))
    assert unknown.unknown_lessons == (("own", 125),)
    assert unknown.totals == {"own": 5}
    assert [q.title for q in unknown.questions] == sorted(a_class.STEPS)
    # Without the lesson the same cells are wrong: they are inferred from the answer.
    where = next(q for q in unknown.questions if q.step == "where").groups[0]
    known = classroom.gather(pile, a_class.lessons()).questions[0].groups[0]
    assert where.right_cells() == known.right_cells()
    assert where.misunderstanding() == known.misunderstanding()


def test_the_same_seed_makes_the_same_class() -> None:
    again = made_class.make(a_class.lessons(), a_class.loaded(), seed=0)
    assert again.files == a_class.made().files
    other = made_class.make(a_class.lessons(), a_class.loaded(), seed=1, students=3)
    assert other.files["student-03.json"] != again.files["student-03.json"]
    assert len(other.files) == 3


def test_hidden_names_stand_nowhere(pile, found) -> None:
    names = class_worksheets.Names(found, hidden=True)
    prompts = worksheet_records.prompt_rows(found.questions[4].groups[0], names)
    said = [
        class_worksheets.notes(found, names),
        *class_worksheets.student_rows(found, names),
        *prompts,
        [names.file(pile.altered[0].path)],
    ]
    assert not [one for row in said for one in row if "student-" in one]
    shown = [row[0] for row in class_worksheets.student_rows(found, names)]
    assert shown == [f"student {place}" for place in range(1, 27)]


# ------------------------------------------------------------------ worked out by hand


def entry(kind: str, said: Prediction, answer: Answer, **fields) -> Entry:
    return Entry(
        lesson="x", lesson_digest="", step=kind, kind=kind, prediction=said, answer=answer,
        **{"score": 0.0, "asked": AT, "answered": AT, **fields},
    )  # fmt: skip


CELLS = Answer(
    model="demo", revision="r", tokens=("a", "b", "c"), queries=(1, 2),
    rows=((0.2, 0.8), (0.1, 0.3, 0.6)),
)  # fmt: skip


def group(*entries: Entry) -> Group:
    return Group(tuple((f"{place}", one) for place, one in enumerate(entries)), None)


def test_cells_by_hand() -> None:
    said = [((1, 1), (2, 0)), ((1, 0), (2, 0)), ((1, 1), (2, 2))]
    found = group(*(entry("cells", Prediction(cells=cells), CELLS) for cells in said))
    assert found.cell_counts() == {(1, 1): 2, (1, 0): 1, (2, 0): 2, (2, 2): 1}
    assert found.right_cells() == {(1, 1), (2, 2)}
    belief = found.misunderstanding()
    assert (belief.times, belief.of, belief.cell, belief.value) == (2, 3, (2, 0), 0.1)


def test_options_left_out_and_numbers_by_hand() -> None:
    options = Answer(
        model="demo", revision="r",
        options=tuple(OptionAnswer(label=o, value=v, is_right=r)
                      for o, v, r in (("a", 0.9, True), ("b", 0.1, False))),
    )  # fmt: skip
    ticks = group(*(entry("active", Prediction(chosen=c), options) for c in ((), ("b",), ("a",))))
    belief = ticks.misunderstanding()
    assert (belief.kind, belief.what, belief.times, belief.of) == ("left", "a", 2, 3)
    number = Answer(model="demo", revision="r", value=0.5)
    said = [(0.1, 0.0), (0.2, 0.0), (0.5, 1.0), (0.9, 0.0)]
    guesses = group(*(entry("number", Prediction(number=n), number, score=s) for n, s in said))
    belief = guesses.misunderstanding()
    assert (belief.kind, belief.times, belief.of) == ("low", 2, 4)
    assert belief.value == pytest.approx(0.15)
    assert (guesses.right, guesses.score) == (1, 0.25)


def test_prompts_and_progress_by_hand() -> None:
    asleep = Try(prompt="p", state="too_short", value=0.1, at=AT)
    awake = Answer(model="demo", revision="r", state="active", value=0.9)
    quiet = Answer(model="demo", revision="r", state="quiet", value=0.1)
    found = group(
        entry("wake", Prediction(prompt="a"), awake, score=1, tries=(asleep, asleep), hints=2),
        entry("wake", Prediction(prompt="b"), quiet),
        entry("wake", Prediction(prompt="c"), awake, score=1),
    )
    belief = found.misunderstanding()
    assert (belief.times, belief.of, belief.what) == (2, 3, "too_short")
    assert [(one.is_awake, one.tries) for one in found.tried()] == [
        (True, 3),
        (False, 1),
        (True, 1),
    ]


def test_certainty_against_correctness_by_hand() -> None:
    marks = [(1, 0.0), (1, 0.5), (4, 1.0), (None, 0.0)]
    entries = [entry("cells", Prediction(), CELLS, sure=sure, score=s) for sure, s in marks]
    levels = [(one.sure, one.answers, one.score) for one in class_question.certainty(entries)]
    assert levels == [(1, 2, 0.25), (2, 0, 0.0), (3, 0, 0.0), (4, 1, 1.0)]
    steps = [one.model_copy(update={"step": f"s{n}"}) for n, one in enumerate(entries)]
    sheet = Worksheet(name="a", entries=tuple(steps))
    found = classroom.gather(read({"a.json": worksheet.to_json(sheet).encode()}), Lessons({}, {}))
    done = found.progress(found.students[0])
    assert (done.answered, done.of, done.points, done.score) == (4, 4, 1.5, 0.375)
    assert (done.sure, done.misjudged, done.is_finished) == (2.0, 0, True)


NAN = Answer(model="demo", revision="r", value=float("nan"))


@pytest.mark.parametrize(
    "bad",
    [
        entry("poem", Prediction(), CELLS),
        entry("cells", Prediction(cells=((2, 3),)), CELLS),
        entry("cells", Prediction(), CELLS.model_copy(update={"queries": (1,)})),
        entry("cells", Prediction(), CELLS.model_copy(update={"queries": (1, 7)})),
        entry("cells", Prediction(), Answer(model="demo", revision="r")),
        entry("largest", Prediction(chosen=("c",)), Answer(model="demo", revision="r")),
        entry("number", Prediction(), NAN),
        entry("number", Prediction(number=1.0), Answer(model="demo", revision="r")),
        entry("wake", Prediction(prompt="a"), Answer(model="demo", revision="r")),
    ],
)
def test_an_answer_whose_parts_do_not_fit_is_left_out_and_named(bad: Entry) -> None:
    good = entry("cells", Prediction(cells=((1, 1),)), CELLS, answered=AT + timedelta(hours=1))
    sheet = Worksheet(name="a", entries=(bad.model_copy(update={"step": "bad"}), good))
    found = classroom.gather(read({"a.json": worksheet.to_json(sheet).encode()}), Lessons({}, {}))
    assert found.answers == 1
    assert [(one.student, one.step) for one in found.unusable] == [("named a", "bad")]
    assert (
        len(class_worksheets.notes(found, class_worksheets.Names(found))) == 2
    )  # that, and no such lesson

"""How far a student is, and certainty against what was right, on entries made by hand."""

from __future__ import annotations

import pytest

from headroles.lessons import reading
from headroles.lessons.worksheet import Worksheet
from headroles.view import lesson_progress, lesson_texts, worksheets
from headroles.view.glossary import unmarked
from tests.lessons.test_worksheet_merge import entry
from tests.pages.lesson_files import FIRST, SECOND


@pytest.fixture(scope="module")
def found():
    return {
        "one": reading.parse(FIRST.encode(), name="one.toml"),
        "two": reading.parse(SECOND.encode(), name="two.toml"),
    }


def given(step: str, minute: int, score: float, sure: int | None):
    return entry(step, minute, score=score).model_copy(update={"sure": sure})


ENTRIES = (
    given("which", 1, 1.0, 4),
    given("level", 2, 0.6, 4),
    given("level", 3, 1.0, 4),  # another try, which does not count
    given("wake", 4, 1.0, None),
)


def test_first_answers_count(found) -> None:
    lesson = found["one"].lesson
    rows = lesson_progress.rows("one", lesson, ENTRIES)
    assert [row.first and row.first.score for row in rows] == [1.0, 0.6, 1.0]
    assert [len(row.later) for row in rows] == [0, 1, 0]
    levels = lesson_progress.by_certainty([row.first for row in rows])
    assert levels == [lesson_progress.Certainty(4, 1, 2)]  # waking has no certainty
    assert [row.question.key for row in lesson_progress.surprises(rows)] == ["level"]
    assert lesson_progress.progress("one", lesson, ENTRIES).is_done
    assert lesson_progress.progress("one", lesson, ENTRIES[1:3]) == (1, 3)


def test_the_next_lesson_is_the_first_that_is_not_done(found) -> None:
    nxt = lesson_progress.next_lesson
    assert nxt(found, ()) == "one"
    assert nxt(found, ENTRIES) == "two"
    assert nxt(found, ENTRIES, seen=("two",)) is None
    assert nxt(found, (), after="one") == "two"
    assert nxt(found, (), after="two") == "one"


@pytest.mark.parametrize(
    ("score", "words"), [(1.0, "right"), (0.6, "partly right (60%)"), (0.2, "wrong")]
)
def test_a_score_in_words(score: float, words: str) -> None:
    assert lesson_progress.result(score) == words


def test_markdown_becomes_html_that_loads_and_runs_nothing() -> None:
    text = 'A <b>head</b>, [here](https://a.b), ![x](https://a.b/p.png) <script>alert("1")</script>'
    body = unmarked(lesson_texts.to_html(text))
    assert "<script" not in body
    assert "<img" not in body
    assert "&lt;b&gt;head&lt;/b&gt;" in body
    assert 'href="https://a.b" target="_blank" rel="noopener"' in body
    assert "<h4>Big</h4>" in unmarked(lesson_texts.to_html("# Big"))
    odd = lesson_texts.filled("{model}: {head}", model="a_b_c *d*", head="")
    assert unmarked(lesson_texts.to_html(odd)) == "<p>a_b_c *d*: the head</p>\n"


def test_the_document_holds_every_answer_and_escapes_what_was_typed(found) -> None:
    sheet = Worksheet(name="<i>student-01</i>", entries=(*ENTRIES, entry("x", 9)))
    page = worksheets.html(sheet, found)
    assert "&lt;i&gt;student-01&lt;/i&gt;" in page
    assert "<i>" not in page
    for step in found["one"].lesson.questions:
        assert step.title in page
    document = worksheets.document(sheet, found)
    (lesson,) = document.sections
    assert [len(part.blocks[-1].headers) - 1 for part in lesson.sections] == [1, 2, 1, 1]
    unknown = worksheets.document(sheet, {})
    assert [part.title for part in unknown.sections] == ["one"]

"""Points as Moodle and Canvas take them, read back as plain CSV; and the two commands."""

from __future__ import annotations

import csv
import io
import json

import pytest

from headroles.lessons import classroom
from headroles.lessons.handed_in import File
from headroles.lessons.worksheet import Worksheet, to_json
from headroles.view import gradebooks
from headroles.view.gradebooks import Grading
from scripts import make_class, read_worksheets
from tests.lessons import a_class

MOODLE = "Student {}_{}_assignsubmission_file/w.json"


def named(number: int, typed: str) -> bytes:
    """The answers of a student of the made-up class under another name."""
    sheet = Worksheet.model_validate_json(_without_checksum(number))
    return to_json(sheet.model_copy(update={"name": typed})).encode()


def _without_checksum(number: int) -> str:
    plain = json.loads(a_class.made().files[f"student-{number:02}.json"])
    del plain["checksum"]
    return json.dumps(plain)


def gathered(files: dict[str, bytes]) -> classroom.Class:
    pile = classroom.pile(File(name, raw) for name, raw in files.items())
    return classroom.gather(pile, a_class.lessons())


@pytest.fixture(scope="module")
def found() -> classroom.Class:
    return gathered(
        {
            MOODLE.format("A", 11): named(1, "a@example.org"),
            MOODLE.format("B", 12): named(2, '=HYPERLINK("x")'),
            "lastfirst_LATE_70_90_w.json": named(3, "s3"),
            "nobody.json": named(4, ""),
        }
    )


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_moodle_finds_its_columns(found) -> None:
    header, *lines = rows(gradebooks.gradebook(found, "moodle", Grading(points=5)))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(header)  # of importgradeslib.php
    by_id = {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    assert set(by_id) == {"Participant 11", "Participant 12", ""}  # and nobody is left out
    first, second = by_id["Participant 11"], by_id["Participant 12"]
    assert (first["Email address"], first["Full name"]) == ("a@example.org", "Student A")
    assert second["Name on the worksheet"] == '\'=HYPERLINK("x")'
    assert (second["Grade"], second["Maximum grade"]) == ("5", "5")
    assert second["Last modified (grade)"] == "-"
    assert [student.owner.name for student in gradebooks.nameless(found)] == ["nobody"]


def test_canvas_finds_its_columns(found) -> None:
    grading = Grading(points=10, basis="score", assignment="Lesson 3")
    header, possible, *lines = rows(gradebooks.gradebook(found, "canvas", grading))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lesson 3"]
    assert possible[0].strip() == "Points Possible"
    assert possible[5] == "10"
    line = next(line for line in lines if line[1] == "70")
    assert (line[0], line[3]) == ("s3", "s3")
    plain = json.loads(a_class.made().files["student-03.json"])
    marks = sum(entry["score"] for entry in plain["entries"])
    assert float(line[5]) == round(10 * marks / 5, 2)
    assert all(len(line) == 6 for line in lines)
    assert not [cell for line in lines for cell in line if cell[:1] in ("=", "+", "-", "@")]


def test_a_question_that_was_left_out_earns_nothing(found) -> None:
    sheet = Worksheet.model_validate_json(_without_checksum(1))
    half = sheet.model_copy(update={"entries": sheet.entries[:2]})
    two = gathered({"a.json": to_json(half).encode()})
    (student,) = two.students
    assert gradebooks.points(two, student, Grading(points=10)) == 4.0
    assert gradebooks.points(two, student, Grading(points=10, basis="score")) == 4.0
    assert gradebooks.points(two, student, Grading(points=10, lesson="other")) == 0.0
    assert "2 of 5" in gradebooks.comment(two, student, Grading())


def test_every_answer_has_a_row(found) -> None:
    text = gradebooks.long_csv(found)
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    table = list(csv.DictReader(lines))
    assert len(table) == found.answers == 20
    of_first = [row for row in table if row["number"] == "11"]
    much = next(row for row in of_first if row["question"] == "much")
    assert much["student"] == "Student A"
    assert float(much["predicted"]) == pytest.approx(float(much["right"]), abs=1e-4)
    whole = json.loads(gradebooks.as_json(found))
    assert (len(whole["answers"]), len(whole["students"]), len(whole["questions"])) == (20, 4, 5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the class, with its lesson as the only one."""
    monkeypatch.setattr("headroles.lessons.read_all", a_class.lessons, raising=False)
    for name, raw in a_class.made().files.items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


def test_the_command_says_what_the_page_says(folder, capsys, monkeypatch) -> None:
    monkeypatch.setattr("headroles.models.load_model", lambda key: a_class.loaded())
    assert read_worksheets.main([str(folder), "--check", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (len(said["students"]), len(said["answers"])) == (26, 125)
    assert [one["path"].rpartition("/")[2] for one in said["left_out"]] == [
        "student-23.json", "student-24.json", "student-26.json",
    ]  # fmt: skip
    assert sum(one["same"] for one in said["made_again"]) == 120
    assert read_worksheets.main([str(folder), "--hide-names"]) == 0
    out = capsys.readouterr().out
    assert "student-" not in out
    assert "26 students" in out


def test_the_command_writes_a_gradebook(folder, tmp_path, capsys) -> None:
    out = tmp_path / "points.csv"
    arguments = [str(folder), "--csv", "canvas", "--points", "4", "-o", str(out)]
    assert read_worksheets.main(arguments) == 0
    _, possible, *lines = rows(out.read_text())
    assert possible[5] == "4"
    assert {line[0]: line[5] for line in lines}["student-03"] == "4"
    assert len(lines) == 26
    assert "4 files" in capsys.readouterr().err
    assert read_worksheets.main([str(folder), "--csv", "moodle", "--json"]) == 2
    assert read_worksheets.main([str(folder / "no-such")]) == 2


def test_a_changed_number_ends_the_check_with_1(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("headroles.lessons.read_all", a_class.lessons, raising=False)
    monkeypatch.setattr("headroles.models.load_model", lambda key: a_class.loaded())
    sheet = Worksheet.model_validate_json(_without_checksum(1))
    false = sheet.entries[3].model_copy(
        update={"answer": sheet.entries[3].answer.model_copy(update={"value": 0.5})}
    )
    forged = sheet.model_copy(update={"entries": (*sheet.entries[:3], false)})
    (tmp_path / "a.json").write_text(to_json(forged))
    assert read_worksheets.main([str(tmp_path), "--check"]) == 1
    assert "3 of 4" in capsys.readouterr().out


def test_a_class_is_made_up(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("headroles.lessons.read_all", a_class.lessons, raising=False)
    monkeypatch.setattr("headroles.models.load_model", lambda key: a_class.loaded())
    assert make_class.main([str(tmp_path / "class"), "--students", "2", "--lesson", "own"]) == 0
    assert sorted(path.name for path in (tmp_path / "class").iterdir()) == [
        "student-01.json", "student-02.json",
    ]  # fmt: skip
    assert make_class.main([str(tmp_path / "none"), "--lesson", "no-such"]) == 2

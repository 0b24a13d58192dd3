"""Files as course systems pack them, and zips as nobody should."""

from __future__ import annotations

import io
import zipfile

import pytest

from headroles.errors import HeadrolesError
from headroles.lessons import classroom, handed_in, worksheet
from headroles.lessons.handed_in import File, LeftOut, Owner, owner_of
from headroles.lessons.reading import Lessons
from headroles.lessons.worksheet import Worksheet


def raw(name: str = "") -> bytes:
    return worksheet.to_json(Worksheet(name=name)).encode()


def zipped(files: dict[str, bytes], **settings) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", **settings) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("path", "typed", "owner"),
    [
        (
            "Student One_412_assignsubmission_file/worksheet.json",
            "s1",
            Owner("Moodle 412", "Student One", "s1", "Moodle", "412"),
        ),
        (
            "all.zip/Student One_412_assignsubmission_file/deep/er/worksheet.json",
            "",
            Owner("Moodle 412", "Student One", "", "Moodle", "412"),
        ),
        (
            "Student One_412_assignsubmission_file_worksheet.json",
            "",
            Owner("Moodle 412", "Student One", "", "Moodle", "412"),
        ),
        (
            "onestudent_LATE_77_9001_worksheet.json",
            "",
            Owner("Canvas 77", "onestudent", "", "Canvas", "77"),
        ),
        (
            "onestudent_77_9001_worksheet-1.json",
            "Student One",
            Owner("Canvas 77", "Student One", "Student One", "Canvas", "77"),
        ),
        (
            "anon_x4Pq2_9001_worksheet.json",
            "",
            Owner("Canvas anon_x4Pq2", "anon_x4Pq2", "", "Canvas", "anon_x4Pq2"),
        ),
        ("a/student-01.json", "Student-01 ", Owner("named student-01", "Student-01", "Student-01")),
        ("a/student-01.json", " ", Owner("file a/student-01.json", "student-01")),
    ],
)
def test_who_handed_in_stands_in_the_path(path: str, typed: str, owner: Owner) -> None:
    assert owner_of(path, typed=typed) == owner


def test_a_zip_of_moodle_is_read_with_what_others_left_in_it() -> None:
    files = {
        "A_1_assignsubmission_file/w.json": raw("a"),
        "A_1_assignsubmission_file/w (2).json": raw("a"),
        "B_2_assignsubmission_file/w.json": raw("a"),  # another student of the same typed name
        "B_2_assignsubmission_file/notes.pdf": b"%PDF",
        "C_3_assignsubmission_file/w.html": b"<html>",
        "D_4_assignsubmission_file/all.zip": zipped({"w.json": raw()}),
        "__MACOSX/A_1_assignsubmission_file/._w.json": b"\0",
        ".DS_Store": b"\0",
    }
    pile = classroom.pile([File("all.zip", zipped(files))])
    assert [one.owner.key for one in pile.sheets] == ["Moodle 1", "Moodle 1", "Moodle 2"]
    assert [one.path.rpartition("/")[2] for one in pile.left_out] == [
        "notes.pdf", "w.html", "all.zip",
    ]  # fmt: skip
    found = classroom.gather(pile, Lessons({}, {}))
    assert [(s.owner.name, len(s.files)) for s in found.students] == [("A", 2), ("B", 1)]


def test_a_folder_on_the_disk_reads_the_same(tmp_path) -> None:
    for name in ("A_1_assignsubmission_file", "__MACOSX"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.json").write_bytes(raw("a"))
    (tmp_path / "more.zip").write_bytes(zipped({"x/w.json": raw("b")}))
    (tmp_path / "readme.txt").write_text("x")
    pile = classroom.pile(handed_in.of_paths([tmp_path]))
    assert {one.owner.key for one in pile.sheets} == {"Moodle 1", "named b"}
    assert [one.path for one in pile.left_out] == [f"{tmp_path.name}/readme.txt"]


def why(raw_zip: bytes) -> str:
    (one,) = handed_in.unpacked([File("all.zip", raw_zip)])
    assert isinstance(one, LeftOut)
    return one.why


def test_a_zip_that_would_fill_the_memory_is_not_unpacked(monkeypatch) -> None:
    huge = b"0" * (worksheet.LARGEST + 1)
    packed = zipped({"w.json": huge}, compression=zipfile.ZIP_DEFLATED)
    assert len(packed) < 10_000
    assert "at most" in why(packed)
    lying = packed.replace(len(huge).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != packed
    assert why(lying)  # what it says of its size is not believed, whatever the library makes of it
    monkeypatch.setattr(handed_in, "MOST_BYTES", 1_000)
    many = zipped({f"{n}.json": b"0" * 400 for n in range(3)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(HeadrolesError):
        list(handed_in.unpacked([File("all.zip", many)]))
    monkeypatch.setattr(handed_in, "MOST_FILES", 2)
    with pytest.raises(HeadrolesError):
        list(handed_in.unpacked([File("all.zip", zipped({f"{n}.txt": b"" for n in range(3)}))]))


def test_a_zip_that_cannot_be_read_is_named() -> None:
    assert "no zip" in why(b"PK\x03\x04 nothing")
    locked = bytearray(zipped({"w.json": raw()}))
    for mark, flag in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        locked[locked.index(mark) + flag] |= 1
    assert "password" in why(bytes(locked))
    assert "packed" in why(zipped({"w.json": raw()}, compression=zipfile.ZIP_BZIP2))
    damaged = zipped({"w.json": raw()}).replace(b"headroles", b"HEADROLES", 1)
    assert "damaged" in why(damaged)

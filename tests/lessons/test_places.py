"""What a lesson's words mean on a model, and where lessons and worksheets come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroles import paths, store
from headroles.errors import (
    HeadrolesError,
    NoHeadOfRoleError,
    UnknownHeadError,
    UnknownPositionError,
)
from headroles.lessons import places, reading, worksheet
from headroles.lessons.worksheet import AlteredError, Worksheet
from headroles.models import LoadedModel, load_model
from headroles.paths import ROOT
from headroles.store import class_lessons

TOKENS = ("<s>", "The", " cat", " sat", ".", " The", " cat")
LESSON = """\
title = "T"
goal = "G"
models = ["demo"]
order = ORDER

[[steps]]
kind = "read"
key = "a"
title = "A"
text = "B"
"""


@pytest.mark.parametrize(
    ("named", "last", "place"),
    [("cat", True, 6), ("cat", False, 2), (" cat", False, 2), ("The", True, 5), ("The", False, 1),
     (3, True, 3), (-1, True, 6), (0, False, 0), (".", True, 4)],
)  # fmt: skip
def test_a_word_is_its_last_or_first_token(named: str | int, last: bool, place: int) -> None:
    assert places.position_of(TOKENS, named, last=last) == place


@pytest.mark.parametrize("named", [7, -8])
def test_there_is_no_such_position(named: int) -> None:
    with pytest.raises(UnknownPositionError):
        places.position_of(TOKENS, named)


@pytest.mark.parametrize("named", ["dog", "ca", "the", ""])
def test_there_is_no_such_word(named: str) -> None:
    with pytest.raises(HeadrolesError):
        places.position_of(TOKENS, named)


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_model("demo")


def test_a_head_is_named_by_label_or_by_its_place_on_a_list(demo: LoadedModel) -> None:
    entry, _ = store.categories.good_entry("demo")
    listed = entry.listed("induction")
    assert places.head_of("L2H5", demo) == (2, 5)
    assert places.head_of("induction", demo) == listed[0]
    assert places.head_of(f"induction {len(listed)}", demo) == listed[-1]
    assert places.head_of({"demo": "L0H1", "default": "L9H9"}, demo) == (0, 1)
    with pytest.raises(NoHeadOfRoleError):
        places.head_of(f"induction {len(listed) + 1}", demo)
    with pytest.raises(UnknownHeadError):
        places.head_of("L4H0", demo)
    with pytest.raises(HeadrolesError):
        places.head_of({"gpt2": "L0H1"}, demo)


# ------------------------------------------------------------------ files


def write(folder: Path, name: str, order: object = 1) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(LESSON.replace("ORDER", str(order)), encoding="utf-8")


def test_lessons_come_in_their_order_and_a_later_folder_replaces(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "b.toml", 1)
    write(one, "a.toml", 2)
    write(one, "Not a name.toml")
    write(one, "broken.toml", "x")
    write(two, "b.toml", 3)
    write(two, "c.toml", 2)
    found = reading.read_all(one, two)
    assert list(found.by_key) == ["a", "c", "b"]
    assert sorted(found.faults) == ["Not a name.toml", "broken.toml"]
    assert found.by_key["b"] != reading.read_all(one).by_key["b"]
    assert found.by_key["b"].digest != found.by_key["c"].digest


def test_what_an_instructor_put_live_stands_in_and_what_is_hidden_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    shipped = list(reading.read_all().by_key)
    before = reading.stamps()
    class_lessons.keep(shipped[0], LESSON.replace("ORDER", "9999"))
    class_lessons.keep("mine", LESSON.replace("ORDER", "0"))
    class_lessons.hide(shipped[1])
    found = reading.read_all()
    assert list(found.by_key) == ["mine", *shipped[2:], shipped[0]]
    assert found.by_key[shipped[0]].lesson.title == "T"
    assert (found.hidden, found.of_class) == ({shipped[1]}, {"mine", shipped[0]})
    assert shipped[1] in reading.read_all(hidden=True).by_key
    assert reading.stamps() != before
    assert reading.text_of("mine") == LESSON.replace("ORDER", "0")
    path = ROOT / "data" / "lessons" / f"{shipped[1]}.toml"
    assert reading.text_of(shipped[1]) == path.read_text(encoding="utf-8")
    with pytest.raises(HeadrolesError):
        reading.text_of("../../pyproject")


def test_a_bom_and_windows_lines_are_no_fault(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbf" + LESSON.replace("ORDER", "1").replace("\n", "\r\n").encode()
    assert reading.parse(raw, name="a.toml").lesson.title == "T"


def test_a_worksheet_that_was_changed_says_so_and_is_read(tmp_path: Path) -> None:
    sheet = Worksheet(name="student-01 é “”")
    text = worksheet.to_json(sheet)
    assert worksheet.read(text) == sheet
    assert worksheet.read(text.encode()) == sheet
    spelled = json.dumps(json.loads(text), sort_keys=True)  # another spelling is no change
    assert worksheet.read(spelled) == sheet
    with pytest.raises(AlteredError) as caught:
        worksheet.read(text.replace("student-01", "student-02"))
    assert caught.value.sheet.name.startswith("student-02")


@pytest.mark.parametrize("raw", ["", "[]", "{", "[" * 9_999, "3", '{"format": "x"}', b"\xff\xfe",
                                 "x" * (worksheet.LARGEST + 1)])  # fmt: skip
def test_what_is_no_worksheet_is_told(raw: str | bytes) -> None:
    with pytest.raises(HeadrolesError):
        worksheet.read(raw)

"""The roles that are kept for the class: what a file and a link may hold, and every change."""

from __future__ import annotations

import json

import pytest

from headroles import limits, roles, view
from headroles.errors import ClassRolesError, HeadrolesError, LimitError, PatternError
from headroles.roles import SavedRole, saved_roles
from headroles.store import class_roles
from headroles.types import Head

HEADS = ((Head(0, 6), 0.89), (Head(3, 2), 0.5))
BACK = SavedRole(roles.offset(2), "demo", HEADS)
QUOTED = SavedRole(roles.of_expression("t[k-1] == t[q] and k < q", title="Mine"), "gpt2", HEADS)
PAINTED = SavedRole(roles.of_matrix([[0.0, 0.0], [1.0, 0.0]], title="Painted"), "demo", HEADS[:1])
EVERY = (BACK, QUOTED, PAINTED)


@pytest.fixture
def file(tmp_path):
    return tmp_path / class_roles.FILE


def names(file) -> list[str]:
    return [role.name for role in class_roles.read(file).roles]


# ------------------------------------------------------------------ what can be written


@pytest.mark.parametrize("role", EVERY)
def test_a_role_comes_back_as_it_was(role: SavedRole) -> None:
    back = saved_roles.from_plain(json.loads(json.dumps(saved_roles.to_plain(role))))
    assert back == role
    prompts = roles.Prompts.of_ids([5, 6])
    assert back.pattern.draw(prompts).tolist() == role.pattern.draw(prompts).tolist()


def test_a_link_carries_what_is_no_painted_pattern() -> None:
    assert saved_roles.from_link(saved_roles.to_link(EVERY)) == (BACK, QUOTED)
    assert not PAINTED.travels


def test_a_hair_above_one_is_one() -> None:
    over = SavedRole(roles.offset(1), "demo", ((Head(0, 0), 1.0000001),))
    assert saved_roles.from_plain(saved_roles.to_plain(over)).heads == ((Head(0, 0), 1.0),)


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": ""},
        {"name": " \n"},
        {"name": "x" * 41},
        {"name": "a\u202eb"},
        {"name": 3},
        {"name": "\ud800"},
        {"pattern": "expression:__import__('os')"},
        {"pattern": "offset:-1"},
        {"pattern": "expression:" + "q+" * 400 + "q"},
        {"pattern": "matrix:1,1\n1,1"},
        {"pattern": "matrix:" + "\n".join([",".join(["0"] * 33)] * 33)},
        {"pattern": "induktion"},
        {"pattern": None},
        {"model": ""},
        {"model": "x" * 4_001},
        {"heads": []},
        {"heads": [{"layer": 0, "head": 0, "score": 0.5}] * 9},
        {"heads": [{"layer": True, "head": 0, "score": 0.5}]},
        {"heads": [{"layer": -1, "head": 0, "score": 0.5}]},
        {"heads": [{"layer": 0, "head": 10**9, "score": 0.5}]},
        {"heads": [{"layer": 0, "head": 0, "score": float("nan")}]},
        {"heads": [{"layer": 0, "head": 0, "score": 1.5}]},
        {"heads": ["L0H0"]},
        {"heads": {"L0H0": 1}},
    ],
)
def test_a_flaw_is_a_sentence(flaw: dict, file) -> None:
    plain = saved_roles.to_plain(BACK) | flaw
    with pytest.raises((PatternError, LimitError)):
        saved_roles.from_plain(plain)
    raw = json.dumps({"format": 1, "roles": [plain]}).encode()
    with pytest.raises(ClassRolesError):
        class_roles.STORED.parse(raw)


@pytest.mark.parametrize(
    "text",
    ["", "[", "{}", "3", "[3]", "[[]]", '[["a","offset:1","demo"]]', '[["a","offset:1","demo",[]]]',
     '[["a","matrix:0","demo",{"L0H0":1}]]', '[["a","offset:1","demo",{"x":1}]]',
     '[["a","offset:1","demo",{"L0H0":"1"}]]', "[" * 3_000, "1" * 5_000],
)  # fmt: skip
def test_a_link_that_holds_something_else(text: str) -> None:
    with pytest.raises(HeadrolesError):
        saved_roles.from_link(text)


# ------------------------------------------------------------------ the file


def test_without_a_file_there_is_nothing_and_no_fault(file) -> None:
    assert class_roles.read(file) == ((), None)
    assert not class_roles.can_undo(file)


def test_keep_rename_remove_and_undo(file) -> None:
    class_roles.keep(BACK, file)
    class_roles.keep(QUOTED, file)
    assert class_roles.read(file).roles == (BACK, QUOTED)
    assert class_roles.read(file).of("gpt2") == (QUOTED,)
    class_roles.rename("gpt2", "Mine", "  Two   words ", file)
    assert names(file) == [BACK.name, "Two words"]
    class_roles.undo(file)
    assert names(file) == [BACK.name, "Mine"]
    class_roles.undo(file)
    assert names(file) == [BACK.name, "Two words"]
    class_roles.remove("demo", BACK.name, file)
    assert names(file) == ["Two words"]
    class_roles.undo(file)
    assert names(file) == [BACK.name, "Two words"]
    assert file.read_bytes().endswith(b"}\n")


def test_the_first_role_can_be_taken_back(file) -> None:
    class_roles.keep(BACK, file)
    class_roles.undo(file)
    assert class_roles.read(file) == ((), None)


def test_the_same_pattern_is_kept_once(file) -> None:
    class_roles.keep(BACK, file)
    again = BACK._replace(heads=HEADS[:1])
    class_roles.keep(again, file)
    assert class_roles.read(file).roles == (again,)


def test_what_cannot_be_done_changes_nothing(file) -> None:
    class_roles.keep(BACK, file)
    class_roles.keep(PAINTED, file)
    before = file.read_bytes()
    other = SavedRole(roles.of_expression("k == q", title=BACK.name), "demo", HEADS)
    big = [[0.0] * 33 for _ in range(33)]
    for change in (
        lambda: class_roles.keep(other, file),
        lambda: class_roles.keep(SavedRole(roles.of_matrix(big), "demo", HEADS), file),
        lambda: class_roles.rename("demo", BACK.name, "Painted", file),
        lambda: class_roles.rename("demo", BACK.name, "", file),
        lambda: class_roles.rename("demo", BACK.name, "x" * 41, file),
        lambda: class_roles.rename("demo", "nobody", "x", file),
        lambda: class_roles.remove("gpt2", BACK.name, file),
    ):
        with pytest.raises(HeadrolesError):
            change()
    assert file.read_bytes() == before


def test_a_class_has_roles_up_to_the_limit(file) -> None:
    for n in range(limits.CLASS_ROLES.most):
        class_roles.keep(SavedRole(roles.offset(n), "demo", HEADS), file)
    with pytest.raises(LimitError):
        class_roles.keep(SavedRole(roles.offset(60), "demo", HEADS), file)
    class_roles.keep(SavedRole(roles.offset(0), "demo", HEADS[:1]), file)  # one that is there
    assert len(class_roles.read(file).roles) == limits.CLASS_ROLES.most


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"format": 2, "roles": []}', b"\xff\xfe\x00"])
def test_while_the_file_is_damaged_the_last_good_roles_stay(file, raw: bytes) -> None:
    class_roles.keep(BACK, file)
    class_roles.keep(QUOTED, file)
    assert len(class_roles.read(file).roles) == 2
    file.write_bytes(raw)
    damaged = class_roles.read(file)
    assert damaged.fault is not None
    assert damaged.roles == (BACK, QUOTED)  # as this process read them
    class_roles.STORED.readings.clear()
    assert class_roles.read(file).roles == (BACK,)  # the newest version
    with pytest.raises(ClassRolesError):
        class_roles.keep(PAINTED, file)
    assert file.read_bytes() == raw
    class_roles.undo(file)
    assert class_roles.read(file).fault is None


# ------------------------------------------------------------------ on a prompt


def test_a_saved_role_is_judged_as_a_naive_loop_does() -> None:
    """Mean attention two tokens back, over the rows that have such a token, head by head."""
    from headroles import capture, models, verdicts

    loaded = models.load_model("demo")
    run = capture.capture(loaded, "The cat sat on the mat. The cat sat on the mat.")
    scores = verdicts.score_run(run)
    card = view.saved_roles.card_of(BACK, run, scores)
    assert {row["label"] for row in card.rows} == {"L0H6", "L3H2"}
    length = len(run.token_ids)
    for row in card.rows:
        pattern = run.attention[row["layer"], row["head"]]
        looks = [float(pattern[q, q - 2]) for q in range(3, length)]  # position 0 is no target
        assert row["activation_score"] == pytest.approx(sum(looks) / len(looks), abs=1e-5)
        chance = sum(1 / (q + 1) for q in range(3, length)) / (length - 3)
        assert row["chance"] == pytest.approx(chance, abs=1e-6)
    drawn = view.saved_roles.map_of(BACK, run, scores)
    assert len(drawn.records) == 32
    assert sum(record["listed"] for record in drawn.records) == 2
    nowhere = BACK._replace(heads=((Head(40, 0), 0.5),))
    assert view.saved_roles.card_of(nowhere, run, scores).rows == ()
    with pytest.raises(PatternError):
        view.saved_roles.card_of(PAINTED, run, scores)

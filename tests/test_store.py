"""The categories file: nothing invalid gets in or out, and no write ever loses anything."""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from headroles.errors import CategoriesBrokenError, CategoriesMissingError
from headroles.store import categories
from tests.entries import entry, plain_entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "head_categories.json"


def write_plain(path: Path, **models: dict) -> None:
    path.write_text(json.dumps(models))


# ------------------------------------------------------------------ round trip and layout


def test_what_is_written_is_read(path: Path) -> None:
    categories.write_entry(entry("tiny"), path)
    assert categories.read_entry("tiny", path) == entry("tiny")


def test_the_text_survives_a_round_trip_letter_by_letter(path: Path) -> None:
    entries = {"b": entry("b"), "a": entry("a")}
    path.write_text(categories.to_json(entries))
    again = categories.read_all(path)
    assert again == entries
    assert list(again) == ["a", "b"]  # sorted, so that the file does not depend on who came first
    assert categories.to_json(again) == path.read_text()


def test_the_layout_reads_well_in_a_diff() -> None:
    text = categories.to_json({"tiny": entry()})
    lines = [line.strip() for line in text.splitlines()]
    assert "[0.125, 0.25, 0.5]," in lines  # a row of a matrix is one line
    head = (
        '{"layer": 1, "head": 2, "score": 1.0, "standard_error": 0.0, "entered_by": "threshold"},'
    )
    assert head in lines
    assert text.endswith("}\n")
    plain = json.loads(text)["tiny"]
    assert plain["all_scores"]["induction"][1] == [0.75, 0.875, 1.0]


def test_the_layout_leaves_texts_alone() -> None:
    note = 'a [ 1, 2 ] and { "layer": 1 } and “quotes” and\nlines'
    text = categories.to_json({"tiny": entry(notes=[note])})
    assert json.loads(text)["tiny"]["notes"] == [note]
    assert "“quotes”" in text


def test_tiny_numbers_stay_numbers() -> None:
    matrix = [[1e-7, 0.0, 1.0], [2.5e-10, 0.5, 0.5]]
    scores = {**plain_entry()["all_scores"], "diffuse": matrix}
    text = categories.to_json({"tiny": entry(all_scores=scores)})
    assert json.loads(text)["tiny"]["all_scores"]["diffuse"] == matrix


# ------------------------------------------------------------------ what is refused


def _set(*place: object, to: object) -> Callable[[dict], None]:
    def change(data: dict) -> None:
        for part in place[:-1]:
            data = data[part]
        data[place[-1]] = to

    return change


def _drop(*place: object) -> Callable[[dict], None]:
    def change(data: dict) -> None:
        for part in place[:-1]:
            data = data[part]
        del data[place[-1]]

    return change


_ROW = [0.1, 0.2, 0.3]
_TOP = ("categories", "induction", "top_heads", 0)
_REQUIRED = [
    name for name, field in categories.ModelEntry.model_fields.items() if field.is_required()
]
BROKEN = {
    **{f"no {name}": _drop(name) for name in _REQUIRED},
    "another schema": _set("schema_version", to=3),
    "an unknown field": _set("surprise", to=1),
    "an unknown field of a head": _set(*_TOP, "surprise", to=1),
    "definitions as text": _set("definitions_version", to="one"),
    "an empty name": _set("model_name", to=""),
    "another model's name": _set("model_name", to="other-model"),
    "no layers": _set("num_layers", to=0),
    "no heads": _set("num_heads", to=0),
    "a layer too many": _set("num_layers", to=3),
    "a head too many": _set("num_heads", to=4),
    "a date in words": _set("analysis_date", to="yesterday"),
    "no sequences": _set("sequences", to=0),
    "a cap of nothing": _set("cap", to=0),
    "a seed in words": _set("seed", to="lucky"),
    "another tokenisation": _set("tokenization", "prepend_start_token", to=False),
    "a negative token": _set("tokenization", "start_token_id", to=-1),
    "an unknown role": _set("categories", "mind_reading", to=plain_entry()["categories"]["other"]),
    "scores of an unknown role": _set("all_scores", "mind_reading", to=[_ROW, _ROW]),
    "a scored role without scores": _drop("all_scores", "diffuse"),
    "a score over one": _set("all_scores", "induction", 0, 0, to=1.5),
    "a negative score": _set("all_scores", "induction", 0, 0, to=-0.5),
    "a score that is no number": _set("all_scores", "induction", 0, 0, to=float("nan")),
    "a score in words": _set("all_scores", "induction", 0, 0, to="high"),
    "a short row": _set("all_scores", "induction", 0, to=_ROW[:2]),
    "a short matrix": _set("all_scores", "induction", to=[_ROW]),
    "a short matrix of errors": _set("standard_errors", "induction", to=[_ROW]),
    "a short matrix of nulls": _set("null_scores", "induction", to=[_ROW]),
    "a short matrix of controls": _set("controls", "previous_token", "scores", to=[_ROW]),
    "an error that is no number": _set("standard_errors", "induction", 0, 0, to=float("nan")),
    "an infinite error": _set("standard_errors", "induction", 0, 0, to=float("inf")),
    "a negative error": _set("standard_errors", "induction", 0, 0, to=-0.1),
    "a null that is no number": _set("null_scores", "induction", 0, 0, to=float("nan")),
    "a threshold over one": _set("categories", "induction", "threshold", to=1.1),
    "a category without heads": _drop("categories", "induction", "top_heads"),
    "a listed head outside the model": _set(*_TOP, "layer", to=2),
    "a listed head outside the layer": _set(*_TOP, "head", to=3),
    "a negative layer": _set(*_TOP, "layer", to=-1),
    "a listed score over one": _set(*_TOP, "score", to=1.01),
    "a listed error that is no number": _set(*_TOP, "standard_error", to=float("nan")),
    "a head that came in by magic": _set(*_TOP, "entered_by", to="magic"),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=list(BROKEN))
def test_each_broken_field_is_refused(path: Path, change: Callable[[dict], None]) -> None:
    data = plain_entry()
    write_plain(path, tiny=copy.deepcopy(data))
    categories.read_entry("tiny", path)  # whole before the change
    change(data)
    write_plain(path, tiny=data)
    with pytest.raises(CategoriesBrokenError, match=r"cannot be read: (tiny|the file)") as raised:
        categories.read_all(path)
    assert raised.value.value == str(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"tiny": 3}', '{"tiny": {}}', "\x00\x01", "{'tiny': 1}"]
)
def test_a_file_that_is_no_such_json_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(CategoriesBrokenError, match="restore the file from version"):
        categories.read_entry("tiny", path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(CategoriesBrokenError, match="directory"):
        categories.read_all(path)


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b'{"\xff\xfe": 1}')
    with pytest.raises(CategoriesBrokenError):
        categories.read_all(path)


def test_a_missing_file_and_a_missing_model_say_how_to_make_the_scores(path: Path) -> None:
    with pytest.raises(CategoriesMissingError, match="analyze_heads --model gpt2"):
        categories.read_entry("gpt2", path)
    categories.write_entry(entry("tiny"), path)
    with pytest.raises(CategoriesMissingError, match=r"for 'gpt2' yet\. The file holds tiny\."):
        categories.read_entry("gpt2", path)
    with pytest.raises(CategoriesMissingError, match=r"--model '/srv/our models/x\.gguf'"):
        categories.read_entry("x", path, given="/srv/our models/x.gguf")  # what the reader can type


# ------------------------------------------------------------------ writing


def test_a_write_keeps_the_other_models_and_replaces_its_own(path: Path) -> None:
    categories.write_entry(entry("a"), path)
    categories.write_entry(entry("b"), path)
    categories.write_entry(entry("a", seed=7), path)
    assert categories.read_all(path) == {"a": entry("a", seed=7), "b": entry("b")}


def test_a_broken_file_is_never_overwritten(path: Path) -> None:
    path.write_text("{ half a fi")
    with pytest.raises(CategoriesBrokenError):
        categories.write_entry(entry("tiny"), path)
    assert path.read_text() == "{ half a fi"


def test_an_entry_that_went_past_the_schema_is_not_written(path: Path) -> None:
    categories.write_entry(entry("tiny"), path)
    before = path.read_bytes()
    bad = entry("tiny").model_copy(update={"num_layers": 9})  # pydantic does not check a copy
    with pytest.raises(CategoriesBrokenError):
        categories.write_entry(bad, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("step", "turn"),
    # Every step comes twice: for the history's copy of the old file, then for the new one. The
    # second flush is of the history's folder.
    [("fsync", 1), ("chmod", 1), ("replace", 1), ("fsync", 3), ("chmod", 2), ("replace", 2)],
)
def test_a_write_that_breaks_off_leaves_the_old_file_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, turn: int
) -> None:
    categories.write_entry(entry("tiny"), path)
    before = path.read_bytes()
    real, turns = getattr(os, step), itertools.count(1)

    def fail(*arguments: object) -> None:
        if next(turns) == turn:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(KeyboardInterrupt):
        categories.write_entry(entry("tiny", seed=7), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert not list(path.parent.rglob(".*")), "a temporary file is left"
    categories.write_entry(entry("tiny", seed=8), path)  # and the lock is free again
    assert categories.read_entry("tiny", path).seed == 8
    assert len(categories.versions(path)) == 1  # the old file, once


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names open files by /proc")
def test_all_is_flushed_before_the_next_step_relies_on_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot be had in a test, but the calls that make a write outlive it can."""
    categories.write_entry(entry("tiny"), path)
    done = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(number: int) -> None:
        name = os.readlink(f"/proc/self/fd/{number}")
        done.append("flush temporary file" if name.endswith(".tmp") else f"flush {Path(name).name}")
        real_fsync(number)

    def replace(source: str, target: Path) -> None:
        done.append(f"rename into {target.parent.name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    categories.write_entry(entry("tiny", seed=7), path)
    folder = path.parent.name
    assert done == [
        *("flush temporary file", "rename into history", "flush history"),
        *("flush temporary file", f"rename into {folder}", f"flush {folder}"),
    ]


def test_a_new_file_may_be_read_by_others(path: Path) -> None:
    categories.write_entry(entry("tiny"), path)  # mkstemp alone would make it 0600
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "categories.json"
    categories.write_entry(entry("tiny"), path)
    assert path.is_file()


# ------------------------------------------------------------------ the cache of the reader


def test_a_reader_notices_a_version_of_the_same_size_and_time(path: Path) -> None:
    """Two writes within one tick of the clock."""
    categories.write_entry(entry("tiny", seed=1), path)
    assert categories.read_entry("tiny", path).seed == 1
    first = path.stat()
    categories.write_entry(entry("tiny", seed=2), path)
    os.utime(path, ns=(first.st_atime_ns, first.st_mtime_ns))
    second = path.stat()
    assert (second.st_mtime_ns, second.st_size) == (first.st_mtime_ns, first.st_size)
    assert categories.read_entry("tiny", path).seed == 2


def test_an_unchanged_file_is_parsed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    categories.write_entry(entry("tiny"), path)
    categories.read_all(path)
    monkeypatch.setattr(categories, "validate", lambda *_: pytest.fail("parsed again"))
    assert list(categories.read_all(path)) == ["tiny"]
    os.utime(path)  # another date, the same content
    assert list(categories.read_good(path).entries) == ["tiny"]


def test_a_change_in_place_is_noticed_though_date_size_and_inode_stay(path: Path) -> None:
    categories.write_entry(entry("tiny", seed=1), path)
    assert categories.read_entry("tiny", path).seed == 1
    before = path.stat()
    with path.open("r+b") as file:  # as an editor does that does not rename
        text = file.read().replace(b'"seed": 1', b'"seed": 2')
        file.seek(0)
        file.write(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)
    assert categories.read_entry("tiny", path).seed == 2


def test_a_reader_cannot_spoil_the_cache(path: Path) -> None:
    categories.write_entry(entry("tiny"), path)
    categories.read_all(path).clear()
    assert list(categories.read_all(path)) == ["tiny"]


def test_an_entry_counts_the_heads_over_a_threshold_listed_or_not() -> None:
    """Scores .125 .25 .5 / .75 .875 1: four reach .5, though two are listed; three reach .51."""
    one = categories.ModelEntry.model_validate(plain_entry())
    assert one.heads_over("induction") == 4
    assert one.heads_over("induction", 0.51) == 3
    assert one.heads_over("other") == len(one.listed("other")) == 1
    assert one.heads_over("delimiter") == 0  # not in this entry


HINTS = {
    "induction": {
        "tried": 3,
        "prompts": [
            {
                "prompt": "one\ntwo [\n 1, 2\n]",
                "heads": [{"layer": 1, "head": 2, "activation": 0.5}],
            }
        ],
        "in_vain": [[1, 1], [0, 0]],
    }
}


def test_prompts_that_wake_heads_are_read_as_they_were_written(path: Path) -> None:
    one = entry("tiny", hints=HINTS)
    categories.write_entry(one, path)
    assert categories.read_entry("tiny", path) == one
    assert '{"layer": 1, "head": 2, "activation": 0.5}' in path.read_text()  # a line per head


def test_a_file_from_before_the_hints_is_read_and_written_without_them(path: Path) -> None:
    old = entry("tiny")
    assert old.hints == {}
    assert old.role("induction").hints is None
    categories.write_entry(old, path)
    assert "hints" not in path.read_text()


@pytest.mark.parametrize(
    ("hints", "sentence"),
    [
        ({"walking": HINTS["induction"]}, "unknown role 'walking'"),
        ({"induction": {"tried": 1, "prompts": [], "in_vain": [[2, 0]]}}, "L2H0, not in the model"),
    ],
)
def test_hints_about_what_is_not_there_are_refused(hints, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        entry("tiny", hints=hints)

"""The audit list: every row kept, damage skipped, and never in the way of what it tells of."""

from __future__ import annotations

import datetime
import json
import logging
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from headroles.admin import audit
from headroles.admin.audit import AuditRow, append, read
from headroles.paths import ROOT
from tests.facts import says

NOON = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def row(number: int = 0, **changes: object) -> AuditRow:
    return AuditRow(**{"when": NOON, "who": f"session {number}", "action": "started", **changes})


def numbers(path: Path, **options: int) -> list[int]:
    return [int(one.who.split()[1]) for one in read(path, **options).rows]


def test_a_row_comes_back_as_it_went_in(path: Path) -> None:
    full = row(
        action="wrote",
        model="openai-community/gpt2",
        revision="607a30d",
        seed=7,
        sequences=64,
        seconds=12.5,
        outcome="Live: 3 heads enter,\n1 leaves – “induction” 🐈.",
    )
    assert append(full, path)
    assert read(path).rows == (full,)
    assert path.read_text(encoding="utf-8").count("\n") == 1


def test_the_file_says_when_in_utc(path: Path) -> None:
    east = datetime.timezone(datetime.timedelta(hours=5))
    append(row(when=NOON.astimezone(east)), path)
    [found] = read(path).rows
    assert found.when == NOON
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    append(AuditRow(who="session 1", action="signed_in"), path)
    stored = json.loads(path.read_text().splitlines()[1])["when"]
    assert stored.endswith("Z")
    assert before <= datetime.datetime.fromisoformat(stored) <= datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"action": "celebrated"},
        {"when": datetime.datetime(2026, 3, 1, 12)},  # in which time zone?
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"who": None},
    ],
)
def test_what_makes_no_sense_is_no_row(change: dict) -> None:
    with pytest.raises(ValidationError):
        row(**change)


def test_odd_and_endless_text_is_taken(path: Path) -> None:
    assert append(row(outcome="x" * 100_000, model="half \ud800 a letter"), path)
    [found] = read(path).rows
    assert found.outcome == "x" * 500
    assert found.model == "half ? a letter"


def test_the_newest_comes_first_and_the_limit_holds(path: Path) -> None:
    for number in range(7):
        append(row(number), path)
    assert numbers(path) == [6, 5, 4, 3, 2, 1, 0]
    assert numbers(path, limit=3) == [6, 5, 4]
    assert read(path, limit=0).rows == ()


def test_no_file_is_an_empty_list(path: Path) -> None:
    assert read(path) == audit.AuditList(())


def test_damaged_lines_are_skipped_and_counted(path: Path) -> None:
    append(row(1), path)
    with path.open("ab") as file:
        file.write(b'{"who": "cut o\n\xff\xfe\x00\n[]\n{}\n\n')
    append(row(2), path)
    assert numbers(path) == [2, 1]
    assert read(path, limit=1).damaged == 4  # the empty line is none


def test_a_line_torn_by_a_crash_does_not_take_the_next_one_with_it(path: Path) -> None:
    append(row(1), path)
    append(row(2), path)
    os.truncate(path, path.stat().st_size - 20)
    assert numbers(path) == [1]
    append(row(3), path)
    assert numbers(path) == [3, 1]
    assert read(path).damaged == 1


def test_a_row_of_a_later_version_can_still_be_read(path: Path) -> None:
    stored = json.loads(row(1).model_dump_json()) | {"something_new": 1}
    path.write_text(json.dumps(stored) + "\n")
    assert numbers(path) == [1]


def test_past_five_thousand_rows_the_newest_four_thousand_stay(path: Path) -> None:
    path.write_bytes(b"".join(row(n).model_dump_json().encode() + b"\n" for n in range(4_999)))
    assert append(row(4_999), path)
    assert len(numbers(path, limit=10_000)) == 5_000
    assert append(row(5_000), path)
    assert numbers(path, limit=10_000) == list(range(5_000, 1_000, -1))
    assert not list(path.parent.glob(".*.tmp"))


# ------------------------------------------------------------------ writers and disks


def _append_often(path: Path, first: int) -> None:
    for number in range(first, first + 25):
        assert append(row(number), path)


def test_processes_that_append_at_once_lose_nothing(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_append_often, args=(path, n * 25)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(numbers(path)) == list(range(75))
    assert read(path).damaged == 0


_ENDLESS = """
import sys
from pathlib import Path
from headroles.audit import AuditRow, append
while True:
    append(AuditRow(who="session 1", action="started", outcome="x" * 400), Path(sys.argv[1]))
    print("one", flush=True)
"""


def test_a_killed_writer_spoils_no_row_that_it_had_written(path: Path) -> None:
    for _ in range(3):
        before = len(read(path, limit=10_000).rows)
        process = subprocess.Popen(
            [sys.executable, "-c", _ENDLESS, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        written = sum(1 for _, line in zip(range(40), process.stdout, strict=False) if line)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
        assert len(read(path, limit=10_000).rows) >= before + written
    assert append(row(2), path), "the lock of a killed writer is free"
    assert numbers(path)[0] == 2


def test_a_full_disk_stops_nothing_and_leaves_no_half_line(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit on the size of files: the system takes a part of the line, as a full disk would."""
    append(row(1), path)
    whole = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, old[1]))
    try:
        caplog.set_level(logging.ERROR)  # capturing must not write to a file meanwhile
        assert append(row(2), path) is False
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == whole
    assert append(row(3), path)
    assert numbers(path) == [3, 1]
    assert read(path).damaged == 0


@pytest.mark.parametrize("obstacle", ["a folder in its place", "a file for a folder"])
def test_a_path_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, obstacle: str
) -> None:
    path = tmp_path / "place" / "audit.jsonl"
    if obstacle == "a folder in its place":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("not a folder")
    assert append(row(1), path) is False
    [record] = [record for record in caplog.records if record.name == "headroles.admin.audit"]
    assert record.levelname == "WARNING"
    assert "session 1" in record.getMessage()  # the row is not lost altogether
    found = read(path)
    assert found.rows == ()
    assert says(found.fault, "cannot be read")


def test_a_row_waits_for_its_turn_and_then_gives_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headroles.store.files import writing

    monkeypatch.setattr(audit, "LOCK_SECONDS", 0.2)
    append(row(1), path)
    with writing(path, wait=1):
        assert append(row(2), path) is False
    assert append(row(3), path)
    assert numbers(path) == [3, 1]


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    assert append(row(1), tmp_path / "new" / "audit.jsonl")

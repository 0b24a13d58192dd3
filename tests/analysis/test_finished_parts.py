"""An analysis that was cut off goes on, and gives the very numbers of one that was not."""

from __future__ import annotations

import hashlib
import io
import re

import pytest
import torch

from headroles.analysis import analyze, finished_parts
from headroles.analysis.finished_parts import FinishedParts
from headroles.reference import AnalysisSettings

SETTINGS = AnalysisSettings(sequences=20, seed=1)


class CutOffError(Exception):
    """Somebody pulled the plug."""


@pytest.fixture(scope="module")
def whole(random_gpt_neox_folder):
    return analyze(str(random_gpt_neox_folder), SETTINGS)


@pytest.fixture
def cut_off(random_gpt_neox_folder, tmp_path, monkeypatch):
    """The folder in which an analysis that was cut off in its knock-outs left something."""
    monkeypatch.setattr(finished_parts, "SECONDS", 0.0)

    def progress(phase, done, total):
        if phase.startswith("knocking") and done > 0.6 * total:
            raise CutOffError

    with pytest.raises(CutOffError):
        analyze(
            str(random_gpt_neox_folder), SETTINGS, progress=progress, unfinished=tmp_path / "kept"
        )
    return tmp_path / "kept"


def again(folder, kept, settings=SETTINGS):
    phases, notices = [], []
    entry = analyze(
        str(folder),
        settings,
        progress=lambda phase, done, total: phases.append((phase, done, total)),
        unfinished=kept,
        notice=notices.append,
    )
    return entry, phases, notices


def test_it_goes_on_where_it_stopped_with_the_same_numbers(whole, cut_off, random_gpt_neox_folder):
    (file,) = cut_off.iterdir()
    assert file.stat().st_size < 1_000_000
    entry, phases, notices = again(random_gpt_neox_folder, cut_off)
    assert entry == whole
    assert not notices
    assert [done for _, done, _ in phases] == sorted(done for _, done, _ in phases)
    went_on = re.search(r"went on at (\d+) %", phases[-1][0])
    assert 60 <= int(went_on[1]) <= 100
    assert not cut_off.exists()  # it is done


def test_nothing_that_is_finished_is_run_again(cut_off, random_gpt_neox_folder, monkeypatch):
    def refuse(*given, **settings):
        raise AssertionError("the roles are scored already")

    monkeypatch.setattr("headroles.analysis.run.measure_roles", refuse)
    monkeypatch.setattr("headroles.analysis.run.measure_extended", refuse)
    again(random_gpt_neox_folder, cut_off)


def test_what_was_made_with_other_settings_is_not_taken_up(cut_off, random_gpt_neox_folder):
    other = AnalysisSettings(sequences=20, seed=2)
    entry, phases, (notice,) = again(random_gpt_neox_folder, cut_off, other)
    assert "settings" in notice
    assert "texts" in notice
    assert entry == analyze(str(random_gpt_neox_folder), other)
    assert not any("went on" in phase for phase, _, _ in phases)


@pytest.mark.parametrize("damage", [b"", b"not a file of parts", None])
def test_a_damaged_file_is_said_and_done_without(whole, cut_off, random_gpt_neox_folder, damage):
    (file,) = cut_off.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if damage is None else damage)
    entry, _, notices = again(random_gpt_neox_folder, cut_off)
    assert entry == whole
    assert len(notices) == 1


def test_a_file_of_another_form_is_said_and_done_without(tmp_path):
    buffer = io.BytesIO()
    torch.save([torch.tensor([1])], buffer)
    body = buffer.getvalue()
    (tmp_path / "m.parts").write_bytes(hashlib.sha256(body).digest() + body)
    parts = FinishedParts(tmp_path / "m.parts", {"weights": 1})
    assert "cannot be read" in parts.ignored
    assert parts.recall("basic", lambda: 3) == 3


def test_a_few_unfinished_models_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(finished_parts, "SECONDS", 0.0)
    for n in range(finished_parts.KEPT + 3):
        parts = FinishedParts(tmp_path / f"{n}.parts", {"weights": n})
        parts.recall("basic", lambda n=n: torch.tensor([n]))
    assert len(list(tmp_path.iterdir())) == finished_parts.KEPT
    assert FinishedParts(tmp_path / f"{n}.parts", {"weights": n}).recall("basic", list) == n


def test_a_disk_that_takes_nothing_costs_no_analysis(tmp_path, monkeypatch):
    monkeypatch.setattr(finished_parts, "SECONDS", 0.0)
    (tmp_path / "file").write_text("no folder")
    parts = FinishedParts(tmp_path / "file" / "model.parts", {})
    assert parts.recall("basic", lambda: 3) == 3

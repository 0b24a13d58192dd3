"""A whole course of models by one command: resumed, with a failure in the middle, and checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from headroles.analysis.freshness import faults, library_versions, why_stale
from headroles.models import catalogue_key
from headroles.paths import CATEGORIES, DEMO_MODEL
from headroles.reference import BY_HAND, AnalysisSettings
from headroles.store import categories as store_categories
from scripts import analyze_heads
from tests.entries import entry as hand_made

QUICK = ["--sequences", "4", "--no-causal", "--format", "json-lines"]


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Three models on this disk, the one in the middle with its weights cut off."""
    for name in ("first", "cut", "last"):
        shutil.copytree(DEMO_MODEL, tmp_path / name)
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return [str(tmp_path / name) for name in ("first", "cut", "last")]


def events(capsys, kind: str) -> list[dict]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [event for event in lines if event["event"] == kind]


@pytest.mark.slow
def test_a_failing_model_stops_no_other_and_the_next_run_takes_up_the_rest(
    folders, tmp_path, capsys
):
    out = tmp_path / "out.json"
    assert analyze_heads.main([*folders, *QUICK, "--out", str(out)]) == 1
    printed = capsys.readouterr()
    ended = [json.loads(line) for line in printed.out.splitlines()]
    ended = [event for event in ended if event["event"] != "progress"]
    assert [event["event"] for event in ended] == ["result", "error", "result"]
    assert [event["model"] for event in ended] == folders
    assert "not fully covered" in printed.err
    first, last = (catalogue_key(folders[place]) for place in (0, 2))
    assert list(store_categories.read_all(out)) == [first, last]
    before = out.read_bytes()

    shutil.copy(DEMO_MODEL / "model.safetensors", tmp_path / "cut")
    assert analyze_heads.main([*folders, *QUICK, "--out", str(out)]) == 0
    assert ["skipped" in event for event in events(capsys, "result")] == [True, False, True]
    after = store_categories.read_all(out)
    assert list(after) == [catalogue_key(folders[1]), first, last]
    assert store_categories.to_json({key: after[key] for key in (first, last)}).encode() == before


@pytest.mark.slow
def test_the_table_says_how_each_model_ended(folders, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out.json"), "--sequences", "4", "--no-causal"]
    assert analyze_heads.main(["--model", folders[0], *out]) == 0
    assert "up to date" not in capsys.readouterr().out
    assert analyze_heads.main([*folders[:2], *out]) == 1
    first, cut = capsys.readouterr().out.strip().splitlines()[-2:]
    assert first == f"{folders[0]}  up to date, skipped"
    assert cut.startswith(f"{folders[1]}    failed: The model 'cut' could not be loaded: ")


@pytest.mark.slow
def test_force_analyses_again_and_gives_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    arguments = ["demo", *QUICK, "--out", str(tmp_path / "out.json")]
    for force in ([], ["--force"]):
        assert analyze_heads.main([*arguments, *force]) == 0
        (result,) = events(capsys, "result")
        assert result["model"] == "demo"
        assert "skipped" not in result
    assert (
        len(store_categories.versions(tmp_path / "out.json")) == 0
    )  # what is equal is not written again


def changed(**changes: object) -> store_categories.ModelEntry:
    return store_categories.read_entry("demo").model_copy(update=changes)


def test_an_entry_is_up_to_date_until_one_thing_differs():
    settings = AnalysisSettings()
    assert why_stale(changed(), "demo", settings) == ""
    assert "seed 0, not 1" in why_stale(changed(), "demo", AnalysisSettings(seed=1))
    assert "sequences 64, not 50" in why_stale(changed(), "demo", AnalysisSettings(sequences=50))
    assert "cap 8, not 3" in why_stale(changed(), "demo", AnalysisSettings(cap=3))
    assert "revision other" in why_stale(changed(revision="other"), "demo", settings)
    assert "definitions" in why_stale(changed(definitions_version=0), "demo", settings)
    older = {**library_versions(), "transformers": "4.0"}
    assert "transformers 4.0" in why_stale(changed(library_versions=older), "demo", settings)
    assert why_stale(changed(library_versions={}), "demo", settings)


def test_a_threshold_by_hand_is_a_setting_too():
    chosen = AnalysisSettings(thresholds={"induction": 0.5})
    assert "induction" in why_stale(changed(), "demo", chosen)
    categories = store_categories.read_entry("demo").categories
    by_hand = {"threshold": 0.5, "threshold_reason": BY_HAND}
    moved = changed(
        categories={**categories, "induction": categories["induction"].model_copy(update=by_hand)}
    )
    assert why_stale(moved, "demo", chosen) == ""
    assert "induction" in why_stale(moved, "demo", AnalysisSettings())


def test_the_build_of_torch_does_not_matter_but_its_release_does():
    release = library_versions()["torch"].partition("+")[0]
    with_gpu = {**library_versions(), "torch": f"{release}+cu130"}
    assert faults(changed(library_versions=with_gpu)) == []
    assert len(faults(changed(library_versions={**with_gpu, "torch": "1.0.0"}))) == 1


# ------------------------------------------------------------------ --check


def test_the_committed_file_passes_its_check(capsys):
    assert analyze_heads.main(["--check", "--out", str(CATEGORIES)]) == 0
    printed = capsys.readouterr()
    assert " checked, 0 faults found." in printed.out
    assert printed.err == ""


def test_check_names_every_fault_and_fails(tmp_path, capsys):
    out = tmp_path / "out.json"
    store_categories.write_entry(changed(revision="sha256:0", definitions_version=0), out)
    before = out.read_bytes()
    assert analyze_heads.main(["--check", "--out", str(out)]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("demo: it was made with version 0 of the roles' definitions")
    assert second.startswith("demo: it is of revision sha256:0, and the model is at sha256:")
    assert out.read_bytes() == before


def test_check_says_what_it_could_not_check(tmp_path, capsys):
    out = tmp_path / "out.json"
    store_categories.write_entry(hand_made("gpt2", library_versions=library_versions()), out)
    assert analyze_heads.main(["--check", "gpt2", "--out", str(out)]) == 0
    assert "gpt2: its revision was not checked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "models", "says"),
    [
        (None, [], "holds no model"),
        ("{}", ["gpt2"], "no reference scores for 'gpt2'"),
        ("{oops", [], "cannot be read"),
    ],
    ids=["no file", "no entry", "damaged"],
)
def test_check_fails_on_a_file_without_what_is_asked(tmp_path, capsys, text, models, says):
    out = tmp_path / "out.json"
    if text is not None:
        out.write_text(text)
    assert analyze_heads.main(["--check", *models, "--out", str(out)]) == 1
    assert says in capsys.readouterr().err


def test_a_command_that_is_stopped_says_so_in_a_sentence(tmp_path, monkeypatch, capsys) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(analyze_heads, "run", stopped)
    assert analyze_heads.main(["demo", "gpt2", "--out", str(tmp_path / "out.json")]) == 130
    said = capsys.readouterr().err
    assert "Stopped" in said
    assert "Traceback" not in said

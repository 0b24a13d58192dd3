"""The instructor's list of models: read by hand-worked files, written by program, looked up."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from headroles import models, paths
from headroles.errors import (
    ModelListError,
    ModelNotListedError,
    ModelUnavailableError,
)
from headroles.models import catalogue, list_file, listed, on_disk
from headroles.paths import DEMO_MODEL
from headroles.store import model_list, versions

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = f"""
# ours
order = ["ours", "gpt2"]
hide = ["bloom-560m"]

[[model]]
key = "ours"
folder = "weights/ours"

[[model]]  # a step of its training
hub = "EleutherAI/pythia-1b"
revision = "{COMMIT}"
name = "Pythia 1B"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's list, which is not there yet."""
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    return tmp_path / "models.toml"


def fault_of(text: str | bytes) -> str:
    with pytest.raises(ModelListError) as caught:
        list_file.parse(text if isinstance(text, bytes) else text.encode())
    return caught.value.why


# ------------------------------------------------------------------ reading


def test_a_good_file(file: Path) -> None:
    file.write_text(GOOD)
    good, fault = listed.read()
    assert fault is None
    assert list(good.entries) == ["ours", "EleutherAI/pythia-1b"]
    ours, pythia = good.entries.values()
    assert ours.source == str(file.parent / "weights" / "ours")  # from the list's own folder
    assert (pythia.source, pythia.revision) == ("EleutherAI/pythia-1b", COMMIT)
    assert (ours.name, pythia.name) == ("ours", "Pythia 1B")
    assert good.order == ("ours", "gpt2")
    assert good.hide == {"bloom-560m"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[model]]\nky = 'x'", ["model 1", "`ky`", "'key'"]),
        ("hidden = []", ["`hidden`", "no field"]),
        ("[[model]]\nkey = 3\nhub = 'a/b'", ["model 1", "`key`", "string"]),
        ("[[model]]\nhub = 'a/b'\n[[model]]\nhub = 'a/b'", ["model 2", "used before"]),
        ("[[model]]\nhub = 'a/b'\n[[model]]\nkey='c'\nhub = 'a/b'", ["model 2", "same model"]),
        ("[[model]]\nkey = 'gpt2'\nfolder = 'x'", ["model 1", "comes with headroles"]),
        ("[[model]]\nhub = 'openai-community/gpt2'", ["model 1", "'gpt2'"]),
        ("[[model]]\nkey = 'a b'\nfolder = 'x'", ["model 1 ('a b')", "address"]),
        ("[[model]]\nkey = '../x'\nfolder = 'x'", ["model 1", "address"]),
        ("[[model]]\nfolder = 'x'", ["model 1 ('x')", "no key"]),
        ("[[model]]\nkey = 'x'", ["model 1", "none"]),
        ("[[model]]\nkey='x'\nhub='a/b'\nfolder='x'", ["model 1", "hub, folder"]),
        ("[[model]]\nkey='x'\nfolder='x'\nrevision='main'", ["model 1", "Hub id only"]),
        ("[[model]]\nhub='a/b'\nrevision='a b'", ["model 1", "'a b' is not a revision"]),
        ("[[model]]\nhub='a/b'\nrevision='../../x'", ["not a revision"]),
        ("[[model]]\nhub='a'", ["model 1", "not an id"]),
        ("[[model]]\nhub='headroles/models'", ["also a folder"]),
        ("[[model]]\nkey='x'\ngguf='x.bin'", ["not the name of a GGUF"]),
        ("[[model]]\nkey='x'\nfolder='x'\nname='\u202e'", ["`name`", "cannot be seen"]),
        ("order = ['gtp2']", ["`order`, entry 1", "'gpt2'"]),
        ("hide = ['gpt2', 'nobody']", ["`hide`, entry 2", "'nobody'"]),
        ("hide = ['gpt2', 'gpt2']", ["'gpt2' twice"]),
        ("hide = ['demo']", ["'demo'", "cannot be hidden"]),
        ("order = [3]", ["`order`, entry 1", "string"]),
        ("model = 3", ["`model`", "list"]),
        ("[model]\nhub = 'a/b'", ["[[model]]"]),
        ("[[model]]\nhub = 'a/b'\n\nhide = ['gpt2']", ["`hide`", "above the first [[model]]"]),
        ("order = ['gpt2'\nhide = 3\n", ["not valid TOML", "line 2"]),
        ("[[model]]\nhub = 'a/b'\nhub = 'c/d'\n", ["not valid TOML", "line 3"]),
        (b"\xff\xfe", ["UTF-8"]),
        ("x = " + "[" * 100_000, ["not valid TOML"]),
    ],
)
def test_each_kind_of_damage_has_its_sentence(text: str | bytes, says: list[str]) -> None:
    why = fault_of(text)
    assert all(words in why for words in says), why
    assert "\n" not in why


def read_or_explained(raw: bytes) -> listed.ModelList | str:
    """The list, or the sentence; no other exception may come out."""
    try:
        return list_file.parse(raw)
    except ModelListError as error:
        return error.why


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode())))
def test_whatever_stands_in_the_file_is_read_or_explained(raw: bytes) -> None:
    assert read_or_explained(raw)


_TEXT = st.sampled_from(
    ["a/b", "x", "gpt2", "demo", "", "..", "~/x", "a b", COMMIT, "\0", "x.gguf"]
)


@given(
    st.lists(st.dictionaries(st.sampled_from([*list_file.ListedModel.model_fields, "z"]), _TEXT)),
    st.lists(_TEXT),
    st.lists(_TEXT),
)
def test_models_of_any_fields_are_read_or_explained(tables: list, order: list, hide: list) -> None:
    raw = tomlkit.dumps({"order": order, "hide": hide, "model": tables}).encode()
    good = read_or_explained(raw)
    if isinstance(good, listed.ModelList):
        assert len(good.entries) == len(tables)
        assert "demo" not in good.hide
        assert not good.entries.keys() & models.CATALOGUE.keys()


def test_a_list_saved_by_an_editor_of_windows_is_read_and_changed(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfhide = ['gpt2']\r\n\r\n[[model]]\r\nhub = 'a/b'\r\n")
    model_list.hide("a/b", file)
    assert listed.read(file).fault is None
    assert listed.read(file).models.hide == {"gpt2", "a/b"}


def test_while_the_file_is_damaged_the_last_good_one_stays(file: Path) -> None:
    file.write_text(GOOD)
    assert "ours" in models.known_models()
    file.write_text(GOOD + "[[")
    good, fault = listed.read()
    assert "not valid TOML" in fault.why
    assert "ours" in good.entries
    assert "ours" in models.known_models()
    file.write_text("hide = ['gpt2']")
    assert listed.read().fault is None
    assert "ours" not in models.known_models()


def test_after_a_restart_the_newest_good_version_stays(file: Path) -> None:
    model_list.add({"hub": "a/b"}, file)
    model_list.hide("gpt2", file)  # the version before it lists the model
    listed._last_good.clear()
    file.write_text("[[")
    assert "a/b" in listed.read().models.entries


@pytest.mark.parametrize("kind", ["pipe", "folder", "large"])
def test_what_is_no_file_is_explained(file: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"#" * (listed.LARGEST + 1))
    good, fault = listed.read()
    assert not good.entries
    assert fault.why


# ------------------------------------------------------------------ looking up


def test_a_listed_model_is_looked_up_like_every_other(file: Path) -> None:
    file.write_text(f"[[model]]\nkey = 'ours'\nfolder = '{DEMO_MODEL.parent}'\n")
    folder = str(DEMO_MODEL.parent)
    assert models.resolve_source("ours") == folder
    assert models.catalogue_key(folder) == models.catalogue_key(f"{folder}/demo_model/..") == "ours"
    assert models.name_of("ours") == "ours"
    assert catalogue.is_trusted(folder)


def test_a_hub_id_is_loaded_at_its_revision(file: Path) -> None:
    file.write_text(f"[[model]]\nkey = 'p'\nhub = 'a/b'\nrevision = '{COMMIT}'\n")
    assert models.resolve_source("p") == "a/b"
    assert catalogue.pinned_revision("a/b") == COMMIT
    assert models.catalogue_key("a/b") == "p"
    assert "a/b" in catalogue.offered_sources()


def test_the_order_and_what_is_hidden(file: Path) -> None:
    file.write_text(GOOD)
    keys = models.offered_keys(also=["someone/new", "openai-community/gpt2"])
    assert keys[:3] == ["ours", "gpt2", "demo"]
    assert keys[-2:] == ["EleutherAI/pythia-1b", "someone/new"]
    assert "bloom-560m" not in keys
    assert "openai-community/gpt2" not in keys  # that is gpt2
    assert "bloom-560m" in models.offered_keys(hidden=True)


def test_a_folder_that_is_gone_is_said(file: Path) -> None:
    file.write_text(GOOD)
    with pytest.raises(ModelUnavailableError, match="not on this server any more"):
        models.resolve_source("ours")
    assert models.known_models()["ours"].is_gone
    assert on_disk.fault(models.known_models()["ours"]) == "there is no such folder"


def test_two_folders_of_one_name_are_two_models_once_one_is_listed(
    file: Path, tmp_path: Path
) -> None:
    for parent in "ab":
        (tmp_path / parent / "step").mkdir(parents=True)
    model_list.add({"key": "step", "folder": str(tmp_path / "a" / "step")}, file)
    keys = [models.catalogue_key(str(tmp_path / parent / "step")) for parent in "ab"]
    assert keys[0] == "step"
    assert keys[1].startswith("step-")


def test_a_folder_called_like_a_model_is_not_that_model(tmp_path: Path) -> None:
    (tmp_path / "gpt2").mkdir()
    assert models.catalogue_key(str(tmp_path / "gpt2")) not in models.CATALOGUE


# ------------------------------------------------------------------ writing


def test_changes_keep_comments_and_can_be_undone(file: Path) -> None:
    file.write_text(GOOD)
    model_list.hide("gpt2", file)
    model_list.show("bloom-560m", file)
    model_list.order(["demo"], file)
    text = file.read_text()
    assert "# ours" in text
    assert "# a step of its training" in text
    good = listed.read(file).models
    assert (good.hide, good.order) == ({"gpt2"}, ("demo",))
    model_list.undo(file)
    assert listed.read(file).models.order == ("ours", "gpt2")
    model_list.undo(file)  # undone once more, the change is back
    assert listed.read(file).models.order == ("demo",)


def test_the_first_change_makes_the_file_and_can_be_undone(file: Path) -> None:
    model_list.add({"hub": "a/b", "name": "AB"}, file)
    assert listed.read(file).models.entries["a/b"].name == "AB"
    model_list.undo(file)
    assert listed.read(file) == (listed.ModelList({}), None)
    assert "hide = " in file.read_text()  # it explains itself


def test_removing_takes_a_model_out_of_the_order_too(file: Path) -> None:
    file.write_text(GOOD)
    model_list.remove("ours", file)
    good, fault = listed.read(file)
    assert fault is None
    assert list(good.entries) == ["EleutherAI/pythia-1b"]
    assert good.order == ("gpt2",)
    with pytest.raises(model_list.NotInListError, match="hidden"):
        model_list.remove("gpt2", file)  # that one can only be hidden


@pytest.mark.parametrize(
    "model", [{"hub": "a b"}, {"hub": "openai-community/gpt2"}, {}, {"hub": "a/b", "z": "1"}]
)
def test_what_cannot_stand_there_changes_nothing(file: Path, model: dict[str, str]) -> None:
    with pytest.raises(ModelNotListedError):
        model_list.add(model, file)
    assert not file.exists()


def test_a_damaged_file_is_not_written_over_but_undo_mends_it(file: Path) -> None:
    model_list.add({"hub": "a/b"}, file)
    model_list.hide("gpt2", file)
    file.write_text("[[")
    with pytest.raises(ModelListError):
        model_list.hide("distilgpt2", file)
    assert file.read_text() == "[["
    model_list.undo(file)
    assert "a/b" in listed.read(file).models.entries


def test_models_in_one_list_and_a_mark_of_windows_are_taken(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfmodel = [{key = 'ours', folder = 'x'}]\norder = ['ours']\n")
    model_list.add({"hub": "a/b"}, file)
    good, fault = listed.read(file)
    assert fault is None
    assert list(good.entries) == ["ours", "a/b"]
    assert good.order == ("ours",)
    model_list.remove("ours", file)
    assert list(listed.read(file).models.entries) == ["a/b"]


def test_nothing_to_undo_is_said(file: Path) -> None:
    assert not model_list.can_undo(file)
    with pytest.raises(ModelListError, match="no earlier version"):
        model_list.undo(file)


def test_writers_at_once_lose_nothing(file: Path) -> None:
    threads = [
        threading.Thread(target=model_list.add, args=({"hub": f"a/m{number}"}, file))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(listed.read(file).models.entries) == {f"a/m{number}" for number in range(8)}
    assert len(versions.kept(file)) == 8

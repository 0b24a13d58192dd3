"""What students can choose, its marks, and scores that belong to other weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroles import paths
from headroles.errors import OtherWeightsError
from headroles.models import catalogue, listed, on_disk
from headroles.models.builtin import CatalogueEntry
from headroles.store import contents, model_list
from headroles.view import offer
from scripts import analyze_heads, models_list

COMMIT, OTHER = "0" * 40, "1" * 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder without scores or list, and an empty cache of the Hub."""
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return tmp_path


def hold(folder: Path, /, **entries: tuple[str, str]) -> None:
    plain = {key: {"source": source, "revision": pin} for key, (source, pin) in entries.items()}
    (folder / "head_categories.json").write_text(json.dumps(plain))


def fetched(folder: Path, source: str, commit: str = COMMIT) -> Path:
    """A model in the Hub's cache, without its weights."""
    repository = folder / "home" / "hub" / f"models--{source.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    (snapshot / "config.json").write_text("{}")
    return snapshot


def test_a_hub_id_that_the_scores_hold_can_be_chosen(folder: Path) -> None:
    hold(folder, **{"someone/new": ("someone/new", COMMIT)})
    assert offer.offered()[-1] == "someone/new"
    model_list.hide("someone/new")
    assert "someone/new" not in offer.offered()


@pytest.mark.parametrize("key", ["headroles/models", "folder", "openai-community/gpt2"])
def test_no_folder_comes_out_of_the_scores(folder: Path, key: str) -> None:
    hold(folder, **{key: (key, COMMIT)})
    assert key not in offer.offered()


def test_marks(folder: Path) -> None:
    hold(folder, demo=("data/demo_model", "sha256:0"), gpt2=("openai-community/gpt2", "x"))
    assert offer.mark(offer.choice("demo")) == "ready"
    assert offer.mark(offer.choice("attn-only-1l-tiny")) == "not analysed yet"
    assert offer.mark(offer.choice("gpt2")) == "550 MB to download"
    assert offer.mark(offer.choice("smollm2-135m-instruct")) == "93 MB to download"
    assert offer.state_words(offer.choice("bloom-560m")) == "to download, not analysed yet"


def test_a_folder_that_is_gone_is_marked(folder: Path) -> None:
    (folder / "models.toml").write_text("[[model]]\nkey = 'ours'\nfolder = 'ours'\n")
    assert offer.mark(offer.choice("ours")) == "its files are gone"
    (folder / "ours").mkdir()
    assert offer.mark(offer.choice("ours")) == "not analysed yet"


def test_a_hub_model_is_here_once_its_weights_are(folder: Path) -> None:
    entry = catalogue.entry_of("facebook/opt-125m-copy")
    assert not on_disk.is_here(entry)
    snapshot = fetched(folder, entry.source)
    assert not on_disk.is_here(entry)
    names = {"b": "one.safetensors", "a": "two.safetensors"}  # whatever their names
    index = {"metadata": {}, "weight_map": names}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "one.safetensors").touch()
    assert not on_disk.is_here(entry)
    (snapshot / "two.safetensors").touch()
    assert on_disk.is_here(entry)


def test_two_models_of_one_name_are_told_apart(folder: Path) -> None:
    for key in ("a/x", "b/x"):
        model_list.add({"hub": key, "name": "The same"})
    labels = offer.labels(offer.offered())
    assert len(set(labels.values())) == len(labels)


def test_a_damaged_list_and_damaged_scores_leave_the_models_of_the_project(folder: Path) -> None:
    (folder / "models.toml").write_text("[[")
    (folder / "head_categories.json").write_text("[[")
    assert offer.offered() == list(catalogue.CATALOGUE)
    assert "not valid TOML" in offer.damage()


@pytest.mark.parametrize(
    ("measured", "model", "are_other"),
    [
        (("a/b", COMMIT), ("a/b", COMMIT), False),
        (("a/b", COMMIT), ("a/b", OTHER), True),
        (("a/b", COMMIT), ("a/c", COMMIT), True),
        (("a/b", COMMIT), ("a/b", ""), False),  # nobody knows
        (("a/b", "unknown"), ("a/b", OTHER), False),
        (("x", "sha256:0123456789abcdef"), ("x", "sha256:fedcba9876543210"), True),
        (("x", "sha256:0123456789abcdef"), ("y", "sha256:0123456789abcdef"), False),  # moved
        (("x", "sha256:0123456789abcdef"), ("a/b", COMMIT), True),
    ],
)
def test_scores_belong_to_weights(measured, model, are_other: bool) -> None:
    assert bool(contents.other_weights(contents.Held(*measured), *model)) == are_other


def test_scores_of_another_revision_are_marked_and_refused(folder: Path) -> None:
    hold(folder, **{"a/b": ("a/b", COMMIT)})
    model_list.add({"hub": "a/b", "revision": OTHER})
    assert offer.choice("a/b").scores == offer.OTHER_WEIGHTS

    class Entry:
        model_name, source, revision = "a/b", "a/b", COMMIT

    with pytest.raises(OtherWeightsError, match=OTHER):
        contents.check_weights(Entry, "a/b", OTHER)


def test_what_is_told_of_a_gguf_file(folder: Path) -> None:
    file = folder / "Tiny.Q4_K_M.gguf"
    entry = CatalogueEntry("t", "Tiny", str(file), "", 0, "", "")
    assert on_disk.fault(entry)
    file.write_bytes(b"GGUF....")
    assert not on_disk.fault(entry)
    assert entry.quantization == "Q4_K_M"
    assert "Q4_K_M" in offer.about(offer.Choice(entry, True, offer.READY))


# ------------------------------------------------------------------ the command


def test_the_command_adds_hides_orders_and_undoes(folder: Path, capsys) -> None:
    assert models_list.main(["add", "a/b", "--revision", "step512", "--name", "AB"]) == 0
    assert models_list.main(["hide", "gpt2"]) == 0
    assert models_list.main(["order", "a/b"]) == 0
    good = listed.read().models
    assert good.entries["a/b"].revision == "step512"
    assert (good.hide, good.order) == ({"gpt2"}, ("a/b",))
    assert models_list.main(["undo"]) == models_list.main(["show", "gpt2"]) == 0
    assert models_list.main(["remove", "a/b"]) == 0
    assert listed.read().models == ({}, (), set())
    capsys.readouterr()
    assert models_list.main(["list"]) == 0
    assert "not analysed yet" in capsys.readouterr().out


def test_the_command_lists_a_folder_by_its_name(folder: Path, capsys) -> None:
    place = folder / "gpt2"
    place.mkdir()
    assert models_list.main(["add", str(place)]) == 2
    assert "no weights" in capsys.readouterr().err
    (place / "model.safetensors").touch()
    assert models_list.main(["add", str(place)]) == 2
    assert "no config.json" in capsys.readouterr().err
    (place / "config.json").write_text("{}")
    assert models_list.main(["add", str(place)]) == 0
    (key,) = listed.read().models.entries
    assert key.startswith("gpt2-")  # it is not the catalogue's
    (place / "config.json").unlink()
    assert models_list.main(["list"]) == 1
    assert key in capsys.readouterr().err


def test_a_folder_whose_name_is_no_key_is_listed_under_a_like_one(folder: Path, capsys) -> None:
    place = folder / "Our model (2)"
    place.mkdir()
    (place / "one.gguf").write_bytes(b"GGUF")
    assert models_list.main(["add", str(place), "--about", "x" * 400]) == 2
    assert "at most 300" in capsys.readouterr().err
    assert models_list.main(["add", str(place)]) == 0
    assert listed.read().models.entries["Our-model-2"].source == str(place.resolve())
    (place / "another.gguf").write_bytes(b"GGUF")
    assert models_list.main(["list"]) == 1
    assert "2 GGUF files" in capsys.readouterr().err


def test_a_file_that_cannot_be_listed_is_explained(folder: Path, capsys) -> None:
    for name, words in {"weights.bin": "must end in .gguf", "text.gguf": "not a GGUF file"}.items():
        (folder / name).write_text("text")
        assert models_list.main(["add", str(folder / name)]) == 2
        assert words in capsys.readouterr().err


def test_what_will_not_be_listed_is_told_before_an_analysis(folder: Path, capsys) -> None:
    (folder / "ours").mkdir()
    assert analyze_heads.why_not_on_the_list(str(folder / "ours")) == ""
    assert analyze_heads.why_not_on_the_list("a/b") == ""
    place = folder / "our model"
    place.mkdir()
    assert f"models_list add '{place}'" in analyze_heads.why_not_on_the_list(str(place))
    (place / "one.gguf").write_bytes(b"GGUF")
    assert models_list.main(["add", str(place)]) == 0
    assert analyze_heads.why_not_on_the_list(str(place)) == ""


@pytest.mark.parametrize(
    "arguments",
    [["hide", "nobody"], ["hide", "demo"], ["add", "a b"], ["add", "a/b", "--name", ""]],
)
def test_the_command_explains_what_it_cannot_do(folder: Path, capsys, arguments) -> None:
    assert models_list.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / "models.toml").exists()

"""A name is no identity: which folder, entry and paper belong to which weights."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import headroles
from headroles import disk, models, store, verdicts
from headroles.capture import capture
from headroles.errors import CategoriesMissingError, ModelUnavailableError, OtherWeightsError
from headroles.models import catalogue, loading, revisions
from headroles.paths import DEMO_MODEL
from headroles.store import categories, contents
from headroles.view import offer
from tests import elsewhere
from tests.entries import entry, plain_entry
from tests.retrained import retrain

PROMPT = "The cat sat on the mat. The cat sat on the mat."


@pytest.fixture
def weights(tmp_path: Path):
    """Makes a folder with the demo's weights, or with others."""

    def make(place: str, *, other: bool = False) -> Path:
        folder = tmp_path / place
        shutil.copytree(DEMO_MODEL, folder)
        if other:
            from safetensors.torch import load_file, save_file

            file = folder / "model.safetensors"
            tensors = {name: value.clone() for name, value in load_file(file).items()}
            next(iter(tensors.values())).view(-1)[0] += 1
            save_file(tensors, file, metadata={"format": "pt"})
        return folder

    return make


# ------------------------------------------------------------------ keys


def test_a_folder_keeps_its_key_wherever_it_goes(weights) -> None:
    here, there = weights("a/checkpoint-500"), weights("b/checkpoint-500")
    another = weights("c/checkpoint-500", other=True)
    keys = [models.catalogue_key(str(place)) for place in (here, there, another)]
    digits = models.model_revision(str(here)).removeprefix("sha256:")[:6]
    assert keys[0] == keys[1] == f"checkpoint-500-{digits}"
    assert keys[2] != keys[0]
    assert keys[2].startswith("checkpoint-500-")


def test_folders_without_weights_are_told_apart_by_their_places(tmp_path: Path) -> None:
    keys = []
    for place in ("a/run", "b/run"):
        (tmp_path / place).mkdir(parents=True)
        keys.append(models.catalogue_key(str(tmp_path / place)))
    assert len(set(keys)) == 2


def test_the_bundled_and_the_listed_keep_their_keys() -> None:
    assert models.catalogue_key(str(DEMO_MODEL)) == "demo"
    assert models.catalogue_key("openai-community/gpt2") == "gpt2"
    assert models.catalogue_key("gpt2") == "gpt2"


@pytest.mark.parametrize("name", ["gpt2", "pythia-160m", "openai-community/gpt2", "demo"])
def test_a_folder_called_like_a_model_is_another_one(weights, monkeypatch, name: str) -> None:
    folder = weights(f"here/{name}", other=True)
    monkeypatch.chdir(folder.parents[name.count("/")])
    given = name if "/" in name else f"./{name}"
    key = models.catalogue_key(given)
    assert key not in models.known_models()
    assert models.resolve_source(given) == str(folder)
    loaded = models.load_model(given)
    assert (loaded.key, loaded.source) == (key, str(folder))
    assert verdicts.literature_entry(key) == {}
    # and the catalogue's own model is never the folder, whatever the server runs beside
    source = models.resolve_source(name) if "/" not in name else "openai-community/gpt2"
    assert catalogue.folder_of(source) in (None, DEMO_MODEL)


def test_the_weights_are_read_once_for_as_long_as_they_stay(weights, monkeypatch) -> None:
    folder = weights("a")
    first = revisions.of_place(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", None)
        assert revisions.of_place(folder) == first
    file = folder / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    assert revisions.of_place(folder) != first


def test_sentences_say_a_folder_by_its_bare_name(weights) -> None:
    assert catalogue.spoken_name(str(weights("course"))) == "course"
    like = str(weights("gpt2"))
    assert catalogue.spoken_name(like) == models.catalogue_key(like)


# ------------------------------------------------------------------ names of one model


@pytest.mark.parametrize(
    "name", ["gpt2", "GPT2", "openai-community/gpt2", "OpenAI-Community/GPT2", "gpt2-small"]
)
@pytest.mark.parametrize("held", ["gpt2", "openai-community/gpt2", "gpt2-small"])
def test_all_names_of_a_model_find_one_entry(tmp_path: Path, name: str, held: str) -> None:
    path = tmp_path / "head_categories.json"
    path.write_text(json.dumps({held: elsewhere.EXAMPLE["gpt2"]}))
    read = headroles.load_head_categories(name, path)
    assert read["categories"]["induction"]["top_heads"][0]["score"] == 0.95
    assert read["model_name"] == name


@pytest.mark.parametrize("name", ["someone/gpt2", "gpt2-medium", "gpt2-3fa2b1", "distilgpt2"])
def test_other_models_do_not(tmp_path: Path, name: str) -> None:
    path = tmp_path / "head_categories.json"
    path.write_text(json.dumps(elsewhere.EXAMPLE))
    with pytest.raises(CategoriesMissingError):
        headroles.load_head_categories(name, path)


def test_of_two_entries_under_two_names_the_own_key_goes_first_then_ours(tmp_path: Path) -> None:
    path = tmp_path / "head_categories.json"
    theirs = elsewhere.plain("openai-community/gpt2", layers=2, heads=3) | {"categories": {}}
    ours = plain_entry("gpt2-small", source="openai-community/gpt2")
    path.write_text(json.dumps({"openai-community/gpt2": theirs, "gpt2-small": ours}))
    assert not categories.read_entry("gpt2", path).made_elsewhere
    assert categories.read_entry("openai-community/gpt2", path).made_elsewhere
    categories.write_entry(entry("gpt2", seed=7), path)
    assert categories.read_entry("gpt2", path).seed == 7
    assert json.loads(path.read_text())["openai-community/gpt2"] == theirs


def test_the_picker_knows_an_entry_under_another_name(tmp_path, monkeypatch) -> None:
    path = tmp_path / "head_categories.json"
    monkeypatch.setattr("headroles.paths.CATEGORIES", path)
    entries = {"openai-community/gpt2": elsewhere.EXAMPLE["gpt2"], "a/b": elsewhere.plain("a/b")}
    path.write_text(json.dumps(entries))
    assert offer.choice("gpt2").scores == offer.READY
    assert "openai-community/gpt2" not in offer.offered()
    assert "a/b" in offer.offered()


# ------------------------------------------------------------------ entries belong to weights


def test_an_old_entry_under_the_bare_name_is_found_by_its_weights(weights, tmp_path: Path) -> None:
    path = tmp_path / "head_categories.json"
    folder = weights("checkpoint-500")
    revision = models.model_revision(str(folder))
    old = store.read_entry("demo").model_copy(
        update={"model_name": "checkpoint-500", "source": "checkpoint-500", "revision": revision}
    )
    other = old.model_copy(update={"model_name": "x", "revision": "sha256:0123456789abcdef"})
    categories.write_entry(old, path)
    categories.write_entry(other, path)
    run = capture(models.load_model(str(folder)), PROMPT)
    assert categories.read_entry(run.model_name, path).revision == revision
    assert headroles.get_active_head_summary(run, run.model_name, path=path)
    moved = weights("elsewhere/renamed")
    assert categories.read_entry(models.catalogue_key(str(moved)), path).revision == revision
    another = models.catalogue_key(str(weights("c/checkpoint-500", other=True)))
    with pytest.raises(CategoriesMissingError):
        categories.read_entry(another, path)


def test_a_listed_folder_finds_what_was_analysed_before_it_was_listed(
    weights, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "data" / "head_categories.json"
    path.parent.mkdir()
    monkeypatch.setattr("headroles.paths.CATEGORIES", path)
    folder = weights("course")
    key = models.catalogue_key(str(folder))
    before = store.read_entry("demo", DEMO_MODEL.parent / "head_categories.json").model_copy(
        update={"model_name": key, "source": "course"}
    )
    categories.write_entry(before, path)
    store.model_list.add({"key": "ours", "folder": str(folder)})
    assert contents.key_in(contents.held(), "ours") == key
    assert offer.choice("ours").scores == offer.READY
    assert categories.read_entry("ours").model_name == "ours"


def test_a_summary_never_uses_scores_of_other_weights(weights) -> None:
    run = capture(models.load_model(str(weights("demo-tuned", other=True))), PROMPT)
    with pytest.raises(OtherWeightsError, match="measured on other weights"):
        headroles.get_active_head_summary(run, "demo")
    same = capture(models.load_model(str(weights("copy"))), PROMPT)
    assert headroles.get_active_head_summary(same, "demo")  # the same weights in another place


def test_an_entry_without_a_revision_is_used(weights, tmp_path: Path) -> None:
    path = tmp_path / "head_categories.json"
    path.write_text(json.dumps({"demo": elsewhere.plain()}))
    run = capture(models.load_model("demo"), PROMPT)
    assert headroles.get_active_head_summary(run, "demo", path=path)["induction"]


def test_papers_are_about_the_very_model(weights, tmp_path: Path) -> None:
    run = capture(models.load_model("demo"), PROMPT)
    named = replace(run, attention=torch.zeros(12, 12, *run.attention.shape[2:]), source="")
    nothing = tmp_path / "head_categories.json"
    with pytest.raises(CategoriesMissingError):
        headroles.get_active_head_summary(named, "gpt2", path=nothing)
    of_gpt2 = replace(named, model_name="gpt2", output_change=None)
    for name in ("gpt2", "openai-community/gpt2"):
        assert "induction" in headroles.get_active_head_summary(of_gpt2, name, path=nothing)


# ------------------------------------------------------------------ a folder replaced in place


def eager_attention(folder: Path, token_ids: tuple[int, ...]) -> torch.Tensor:
    """[layer head query key] by transformers alone, of the weights that lie there now."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    with torch.no_grad():
        output = model(torch.tensor([token_ids]), output_attentions=True)
    return torch.cat(output.attentions)


def test_what_ran_keeps_its_revision_when_other_weights_come_in_its_place(
    weights, tmp_path: Path
) -> None:
    path = tmp_path / "head_categories.json"
    folder = weights("course")
    old = models.load_model(str(folder))
    first = models.model_revision(str(folder))
    before = store.read_entry("demo").model_copy(update={"model_name": "x", "revision": first})
    categories.write_entry(before, path)
    retrain(folder)
    second = models.model_revision(str(folder))
    new = models.load_model(str(folder))
    assert (old.revision, new.revision) == (first, second)
    assert old.weights != new.weights
    ran, runs = capture(old, PROMPT), capture(new, PROMPT)
    assert (ran.revision, runs.revision) == (first, second)
    assert first != second
    assert headroles.get_active_head_summary(ran, "x", path=path)["induction"]
    with pytest.raises(OtherWeightsError, match=second):
        headroles.get_active_head_summary(runs, "x", path=path)
    torch.testing.assert_close(runs.attention, eager_attention(folder, runs.token_ids))
    assert not torch.allclose(ran.attention, runs.attention, atol=0.01)
    # and an entry of the new weights is refused to the old run, though they lie on the disk now
    after = before.model_copy(update={"revision": second})
    categories.write_entry(after, path)
    with pytest.raises(OtherWeightsError, match=first):
        headroles.get_active_head_summary(ran, "x", path=path)
    assert headroles.get_active_head_summary(runs, "x", path=path)["induction"]


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_files_that_change_while_they_are_read_are_refused(weights, monkeypatch, file: str) -> None:
    folder, real = weights("course"), loading.load_weights

    def load_weights(*given, **settings):
        model = real(*given, **settings)
        (folder / file).write_bytes((folder / file).read_bytes())
        return model

    monkeypatch.setattr(loading, "load_weights", load_weights)
    with pytest.raises(ModelUnavailableError, match="changed while they were being read"):
        models.load_model(str(folder))


def test_the_state_of_a_folder_is_a_look_at_each_file(weights, monkeypatch) -> None:
    folder = weights("course")
    state, looked, real = revisions.state_of(str(folder)), [], os.stat
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", None)
        patch.setattr(os, "stat", lambda path, **how: looked.append(path) or real(path, **how))
        assert revisions.state_of(str(folder)) == state
    assert looked.count(folder / "model.safetensors") == 1
    assert len(looked) <= 5
    retrain(folder)
    assert revisions.state_of(str(folder)) != state
    assert revisions.state_of(str(folder / "gone")) == ()
    assert revisions.state_of("openai-community/gpt2") == ()


def test_the_picker_reads_no_weights(weights, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "data" / "head_categories.json"
    path.parent.mkdir()
    monkeypatch.setattr("headroles.paths.CATEGORIES", path)
    folder = weights("course")
    before = store.read_entry("demo", DEMO_MODEL.parent / "head_categories.json").model_copy(
        update={"model_name": "x", "source": "course"}
    )
    categories.write_entry(before, path)
    store.model_list.add({"key": "ours", "folder": str(folder)})

    def state() -> str:
        with monkeypatch.context() as patch:
            patch.setattr(disk, "sha256", None)
            return offer.choice("ours").scores

    assert state() == offer.NOT_ANALYSED  # nobody knows yet
    loaded = models.load_model("ours")
    assert state() == offer.READY
    assert loaded.revision == before.revision
    retrain(folder)
    assert state() == offer.NOT_ANALYSED


def test_a_folder_may_be_given_as_a_path(weights) -> None:
    folder = weights("ours")
    assert models.load_model(folder).key == models.catalogue_key(str(folder))

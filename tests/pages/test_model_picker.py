"""The picker in the sidebar: what it offers and marks, the invitation, and links to its models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from headroles import paths
from headroles.errors import OtherWeightsError, UnknownModelError
from headroles.models import DEFAULT_MODEL, INVITED, on_disk
from headroles.paths import DEMO_MODEL, ROOT
from headroles.store import model_list
from headroles.ui.app import caches, download_progress, session
from tests.gguf_writer import tiny_model, write_gguf
from tests.pages.on_page import opened
from tests.pages.planted import planted_entry
from tests.retrained import retrain

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the shipped scores and one listed folder, a copy of the bundled model."""
    shutil.copy(ROOT / "data" / "head_categories.json", tmp_path)
    shutil.copytree(DEMO_MODEL, tmp_path / "course")
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    model_list.add({"key": "course", "folder": str(tmp_path / "course"), "name": "Our course"})
    return tmp_path


def picker(app: AppTest):
    return app.sidebar.selectbox(key=session.MODEL)


def test_a_listed_folder_is_chosen_by_a_link_and_runs(folder: Path) -> None:
    app = opened(model="course")
    assert picker(app).value == "course"
    assert "Our course · not analysed yet" in picker(app).options
    assert "Nobody has analysed this model" in app.warning[0].value
    app.sidebar.selectbox(key=session.MODEL).set_value("demo").run()
    assert not app.exception
    assert picker(app).value == "demo"


def test_a_listed_gguf_file_is_unpacked_once_and_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "CACHE", folder / "cache")
    write_gguf(tiny_model("llama"), "llama", folder / "tiny.Q8_0.gguf", quantization="Q8_0")
    model_list.add({"key": "tiny", "gguf": "tiny.Q8_0.gguf"})
    app = opened(model="tiny")
    assert not app.error
    assert caches.fetches().of("tiny").wait(60)
    app.run()
    assert not app.exception
    assert not app.error
    assert caches.answer("tiny", app.session_state[session.PROMPT]).scores.resting.shape == (2, 4)


@pytest.mark.parametrize("why", ["several", "gone"])
def test_every_page_stays_up_with_a_listed_folder_that_is_no_model(folder: Path, why: str) -> None:
    place = folder / "course"
    shutil.rmtree(place)
    if why == "several":
        place.mkdir()
        for name in ("one.gguf", "two.gguf"):
            (place / name).write_bytes(b"GGUF")
    app = opened(model="course")
    for page in sorted((ROOT / "pages").glob("*.py")):
        app.switch_page(f"pages/{page.name}").run()
        assert not app.exception, page.name
        assert picker(app).value == "course"


def test_scores_of_another_folder_of_that_name_are_not_shown(folder: Path) -> None:
    from headroles.store import categories

    entry = planted_entry(4, 8, model="course")
    other = entry.model_copy(update={"revision": "sha256:0123456789abcdef"})
    categories.write_entry(other)
    app = opened(model="course")
    assert "other weights" in app.warning[0].value


def test_a_folder_that_is_trained_on_shows_new_answers_and_no_old_scores(folder: Path) -> None:
    from headroles.capture import capture
    from headroles.models import load_model, model_revision
    from headroles.store import categories

    place = folder / "course"
    first = model_revision(str(place))
    categories.write_entry(
        planted_entry(4, 8, model="course").model_copy(update={"revision": first})
    )
    app = opened(model="course")
    assert not app.warning
    prompt = app.session_state[session.PROMPT]
    before = caches.answer("course", prompt)
    assert (before.run.source, before.run.revision) == (str(place), first)
    assert caches.answer("course", prompt).scores is before.scores  # kept
    retrain(place)
    app.run()
    assert not app.exception
    assert "other weights" in app.warning[0].value
    after, alone = caches.answer("course", prompt), capture(load_model(str(place)), prompt)
    assert after.run.revision == alone.revision == model_revision(str(place)) != first
    # It is kept in 16 bits.
    torch.testing.assert_close(after.run.attention, alone.attention, atol=1e-3, rtol=0)
    guesses = [guess.text for guess in alone.next_tokens]
    assert [guess.text for guess in after.run.next_tokens] == guesses
    assert guesses != [guess.text for guess in before.run.next_tokens]
    # What ran before is never shown beside scores of what lies there now.
    with pytest.raises(OtherWeightsError):
        caches.reference(after)
    assert caches.reference(before).entry.revision == first


def test_long_work_on_weights_that_are_no_more_begins_anew(folder: Path) -> None:
    from headroles.ui.knockout_lab import caches as lab

    split = caches.weights_now("course")
    note = lab.mean_note("course")
    assert lab.mean_note("course") is note
    retrain(folder / "course")
    assert caches.weights_now("course") != split
    assert lab.mean_note("course") is not note


@pytest.mark.parametrize("model", ["curse", "bloom-560m"])
def test_a_link_to_what_is_not_offered_gets_a_sentence(folder: Path, model: str) -> None:
    model_list.hide("bloom-560m")
    app = opened(model=model)
    assert picker(app).value == DEFAULT_MODEL
    said = app.warning[0].value.replace("\\", "")
    assert model in said
    assert "sidebar" in said
    assert "attn-only" not in said  # no list of keys


def test_a_model_that_is_hidden_meanwhile_gives_way_to_the_bundled_one(folder: Path) -> None:
    app = opened(model="course")
    model_list.hide("course")
    app.run()
    assert not app.exception
    assert picker(app).value == DEFAULT_MODEL


def test_a_choice_outlives_a_change_of_its_mark(folder: Path) -> None:
    app = opened(model="course")
    path = folder / "head_categories.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps({**entries, "course": {**entries["demo"], "model_name": "course"}}))
    app.run()
    assert picker(app).value == "course"
    assert "Our course · ready" in picker(app).options


@pytest.mark.parametrize(("is_here", "says"), [(False, "93 MB, once"), (True, "ready on this")])
def test_the_bundled_model_invites_to_a_real_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_here: bool, says: str
) -> None:
    real = on_disk.is_here
    monkeypatch.setattr(
        on_disk, "is_here", lambda entry: is_here if entry.key == INVITED else real(entry)
    )
    app = opened()
    assert says in app.sidebar.button(key="app-invitation").label
    app = opened(model="attn-only-1l-tiny")
    assert "app-invitation" not in [button.key for button in app.sidebar.button]
    model_list.hide(INVITED)
    app = opened()
    assert "app-invitation" not in [button.key for button in app.sidebar.button]


def drop(name: str):
    return lambda course: (course / name).unlink()


def write(name: str, content: bytes):
    return lambda course: (course / name).write_bytes(content)


def only_gguf(*names: str):
    """The folder holds GGUF files instead, none of which is whole."""

    def change(course: Path) -> None:
        (course / "model.safetensors").unlink()
        for name in names:
            (course / name).write_bytes(b"GGUF")

    return change


@pytest.mark.parametrize(
    "damage",
    [
        write("config.json", b"{}"),
        write("config.json", b"[1"),
        write("config.json", b'{"model_type": "llama", "hidden_size": "x"}'),
        write("model.safetensors", b"0123456789"),
        drop("model.safetensors"),
        drop("tokenizer.json"),
        write("tokenizer.json", b"{}"),
        write("tokenizer.json", b'{"added_tokens": [], "model": 3}'),
        only_gguf("a.gguf"),
        only_gguf("a.gguf", "b.gguf"),
    ],
)
def test_a_damaged_folder_is_told_without_its_place(
    folder: Path, damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "CACHE", folder / "cache")
    monkeypatch.setattr(download_progress, "GRACE", 60)
    damage(folder / "course")
    try:
        app = opened(model="course")
    finally:
        caches.fetches().forget("course")
    said = [element.value for kind in (app.error, app.warning) for element in kind]
    assert [text for text in said if "reference scores" not in text]
    assert not [text for text in said if str(folder) in text.replace("\\", "")]


def borrowed(model: str) -> object:
    with caches.borrow(model) as loaded:
        return loaded


@pytest.mark.parametrize(
    "use",
    [
        lambda model: caches.answer(model, "The cat sat."),
        caches.shape,
        caches.stored,
        borrowed,
        download_progress.is_here,
    ],
)
@pytest.mark.parametrize("kind", ["folder", "hub"])
def test_a_text_that_no_picker_offers_loads_nothing(kind: str, use, tmp_path: Path) -> None:
    """A browser may send any text as a picker's choice; a part of a page does not check it."""
    shutil.copytree(DEMO_MODEL, tmp_path / "private")
    model = {"folder": str(tmp_path / "private"), "hub": "somebody/some-model"}[kind]
    before = caches.models_in_memory().names()
    with pytest.raises(UnknownModelError):
        use(model)
    assert caches.models_in_memory().names() == before

"""32 bits where they fit, 16 where they do not, and what the shorter numbers change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from headroles.capture import capture
from headroles.errors import NoRoomError, SettingError
from headroles.models import catalogue, loading, memory, precision
from headroles.models.loading import load_model, stored_numbers
from headroles.paths import DEMO_MODEL, ROOT
from headroles.verdicts import score_prompt
from tests.families import LAYOUTS, PROMPT

MOST = 0.01
"""By which an activation may differ between 32 and 16 bits."""
LONG = "The cat sat on the mat. The dog lay by the fire. " * 6


@pytest.fixture(autouse=True)
def _nothing_is_asked_for(monkeypatch) -> None:
    monkeypatch.delenv(precision.VARIABLE, raising=False)


# 100 M numbers: 440 MB in 32 bits and 220 MB in 16 with the tenth on top, and 200 MB for a prompt.
@pytest.mark.parametrize(
    ("available", "chosen"),
    [(640_000_000, "float32"), (639_999_999, "bfloat16"), (420_000_000, "bfloat16")],
)
def test_the_shorter_numbers_are_taken_only_where_the_longer_do_not_fit(available, chosen) -> None:
    assert precision.choose("some", 100_000_000, available=available) == chosen


def test_what_fits_in_neither_is_refused_with_both_numbers() -> None:
    with pytest.raises(NoRoomError, match=r"'some' needs about 420 MB.*16-bit.*420 MB are free"):
        precision.choose("some", 100_000_000, available=419_999_999)


def test_a_small_model_needs_little_room_for_its_few_heads() -> None:
    assert precision.needed_bytes(1_000_000, "float32") == 8_400_000


@pytest.mark.parametrize("forced", ["float32", "bfloat16", " BFloat16 "])
def test_the_environment_decides_whatever_fits(monkeypatch, forced: str) -> None:
    monkeypatch.setenv(precision.VARIABLE, forced)
    for available in (0, 10**12):
        assert precision.choose("some", 10**8, available=available) == forced.strip().lower()


def test_an_unknown_setting_is_named_with_its_nearest(monkeypatch) -> None:
    monkeypatch.setenv(precision.VARIABLE, "bfloat61")
    with pytest.raises(SettingError, match=r"bfloat61.*Did you mean 'bfloat16'\?.*auto, float32"):
        load_model("demo")


def test_the_numbers_are_counted_without_reading_them() -> None:
    counted = sum(
        weights.numel() for weights in load_file(DEMO_MODEL / "model.safetensors").values()
    )
    assert stored_numbers(str(DEMO_MODEL)) == counted
    assert stored_numbers("openai-community/gpt2") == catalogue.CATALOGUE["gpt2"].size  # not here
    assert stored_numbers("nobody/nothing") == 0


def test_a_model_is_loaded_in_what_fits(monkeypatch, model_folders) -> None:
    folder = str(model_folders("llama"))
    assert load_model(folder).precision == "float32"
    need = precision.needed_bytes(stored_numbers(folder), "float32")
    monkeypatch.setattr(memory, "available_memory", lambda: need - 1)
    short = load_model(folder)
    assert short.precision == "bfloat16"
    assert {weights.dtype for weights in short.model.parameters()} == {torch.bfloat16}
    assert not loading.fits_whole(folder)
    monkeypatch.setattr(memory, "available_memory", lambda: 1)
    with pytest.raises(NoRoomError):
        load_model(folder)


@pytest.mark.parametrize("family", [*LAYOUTS, "demo"])
def test_scores_stay_within_a_hundredth(monkeypatch, model_folders, load_family, family) -> None:
    source = family if family == "demo" else str(model_folders(family))
    whole = load_model(source) if family == "demo" else load_family(family)
    monkeypatch.setenv(precision.VARIABLE, "bfloat16")
    short = load_model(source)
    prompt = LONG if family == "demo" else PROMPT
    runs = [capture(loaded, prompt) for loaded in (whole, short)]
    assert runs[1].attention.dtype == torch.float32
    one, other = (score_prompt(run.attention, run.token_ids) for run in runs)
    seen = 0.0
    for role, activation in one.activations.items():
        assert activation.rows > 0
        difference = (activation.value - other.activations[role].value).abs().max().item()
        assert difference < MOST, role
        seen = max(seen, difference)
    assert seen > 0  # it really ran in other numbers
    assert (one.resting - other.resting).abs().max() < MOST


MEMORY = """
import os, sys
import psutil, torch
from headroles.capture import capture
from headroles.models import load_model
torch.set_num_threads(1)
capture(load_model("demo"), "The cat sat on the mat.")
before = psutil.Process().memory_info().rss
loaded = load_model(sys.argv[1])
capture(loaded, "The cat sat on the mat.")
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.slow
def test_half_the_memory_is_really_saved(monkeypatch, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from tests.families import byte_level_tokenizer, save

    config = GPT2Config(n_embd=768, n_layer=8, n_head=12, vocab_size=len(byte_level_tokenizer()))
    model = GPT2LMHeadModel(config)
    weights = sum(parameter.nbytes for parameter in model.parameters())
    save(model, tmp_path)
    taken = {}
    for kind in precision.BYTES:
        monkeypatch.setenv(precision.VARIABLE, kind)
        result = subprocess.run(
            [sys.executable, "-c", MEMORY, tmp_path], cwd=ROOT, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        taken[kind] = int(result.stdout.splitlines()[-1])
    assert taken["float32"] - taken["bfloat16"] > 0.4 * weights

"""Whatever a folder holds: it loads and runs, or one plain sentence says what is wrong with it."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import shutil
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from headroles import errors
from headroles.capture import capture
from headroles.errors import ModelRunError, ModelUnavailableError, UnsupportedModelError
from headroles.models import load_model, load_tokenizer, model_revision, stored_numbers
from headroles.models.blocks import SeenEnough
from headroles.models.refusals import unavailable
from headroles.models.weight_files import INDEX, WHOLE, has_weights
from headroles.paths import DEMO_MODEL
from headroles.texts.probe_texts import known_ids, ordinary_ids
from scripts.fuzz.cases import rng_of
from scripts.fuzz.kinds import model_folders as damaged
from tests.families import PROMPT, byte_level_tokenizer, family_config, save, widen


@pytest.fixture
def folder(model_folders, tmp_path: Path) -> Path:
    """A whole Llama, free to be broken."""
    return Path(shutil.copytree(model_folders("llama"), tmp_path / "mine"))


def say(folder: Path, name: str = "config.json", **settings: object) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def refusal(folder: Path) -> str:
    with pytest.raises((ModelUnavailableError, UnsupportedModelError)) as raised:
        load_model(str(folder))
    assert "mine" in raised.value.message
    assert str(folder.parent) not in str(raised.value)  # students read it too
    assert raised.value.hint
    return str(raised.value)


# ------------------------------------------------------------------ config.json and tokenizer


_FOUR_BITS = {"quant_method": "bitsandbytes", "load_in_4bit": True}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"quantization_config": _FOUR_BITS}, "quantised (bitsandbytes)"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantised (gptq)"),
        ({"pad_token_id": 10_000}, "padding token has number 10000"),
        ({"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4}}, "factor"),
        ({"rope_parameters": {"rope_type": "spiral"}}, "no rotary positions of the kind 'spiral'"),
        ({"hidden_act": "swiglu"}, "no activation 'swiglu'"),
        ({"hidden_size": 32.0}, "hidden_size = 32.0, which is of the type float and should be int"),
        ({"num_attention_heads": 0}, "0 attention heads"),
        ({"num_hidden_layers": 0}, "0"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers = 1,000,000,000"),
        ({"num_hidden_layers": 1}, "hold more than its config.json says"),
        ({"hidden_size": 33}, "33"),
        ({"vocab_size": 10**9}, "do not fit its config.json"),
        ({"intermediate_size": 10**12}, "do not fit its config.json"),
        ({"vocab_size": -1}, "vocab_size = -1"),
        ({"model_type": "llama9"}, "knows no architecture 'llama9'"),
        ({"model_type": None}, "config.json"),
        ({"dtype": "float99"}, "float99"),
        ({"transformers_weights": "adapter_model.bin"}, "transformers_weights"),
        ({"text_config": {"transformers_weights": "adapter_model.bin"}}, "transformers_weights"),
        ({"id2label": 3}, "config.json cannot be read"),
    ],
    ids=str,
)
def test_the_reason_is_the_true_one(folder: Path, settings: dict, reason: str) -> None:
    say(folder, **settings)
    said = refusal(folder)
    assert reason in said
    assert "tokenizer cannot be read" not in said


def test_a_tokenizer_of_a_newer_library(folder: Path) -> None:
    path = folder / "tokenizer.json"
    read = json.loads(path.read_text())
    read["model"]["type"] = "BPE-v2"
    path.write_text(json.dumps(read))
    assert "tokenizer.json cannot be read by tokenizers" in refusal(folder)


@pytest.mark.parametrize("content", ["{}", "[]", "null", "3", '"x"', "[" * 50_000, ""])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_json_of_another_kind(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    if (name, content) == ("tokenizer_config.json", "{}"):
        with pytest.raises(UnsupportedModelError, match="neither a start token nor"):
            load_model(str(folder))
    else:
        assert name in refusal(folder) or "nested too deeply" in refusal(folder)


def test_a_bundled_model_says_how_to_bring_its_files_back() -> None:
    error = unavailable(str(DEMO_MODEL), "Its tokenizer.json is no JSON object.")
    assert "git restore data" in error.hint


def test_what_generation_needs_is_not_needed_here(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"max_length": "x", "temperature": []}')
    assert load_model(str(folder)).num_layers == 2


# ------------------------------------------------------------------ weights


def shard(folder: Path, *names: str) -> dict[str, str]:
    """Split the weights among files of these names; what the index says."""
    weights = load_file(folder / WHOLE)
    (folder / WHOLE).unlink()
    held = {name: names[place % len(names)] for place, name in enumerate(sorted(weights))}
    for file in names:
        part = {name: weights[name] for name in weights if held[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    index(folder, held)
    return held


def index(folder: Path, held: dict[str, str]) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": held}))


def test_shards_may_have_any_name(folder: Path) -> None:
    numbers = stored_numbers(str(folder))
    assert numbers == sum(part.numel() for part in load_file(folder / WHOLE).values())
    attention = capture(load_model(str(folder)), PROMPT).attention
    held = shard(folder, "weights.safetensors", "more of them.safetensors")
    assert has_weights(folder)
    assert stored_numbers(str(folder)) == numbers
    assert torch.equal(capture(load_model(str(folder)), PROMPT).attention, attention)
    # The revision is of these files, whatever else lies there, and in whatever order.
    revision = model_revision(str(folder))
    save_file({"x": torch.zeros(1)}, folder / "adapter.safetensors")
    index(folder, dict(reversed(held.items())))
    assert model_revision(str(folder)) == revision
    save_file({"x": torch.zeros(1)}, folder / "weights.safetensors")
    assert model_revision(str(folder)) != revision


@pytest.mark.parametrize(
    "name",
    [
        "weights.model",
        "pytorch_model.bin",
        "{folder}/w.bin",
        "{folder}/w.safetensors",
        "../mine/w.safetensors",
        "sub/w.safetensors",
        "sub\\w.safetensors",
        "",
        ".safetensors",
        3,
        None,
        ["w"],
    ],
)
def test_an_index_names_only_safetensors_of_the_folder_itself(folder: Path, name: object) -> None:
    """Each of these files is there, and holds the weights."""
    held = shard(folder, "w.safetensors")
    name = name.format(folder=folder) if isinstance(name, str) else name
    if isinstance(name, str) and name.endswith(("bin", "model")):
        torch.save(load_file(folder / "w.safetensors"), folder / name)
    (folder / "sub").mkdir()
    shutil.copy(folder / "w.safetensors", folder / "sub")
    index(folder, {**held, min(held): name})
    assert "Its index names" in refusal(folder)
    assert not has_weights(folder)


def test_a_shard_is_no_link_out_of_the_folder_but_the_hubs_cache_is_made_of_links(
    folder: Path,
) -> None:
    shard(folder, "w.safetensors")
    (folder / "w.safetensors").rename(folder.parent / "elsewhere")
    (folder / "w.safetensors").symlink_to(folder.parent / "elsewhere")
    assert "a link out of the model's own folder" in refusal(folder)
    cache = folder.parent / "models--owner--name"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots").mkdir()
    (folder.parent / "elsewhere").rename(cache / "blobs" / "0123")
    (folder / "w.safetensors").unlink()
    here = folder.rename(cache / "snapshots" / "mine")
    (here / "w.safetensors").symlink_to("../../blobs/0123")
    assert load_model(str(here)).num_layers == 2


def test_an_adapter_is_no_model(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "gpt2"}')
    assert "is an adapter (LoRA)" in refusal(folder)
    (folder / "config.json").unlink()
    assert "is an adapter (LoRA)" in refusal(folder)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8])
def test_whole_numbers_are_not_taken_for_weights(folder: Path, kind: torch.dtype) -> None:
    weights = load_file(folder / WHOLE)
    name = next(name for name in weights if "q_proj" in name)
    weights[name] = (weights[name] * 10).abs().to(kind)
    save_file(weights, folder / WHOLE, metadata={"format": "pt"})
    assert "whole numbers" in refusal(folder)


@pytest.mark.parametrize("more", ["bias", "weight_scale"])
def test_a_bias_or_scale_that_would_be_left_out(folder: Path, more: str) -> None:
    weights = load_file(folder / WHOLE)
    weights[f"model.layers.0.self_attn.q_proj.{more}"] = torch.ones(32)
    save_file(weights, folder / WHOLE, metadata={"format": "pt"})
    assert f"q_proj.{more}" in refusal(folder)


# ------------------------------------------------------------------ threads, and while it runs


def test_threads_may_load_at_once(model_folders) -> None:
    """GPT-J's weights are not tied, Llama's here neither, the demo model's are."""
    before = torch.get_default_dtype()
    failed: list[BaseException] = []

    def load(*names: str) -> None:
        try:
            for name in names:
                load_model(name)
        except BaseException as error:
            failed.append(error)

    one, two = str(model_folders("gpt_neo")), str(model_folders("llama"))
    orders = ((one, two) * 3, (two, one) * 3)
    threads = [threading.Thread(target=load, args=(*order, "demo")) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert torch.get_default_dtype() == before
    assert load_model("demo").num_layers == 4


def test_a_model_that_fails_while_it_runs_says_so(load_family) -> None:
    loaded = load_family("llama")
    with pytest.raises(ModelRunError, match=r"'llama.*' fails while it runs: .+") as raised:
        loaded.model(torch.full((1, 3), 10**6))
    assert isinstance(raised.value.__cause__, IndexError)


def test_a_signal_to_stop_is_no_failure() -> None:
    with pytest.raises(SeenEnough), errors.ours(lambda _: errors.HeadrolesError("failed")):
        raise SeenEnough


# ------------------------------------------------------------------ ids


def test_ids_without_a_text_are_neither_shown_nor_drawn(tmp_path: Path) -> None:
    """The embedding is padded to 400 rows, and the padded ones are the likeliest guesses."""
    tokenizer = byte_level_tokenizer()
    config = family_config("llama")
    config.vocab_size = 400
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    widen(model)
    model.lm_head.weight.data[len(tokenizer) :] *= 100
    save(model, tmp_path)
    loaded = load_model(str(tmp_path))
    run = capture(loaded, PROMPT)
    ids = torch.tensor([run.encoding.token_ids])
    with torch.no_grad():
        probabilities = model.eval()(ids).logits[0, -1].softmax(-1)
    assert int(probabilities.argmax()) >= len(tokenizer)  # what it would show
    best = probabilities[: len(tokenizer)].topk(len(run.next_tokens))
    assert [guess.token_id for guess in run.next_tokens] == best.indices.tolist()
    shown = torch.tensor([guess.probability for guess in run.next_tokens])
    torch.testing.assert_close(shown, best.values)
    assert max(ordinary_ids(loaded.tokenizer)) < len(tokenizer)


def test_added_tokens_are_never_drawn_and_holes_have_no_text(tmp_path: Path, folder: Path) -> None:
    words = copy.deepcopy(byte_level_tokenizer())
    rows = len(words)
    words.add_tokens(["<|user|>", "<|more|>"])
    words.save_pretrained(folder)
    tokenizer = load_tokenizer(str(folder))
    assert len(tokenizer) == rows + 2
    assert known_ids(tokenizer) == list(range(rows))
    assert ordinary_ids(tokenizer) == [id_ for id_ in range(rows) if id_ != tokenizer.bos_token_id]


# ------------------------------------------------------------------ anything else


@pytest.mark.parametrize("number", range(60))
def test_a_sample_of_the_fuzz(number: int) -> None:
    """Nothing but one of our errors comes out, if anything does."""
    case = damaged.case(rng_of(7, "model_folders", number))
    with contextlib.suppress(errors.HeadrolesError):
        case.call()


def test_the_fuzz_damages_what_it_names(tmp_path: Path) -> None:
    for name, damage in damaged.DAMAGES.items():
        place = Path(shutil.copytree(damaged._pristine("llama"), tmp_path / name.replace(" ", "-")))
        before = {path.name: path.read_bytes() for path in place.iterdir()}
        damage(place, random.Random(3))
        now = {path.name: path.read_bytes() if path.is_file() else None for path in place.iterdir()}
        assert now != before, name

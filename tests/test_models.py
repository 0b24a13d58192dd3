"""Loading: what is taken, what is refused, and the sentence that says so."""

from __future__ import annotations

import copy
import gc
import json
import re
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertConfig,
    BertForMaskedLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from headroles.errors import ModelUnavailableError, UnknownModelError, UnsupportedModelError
from headroles.models import (
    CATALOGUE,
    catalogue_key,
    load_model,
    loading,
    model_revision,
    resolve_source,
)
from headroles.paths import BUNDLED, DEMO_MODEL
from headroles.texts import MAX_TOKENS, encode
from tests.families import CONTEXT, FAMILIES, HEADS, LAYERS, byte_level_tokenizer, save

_TINY = {"vocab_size": 300, "num_hidden_layers": 1}
_TINY_ATTENTION = {**_TINY, "hidden_size": 16, "num_attention_heads": 2}


@pytest.fixture
def copy_of_gpt2(model_folders, tmp_path: Path) -> Path:
    """A folder with a whole model, free to be broken."""
    return Path(shutil.copytree(model_folders("gpt2"), tmp_path / "my-model"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_loaded_model_knows_its_own_shape(load_family, family: str) -> None:
    loaded = load_family(family)
    digits = model_revision(loaded.source).removeprefix("sha256:")[:6]
    assert loaded.key == f"{family}-{digits}"  # a name alone is no identity
    assert (loaded.num_layers, loaded.num_heads) == (LAYERS, HEADS)
    assert loaded.max_tokens == (MAX_TOKENS if family == "bloom" else CONTEXT)  # ALiBi has no end
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    modules = dict(loaded.model.named_modules())
    layers = [
        int(next(part for part in p.split(".") if part.isdigit())) for p in loaded.probe_paths
    ]
    assert layers == list(range(LAYERS))
    assert all(path in modules for path in loaded.probe_paths)


def test_loading_leaves_no_hook_behind(load_family) -> None:
    for family in ("llama", "bloom"):  # found through a function, found through hooks
        hooks = [m._forward_hooks for m in load_family(family).model.modules()]
        assert not any(hooks)


def test_a_model_with_eos_but_no_bos_gets_a_stand_in(copy_of_gpt2: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level_tokenizer().backend_tokenizer, eos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(copy_of_gpt2)
    loaded = load_model(str(copy_of_gpt2))
    assert (loaded.start.text, loaded.start.is_stand_in) == ("<|endoftext|>", True)
    assert encode(loaded.tokenizer, "The cat").token_ids[0] == loaded.tokenizer.eos_token_id


def test_a_model_with_neither_is_refused(copy_of_gpt2: Path) -> None:
    bare = PreTrainedTokenizerFast(tokenizer_object=byte_level_tokenizer().backend_tokenizer)
    bare.save_pretrained(copy_of_gpt2)
    with pytest.raises(UnsupportedModelError, match="neither a start token nor an end-of-text"):
        load_model(str(copy_of_gpt2))


def test_a_typing_error_gets_a_suggestion() -> None:
    with pytest.raises(
        UnknownModelError, match=r"'gtp2'\. Did you mean 'gpt2'\?.*or give the path of a saved"
    ):
        load_model("gtp2")


@pytest.mark.parametrize(
    "name",
    ["", "  ", "../nowhere", "two words", "a/b/c", "https://x.org/y", "é" * 200, "/dev/zero"],
)
def test_what_is_no_name_of_a_model_is_unknown(name: str) -> None:
    # "" as a path would mean the present folder
    with pytest.raises(UnknownModelError) as raised:
        resolve_source(name)
    assert raised.value.value == name


@pytest.mark.parametrize("name", ["gpt2", "nobody/no-such-model"])
def test_a_hub_model_out_of_reach_says_so(name: str) -> None:
    # conftest.py sets HF_HUB_OFFLINE, as on a machine without a network
    with pytest.raises(ModelUnavailableError, match=r"HF_HUB_OFFLINE.*internet.*bundled") as raised:
        load_model(name)
    assert raised.value.value == name


def test_an_encoder_decoder_is_refused(tmp_path: Path) -> None:
    config = T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    save(T5ForConditionalGeneration(config), tmp_path)
    with pytest.raises(UnsupportedModelError, match=r"encoder-decoder.*GPT-2"):
        load_model(str(tmp_path))


def test_an_encoder_is_refused_though_transformers_would_load_it(tmp_path: Path) -> None:
    config = BertConfig(**_TINY_ATTENTION, intermediate_size=16)
    save(BertForMaskedLM(config), tmp_path)
    with pytest.raises(UnsupportedModelError, match="look at the ones after them"):
        load_model(str(tmp_path))


def _only_pickled(folder: Path) -> None:
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()


def _cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _drop_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if ".h.1." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _wider_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_embd": 64}))


def _no_tokenizer(folder: Path) -> None:
    for part in folder.glob("tokenizer*"):
        part.unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_only_pickled, "no file named model.safetensors"),  # a pickle can run any code
        (_cut_weights, "not fully covered"),
        (_drop_a_layer, r"12 weights are missing, e\.g\. transformer\.h\.1"),
        (_wider_config, "weights do not fit"),
        (_no_tokenizer, "no tokenizer"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{oops"), "not a valid JSON"),
        (lambda folder: (folder / "tokenizer.json").write_text("{oops"), "property name"),
    ],
    ids=["pickled", "cut", "layer gone", "wider", "no tokenizer", "no config", "config", "tokens"],
)
def test_a_damaged_folder_is_named_and_explained(copy_of_gpt2: Path, damage, says: str) -> None:
    damage(copy_of_gpt2)
    with pytest.raises(ModelUnavailableError, match=says) as raised:
        load_model(str(copy_of_gpt2))
    assert raised.value.value == "my-model"
    assert "model.safetensors and tokenizer.json" in raised.value.hint


def _add(path: Path, **settings: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def _own_config(folder: Path) -> None:
    classes = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    _add(folder / "config.json", model_type="my_own", auto_map=classes)


def _own_config_behind_a_known_tokenizer(folder: Path) -> None:
    _own_config(folder)
    _add(folder / "tokenizer_config.json", tokenizer_class="GPT2TokenizerFast")


@pytest.mark.parametrize("damage", [_own_config, _own_config_behind_a_known_tokenizer])
def test_a_model_that_asks_for_remote_code_is_refused_and_nothing_runs(
    copy_of_gpt2, damage
) -> None:
    damage(copy_of_gpt2)
    (copy_of_gpt2 / "own.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(UnsupportedModelError, match=r"code of its own \(remote code\)"):
        load_model(str(copy_of_gpt2))


def test_remote_code_that_is_not_needed_is_not_run(copy_of_gpt2: Path) -> None:
    _add(copy_of_gpt2 / "config.json", auto_map={"AutoModelForCausalLM": "own.Model"})
    (copy_of_gpt2 / "own.py").write_text("raise SystemExit('it ran')")
    assert load_model(str(copy_of_gpt2)).num_layers == LAYERS


def test_a_model_without_a_fast_tokenizer_is_refused(copy_of_gpt2: Path) -> None:
    _no_tokenizer(copy_of_gpt2)
    settings = {"tokenizer_class": "CTRLTokenizer", "unk_token": "<unk>"}  # has no fast twin
    (copy_of_gpt2 / "tokenizer_config.json").write_text(json.dumps(settings))
    (copy_of_gpt2 / "vocab.json").write_text(json.dumps({"<unk>": 0, "a": 1, "b": 2}))
    (copy_of_gpt2 / "merges.txt").write_text("#version: 0.2\na b\n")
    with pytest.raises(UnsupportedModelError, match="no fast tokenizer"):
        load_model(str(copy_of_gpt2))


def test_names_folders_and_hub_ids_share_one_key(tmp_path: Path) -> None:
    assert catalogue_key("gpt2") == catalogue_key("openai-community/gpt2") == "gpt2"
    assert catalogue_key("someone/new") == "someone/new"
    assert catalogue_key(str(tmp_path)).startswith(f"{tmp_path.name}-")
    assert resolve_source("pythia-70m") == "EleutherAI/pythia-70m"


def test_the_catalogue_starts_with_the_bundled_model() -> None:
    first = next(iter(CATALOGUE.values()))
    assert first.is_bundled
    assert first.source == str(DEMO_MODEL)
    assert [entry.key for entry in CATALOGUE.values()] == list(CATALOGUE)
    bundled = {entry.key: entry.source for entry in CATALOGUE.values() if entry.is_bundled}
    assert bundled == {key: str(folder) for key, folder in BUNDLED.items()}
    assert all(catalogue_key(folder) == key for key, folder in bundled.items())


_TIED = {"tie_word_embeddings": True}


def _neox(width: int, layers: int, heads: int) -> dict[str, int]:
    shape = {"hidden_size": width, "intermediate_size": 4 * width, "vocab_size": 50304}
    return {**shape, "num_hidden_layers": layers, "num_attention_heads": heads}


def _grouped(width: int, inner: int, layers: int, heads: int, kv_heads: int) -> dict[str, int]:
    shape = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers}
    return {**shape, "num_attention_heads": heads, "num_key_value_heads": kv_heads, **_TIED}


def _attention_only(layers: int) -> dict[str, object]:
    shape = {"n_embd": 512, "n_head": 8, "n_layer": layers, "n_inner": 1, "vocab_size": 48262}
    return {**shape, "tie_word_embeddings": False}


PUBLISHED_SHAPES = {
    "gpt2": ("gpt2", {}),
    "gpt2-medium": ("gpt2", {"n_embd": 1024, "n_layer": 24, "n_head": 16}),
    "distilgpt2": ("gpt2", {"n_layer": 6}),
    "pythia-14m": ("gpt_neox", _neox(128, 6, 4)),
    "pythia-70m": ("gpt_neox", _neox(512, 6, 8)),
    "pythia-160m": ("gpt_neox", _neox(768, 12, 12)),
    "pythia-410m": ("gpt_neox", _neox(1024, 24, 16)),
    "opt-125m": ("opt", {}),
    "qwen2.5-0.5b": ("qwen2", {**_grouped(896, 4864, 24, 14, 2), "vocab_size": 151936}),
    "qwen3-0.6b": (
        "qwen3",
        {**_grouped(1024, 3072, 28, 16, 8), "head_dim": 128, "vocab_size": 151936},
    ),
    "smollm2-135m": ("llama", {**_grouped(576, 1536, 30, 9, 3), "vocab_size": 49152}),
    "smollm2-135m-instruct": ("llama", {**_grouped(576, 1536, 30, 9, 3), "vocab_size": 49152}),
    "tinystories-33m": (
        "gpt_neo",
        {
            "hidden_size": 768,
            "num_layers": 4,
            "num_heads": 16,
            "attention_types": [[["global", "local"], 2]],
        },
    ),
    "bloom-560m": ("bloom", {"hidden_size": 1024, "n_layer": 24, "n_head": 16}),
    "attn-only-1l": ("gpt2", _attention_only(1)),
    "attn-only-2l": ("gpt2", _attention_only(2)),
}


@pytest.mark.parametrize("key", [key for key in CATALOGUE if key not in BUNDLED])
def test_the_catalogue_gives_the_size_that_the_published_shape_has(key: str) -> None:
    family, shape = PUBLISHED_SHAPES[key]
    with torch.device("meta"):  # shapes only, no numbers
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **shape))
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert CATALOGUE[key].size == numbers
    assert CATALOGUE[key].memory_bytes == 4 * numbers


@pytest.mark.parametrize("key", BUNDLED)
def test_the_catalogue_gives_the_size_of_a_bundled_model(key: str) -> None:
    parameters = sum(parameter.numel() for parameter in load_model(key).model.parameters())
    assert CATALOGUE[key].size == parameters


def test_sizes_are_written_for_people() -> None:
    assert CATALOGUE["demo"].parameters == "1.2 M"
    assert CATALOGUE["gpt2"].parameters == "124 M"


def test_a_pinned_revision_is_a_commit_and_each_model_has_its_own() -> None:
    pinned = [entry.revision for entry in CATALOGUE.values() if entry.revision]
    assert all(re.fullmatch("[0-9a-f]{40}", revision) for revision in pinned)
    assert len(set(pinned)) == len(pinned) > 5
    assert CATALOGUE["demo"].revision is None  # its weights are in this repository


def test_the_revision_follows_the_weights(copy_of_gpt2: Path, model_folders) -> None:
    same = model_revision(str(copy_of_gpt2))
    assert same == model_revision(str(model_folders("gpt2")))
    _drop_a_layer(copy_of_gpt2)
    assert model_revision(str(copy_of_gpt2)) != same


def test_a_small_model_runs_on_one_core_and_others_on_their_share(monkeypatch) -> None:
    loaded, before = load_model("demo"), torch.get_num_threads()
    try:
        loaded.use_cores(8)
        assert torch.get_num_threads() == 1
        monkeypatch.setattr(loading, "SMALL", 0)
        monkeypatch.setattr(loading, "MOST_CORES", 3)
        for share, used in ((0, 1), (2, 2), (8, 3)):
            loaded.use_cores(share)
            assert torch.get_num_threads() == used
    finally:
        torch.set_num_threads(before)


def test_a_copy_of_a_loaded_model_runs_its_own_weights() -> None:
    loaded = load_model("demo")
    copied = copy.deepcopy(loaded.model)
    for parameter in copied.parameters():
        parameter.data.zero_()
    ids = torch.arange(5)[None]
    assert not copied(ids).logits.any()
    assert loaded.model(ids).logits.any()


def test_a_model_that_nobody_uses_gives_its_memory_back_at_once() -> None:
    loaded = load_model("demo")
    gone = weakref.ref(loaded.model)
    gc.disable()
    try:
        del loaded
        assert gone() is None
    finally:
        gc.enable()

"""GGUF files against what llama.cpp wrote them from: numbers, logits, words; and bad ones."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from headroles import paths
from headroles.analysis.run import portable_source
from headroles.capture import capture
from headroles.errors import DiskError, SourceError, UnknownModelError
from headroles.models import (
    catalogue_key,
    fetch_model,
    gguf_files,
    is_here,
    load_model,
    model_revision,
    preparing,
    quantization,
    resolve_source,
    stored_numbers,
)
from headroles.models.gguf_conversion import FAMILIES, convert
from headroles.store import model_list
from tests.families import PROMPT, byte_level_tokenizer
from tests.gguf_writer import MODELS, tiny_model, write_gguf


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of converted models."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path):
    """A tiny Llama with grouped keys, as a GGUF file."""
    file = tmp_path / "models" / "tiny.gguf"
    file.parent.mkdir()
    write_gguf(tiny_model("llama"), "llama", file, quantization="Q8_0")
    return file


def converted(file, folder, **settings):
    folder.mkdir()
    convert(file, folder, "0" * 64, **settings)
    return folder


def logits(model, ids):
    with torch.no_grad():
        return model.eval()(ids).logits


# ------------------------------------------------------------------ numbers


def test_every_family_that_is_let_in_is_tested_here() -> None:
    assert set(MODELS) == FAMILIES


@pytest.mark.parametrize("stored", ["F32", "F16", "Q8_0", "Q4_0", "Q4_1"])
@pytest.mark.parametrize("family", MODELS)
def test_numbers_and_logits_are_those_of_the_file(family: str, stored: str, tmp_path) -> None:
    model = tiny_model(family)
    expected = write_gguf(model, family, tmp_path / "tiny.gguf", quantization=stored)
    folder = converted(tmp_path / "tiny.gguf", tmp_path / "made")
    made = load_file(folder / "model.safetensors")
    assert made.keys() == expected.keys()
    assert [name for name in made if not torch.equal(made[name], expected[name])] == []

    model.load_state_dict(expected, strict=False)  # what is tied follows
    again = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    ids = torch.randint(0, model.config.vocab_size, (1, 40))
    assert torch.equal(logits(again, ids), logits(model, ids))


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
@pytest.mark.parametrize("is_tied", [True, False])
def test_tables_are_tied_where_the_file_has_one_only(family, is_tied, tmp_path) -> None:
    model = tiny_model(family, tie_word_embeddings=is_tied)
    write_gguf(model, family, tmp_path / "tiny.gguf")
    folder = converted(tmp_path / "tiny.gguf", tmp_path / "made")
    again = AutoModelForCausalLM.from_pretrained(folder)
    tables = again.get_input_embeddings().weight, again.get_output_embeddings().weight
    assert (tables[0].data_ptr() == tables[1].data_ptr()) is is_tied
    assert ("lm_head.weight" in load_file(folder / "model.safetensors")) is not is_tied
    assert torch.equal(tables[1], model.get_output_embeddings().weight)


def test_a_mistral_goes_by_llamas_name(tmp_path) -> None:
    model = tiny_model("llama")
    write_gguf(
        model, "llama", tmp_path / "m.gguf", change=lambda writer: writer.add_name("mistral")
    )
    folder = converted(tmp_path / "m.gguf", tmp_path / "made")
    again = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    assert again.config.model_type == "mistral"
    ids = torch.randint(0, model.config.vocab_size, (1, 40))
    assert torch.allclose(logits(again, ids), logits(model, ids), atol=1e-5)


def stretched(factor: float, low: float) -> dict[str, object]:
    return {
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


def write_stretched(tmp_path, rope: dict[str, object]):
    """A Llama 3.1: its file keeps the divisors of the frequencies as a tensor."""
    model = tiny_model("llama", rope_parameters=rope)
    frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](model.config, "cpu")
    divisors = 500_000.0 ** (-torch.arange(8) / 8) / frequencies
    write_gguf(
        model,
        "llama",
        tmp_path / "l.gguf",
        change=lambda writer: writer.add_tensor("rope_freqs.weight", divisors.numpy()),
    )
    return model


def test_llama_31s_stretched_positions_are_read(tmp_path) -> None:
    model = write_stretched(tmp_path, stretched(32.0, 1.0))
    folder = converted(tmp_path / "l.gguf", tmp_path / "made")
    again = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    ids = torch.randint(0, model.config.vocab_size, (1, 64))
    assert again.config.rope_parameters["factor"] == 32
    assert torch.allclose(logits(again, ids), logits(model, ids), atol=1e-5)


def test_positions_stretched_in_another_way_are_refused(tmp_path) -> None:
    write_stretched(tmp_path, stretched(32.0, 3.0))
    with pytest.raises(SourceError, match=r"stretched in another way than Llama 3\.1"):
        converted(tmp_path / "l.gguf", tmp_path / "made")


# ------------------------------------------------------------------ words

_TEXTS = [
    "In 2024 there were 1,234 cats and 56 dogs; 3.14159 is not 22/7.",
    "Café, naïve, Zürich, garçon, ¡olé!, Ænigma, 東京 and 🐈.",
    "Tabs\tand  two spaces   and 12 34  567\n\n  a new line.",
    "I'm sure they'll say it's John's.",
]


def digits_apart() -> PreTrainedTokenizerFast:
    """A vocabulary in which every digit stands alone, as SmolLM2's."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<|im_start|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_TEXTS * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<|im_start|>", eos_token="<|im_start|>"
    )


@pytest.mark.parametrize(
    ("pre", "make"), [("smollm", digits_apart), ("gpt-2", byte_level_tokenizer)]
)
def test_digits_accents_and_spaces_are_split_as_before(pre: str, make, tmp_path) -> None:
    original = make()
    model = tiny_model("llama", vocab_size=len(original))
    write_gguf(model, "llama", tmp_path / "tiny.gguf", tokenizer=original, pre=pre)
    again = AutoTokenizer.from_pretrained(converted(tmp_path / "tiny.gguf", tmp_path / "made"))
    assert len(again) == len(original)
    for text in _TEXTS:
        ids = original(text, add_special_tokens=False)["input_ids"]
        assert again(text, add_special_tokens=False)["input_ids"] == ids
        assert again.decode(ids) == text


def test_the_start_token_is_the_files_unless_another_is_asked_for(tmp_path) -> None:
    original = digits_apart()
    model = tiny_model("llama", vocab_size=len(original))
    write_gguf(model, "llama", tmp_path / "t.gguf", tokenizer=original, pre="smollm")
    as_said = converted(tmp_path / "t.gguf", tmp_path / "one")
    assert AutoTokenizer.from_pretrained(as_said).bos_token == "<|im_start|>"
    asked = converted(tmp_path / "t.gguf", tmp_path / "two", start_token="<|endoftext|>")
    assert AutoTokenizer.from_pretrained(asked).bos_token == "<|endoftext|>"
    assert AutoTokenizer.from_pretrained(asked).bos_token_id == 0


# ------------------------------------------------------------------ as a source of models


def test_a_file_and_the_folder_around_it_are_models(tiny, cache) -> None:
    before = sorted(tiny.parent.iterdir())
    assert not is_here(str(tiny))
    seen = []
    fetch_model(str(tiny), progress=lambda done, total: seen.append((done, total)))
    assert is_here(str(tiny))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert 0 < seen[-1][1] < tiny.stat().st_size
    loaded = load_model(str(tiny))
    digits = gguf_files.sha256_of(tiny)[:6]
    assert (loaded.key, loaded.num_layers, loaded.num_heads, loaded.num_kv_heads) == (
        f"tiny-{digits}",
        2,
        4,
        2,
    )
    assert loaded.quantization == quantization(str(tiny)) == "Q8_0"
    run = capture(loaded, PROMPT)
    assert torch.allclose(run.attention.sum(-1), torch.ones(2, 4, len(run.token_ids)), atol=1e-5)

    folder = str(tiny.parent)
    assert is_here(folder)  # the same file: nothing is converted again
    assert load_model(folder).key == catalogue_key(folder) == f"models-{digits}"
    assert model_revision(folder) == model_revision(str(tiny))
    assert model_revision(folder) == f"sha256:{gguf_files.sha256_of(tiny)[:16]}"
    assert stored_numbers(folder) == sum(part.numel() for part in loaded.model.parameters())
    assert portable_source(str(tiny)) == "tiny.gguf"
    assert sorted(tiny.parent.iterdir()) == before
    (made,) = (cache / "converted-1").iterdir()
    note = json.loads((made / "headroles.json").read_text())
    assert (note["file"], note["quantization"]) == ("tiny.gguf", "Q8_0")
    assert {"sha256", "transformers", "gguf"} < note.keys()


def test_the_worker_ends_by_itself_without_a_word(tiny, cache, monkeypatch, caplog) -> None:
    """Python dumps the memory of a process that ends while a thread waits in a buffer."""
    workers, start = [], subprocess.Popen

    def started(*command, **settings):
        workers.append(start(*command, **settings))
        return workers[0]

    monkeypatch.setattr(preparing.subprocess, "Popen", started)
    with caplog.at_level("INFO", "headroles.models.preparing"):
        assert preparing.prepare(gguf_files.task_of(str(tiny))).is_dir()
    assert [worker.returncode for worker in workers] == [0]
    assert "Fatal Python error" not in caplog.text


def test_a_user_without_a_home_has_a_cache_all_the_same() -> None:
    code = """
import pwd
def unknown(user): raise KeyError(user)
pwd.getpwuid = unknown
from headroles import paths
from headroles.models import on_disk
print(paths.CACHE.name, on_disk.hub_cache().name)
"""
    places = ("HOME", "XDG_CACHE_HOME", "HEADROLES_CACHE")
    environment = {name: text for name, text in os.environ.items() if name not in places}
    environment = {name: text for name, text in environment.items() if not name.startswith("HF_")}
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["headroles", "hub"]


@pytest.mark.parametrize("field", ["gguf", "folder"])
def test_a_listed_file_that_was_not_converted_yet_can_be_had(
    field, tiny, cache, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    model_list.add({"key": "ours", field: str(tiny if field == "gguf" else tiny.parent)})
    assert not is_here("ours")
    assert stored_numbers(resolve_source("ours")) == 0
    fetch_model("ours")
    assert is_here("ours")


def test_another_file_under_the_same_name_is_another_model(tiny, cache) -> None:
    before = model_revision(str(tiny))
    write_gguf(tiny_model("qwen2"), "qwen2", tiny)
    assert model_revision(str(tiny)) != before
    assert not is_here(str(tiny))


def test_a_folder_with_safetensors_stays_what_it_was(tiny, cache, tmp_path) -> None:
    folder = converted(tiny, tmp_path / "made")
    (folder / "also.gguf").write_bytes(b"GGUF")
    assert gguf_files.gguf_at(str(folder)) is None
    assert load_model(str(folder)).num_layers == 2


def test_several_files_in_a_folder_are_named(tiny) -> None:
    (tiny.parent / "other.GGUF").write_bytes(b"GGUF")
    with pytest.raises(SourceError, match=r"2 GGUF files: other\.GGUF, tiny\.gguf"):
        is_here(str(tiny.parent))


@pytest.mark.parametrize("given", ["folder", "part"])
def test_a_split_model_is_refused(given: str, tmp_path) -> None:
    for part in (1, 2, 3):
        (tmp_path / f"big-{part:05d}-of-00003.gguf").write_bytes(b"GGUF")
    source = tmp_path if given == "folder" else tmp_path / "big-00002-of-00003.gguf"
    with pytest.raises(SourceError, match="big is split into 3 GGUF files") as caught:
        load_model(str(source))
    assert "llama-gguf-split --merge" in caught.value.hint


def test_a_file_that_is_not_there_is_no_hub_model() -> None:
    with pytest.raises(UnknownModelError):
        resolve_source("models/not-here.gguf")


# ------------------------------------------------------------------ bad files


def refusal(file, tmp_path) -> str:
    with pytest.raises(SourceError) as caught:
        converted(file, tmp_path / "made")
    assert caught.value.hint
    assert str(file.parent) not in caught.value.message
    return caught.value.message


def test_what_is_no_gguf_file_is_told(tmp_path) -> None:
    (tmp_path / "notes.gguf").write_text("# Notes")
    assert "not a GGUF file" in refusal(tmp_path / "notes.gguf", tmp_path)


@pytest.mark.parametrize("kept", [10, 500, 0.3, 0.9, 0.9999])
def test_a_file_that_was_cut_off_is_told(kept, tiny, tmp_path) -> None:
    content = tiny.read_bytes()
    tiny.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    assert "damaged, or was cut off" in refusal(tiny, tmp_path)
    assert list((tmp_path / "made").iterdir()) == []


def header_only(path, family: str, **entries) -> None:
    writer = gguf.GGUFWriter(path, family)
    for key, value in entries.items():
        key = key.replace("__", ".")
        (writer.add_string if isinstance(value, str) else writer.add_uint32)(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("family", "entries", "says"),
    [
        ("rwkv6", {}, "architecture is 'rwkv6'"),
        ("deci", {}, "architecture is 'deci'"),  # transformers reads it, but leaves rows permuted
        ("clip", {}, "image part"),
        ("llama", {"general__type": "mmproj"}, "image part"),
        ("llama", {"general__type": "adapter"}, "LoRA"),
        ("llama", {"split__count": 4}, "one of 4 parts"),
        ("llama", {}, "no tokenizer"),
    ],
)
def test_what_is_no_model_here_is_told(family, entries, says, tmp_path) -> None:
    header_only(tmp_path / "other.gguf", family, **entries)
    assert says in refusal(tmp_path / "other.gguf", tmp_path)


def said(key: str, kind: gguf.GGUFValueType, value: object):
    """A change of the header: it says this of the model."""

    def change(writer: gguf.GGUFWriter) -> None:
        writer.kv_data[0][key] = gguf.GGUFValue(value=value, type=kind)

    return change


@pytest.mark.parametrize(
    ("key", "kind", "value", "says"),
    [
        ("llama.context_length", "STRING", "x\ny", "max_position_embeddings"),
        ("llama.attention.head_count", "UINT32", 0, "zero"),
        ("llama.attention.head_count", "INT32", -3, "not a multiple"),
        ("llama.attention.head_count_kv", "UINT32", 2**31, "cannot reshape"),
        ("llama.block_count", "UINT32", 2**31, "2,147,483,648 layers"),
        ("llama.block_count", "STRING", "many", "cannot be used"),
        ("split.count", "STRING", "x", "cannot be used"),
    ],
)
def test_a_header_that_cannot_be_is_told(key, kind, value, says, tmp_path) -> None:
    change = said(key, gguf.GGUFValueType[kind], value)
    write_gguf(tiny_model("llama"), "llama", tmp_path / "odd.gguf", change=change)
    message = refusal(tmp_path / "odd.gguf", tmp_path)
    assert says in message
    assert "\n" not in message


def test_an_unknown_quantisation_is_told(tmp_path, tiny) -> None:
    name = b"blk.0.attn_q.weight"
    content = bytearray(tiny.read_bytes())
    at = content.index(name) + len(name)
    (sides,) = struct.unpack_from("<I", content, at)
    struct.pack_into("<I", content, at + 4 + 8 * sides, 250)
    tiny.write_bytes(bytes(content))
    assert "stored in a way (type 250) that is unknown" in refusal(tiny, tmp_path)


def test_a_missing_tensor_is_told(tmp_path, monkeypatch) -> None:
    model = tiny_model("llama")
    part = model.state_dict()
    monkeypatch.setattr(
        model,
        "state_dict",
        lambda: {name: part[name] for name in part if name != "model.norm.weight"},
    )
    write_gguf(model, "llama", tmp_path / "tiny.gguf")
    assert "lacks 1 of its model's weights" in refusal(tmp_path / "tiny.gguf", tmp_path)


def test_a_disk_without_room_is_told_before_anything_is_written(
    tiny, tmp_path, monkeypatch
) -> None:
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("headroles.models.gguf_files.shutil.disk_usage", lambda _: usage)
    with pytest.raises(DiskError, match="disk is full"):
        converted(tiny, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_more_than_one_piece_is_unpacked_alike(monkeypatch, tmp_path) -> None:
    write_gguf(tiny_model("llama"), "llama", tmp_path / "t.gguf", quantization="Q4_1")
    whole = load_file(converted(tmp_path / "t.gguf", tmp_path / "one") / "model.safetensors")
    monkeypatch.setattr("headroles.models.gguf_conversion._ROWS_BYTES", 100)  # a row at a time
    rows = load_file(converted(tmp_path / "t.gguf", tmp_path / "two") / "model.safetensors")
    assert all(np.array_equal(whole[name], rows[name]) for name in whole)

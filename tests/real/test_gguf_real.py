"""The conversion of a real GGUF file against gguf's own reader, and checks of its attention."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open

from headroles import models
from headroles.capture import capture
from headroles.models import CATALOGUE, LoadedModel, gguf_files

pytestmark = pytest.mark.real

ENGLISH = (
    "The old man walked down to the harbour every morning, because he liked to watch the boats "
    "come in. When the weather was bad, he stayed at home and read a book by the fire."
)
TEXTS = (
    "In 2024 there were 1,234 cats and 56 dogs; 3.14159 is not 22/7.",
    "Café, naïve, Zürich, garçon, ¡olé!, Ænigma, 東京 and 🐈.",
    "Two  spaces,   three, a tab\tand\n\n  a new line.",
)


@pytest.fixture(scope="module")
def file(real_model: str) -> Path:
    """The GGUF file that the model was made from, where it is kept."""
    return gguf_files.original(CATALOGUE[real_model].package.sha256)


def as_llama_wrote_it(name: str, numbers: np.ndarray, config) -> np.ndarray:
    """Rows of queries and keys in llama.cpp's order: rotary halves become pairs."""
    if ".attn_q." not in name and ".attn_k." not in name:
        return numbers
    heads = config.num_attention_heads if ".attn_q." in name else config.num_key_value_heads
    return numbers.reshape(heads, 2, -1, numbers.shape[-1]).swapaxes(1, 2).reshape(numbers.shape)


def test_the_kept_file_is_the_packages(file: Path, real_model: str) -> None:
    package = CATALOGUE[real_model].package
    assert gguf_files.sha256_of(file) == package.sha256
    assert file.stat().st_size == package.file_bytes


def test_every_tensor_is_that_of_ggufs_reader(file: Path, real: LoadedModel) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, real.num_layers)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    with safe_open(Path(models.local_files(real.source)) / "model.safetensors", "np") as made:
        assert len(made.keys()) == len(stored) == 272
        for name in made.keys():  # noqa: SIM118 -- not a dict
            there = names.get_name(name, try_suffixes=(".weight",))
            tensor = stored.pop(there)
            unpacked = gguf.dequantize(tensor.data, tensor.tensor_type)
            ours = as_llama_wrote_it(there, made.get_tensor(name), real.model.config)
            assert np.array_equal(ours, unpacked), name
    assert stored == {}


def test_a_head_looks_one_back_and_the_loss_on_english_is_small(real: LoadedModel) -> None:
    # Rows that were not put back give neither: the model would load, and attend to wrong places.
    run = capture(real, ENGLISH)
    back = run.attention.diagonal(offset=-1, dim1=-2, dim2=-1)[..., 1:].mean(-1)
    assert back.max() > 0.7
    ids = torch.tensor([run.token_ids])
    with torch.no_grad():
        assert real.model(ids, labels=ids).loss < 3.5


def test_words_are_split_as_smollm2_splits_them(real: LoadedModel) -> None:
    tokens = [real.tokenizer.tokenize(text) for text in TEXTS]
    digits = [token for token in tokens[0] if any(sign.isdigit() for sign in token)]
    assert all(len(token) == 1 for token in digits)  # "2024" is four tokens, without a space
    assert len(digits) == sum(sign.isdigit() for sign in TEXTS[0])
    for text in TEXTS:
        ids = real.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert real.tokenizer.decode(ids) == text


def test_its_tables_are_tied_and_its_prompts_start_with_the_end_of_text(real: LoadedModel) -> None:
    model = real.model
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert (real.start.token_id, real.start.text) == (0, "<|endoftext|>")
    assert real.quantization == "Q4_1"

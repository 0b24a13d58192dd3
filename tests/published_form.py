"""Attention-only weights as TransformerLens publishes them, tiny and seeded, and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

LAYERS, HEADS, D, DH, CONTEXT, VOCAB = 2, 4, 32, 8, 128, 400
TOKENIZER = "NeelNanda/gpt-neox-tokenizer-digits"


def published_state(vocab: int = VOCAB, *, layers: int = LAYERS) -> dict[str, torch.Tensor]:
    """Seeded weights in the published form, the buffers that it carries included."""
    torch.manual_seed(5)
    shapes = {"embed.W_E": (vocab, D), "pos_embed.W_pos": (CONTEXT, D), "unembed.W_U": (D, vocab)}
    shapes |= {"unembed.b_U": (vocab,), "ln_final.w": (D,), "ln_final.b": (D,)}
    for n in range(layers):
        at = f"blocks.{n}."
        shapes |= {f"{at}ln1.w": (D,), f"{at}ln1.b": (D,), f"{at}attn.b_O": (D,)}
        shapes |= {f"{at}attn.W_{x}": (HEADS, D, DH) for x in "QKV"}
        shapes |= {f"{at}attn.b_{x}": (HEADS, DH) for x in "QKV"}
        shapes[f"{at}attn.W_O"] = (HEADS, DH, D)
    state = {name: 0.25 * torch.randn(shape) for name, shape in shapes.items()}
    for n in range(layers):
        state[f"blocks.{n}.attn.mask"] = torch.ones(CONTEXT, CONTEXT).tril().bool()
        state[f"blocks.{n}.attn.IGNORE"] = torch.tensor(-1e5)
    return state


def logits_by_hand(state: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """Logits without b_U, from the published weights, head by head."""
    norm = torch.nn.functional.layer_norm
    x = state["embed.W_E"][ids] + state["pos_embed.W_pos"][: len(ids)]
    hidden = torch.full((len(ids), len(ids)), -torch.inf).triu(1)
    for n in range(sum(name.endswith("W_Q") for name in state)):
        own = {k.removeprefix(f"blocks.{n}."): v for k, v in state.items()}
        read = norm(x, (D,), own["ln1.w"], own["ln1.b"])
        written = own["attn.b_O"].expand_as(x)
        for h in range(HEADS):
            q, k, v = (read @ own[f"attn.W_{s}"][h] + own[f"attn.b_{s}"][h] for s in "QKV")
            pattern = (q @ k.T / DH**0.5 + hidden).softmax(-1)
            written = written + pattern @ v @ own["attn.W_O"][h]
        x = x + written
    return norm(x, (D,), state["ln_final.w"], state["ln_final.b"]) @ state["unembed.W_U"]


def digits_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE that never joins two digits, with a BOS of its own."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    specials = ["<|BOS|>", "<|EOS|>", "<|PAD|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(["the cat sat on the mat and the dog ran to the house"] * 4, trainer)
    names = dict(zip(("bos_token", "eos_token", "pad_token"), specials, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **names)


def publish_tokenizer(folder: Path) -> Path:
    """The tokenizer's repository; its configuration names a class of a family, as many do."""
    digits_tokenizer().save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "tokenizer_class": "GPT2Tokenizer"}))
    return folder


def publish_model(folder: Path, state: object, *, layers: int = LAYERS, **config: object) -> Path:
    """The model's repository, with a checkpoint of the training beside the final weights."""
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(state, folder / "model_final.pth")
    (folder / "checkpoints" / "SERIES_final.pth").write_bytes(b"not the final weights")
    said = {
        "d_model": D,
        "n_layers": layers,
        "d_mlp": -1,
        "d_head": DH,
        "n_heads": HEADS,
        "n_ctx": CONTEXT,
        "d_vocab": VOCAB,
        "act_fn": "attn_only",
        "attn_only": True,
        "normalization": "LN",
        "tokenizer_name": TOKENIZER,
    }
    (folder / "config.json").write_text(json.dumps({**said, **config}))
    return folder

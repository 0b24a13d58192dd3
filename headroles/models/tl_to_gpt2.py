"""TransformerLens' attention-only models (``attn-only-1l``, ``attn-only-2l``) as GPT-2 folders.

They are published as a state dict in TransformerLens' own names (``blocks.0.attn.W_Q`` is [head
d_model d_head]), which transformers does not read. A GPT-2 whose MLP is zero is the same model, so
a converted folder is loaded, analysed and shown like any other. Attention and circuits are exact.
GPT-2 has no bias on its logits: b_U, if there is one, is left out. How large it was stands in the
model's configuration, as :data:`LEFT_OUT`.

>>> convert(torch.load("model_final.pth", weights_only=True))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from headroles.errors import UnsupportedModelError

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

_THESE = "the state dict"

LEFT_OUT = "logit_bias_left_out"
"""Name in a converted model's ``config.json``; logits, how far b_U ranges around its mean."""

NORMS = {"LN": True, "LNPre": False}
"""{TransformerLens' name of a norm that a GPT-2 has too: whether it has a gain and a bias}."""


class Converted(NamedTuple):
    """A model in transformers' form."""

    model: GPT2LMHeadModel
    bias_left_out: float
    """Logits: how far the left out b_U ranges around its mean; 0 if nothing was left out."""


def convert(
    state: Mapping[str, Tensor], *, eps: float = 1e-5, has_gain: bool = True, name: str = _THESE
) -> Converted:
    """Make a GPT-2 of an attention-only state dict.

    Args:
        state: the weights in TransformerLens' names.
        eps: of the layer norms.
        has_gain: whether the norms have a gain and a bias; False for ``LNPre``.
        name: of the model, for the error's sentence.

    Raises:
        UnsupportedModelError: if weights are missing or do not fit together, or it has an MLP.
    """
    if not has_gain:
        state = _with_plain_norms(state)
    _check(state, name)
    try:
        return _filled(state, eps)
    except (RuntimeError, KeyError, ValueError) as error:  # of torch: a shape that is not to be had
        why = "its weights do not fit together."
        raise UnsupportedModelError(name, why=why) from error


def _filled(state: Mapping[str, Tensor], eps: float) -> Converted:
    layers = sum(name.endswith("attn.W_Q") for name in state)
    vocab, width = state["embed.W_E"].shape
    model = GPT2LMHeadModel(
        GPT2Config(
            n_layer=layers,
            n_head=state["blocks.0.attn.W_Q"].shape[0],
            n_embd=width,
            n_inner=1,  # transformers runs no layer without a neuron; this one is zero
            vocab_size=vocab,
            n_positions=state["pos_embed.W_pos"].shape[0],
            layer_norm_epsilon=eps,
            tie_word_embeddings=False,
        )
    )
    with torch.no_grad():
        model.transformer.wte.weight.copy_(state["embed.W_E"])
        model.transformer.wpe.weight.copy_(state["pos_embed.W_pos"])
        for number, block in enumerate(model.transformer.h):
            _fill(block, state, f"blocks.{number}.")
        model.transformer.ln_f.weight.copy_(state["ln_final.w"])
        model.transformer.ln_f.bias.copy_(state["ln_final.b"])
        model.lm_head.weight.copy_(state["unembed.W_U"].T)
    bias = state.get("unembed.b_U", torch.zeros(1))
    lost = float((bias - bias.mean()).abs().max())
    setattr(model.config, LEFT_OUT, round(lost, 4))
    return Converted(model.eval(), lost)


def left_out(config: object) -> float:
    """Logits: the bias that a model lost when it was converted; 0 for every other model."""
    return float(getattr(config, LEFT_OUT, 0.0))


def _with_plain_norms(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with a gain of one and a bias of zero for every norm."""
    width = state["embed.W_E"].shape[1] if "embed.W_E" in state else 0
    blocks = {name.rpartition("attn.")[0] for name in state if name.endswith("attn.W_Q")}
    plain = {"w": torch.ones(width), "b": torch.zeros(width)}
    names = [*(f"{block}ln1" for block in blocks), "ln_final"]
    return {**state, **{f"{name}.{part}": plain[part] for name in names for part in plain}}


def _check(state: Mapping[str, Tensor], name: str) -> None:
    needed = ("embed.W_E", "pos_embed.W_pos", "blocks.0.attn.W_Q", "blocks.0.ln1.w", "ln_final.w")
    missing = [name for name in (*needed, "unembed.W_U") if name not in state]
    if missing:
        raise UnsupportedModelError(name, why=f"there is no {missing[0]} in its weights.")
    if any(".mlp." in name for name in state):
        raise UnsupportedModelError(name, why="there is an MLP in its weights.")


def _fill(block: torch.nn.Module, state: Mapping[str, Tensor], prefix: str) -> None:
    """Copy one layer: heads side by side, query, key and value side by side."""

    def joined(name: str) -> Tensor:
        return state[f"{prefix}attn.{name}"].permute(1, 0, 2).flatten(1)  # [d_model head*d_head]

    block.ln_1.weight.copy_(state[f"{prefix}ln1.w"])
    block.ln_1.bias.copy_(state[f"{prefix}ln1.b"])
    block.attn.c_attn.weight.copy_(torch.cat([joined(name) for name in ("W_Q", "W_K", "W_V")], 1))
    biases = [state[f"{prefix}attn.{name}"].flatten() for name in ("b_Q", "b_K", "b_V")]
    block.attn.c_attn.bias.copy_(torch.cat(biases))
    block.attn.c_proj.weight.copy_(state[f"{prefix}attn.W_O"].flatten(0, 1))
    block.attn.c_proj.bias.copy_(state[f"{prefix}attn.b_O"])
    for parameter in block.mlp.parameters():
        parameter.zero_()

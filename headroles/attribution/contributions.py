"""Direct logit attribution: what the embedding, every head, MLP and bias added to a logit.

One pass is recorded at one position: each head's output z and its attention, the values that it
weighed, what each MLP gave, what the norms divided by. With the final norm's scale frozen as it was
in the pass, the logit of a token is then a sum over these parts::

    head h of layer l:   z[l, h] W_O[l, h] . d[l]
    of it from token k:  A[l, h, k] v[l, k] W_O[l, h] . d[l]
    MLP of layer l:      what its module gave . d

where d is the token's column of W_U, pulled back through the final norm, and d[l] through whatever
else stands on the layer's way to the end of the residual stream.

Every part is measured on its own, so that the sum equals the logit is a proof of it. A recording
holds what all targets need: a second token costs a few small products and no second pass.

Direct means past all later layers: what a head changed in what they do is theirs.

>>> seen = record(loaded, encoding)  # doctest: +SKIP
>>> target = resolve_target(loaded, encoding, "Mary", "John", recording=seen)  # doctest: +SKIP
>>> parts = project(loaded, seen, target)  # doctest: +SKIP
>>> parts.error < 1e-4 * parts.size  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.attribution.recording import Recording, record, scale_of
from headroles.attribution.records import Contributions, Target
from headroles.capture import Edit
from headroles.circuits import weights
from headroles.circuits.layouts import parts_of
from headroles.circuits.parts import Norm
from headroles.errors import HeadrolesError
from headroles.formatting import quoted
from headroles.models import LoadedModel
from headroles.scoring.direct_effects import through_norm
from headroles.texts import likeliest_reading, token_texts
from headroles.types import Encoding


def project(loaded: LoadedModel, recording: Recording, target: Target) -> Contributions:
    """What each part added to a target.

    Args:
        loaded: the model that was recorded.
        recording: its pass.
        target: from :func:`resolve_target`.
    """
    parts, (ids, sign) = parts_of(loaded), _signed(target)
    wanted, bias = _wanted(loaded, target)
    along = _along(parts.final_norm, recording, wanted)
    heads, by_key, attention_biases = _of_attention(loaded, recording, along)
    return Contributions(
        target=target,
        position=recording.position,
        heads=heads,
        by_key=by_key,
        attention=recording.attention,
        attention_biases=attention_biases,
        mlps=(recording.mlps.double() @ along).float(),
        embedding=float(recording.embedding.double() @ along),
        positions=float(recording.positions.double() @ along),
        final_bias=float(parts.final_norm.bias.double() @ wanted) + bias,
        logit=float(recording.logits[ids].double() @ sign),
        replaced=recording.replaced,
        remainders=recording.remainders,
        cap=parts.layout.logit_cap,
    )


def head_effects(
    loaded: LoadedModel, recording: Recording, target: Target
) -> Float[Tensor, "layer head"]:
    """[layer head] what each head alone added to a target; it needs no logits."""
    along = _along(parts_of(loaded).final_norm, recording, _wanted(loaded, target)[0])
    return _of_attention(loaded, recording, along)[0]


def effects_by_key(
    loaded: LoadedModel, recording: Recording, wanted: Float[Tensor, " d_model"]
) -> Float[Tensor, "layer head key"]:
    """[layer head key] what each head added along a direction behind the final norm, by the token
    that it read it from."""
    along = _along(parts_of(loaded).final_norm, recording, wanted)
    return _of_attention(loaded, recording, along)[1]


def contribute(
    loaded: LoadedModel,
    encoding: Encoding,
    target: Target,
    *,
    position: int = -1,
    patterns: Mapping[int, Edit] | None = None,
    outputs: Mapping[int, Edit] | None = None,
) -> Contributions:
    """What each part of the model added to a target at one position, from one pass.

    Args:
        loaded: a model.
        encoding: the prompt.
        target: from :func:`resolve_target`.
        position: the position whose next token is predicted; negative ones count from the end.
        patterns: {layer: edit}, as :func:`headroles.capture.run_edited` takes them.
        outputs: the same of head outputs: contributions under a knock-out.

    Raises:
        UnknownPositionError: if the prompt has no such position.
        UnsupportedModelError: if the parts of this model cannot be told apart.
        NotANumberError: if the model computes NaN or infinity.
    """
    seen = record(loaded, encoding, position=position, patterns=patterns, outputs=outputs)
    return project(loaded, seen, target)


def _along(
    norm: Norm, recording: Recording, wanted: Float[Tensor, " d_model"]
) -> Float[Tensor, " d_model"]:
    """A direction behind the final norm as one of the end of the stream."""
    return _back(norm, wanted) / scale_of(norm, recording.end.double())


def _of_attention(
    loaded: LoadedModel, recording: Recording, along: Float[Tensor, " d_model"]
) -> tuple[Float[Tensor, "layer head"], Float[Tensor, "layer head key"], Float[Tensor, " layer"]]:
    """The heads, the same by token, and the biases, along a direction of the end."""
    heads, by_key, biases = [], [], []
    for layer, z in enumerate(recording.z):
        own, writing = weights.layer_weights(loaded, layer), weights.writing(loaded, layer)
        before, bias = along * writing.factor, 0.0
        if writing.norm is not None:
            bias = float(writing.norm.bias.double() @ before)
            before = _back(writing.norm, before) / recording.scales[layer].double()
        read = own.W_O.double() @ before  # [head d_head]
        from_key = recording.values[layer][list(own.kv_of)].double() @ read[..., None]
        looked = recording.attention[layer].double() * from_key.squeeze(-1)  # [head key]
        heads.append((z.double() * read).sum(-1))
        by_key.append(looked.masked_fill(recording.replaced[layer][:, None], 0.0))
        biases.append(float(own.b_O.double() @ before) + bias)
    return torch.stack(heads).float(), torch.stack(by_key).float(), torch.tensor(biases)


def _back(norm: Norm, direction: Float[Tensor, " d_model"]) -> Float[Tensor, " d_model"]:
    """A direction behind a norm as one before it, its scale left out."""
    return through_norm(direction, norm.weight.double(), centers=norm.kind == "LayerNorm")


def _signed(target: Target) -> tuple[list[int], Float[Tensor, " token"]]:
    """The tokens of a target, and 1 or -1 for each."""
    ids = [target.token_id, *([] if target.against_id is None else [target.against_id])]
    return ids, torch.tensor([1.0, -1.0][: len(ids)], dtype=torch.double)


def _wanted(loaded: LoadedModel, target: Target) -> tuple[Float[Tensor, " d_model"], float]:
    """A target as a direction behind the final norm, and the bias of the unembedding."""
    ids, sign = _signed(target)
    columns, biases = weights.unembedding_of(loaded, ids)
    return columns @ sign, float(biases @ sign)


def resolve_target(
    loaded: LoadedModel,
    encoding: Encoding,
    answer: str = "",
    against: str = "",
    *,
    position: int = -1,
    recording: Recording | None = None,
) -> Target:
    """The token that is watched, and the one that it is held against.

    What is named is taken as in the Knock-out lab (:func:`headroles.texts.likeliest_reading`).

    Args:
        loaded: a model.
        encoding: the prompt.
        answer: what should come next; empty for the model's own guess.
        against: what is subtracted; empty for nothing.
        position: the position whose next token is predicted.
        recording: of that position, where there is one already: it saves a pass.

    Raises:
        HeadrolesError: if a text holds no token, or both are the same token.
        UnknownPositionError: if the prompt has no such position.
    """
    seen = recording or record(loaded, encoding, position=position)
    prompt = encoding.tokens[seen.position]
    token_id, part_of = _token(loaded, seen.logits, prompt, answer)
    against_id, against_part_of = None, ""
    if against:
        against_id, against_part_of = _token(loaded, seen.logits, prompt, against)
    texts = token_texts(loaded.tokenizer, [token_id, *([against_id] if against else [])])
    if against_id == token_id:
        raise HeadrolesError(
            f"Both tokens are {quoted(texts[0])}, so there is no difference between them.",
            hint="Name two that differ in their first token, or leave one box empty.",
            value=against,
        )
    return Target(
        token_id,
        texts[0],
        against_id,
        texts[1] if against else "",
        named=bool(answer),
        part_of=part_of,
        against_part_of=against_part_of,
    )


def _token(
    loaded: LoadedModel, logits: Float[Tensor, " vocab"], prompt: str, text: str
) -> tuple[int, str]:
    """The first token of a text, and the whole of it where that is more; or the model's guess."""
    if not text:
        return int(logits.index_fill(0, loaded.nameless(len(logits)), -torch.inf).argmax()), ""
    return likeliest_reading(loaded.tokenizer, prompt, text, logits)

"""What a trained decomposition is worth: its figures beside controls, and its card.

A decomposition is measured on batches that it was not trained on. In nats of
``KL(model || what is measured)`` on the next token:

- with all components, which is how nearly they sum to the weights;
- with every component masked by its importance, as it was trained;
- with the alive components alone (importance above :data:`ALIVE`), whole, and none of the others:
  farther off where an importance works as a gain, and is not only a yes or no;
- the same number of components in each matrix, chosen otherwise: at random; the largest of an SVD
  of the matrix, the same for every token; the SVD's largest *for each token* by what they write,
  ``|x . U_c| |V_c|``;
- with none, which leaves the biases.

>>> measure(loaded, factors, rows)["figures"][0]  # doctest: +SKIP
{'name': 'all components', 'divergence': 0.006, 'alive': 1152.0}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.ablation.component_model import divergence, masked, recorded
from headroles.circuits import SVD, factors_at
from headroles.circuits.trained_components import (
    ALIVE,
    Factors,
    Place,
    projection,
    relative_error,
    save_factors,
)
from headroles.circuits.weights import layer_weights
from headroles.models import LoadedModel
from headroles.training.components import ComponentTrainer

FIRST_BATCH, BATCHES = 10**6, 8
"""Batches for the figures; training does not come that far."""

Masks = dict[Place, Tensor]


def held_out_rows(trainer: ComponentTrainer) -> list[Int[Tensor, "row pos"]]:
    """Batches that training does not reach."""
    return [trainer.batches.batch(FIRST_BATCH + n)[0][:, :-1] for n in range(BATCHES)]


def measure(
    loaded: LoadedModel,
    factors: Mapping[Place, Factors],
    batches: Sequence[Int[Tensor, "row pos"]],
    *,
    seed: int = 0,
) -> dict[str, list[dict[str, object]]]:
    """The figures of a decomposition, and those of each of its matrices.

    Returns:
        ``figures``: name, ``divergence`` in nats, ``alive`` components per token, all matrices
        together; ``matrices``: layer, projection, components, alive per token, ever alive,
        ``error`` (``|sum - W| / |W|``), and ``whole``: the divergence with its alive components
        whole and all other matrices masked by importance.
    """
    sums: dict[str | Place, list[float]] = {}
    alive: dict[Place, list[Tensor]] = {place: [] for place in factors}
    svd = {place: factors_at(loaded, SVD, place) for place in factors}
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad(), loaded.lock:
        for ids in batches:
            with recorded(loaded, factors) as inputs:
                target = loaded.model(ids).logits
            inputs = dict(inputs)
            own = {
                place: of.gate.importances(inputs[place] @ of.U.T) for place, of in factors.items()
            }
            for place, g in own.items():
                alive[place].append((g > ALIVE).flatten(0, 1))
            choices = _choices(factors, svd, inputs, own, draw)
            choices |= {place: (factors, own | {place: (g > ALIVE).float()})
                        for place, g in own.items()}  # fmt: skip
            for name, (parts, masks) in choices.items():
                with masked(loaded, parts, masks):
                    moved = divergence(target, loaded.model(ids).logits)
                sums.setdefault(name, []).append(float(moved))
    every = {place: torch.cat(found) for place, found in alive.items()}
    means = {name: sum(found) / len(found) for name, found in sums.items()}
    return {
        "figures": _figures(means, every),
        "matrices": [
            _matrix(loaded, place, of, every[place]) | {"whole": means[place]}
            for place, of in factors.items()
        ],
    }


def _choices(
    factors: Mapping[Place, Factors],
    svd: Mapping[Place, Factors],
    inputs: Mapping[Place, Tensor],
    own: Masks,
    draw: torch.Generator,
) -> dict[str, tuple[Mapping[Place, Factors], Masks]]:
    """{name: whose components, and which of them}, in the order of the card."""
    counts = {place: max(1, round(float((g > ALIVE).sum(-1).double().mean())))
              for place, g in own.items()}  # fmt: skip
    by_size = {
        place: (inputs[place] @ of.U.T).abs() * of.V.norm(dim=1) for place, of in svd.items()
    }
    first = {place: -torch.arange(size.shape[-1], dtype=torch.float32).expand_as(size)
             for place, size in by_size.items()}  # fmt: skip
    chance = {place: torch.rand(g.shape, generator=draw) for place, g in own.items()}

    def top(scores: Mapping[Place, Tensor]) -> Masks:
        return {place: _largest(score, counts[place]) for place, score in scores.items()}

    return {
        ALL: (factors, {place: torch.ones_like(g) for place, g in own.items()}),
        IMPORTANT: (factors, own),
        WHOLE: (factors, {p: (g > ALIVE).float() for p, g in own.items()}),
        "SVD, as many, largest for each token": (svd, top(by_size)),
        "SVD, as many, the same for every token": (svd, top(first)),
        "as many, at random": (factors, top(chance)),
        NONE: (factors, {place: torch.zeros_like(g) for place, g in own.items()}),
    }


ALL, IMPORTANT, NONE = "all components", "masked by importance", "none"
WHOLE = "alive components, whole"


def _largest(
    scores: Float[Tensor, "row pos component"], count: int
) -> Float[Tensor, "row pos component"]:
    """1 at the ``count`` largest of each token, 0 elsewhere."""
    mask = torch.zeros_like(scores)
    return mask.scatter(-1, scores.topk(min(count, scores.shape[-1]), -1).indices, 1.0)


def _figures(
    means: Mapping[str | Place, float], alive: Mapping[Place, Tensor]
) -> list[dict[str, object]]:
    per_token = sum(float(found.sum(-1).double().mean()) for found in alive.values())
    every = sum(found.shape[-1] for found in alive.values())
    counts = {ALL: every, NONE: 0}
    return [
        {"name": name, "divergence": mean, "alive": round(counts.get(name, per_token), 1)}
        for name, mean in means.items()
        if isinstance(name, str)
    ]


def _matrix(
    loaded: LoadedModel, place: Place, of: Factors, alive: Bool[Tensor, "token component"]
) -> dict[str, object]:
    layer, name = place
    return {
        "layer": layer,
        "projection": name,
        "components": len(of.U),
        "alive": float(alive.sum(-1).double().mean()),
        "ever_alive": int(alive.any(0).sum()),
        "error": relative_error(of, projection(layer_weights(loaded, layer), name)),
    }


def export_components(trainer: ComponentTrainer, folder: Path) -> None:
    """Write the components as 16-bit numbers, to be small, and their card.

    The card has the recipe, the figures of the components as they are read back, and how training
    went.
    """
    key = trainer.loaded.key
    save_factors(
        folder / f"{key}.safetensors",
        {place: of.map(torch.Tensor.half) for place, of in trainer.factors.items()},
    )
    factors = {place: of.map(lambda x: x.half().float()) for place, of in trainer.factors.items()}
    rows = held_out_rows(trainer)
    card = {
        "model": key,
        "steps": trainer.step,
        "recipe": asdict(trainer.config),
        "seconds": round(trainer.seconds),
        "tokens": sum(ids.numel() for ids in rows),
        **measure(trainer.loaded, factors, rows),
        "history": trainer.history,
    }
    text = json.dumps(card, indent=1) + "\n"
    (folder / f"{key}.json").write_text(text, encoding="utf-8")

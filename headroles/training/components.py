"""Trains components of attention projections: stochastic parameter decomposition.

Bushnaq, Braun and Sharkey 2025 (arXiv 2506.20790). Every projection W of a trained model is written
as a sum of rank-one components, together with a small network for each component that says how much
a token needs it, its causal importance g between 0 and 1. Three losses are added:

    faithfulness     sum over projections of |sum of components - W|^2, over that of |W|^2
    reconstruction   KL(model || model with every component masked by m = g + (1 - g) r)
    minimality       sum over components of |g|^p

with r drawn uniformly between 0 and 1 for each component and token: what does not matter must be
free to be anything. What is kept of the paper: rank-one components, importances from a network of
one hidden layer on the component's inner activation, the stochastic masks, the two leaky hard
sigmoids, and importances computed on the target model. What differs: in half of each batch's rows
r is 0, so that the model with only the important components, which is what is looked at later, is
trained as such; a component's network does not move its vectors; the vectors are warmed up on
faithfulness alone; and the layer-wise reconstruction loss is left out. p falls in the second half.

Batch ``n`` is a function of the seed and ``n``, as are its masks, so a run that stops and resumes
is the same run.

>>> batches = component_batches(tokenizer, layers=2, config=ComponentConfig())  # doctest: +SKIP
>>> trainer = ComponentTrainer(loaded, ComponentConfig(), batches, folder)  # doctest: +SKIP
>>> trainer.run()  # doctest: +SKIP
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from headroles.ablation.component_model import divergence, masked, recorded
from headroles.circuits.trained_components import Factors, Gate, Place, projection
from headroles.circuits.weights import layer_weights
from headroles.errors import HeadrolesError, ours
from headroles.models import LoadedModel
from headroles.training.attention_only import attention_only_config
from headroles.training.trainer import Batches

CHECKPOINT = "components.pt"
_SEED_STEP = 77
"""Added to the seed for texts: others than the model was trained on."""
_PASSAGES = 6_000
_BATCHES = 10**9
"""More than anybody asks for."""
_LEAK = 0.01
_EPSILON = 1e-6
"""Added to an importance before it is raised to p."""


@dataclass(frozen=True)
class ComponentConfig:
    """Everything that fixes the result, together with the model and the texts."""

    seed: int = 0
    steps: int = 11_000
    warm_up: int = 400
    """Steps on faithfulness alone, before the first step."""
    rows: int = 4
    """Rows of text in a batch."""
    counts: dict[str, int] = field(default_factory=lambda: {"q": 160, "k": 160, "v": 192, "o": 192})
    """Components of each projection; fewer than its rank could not sum to it."""
    hidden: int = 4
    """Hidden numbers of each importance network."""
    faithfulness: float = 100.0
    minimality: float = 5e-4
    power: tuple[float, float] = (1.0, 0.7)
    """p in the first half, and at the end."""
    learning_rate: float = 1e-3
    last_rate: float = 0.02
    """Factor on the learning rate at the end, after a cosine."""
    clip: float = 1.0

    def power_at(self, step: int) -> float:
        """p of one step: constant, then linear in the second half."""
        first, last = self.power
        return first + (last - first) * max(0.0, 2 * step / self.steps - 1)

    def rate_at(self, step: int) -> float:
        """Factor on the learning rate: a hundred steps of warm-up, then a cosine."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return min(1.0, (step + 1) / 100) * (self.last_rate + (1 - self.last_rate) * cosine)


_RECIPES: dict[int, dict[str, object]] = {1: {"steps": 8_000}, 2: {}}
"""What differs from the defaults, by number of layers."""


class _LowerLeaky(torch.autograd.Function):
    """Clamp to 0 ... 1 whose gradient does not die below 0 where it would raise the value."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        leak = torch.where((x < 0) & (gradient < 0), _LEAK * gradient, 0.0)
        return torch.where((x >= 0) & (x <= 1), gradient, leak)


def component_config(
    layers: int, *, seed: int = 0, steps: int | None = None, minimality: float | None = None
) -> ComponentConfig:
    """The recipe of the one- or two-layer model."""
    recipe = ComponentConfig(seed=seed, **_RECIPES[layers])
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    return recipe if minimality is None else replace(recipe, minimality=minimality)


def component_batches(
    tokenizer: PreTrainedTokenizerFast, *, layers: int, config: ComponentConfig
) -> Batches:
    """The kinds of text that an attention-only model was trained on, of a seed of their own."""
    model = attention_only_config(layers, config.seed + _SEED_STEP)
    (blend,) = (phase for phase in model.phases if phase.name == "blend")
    blend = replace(blend, steps=_BATCHES, rows=config.rows)
    return Batches(replace(model, passages=_PASSAGES, phases=(blend,)), tokenizer)


def upper_leaky(x: Tensor) -> Tensor:
    """Clamp to 0 ... 1 that goes on rising a little above 1, for the minimality loss.

    >>> upper_leaky(torch.tensor([-1.0, 0.5, 2.0]))
    tensor([0.0000, 0.5000, 1.0100])
    """
    return torch.where(x > 1, 1 + _LEAK * (x - 1), x.clamp(min=0))


class _Parts(nn.Module):
    """The parameters of one projection's components."""

    def __init__(
        self, weight: Float[Tensor, "d_in d_out"], count: int, hidden: int, seed: Sequence[int]
    ) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(sum(s * 7919**i for i, s in enumerate(seed)))

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw)

        d_in, d_out = weight.shape
        self.U = nn.Parameter(normal(count, d_in) * d_in**-0.5)
        self.V = nn.Parameter(normal(count, d_out) * (weight.norm() / math.sqrt(count * d_out)))
        self.w_in = nn.Parameter(normal(count, hidden))
        self.b_in = nn.Parameter(torch.zeros(count, hidden))
        self.w_out = nn.Parameter(normal(count, hidden) * hidden**-0.5)
        self.b_out = nn.Parameter(torch.full((count,), 0.5))

    @property
    def factors(self) -> Factors:
        return Factors(self.U, self.V, Gate(self.w_in, self.b_in, self.w_out, self.b_out))


@dataclass(frozen=True)
class Losses:
    """The losses of one step."""

    reconstruction: float
    """Nats, with stochastic masks."""
    minimality: float
    """Sum over components, mean over tokens."""
    faithfulness: float
    """Squared, relative to the weights."""


class ComponentTrainer:
    """A decomposition in training that can stop after any step and go on later.

    Args:
        loaded: the model, which is not changed.
        config: the recipe.
        batches: what it is trained on.
        folder: where the checkpoint is; an unfinished run there goes on.

    Raises:
        HeadrolesError: if the checkpoint there is damaged, or of another recipe.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        config: ComponentConfig,
        batches: Batches,
        folder: Path,
    ) -> None:
        self.loaded, self.config, self.batches, self.folder = loaded, config, batches, folder
        loaded.model.requires_grad_(False)
        self.weights: dict[Place, Tensor] = {
            (layer, name): projection(layer_weights(loaded, layer), name).float()
            for layer in range(loaded.num_layers)
            for name in config.counts
        }
        self.parts = nn.ModuleDict(
            {
                f"{layer}{name}": _Parts(
                    W, config.counts[name], config.hidden, [config.seed, layer, ord(name)]
                )
                for (layer, name), W in self.weights.items()
            }
        )
        self.optimizer = self._optimizer()
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        if (folder / CHECKPOINT).exists():
            self._load()
        else:
            self._warm_up()

    def _optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.parts.parameters(), lr=self.config.learning_rate, betas=(0.9, 0.99)
        )

    @property
    def factors(self) -> dict[Place, Factors]:
        """The components as they are now."""
        return {(int(key[:-1]), key[-1]): part.factors for key, part in self.parts.items()}

    def faithfulness(self) -> Float[Tensor, ""]:
        """``sum |sum of components - W|^2 / sum |W|^2`` over all projections."""
        factors = self.factors
        missed = sum(
            (factors[place].matrix() - W).square().sum() for place, W in self.weights.items()
        )
        return missed / sum(W.square().sum() for W in self.weights.values())

    def _warm_up(self) -> None:
        for _ in range(self.config.warm_up):
            self.optimizer.zero_grad(set_to_none=True)
            self.faithfulness().backward()
            self.optimizer.step()
        self.optimizer = self._optimizer()

    def advance(self) -> Losses:
        """One optimiser step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self.config.rate_at(self.step)
        ids, factors = self.batches.batch(self.step)[0][:, :-1], self.factors
        with self.loaded.lock:
            with torch.no_grad(), recorded(self.loaded, factors) as inputs:
                target = self.loaded.model(ids).logits
            raw = {
                place: of.gate.raw((inputs[place] @ of.U.T).detach())
                for place, of in factors.items()
            }
            with masked(self.loaded, factors, self._masks(raw)):
                reconstruction = divergence(target, self.loaded.model(ids).logits)
        power = self.config.power_at(self.step)
        minimality = sum(
            ((upper_leaky(x) + _EPSILON) ** power).sum(-1).mean() for x in raw.values()
        )
        faithfulness = self.faithfulness()
        loss = (
            reconstruction
            + self.config.minimality * minimality
            + self.config.faithfulness * faithfulness
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parts.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        return Losses(reconstruction.item(), minimality.item(), faithfulness.item())

    def _masks(self, raw: dict[Place, Tensor]) -> dict[Place, Tensor]:
        """``g + (1 - g) r``, with r uniform in the first half of the rows and 0 in the others."""
        draw = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        masks = {}
        for place, x in raw.items():
            g = _LowerLeaky.apply(x)
            r = torch.rand(g.shape, generator=draw)
            r[len(r) // 2 :] = 0
            masks[place] = g + (1 - g) * r
        return masks

    def run(
        self,
        until: int | None = None,
        *,
        every: int = 200,
        on_step: Callable[[int, Losses], None] | None = None,
    ) -> None:
        """Train to step ``until`` (default: the end), saving every few steps.

        Args:
            until: the last step.
            every: steps between checkpoints and lines of the history.
            on_step: told of every step.
        """
        until, since = self.config.steps if until is None else until, time.monotonic()
        seen: list[Losses] = []
        while self.step < until:
            seen.append(self.advance())
            if on_step:
                on_step(self.step, seen[-1])
            if self.step % every == 0 or self.step == self.config.steps:
                now = time.monotonic()
                self.seconds, since = self.seconds + now - since, now
                means = {
                    name: sum(getattr(losses, name) for losses in seen) / len(seen)
                    for name in asdict(seen[-1])
                }
                self.history.append({"step": self.step, "seconds": round(self.seconds), **means})
                seen.clear()
                self.save()
        self.save()

    def save(self) -> None:
        """Write the checkpoint in one move, so that a stop while writing loses nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "config": asdict(self.config),
            "parts": self.parts.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
        }
        partial = self.folder / (CHECKPOINT + ".tmp")
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)

    def _load(self) -> None:
        with ours(lambda _: self._unusable("is damaged, or of another model")):
            state = torch.load(self.folder / CHECKPOINT, weights_only=True)
            if state["config"] != asdict(self.config):
                raise self._unusable("was made with other settings")
            self.parts.load_state_dict(state["parts"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.history = state["step"], state["history"]
            self.seconds = state["seconds"]

    def _unusable(self, why: str) -> HeadrolesError:
        return HeadrolesError(
            f"The checkpoint in {self.folder} {why}.",
            hint="Choose another --checkpoint folder, or delete it.",
        )

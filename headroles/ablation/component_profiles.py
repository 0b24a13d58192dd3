"""What the components of one matrix do: at each token of a prompt, on text, and without one.

At a token, component c reads ``a = x . U_c`` of what its matrix is given (its *inner activation*)
and writes ``a V_c``, whose length is ``|a| |V_c|``. A trained component has an importance from 0 to
1 there besides (:class:`headroles.circuits.trained_components.Gate`), and is *alive* where that is
above :data:`ALIVE`. Position 0 holds the start token, the same in every text: means leave it out.

U and V may change their signs together, so the sign of an inner activation means something only
beside the other activations of the same component.

>>> found = on_prompt(loaded, "trained", (0, "q"), encoding.token_ids)  # doctest: +SKIP
>>> found.mean_importance.argmax()  # doctest: +SKIP
tensor(17)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.ablation.component_activity import activations
from headroles.ablation.conditions import Condition, Without
from headroles.ablation.outcomes import Comparison, compare
from headroles.ablation.run import ablate
from headroles.circuits import Kind, Spread, factors_at, head_shares, key_heads
from headroles.circuits.component_sets import degenerate, null, sizes
from headroles.circuits.trained_components import ALIVE, Factors, Place
from headroles.models import LoadedModel
from headroles.texts import SENTENCES, encode, spans
from headroles.texts.probe_texts import held_out_lines
from headroles.texts.sentences import HELD_OUT_TOKENS
from headroles.types import Component, Encoding, Head

STRONGEST = 6
"""Tokens of text that are kept of each component, with the highest activations and the lowest."""
_PIECES = 4
"""Most tokens of a character."""
_ROWS = 16
"""Texts of one pass."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """The components of one matrix, as far as the weights alone tell of them."""

    kind: Kind
    """Trained ones or those of the SVD."""
    place: Place
    """The layer and the matrix."""
    spread: Spread
    """How each is shared out among the heads; key/value heads for k and v."""
    heads: tuple[tuple[Head, ...], ...]
    """[head of the spread] the heads that it is of: one, or those that share a key/value head."""
    sizes: Float[Tensor, " component"]
    """[component] ``|U_c| |V_c|``."""
    null: Bool[Tensor, " component"]
    """[component] whether it is nothing but rounding."""
    degenerate: Bool[Tensor, " component"]
    """[component] whether its direction is arbitrary."""


@dataclass(frozen=True, eq=False)
class OnPrompt:
    """The components of one matrix at each token of a prompt."""

    activations: Float[Tensor, "pos component"]
    """[pos component] inner activations."""
    importances: Float[Tensor, "pos component"] | None
    """[pos component] 0..1; None where none were trained."""
    written: Float[Tensor, "pos component"]
    """[pos component] the length of what each writes."""

    @property
    def mean_importance(self) -> Float[Tensor, " component"] | None:
        """[component] its mean over the tokens, the start token left out."""
        return None if self.importances is None else _typical(self.importances).mean(0)

    @property
    def alive(self) -> Float[Tensor, " component"] | None:
        """[component] the share of those tokens on which it is alive."""
        return None if self.importances is None else _alive(_typical(self.importances))

    @property
    def shares(self) -> Float[Tensor, " component"]:
        """[component] the length of what it writes on those tokens, out of the sum over all
        components; they sum to 1."""
        return _shares(_typical(self.written).sum(0))


@dataclass(frozen=True)
class AtToken:
    """A token of a text that switches a component on, or off."""

    text: int
    """Which text."""
    position: int
    """From 1: the start token is left out; of a character of several tokens, that of its first."""
    activation: float
    """The inner activation there."""
    importance: float | None
    """0..1; None where none were trained."""


@dataclass(frozen=True, eq=False)
class OnText:
    """The components of one matrix on reference text, the start tokens left out."""

    texts: tuple[tuple[str, ...], ...]
    """[text][pos] the tokens of each text; a character of several tokens stands whole at its first,
    and nothing at the others."""
    sentences: int
    """How many of the texts are the project's sentences; the others are the model's own passages,
    which it was not trained on."""
    count: int
    """Tokens that the numbers are over."""
    alive: Float[Tensor, " component"] | None
    """[component] the share of tokens on which it is alive; None where no importances were
    trained."""
    importance: Float[Tensor, " component"] | None
    """[component] mean importance; None likewise."""
    written: Float[Tensor, " component"]
    """[component] mean length of what it writes."""
    highest: tuple[tuple[AtToken, ...], ...]
    """[component] the tokens with the highest inner activations, the highest first."""
    lowest: tuple[tuple[AtToken, ...], ...]
    """[component] those with the lowest, the lowest first."""

    @property
    def shares(self) -> Float[Tensor, " component"]:
        """[component] what it writes, out of the sum over all components."""
        return _shares(self.written)


@dataclass(frozen=True)
class Effect:
    """A prompt without one component, beside the model with all of them."""

    heads: tuple[Head, ...] | None
    """The heads that lost it; None for all heads of the layer."""
    comparison: Comparison
    """What it changes."""


def matrix(loaded: LoadedModel, kind: Kind, place: Place) -> Matrix:
    """The components of one matrix.

    Raises:
        DecompositionError: if there are none of this kind.
    """
    factors = factors_at(loaded, kind, place)
    return Matrix(
        kind,
        place,
        head_shares(loaded, place, factors),
        tuple(_groups(loaded, place)),
        sizes(factors),
        null(factors),
        degenerate(factors),
    )


def on_prompt(loaded: LoadedModel, kind: Kind, place: Place, token_ids: Sequence[int]) -> OnPrompt:
    """What every component of a matrix does at each token of a prompt.

    Raises:
        DecompositionError: if there are no components of this kind.
        NotANumberError: if the model computes NaN or infinity.
    """
    factors = factors_at(loaded, kind, place)
    (a,) = (found[place] for found in activations(loaded, kind, [place], [token_ids]))
    return OnPrompt(a, _importances(factors, a), a.abs() * factors.V.norm(dim=1))


def on_text(loaded: LoadedModel, kind: Kind, place: Place) -> OnText:
    """What every component of a matrix does on the project's sentences and, of a bundled model, on
    its held-out passages.

    Raises:
        DecompositionError: if there are no components of this kind.
        TextFileError: if the held-out passages cannot be read.
    """
    factors = factors_at(loaded, kind, place)
    read = [
        *(encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens) for text in SENTENCES),
        *(
            encode(loaded.tokenizer, text, max_tokens=HELD_OUT_TOKENS)
            for text in held_out_lines(loaded.source)
        ),
    ]
    rows = activations(loaded, kind, [place], [one.token_ids for one in read])
    joined = [spans(one.tokens[1:]) for one in read]  # what the start token is, is no text
    where = [
        (text, span.first + 1)
        for text, parts in enumerate(joined)
        for span in parts
        for _ in range(span.size)
    ]
    a = torch.cat([row[place][1:] for row in rows])  # [token component]
    g = _importances(factors, a)
    return OnText(
        texts=tuple(
            (one.tokens[0], *(t for span in parts for t in (span.text, *[""] * (span.size - 1))))
            for one, parts in zip(read, joined, strict=True)
        ),
        sentences=len(SENTENCES),
        count=len(a),
        alive=None if g is None else _alive(g),
        importance=None if g is None else g.mean(0),
        written=a.abs().mean(0) * factors.V.norm(dim=1),
        highest=_strongest(a, g, where, largest=True),
        lowest=_strongest(a, g, where, largest=False),
    )


def alone(
    loaded: LoadedModel,
    kind: Kind,
    component: Component,
    encoding: Encoding,
    *,
    heads: Sequence[tuple[Head, ...] | None] | None = None,
) -> tuple[Effect, ...]:
    """A prompt without one component, beside the model with all of them.

    Args:
        loaded: a model.
        kind: trained ones or those of the SVD.
        component: what is missing.
        encoding: the prompt.
        heads: the heads that lose it, effect by effect; by default all heads of its layer first,
            then each alone. Heads that share a key or value head lose a component of keys or values
            together.

    Raises:
        UnknownComponentError: if there is no such component.
        DecompositionError: if there are none of this kind.
    """
    groups = [None, *_groups(loaded, component.place)] if heads is None else heads
    every = Condition("all components", (Without((), kind),))
    conditions = [Condition("", (Without((component,), kind, only_in=group),)) for group in groups]
    _, clean, *outcomes = ablate(loaded, encoding, [every, *conditions])
    return tuple(
        Effect(group, compare(clean, outcome, answer=clean.guess, token_ids=encoding.token_ids))
        for group, outcome in zip(groups, outcomes, strict=True)
    )


def all_components(loaded: LoadedModel, kind: Kind, encoding: Encoding) -> Comparison:
    """The model with all components beside the model itself, on a prompt.

    Raises:
        DecompositionError: if there are no components of this kind.
    """
    every = Condition("all components", (Without((), kind),))
    model, components = ablate(loaded, encoding, [every])
    return compare(model, components, answer=model.guess, token_ids=encoding.token_ids)


def _groups(loaded: LoadedModel, place: Place) -> list[tuple[Head, ...]]:
    """The heads of a matrix, those together that share its keys or values."""
    layer, name = place
    heads = Head.every([layer], loaded.num_heads)
    if name in "qo":
        return [(head,) for head in heads]
    shared: dict[int, list[Head]] = {}
    for head, own in zip(heads, key_heads(loaded, layer), strict=True):
        shared.setdefault(own, []).append(head)
    return [tuple(shared[own]) for own in sorted(shared)]


def _importances(
    factors: Factors, activations: Float[Tensor, "of component"]
) -> Float[Tensor, "of component"] | None:
    return None if factors.gate is None else factors.gate.importances(activations)


def _typical(at: Float[Tensor, "pos component"]) -> Float[Tensor, "some component"]:
    """Without the start token, unless there is nothing else."""
    return at[1:] if len(at) > 1 else at


def _alive(importances: Float[Tensor, "of component"]) -> Float[Tensor, " component"]:
    return (importances > ALIVE).float().mean(0)


def _shares(written: Float[Tensor, " component"]) -> Float[Tensor, " component"]:
    return written / written.sum().clamp_min(torch.finfo(written.dtype).tiny)


def _strongest(
    activations: Float[Tensor, "token component"],
    importances: Float[Tensor, "token component"] | None,
    where: Sequence[tuple[int, int]],
    *,
    largest: bool,
) -> tuple[tuple[AtToken, ...], ...]:
    """[component] the tokens at one end; of a character of several tokens, the strongest."""
    order = activations.argsort(dim=0, descending=largest, stable=True)[: STRONGEST * _PIECES]
    values_of = activations.gather(0, order).T.tolist()
    g = None if importances is None else importances.gather(0, order).T.tolist()
    found = []
    for number, (tokens, values) in enumerate(zip(order.T.tolist(), values_of, strict=True)):
        kept: dict[tuple[int, int], AtToken] = {}
        for place, (token, value) in enumerate(zip(tokens, values, strict=True)):
            own = AtToken(*where[token], value, None if g is None else g[number][place])
            kept.setdefault(where[token], own)
        found.append(tuple(kept.values())[:STRONGEST])
    return tuple(found)

"""Inner activations and importances of components on texts, one matrix or several in one pass.

A component's inner activation at a token is ``x . U_c``, with x what its matrix is given there in a
pass of the model as it is. Its importance is what its network makes of that
(:class:`headroles.circuits.trained_components.Gate`); components of an SVD have none.

>>> (row,) = activations(loaded, "trained", [(0, "q"), (0, "k")], [encoding.token_ids])
...     # doctest: +SKIP
>>> row[0, "q"].shape  # doctest: +SKIP
torch.Size([12, 96])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.ablation.component_model import recorded
from headroles.capture import run_edited
from headroles.circuits import Kind, factors_at
from headroles.circuits.co_activation import CoActivation, co_activation
from headroles.circuits.trained_components import ALIVE, Place
from headroles.errors import DecompositionError
from headroles.models import LoadedModel
from headroles.texts import SENTENCES, encode
from headroles.texts.probe_texts import held_out_lines, pack
from headroles.texts.sentences import HELD_OUT_TOKENS

_ROWS = 16
"""Texts of one pass."""

Activations = dict[Place, Tensor]
"""{matrix: [pos component] inner activations} of one text; texts differ in length."""


def text_rows(loaded: LoadedModel) -> list[tuple[int, ...]]:
    """The project's sentences and, of a bundled model, passages that it was not trained on.

    Raises:
        TextFileError: if the passages cannot be read.
    """
    sentences = [
        encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens).token_ids for text in SENTENCES
    ]
    passages = [
        encode(loaded.tokenizer, text, max_tokens=HELD_OUT_TOKENS).token_ids
        for text in held_out_lines(loaded.source)
    ]
    return sentences + passages


def activations(
    loaded: LoadedModel, kind: Kind, places: Sequence[Place], rows: Sequence[Sequence[int]]
) -> Iterator[Activations]:
    """Text by text, the inner activations of the components of some matrices.

    Args:
        loaded: the model.
        kind: of the components.
        places: the matrices.
        rows: [text][pos] ids, position 0 being the start token.

    Raises:
        DecompositionError: if there are no components of this kind.
        NotANumberError: if the model computes NaN or infinity.
    """
    factors = {place: factors_at(loaded, kind, place) for place in places}
    layers = [layer for layer, _ in places]
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        with loaded.lock, recorded(loaded, places) as inputs:
            run_edited(
                loaded,
                pack(part).token_ids,
                keep_outputs=[max(layers)],
                with_logits=False,
                hooked=min(layers),
            )
        given = {
            place: x.reshape(len(part), -1, x.shape[-1]).float()  # OPT folds rows and positions
            for place, x in inputs.items()
        }
        for row, ids in enumerate(part):
            yield {place: x[row, : len(ids)] @ factors[place].U.T for place, x in given.items()}


def on_text(loaded: LoadedModel, kind: Kind, places: Sequence[Place]) -> list[Activations]:
    """The same on the texts of :func:`text_rows`."""
    return list(activations(loaded, kind, places, text_rows(loaded)))


def without_starts(texts: Sequence[Activations], place: Place) -> Float[Tensor, "token component"]:
    """[token component] all tokens of all texts, one after the other, but for the start tokens."""
    return torch.cat([text[place][1:] for text in texts])


def importances(
    loaded: LoadedModel, kind: Kind, place: Place, found: Float[Tensor, "token component"]
) -> Float[Tensor, "token component"] | None:
    """[token component] importances of these inner activations, 0..1; None where none were trained.

    Raises:
        DecompositionError: if there are no components of this kind.
    """
    gate = factors_at(loaded, kind, place).gate
    return None if gate is None else gate.importances(found)


def alive_together(
    loaded: LoadedModel, kind: Kind, first: Place, second: Place, texts: Sequence[Activations]
) -> CoActivation:
    """How the components of two matrices are alive on the same tokens, start tokens left out.

    Raises:
        DecompositionError: if the components have no importances.
    """

    def alive(place: Place) -> Bool[Tensor, "token component"]:
        found = importances(loaded, kind, place, without_starts(texts, place))
        if found is None:
            raise DecompositionError(
                "These components have no importances, so none is alive or not.",
                hint="Choose trained components.",
            )
        return found > ALIVE

    return co_activation(alive(first), alive(second))

"""Trained components go to a file and come back, and what does not fit is refused by name."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from headroles.circuits import layer_weights
from headroles.circuits.svd import thin_svd
from headroles.circuits.trained_components import (
    FORMAT,
    PROJECTIONS,
    Factors,
    load_factors,
    projection,
    relative_error,
    save_factors,
    shapes_of,
)
from headroles.errors import DecompositionError


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_a_round_trip(family, load_family, tmp_path):
    loaded, path = load_family(family), tmp_path / "parts.safetensors"
    weights, made = layer_weights(loaded, 1), {}
    for name in PROJECTIONS:
        matrix = projection(weights, name)
        U, S, V = thin_svd(matrix, torch.eye(matrix.shape[1]))
        made[1, name] = Factors(U * S[:, None], V)
    save_factors(path, made)
    found = load_factors(path, shapes=shapes_of(loaded))
    assert found.keys() == made.keys()
    for place, one in found.items():
        assert torch.equal(one.U, made[place].U)
        assert torch.equal(one.V, made[place].V)
        assert relative_error(one, projection(weights, place[1])) < 1e-5


def test_the_projection_is_the_one_that_the_heads_share_out(load_family):
    weights = layer_weights(load_family("llama"), 0)
    d_head = weights.W_Q.shape[-1]
    assert torch.equal(projection(weights, "q")[:, d_head : 2 * d_head], weights.W_Q[1])
    assert torch.equal(projection(weights, "o")[d_head : 2 * d_head], weights.W_O[1])
    assert projection(weights, "k").shape[1] == 2 * d_head  # two key heads


GOOD = {"layers.0.q.U": torch.ones(3, 4), "layers.0.q.V": torch.ones(3, 6)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layers.0.q.U": torch.ones(3, 5)}, r"layers.0.q.U is \[3, 5\], not \[components, 4\]"),
        ({"layers.0.q.V": torch.ones(2, 6)}, "3 rows of U and 2 of V"),
        ({"layers.0.q.V": torch.full((3, 6), torch.nan)}, "not finite"),
        ({"layers.0.q.V": torch.full((3, 6), 1e300, dtype=torch.float64)}, "not finite"),
        ({"layers.0.q.V": torch.ones(3, 6, dtype=torch.long)}, "numbers"),
        ({"layers.7.q.U": torch.ones(3, 4)}, "layers.7.q is not in the model"),
        ({"layers.0.k.U": torch.ones(3, 4)}, "only one of U and V"),
        ({"weights": torch.ones(3)}, "no name of a component"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, says, tmp_path):
    path = tmp_path / "parts.safetensors"
    save_file({**GOOD, **changes}, str(path), metadata={"format": FORMAT, "version": "1"})
    with pytest.raises(DecompositionError, match=says):
        load_factors(path, shapes={(0, "q"): (4, 6), (0, "k"): (4, 6)})


def test_a_file_of_something_else_is_refused(tmp_path):
    shapes = {(0, "q"): (4, 6)}
    path = tmp_path / "parts.safetensors"
    save_file(GOOD, str(path))
    with pytest.raises(DecompositionError, match="metadata"):
        load_factors(path, shapes=shapes)
    path.write_bytes(b"no safetensors")
    with pytest.raises(DecompositionError, match="cannot be read"):
        load_factors(path, shapes=shapes)
    with pytest.raises(DecompositionError, match="cannot be read"):
        load_factors(tmp_path / "nothing.safetensors", shapes=shapes)

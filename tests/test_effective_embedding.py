"""Each token after the first block: the model's own block against formulas and TransformerLens."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from headroles.analysis.bridge import load_bridge
from headroles.analysis.direct_effect_roles import effective_embeddings
from headroles.circuits import effective, weights
from tests.families import FAMILIES

SOME = torch.tensor([0, 7, 41, 200])


@pytest.mark.parametrize("family", FAMILIES)
def test_both_halves_find_the_same_after_the_first_block(load_family, model_folders, family):
    """TransformerLens runs other code: its hooks on the stream give what the block gave here."""
    loaded = load_family(family)
    bridge = load_bridge(str(model_folders(family)))
    before, after = effective_embeddings(bridge, SOME)
    made = effective.effective_embedding(loaded)[SOME]
    size = float(after.abs().max())
    assert_close(weights.embedding(loaded)[SOME], before, atol=1e-5 * size, rtol=0)
    assert_close(made, after, atol=1e-5 * size, rtol=0)

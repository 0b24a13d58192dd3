"""What a pass through TransformerLens leaves behind."""

from __future__ import annotations

import pytest
import torch

from headroles.analysis.bridge import forget_patterns, load_bridge
from tests.families import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_no_module_of_any_family_keeps_its_pattern(model_folders, family: str) -> None:
    bridge = load_bridge(str(model_folders(family)))
    keeping = [module for module in bridge.modules() if hasattr(module, "_pattern")]
    assert keeping
    for module in keeping:
        module._pattern = torch.ones(1, 4, 3, 3)
    forget_patterns(bridge)
    assert not any(module._pattern is not None for module in keeping)

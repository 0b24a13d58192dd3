"""A real language model for the tests of this folder; ``real_model`` is its key."""

from __future__ import annotations

import pytest

from headroles import models
from headroles.models import LoadedModel


@pytest.fixture(scope="session")
def real(real_model: str) -> LoadedModel:
    """The model, loaded once per process."""
    return models.load_model(real_model)

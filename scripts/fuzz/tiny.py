"""The bundled model, loaded once for all inputs of a run."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from headroles import models, roles

if TYPE_CHECKING:
    from headroles.models import LoadedModel
    from headroles.roles import Prompts

PROMPT = "The cat sat on the mat. The cat"


@functools.cache
def demo() -> LoadedModel:
    """The bundled model."""
    return models.load_model("demo")


@functools.cache
def prompts() -> Prompts:
    """A short text of the bundled model."""
    loaded = demo()
    return roles.read_prompts(loaded.tokenizer, [PROMPT], max_tokens=loaded.max_tokens)[0]

"""What runs a model through PyVene: interventions at some places, set and removed around one pass.

PyVene (Wu et al. 2024, arXiv 2403.07809) hooks the shared model while it runs, so a run holds the
model's lock. By itself it would search the whole model before and after every pass and remove
*every* forward hook, whoever set it; :class:`Runner` removes its own.
"""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Mapping

from torch import Tensor, nn

from headroles.models import LoadedModel
from headroles.models.probes import without_cache

with contextlib.redirect_stdout(io.StringIO()):  # it prints which optional backends are missing
    import pyvene

_OPTIONS = "options_of_a_pass"


class Runner(pyvene.IntervenableModel):
    """A PyVene model that leaves other hooks on the model alone.

    Args:
        model: the model, from transformers.
        places: {path of a module and ``.input`` or ``.output``: what stands there}. It is given
            the whole tensor: gathering single heads in PyVene returns wrong splits.
    """

    def __init__(self, model: nn.Module, places: Mapping[str, nn.Module]) -> None:
        self._handlers: list = []  # before PyVene's own set-up, which removes hooks
        config = pyvene.IntervenableConfig(
            [
                pyvene.RepresentationConfig(component=path, unit="t", intervention=place)
                for path, place in places.items()
            ]
        )
        super().__init__(config, model=model)

    def run(self, given: Mapping[str, object]) -> object:
        """The model's output from one pass, as the interventions make it."""
        # Without `output_original_output` PyVene makes a single pass; what only collects changes
        # nothing, so the "intervened" output is the model's own.
        _, output = self(dict(given), unit_locations=None)
        return output

    def _intervention_setter(self, *args: object, **settings: object):
        handlers = super()._intervention_setter(*args, **settings)
        self._handlers.append(handlers)
        return handlers

    def _remove_forward_hooks(self) -> None:
        for handlers in self._handlers:
            handlers.remove()
        self._handlers.clear()


def inputs(loaded: LoadedModel, token_ids: Tensor, *, last_only: bool = False) -> dict[str, object]:
    """What one pass over rows of tokens is given.

    Args:
        loaded: the model.
        token_ids: [row pos] ids.
        last_only: ask for the logits of the last position alone, where the model can be asked: a
            third of GPT-2's work goes into logits that nobody looks at.
    """
    if _OPTIONS not in loaded.tools:
        takes = inspect.signature(loaded.model.forward).parameters
        loaded.tools[_OPTIONS] = (
            "logits_to_keep" in takes,
            without_cache(loaded.model),
        )
    can_be_asked, uncached = loaded.tools[_OPTIONS]
    return (
        {"input_ids": token_ids}
        | ({"logits_to_keep": 1} if last_only and can_be_asked else {})
        | uncached
    )

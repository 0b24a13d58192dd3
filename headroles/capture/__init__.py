"""The model on a prompt through PyVene: attention patterns, and passes with changed activations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["attention", "head_outputs", "interventions", "packing", "runner"],
    submod_attrs={
        "attention": ["capture", "Collected", "collect", "each_layer"],
        "interventions": ["Edit", "EditOfSeen", "run_edited"],
        "head_outputs": ["output_change", "roots"],
    },
)

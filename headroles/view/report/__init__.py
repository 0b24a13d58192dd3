"""The report of a model: what is stored about it, gathered, and put into one document. Pure.

:mod:`gathering` reads; :mod:`build` puts the sections in order, and they have modules of their own.
No role is named here: what the registry and the entry hold is what a report has.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["build", "gathering"],
    submod_attrs={
        "build": ["document", "html", "markdown"],
        "gathering": ["Gathered", "gather", "of_entry", "weight_heads", "with_prompt"],
    },
)

"""Direct logit attribution: what each part of the model added to one token's logit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["contributions", "records"],
    submod_attrs={
        "contributions": ["Recording", "contribute", "record", "record_rows", "resolve_target"],
        "records": ["Chance", "Contributions", "Target"],
    },
)

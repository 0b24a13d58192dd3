"""Direct logit attribution: what each part of the model added to one token's logit."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "against_chance",
        "contributions",
        "copy_suppression",
        "outputs",
        "recording",
        "records",
    ],
    submod_attrs={
        "against_chance": ["chance"],
        "contributions": ["contribute", "head_effects", "project", "resolve_target"],
        "recording": ["Recording", "record", "record_rows"],
        "records": ["Chance", "Contributions", "Target"],
    },
)

"""Any detection pattern against every head, and where such a score misleads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "by_prompt",
        "caveats",
        "detection",
        "recipe_scores",
        "recipe_texts",
        "recipes",
    ],
    submod_attrs={
        "caveats": ["caveats_of", "kept_share"],
        "detection": [
            "Detection",
            "MAX_CELLS",
            "MEASURES",
            "Progress",
            "Summary",
            "detect",
            "prepare",
        ],
    },
)

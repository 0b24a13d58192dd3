"""From the scores of an analysis to an entry of the file: settings, selection, differences."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["diff", "published", "selection", "settings"],
    submod_attrs={
        "diff": ["RoleChange"],
        "selection": ["AnalysisSettings", "BY_HAND", "categorize", "reselect", "with_roles"],
        "settings": [
            "ALSO_ON",
            "CAUSAL_TEXTS",
            "MAX_CELLS",
            "WAKING_MARGIN",
            "causal_conditions",
            "wakes",
        ],
    },
)

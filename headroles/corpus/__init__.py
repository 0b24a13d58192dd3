"""What heads do on a lot of real text: one pass, many collectors, bounded memory."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "activity",
        "candidates",
        "kinds",
        "likeness",
        "parts",
        "profiles",
        "proposals",
        "reading",
        "role_shares",
        "strongest",
    ],
    submod_attrs={
        "reading": ["Batch", "Collector", "Corpus", "Reading", "draw", "read", "tokenize"],
        "parts": ["PARTS", "Pass", "Setting", "collectors", "stored"],
    },
)

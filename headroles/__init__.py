"""What the attention heads of a language model are for, and whether they do it on this sentence.

The package's face is small, and lazy: importing ``headroles`` loads no heavy library; the first use
of a function below loads torch. Neither needs TransformerLens, Streamlit or PyVene.

>>> import headroles
>>> headroles.load_head_categories("demo")["categories"].keys()  # doctest: +SKIP
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["HeadrolesError"],
        "head_detection": [
            "get_active_head_summary",
            "load_head_categories",
            "verify_head_activation",
        ],
    },
)

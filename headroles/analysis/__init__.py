"""The offline half: probe texts -> TransformerLens -> scores -> categories.

``texts`` makes the probe texts, ``bridge`` runs them, ``measure`` scores every head for every
role in one pass, ``run`` puts an entry of ``head_categories.json`` together (thresholds and top
heads come from :mod:`headroles.reference.selection`), and ``agreement`` compares with
TransformerLens' own detector. Only ``bridge`` and ``agreement`` import transformer_lens; nothing
here imports Streamlit or PyVene.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "bridge",
        "detect_head_parity",
        "direct",
        "extended_roles",
        "freshness",
        "ioi",
        "knockout",
        "measure",
        "run",
        "sequences",
    ],
    submod_attrs={
        "bridge": ["load_bridge"],
        "detect_head_parity": [
            "DETECTED",
            "detect_head_scores",
            "largest_difference",
            "own_detect_head",
        ],
        "extended_roles": ["measure_extended"],
        "freshness": ["faults", "known_revision", "why_stale"],
        "measure": ["make_texts", "measure_roles"],
        "run": ["analyze"],
    },
)

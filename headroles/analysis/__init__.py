"""The offline half: probe texts -> TransformerLens -> scores -> categories.

``bridge`` runs texts, ``measure`` scores every head for every basic role in one pass,
``extended_roles`` measures the others, ``run`` puts an entry of ``head_categories.json`` together
(thresholds and top heads come from :mod:`headroles.reference.selection`), ``hints`` finds a prompt
that wakes each listed head, and ``detect_head_parity`` compares with TransformerLens' own detector.
Nothing here imports Streamlit or PyVene.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attention_roles",
        "bridge",
        "cue_texts",
        "detect_head_parity",
        "direct",
        "direct_effect_roles",
        "extended_roles",
        "finished_parts",
        "freshness",
        "hints",
        "ioi",
        "knockout",
        "knockout_passes",
        "last_position",
        "measure",
        "missing_roles",
        "retrieval",
        "run",
        "s_inhibition",
        "sequences",
        "setting",
        "start_tokens",
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
        "hints": ["renewed", "with_hints"],
        "measure": ["make_texts", "measure_roles"],
        "missing_roles": ["missing", "with_missing_roles"],
        "run": ["analyze"],
    },
)

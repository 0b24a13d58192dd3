"""Charts: plain records in, a drawing out. The only imports of altair, once per shape of chart."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "ablation",
        "attention",
        "base",
        "before_after",
        "by_position",
        "circuit_drawing",
        "circuits",
        "contributions",
        "detector",
        "drawing",
        "heads",
        "induction_circuit",
        "profiles",
        "resting",
        "two_prompts",
        "working_backward",
    ],
    submod_attrs={
        "ablation": ["control_strip", "offset_profile"],
        "attention": ["SHADES", "shade"],
        "before_after": ["looks_by_offset", "looks_by_token", "token_lines"],
        "by_position": ["position_map"],
        "circuit_drawing": ["circuit_of_paths"],
        "heads": ["head_of_event", "share_title"],
        "induction_circuit": ["CIRCUIT_ALT", "circuit", "falls", "offsets", "shares"],
    },
)

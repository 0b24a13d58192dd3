"""The model with something ablated: conditions, one batched pass, what changed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "backup",
        "conditions",
        "controls",
        "induction_circuit",
        "offset_test",
        "outcomes",
        "run",
        "svd_components",
        "tables",
        "working_backward",
    ],
    submod_attrs={
        "conditions": ["Condition", "Edge", "HeadOutput", "Pattern", "Values"],
        "controls": ["Control", "Judgement", "judge", "random_others"],
        "induction_circuit": ["Drop", "repeated_rows"],
        "offset_test": ["Profile", "SAMPLES", "Sample", "draw_samples", "other_heads", "profile"],
        "outcomes": ["Comparison", "compare"],
        "run": ["ablate", "head_outputs", "reference_means"],
        "svd_components": [
            "OffsetScores",
            "Removal",
            "Removed",
            "offset_scores",
            "remarks",
            "remove",
        ],
        "tables": [
            "Moved",
            "PromptTable",
            "Row",
            "Summary",
            "ready_ranks",
            "short_list",
            "standard_conditions",
            "tabulate",
        ],
        "working_backward": ["Curve", "Standing", "Walk", "keep_only", "random_kept", "standings"],
    },
)

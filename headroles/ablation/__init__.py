"""The model with something ablated: conditions, one batched pass, what changed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "conditions",
        "controls",
        "induction_circuit",
        "many",
        "offset_test",
        "outcomes",
        "run",
        "svd_components",
        "tables",
    ],
    submod_attrs={
        "conditions": ["Condition", "Edge", "HeadOutput", "Pattern", "Values"],
        "controls": ["Control", "Judgement", "judge", "random_others"],
        "induction_circuit": ["Drop", "repeated_rows"],
        "many": ["Drawn", "LeftOut", "Settings", "Summary"],
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
            "ready_ranks",
            "short_list",
            "standard_conditions",
            "tabulate",
        ],
    },
)

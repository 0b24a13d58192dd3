"""Attention and tokens to numbers: activations, chance, thresholds, direct effects. Pure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "activation",
        "by_layer",
        "calibration",
        "causal_verdict",
        "direct_effects",
        "offsets",
        "random_heads",
        "random_tokens",
    ],
    submod_attrs={
        "activation": [
            "MIN_WORK",
            "CellWeights",
            "batch_activations",
            "cell_weights",
            "evidence",
            "mean_entropy",
            "missing_mass",
            "prompt_activations",
            "role_activation",
            "role_weights",
            "row_sizes",
        ],
        "by_layer": ["RoleActivation", "Sight", "Visible"],
        "calibration": [
            "FLOOR_LIFT",
            "FOR_LAYERS",
            "Threshold",
            "calibrate",
            "fits_nothing",
            "mean_and_error",
            "null_limit",
            "select_heads",
        ],
        "causal_verdict": [
            "Effect",
            "clear_against_zero",
            "clear_direction",
            "effect_of",
            "judge",
            "level_over",
            "needed",
        ],
        "direct_effects": [
            "cell_effects",
            "key_value_index",
            "largest_is",
            "through_norm",
            "write_effects",
        ],
        "offsets": [
            "OffsetProfile",
            "OffsetShare",
            "offset_profile",
            "offset_shares",
            "peaks",
            "without_rest",
        ],
        "random_heads": ["DRAWS", "Draws", "LEAST_POOL", "draw_control", "draw_sets"],
        "random_tokens": ["PlaceOrContent", "place_or_content"],
    },
)

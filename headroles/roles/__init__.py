"""What a head may do: roles, detection patterns, heads that papers name. No model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "cells",
        "expression",
        "known_heads",
        "pattern_matrix",
        "patterns",
        "prompts",
        "registry",
        "resting",
        "role",
        "tokenized",
    ],
    submod_attrs={
        "cells": ["earlier_copies"],
        "expression": ["EXAMPLES"],
        "known_heads": ["KnownHead", "named_heads"],
        "pattern_matrix": ["read_matrix"],
        "patterns": [
            "BUILT_IN",
            "MOST_OFFSET",
            "of_expression",
            "of_matrix",
            "offset",
            "parse_pattern",
        ],
        "prompts": ["Prompts", "prompts_of_run"],
        "registry": [
            "BASIC_ROLES",
            "DEFINITIONS_VERSION",
            "EXTENDED_ROLES",
            "LONGEST_OFFSET",
            "MIN_SEQUENCES",
            "ROLES",
            "SCORED_ROLES",
            "get_role",
            "role_measured_by",
        ],
        "role": [
            "CLASSIC",
            "FALL",
            "LEAST_FALL",
            "LEAST_LOGITS",
            "LOGITS",
            "RATE",
            "SHARE",
            "Role",
        ],
        "tokenized": ["prompts_of_ids", "read_prompts"],
    },
)

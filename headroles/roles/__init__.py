"""What a head may be said to do: roles, detection patterns, heads that papers name. No model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["expression", "extended", "known_heads", "pattern_matrix", "patterns", "registry"],
    submod_attrs={
        "expression": ["EXAMPLES"],
        "extended": [
            "EXTENDED_ROLES",
            "EXTENDED_VERSION",
            "ExtendedRole",
            "LOGITS",
            "LONGEST_OFFSET",
            "RATE",
            "SHARE",
        ],
        "known_heads": ["KnownHead", "named_heads"],
        "pattern_matrix": ["read_matrix"],
        "patterns": [
            "BUILT_IN",
            "MOST_OFFSET",
            "Pattern",
            "Prompts",
            "as_detect_head_draws",
            "check_count",
            "delimiter_cells",
            "of_expression",
            "of_matrix",
            "offset",
            "offset_cells",
            "parse_pattern",
            "prompts_of_ids",
            "prompts_of_run",
            "read_prompts",
        ],
        "registry": [
            "DEFINITIONS_VERSION",
            "MIN_SEQUENCES",
            "ROLES",
            "Role",
            "SCORED_ROLES",
            "earlier_copies",
            "get_role",
        ],
    },
)

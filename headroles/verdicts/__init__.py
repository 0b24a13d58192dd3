"""What a head does on this prompt: active, quiet, not applicable, too short to tell; and why."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["evaluation", "extended", "head", "prompt"],
    submod_attrs={
        "evaluation": ["ActivityRow", "activity_table"],
        "extended": ["judge_heads"],
        "head": [
            "Passport",
            "AblationEvidence",
            "RoleRecord",
            "TokenLinks",
            "describe",
            "key_value_partners",
            "kappa",
            "neighbours",
            "passport",
            "role_title",
            "same_role",
            "token_links",
        ],
        "prompt": [
            "DEFAULT_THRESHOLDS",
            "PromptScores",
            "head_index",
            "judge",
            "judge_as",
            "literature_entry",
            "score_prompt",
            "summarize",
            "summarize_literature",
            "thresholds_in",
            "unpack_heads",
            "verdict_row",
        ],
    },
)

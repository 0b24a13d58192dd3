"""What a head does on this prompt: active, quiet, not applicable, too short to tell; and why."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "evaluation",
        "head",
        "other_heads",
        "prompt",
        "reasons",
        "scores",
        "sentence",
        "summary",
    ],
    submod_attrs={
        "evaluation": ["ActivityRow", "activity_table"],
        "head": [
            "AblationEvidence",
            "Passport",
            "RoleRecord",
            "TokenLinks",
            "kappa",
            "passport",
            "role_title",
            "token_links",
        ],
        "other_heads": ["key_value_partners", "neighbours", "same_role"],
        "prompt": [
            "DEFAULT_THRESHOLDS",
            "active_heads",
            "cannot_be_judged",
            "judge",
            "judge_as",
            "judge_heads",
            "thresholds_in",
            "too_little",
        ],
        "scores": ["PromptScores", "score_prompt", "score_run"],
        "sentence": ["describe"],
        "summary": [
            "head_index",
            "ids_of",
            "literature_entry",
            "patterns_of",
            "summarize",
            "summarize_literature",
            "unpack_heads",
            "verdict_row",
        ],
    },
)

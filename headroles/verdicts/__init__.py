"""What a head does on this prompt: active, quiet, not applicable, too short to tell; and why."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "changing_patterns",
        "evaluation",
        "given",
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
        "given": ["attention_of", "head_index", "ids_of", "unpack_heads"],
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
        "other_heads": [
            "clearest_role",
            "first_head",
            "key_value_partners",
            "neighbours",
            "same_role",
        ],
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
            "literature_entry",
            "summarize",
            "summarize_literature",
            "verdict_row",
        ],
    },
)

"""What is run through a model: tokens, probe texts, sentences, ready prompts, examples."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "chat_format",
        "examples",
        "hint_prompts",
        "probe_texts",
        "ready_pairs",
        "prompt_files",
        "ready_prompts",
        "sentences",
        "start_tokens",
        "text_files",
        "tokenization",
        "words",
    ],
    submod_attrs={
        "examples": ["DEFAULT_PROMPT", "STORY_EXAMPLES", "TEXT_EXAMPLES", "repeating"],
        "probe_texts": [
            "GENERATED",
            "batches",
            "generated",
            "held_out_sequences",
            "known_ids",
            "pack",
        ],
        "ready_pairs": ["PAIR_KINDS", "READY_PAIRS", "ReadyPair", "exchanged"],
        "prompt_files": ["read_prompts"],
        "ready_prompts": ["KINDS", "READY", "ReadyPrompt"],
        "sentences": ["HELD_OUT_FILE", "HELD_OUT_TEXTS", "SENTENCES"],
        "text_files": ["as_text", "read_text"],
        "start_tokens": ["StartToken", "start_token"],
        "tokenization": [
            "MAX_TOKENS",
            "Span",
            "encode",
            "ids_of",
            "is_delimiter",
            "likeliest_reading",
            "spans",
            "token_labels",
            "token_texts",
        ],
    },
)

"""How the bundled model is made: its text, its tokenizer, its training and its card."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attention_only",
        "card",
        "component_card",
        "components",
        "english",
        "held_out",
        "lexicon",
        "monitor",
        "optimizer",
        "tasks",
        "templates",
        "tokenizer",
        "trainer",
    ],
    submod_attrs={
        "attention_only": [
            "FOLDERS",
            "attention_only_config",
            "build_attention_only",
            "export_attention_only",
        ],
        "card": ["write_card"],
        "component_card": ["export_components"],
        "components": [
            "ComponentConfig",
            "ComponentTrainer",
            "component_batches",
            "component_config",
        ],
        "english": ["StoryGrammar"],
        "held_out": ["write_held_out"],
        "monitor": ["HeadScores", "ROLES"],
        "tokenizer": ["train_tokenizer"],
        "trainer": ["Trainer", "TrainingConfig"],
    },
)

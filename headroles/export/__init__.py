"""Files to download: tables with their provenance, code that reproduces the numbers, pictures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "ablation_report",
        "circuits",
        "contributions",
        "detection",
        "many_prompts",
        "notebook",
        "patching",
        "pictures",
        "provenance",
        "tables",
        "working_backward",
    ],
    submod_attrs={
        "ablation_report": [
            "condition_table",
            "marked_strip",
            "moved_cells",
            "strip",
            "to_csv",
            "to_html",
        ],
        "circuits": ["example_prompt", "listed"],
        "detection": ["pattern_csv"],
        "many_prompts": ["watched"],
        "patching": ["patch_provenance", "patch_rows"],
        "tables": ["csv_bytes", "heads_csv"],
    },
)

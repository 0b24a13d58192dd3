"""Files to download: tables with their provenance, code that reproduces the numbers, pictures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "ablation_report",
        "circuits",
        "component_tests",
        "contributions",
        "detection",
        "detection_code",
        "document_html",
        "document_markdown",
        "documents",
        "many_prompts",
        "notebook",
        "patching",
        "pictures",
        "provenance",
        "qr_code",
        "real_text",
        "recipes",
        "sequences",
        "tables",
        "token_kinds",
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

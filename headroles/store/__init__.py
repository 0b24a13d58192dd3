"""The only writer of ``data/``: the file of the roles, its schema and versions, and the list."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "categories",
        "class_file",
        "class_lessons",
        "class_roles",
        "contents",
        "files",
        "made_elsewhere",
        "model_list",
        "real_text",
        "records",
        "schema",
        "stored_role",
        "token_frequencies",
        "version_1",
        "versions",
    ],
    submod_attrs={
        "categories": ["Good", "Version", "read_all", "read_entry", "write_entry"],
        "files": ["replace_file", "writing"],
        "records": [
            "Category",
            "CausalEffect",
            "CausalGroup",
            "CausalHead",
            "CausalRole",
            "CausalRule",
            "Control",
            "Hint",
            "KnockOut",
            "OffsetProfiles",
            "RoleHints",
            "StartCandidate",
            "Tokenization",
            "TopHead",
            "WokenHead",
        ],
        "real_text": ["RealText", "read_real_text", "write_real_text"],
        "schema": ["ModelEntry"],
        "stored_role": ["StoredRole"],
        "token_frequencies": ["TokenFrequencies", "read_frequencies", "write_frequencies"],
    },
)

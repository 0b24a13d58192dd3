"""The only reader and writer of ``data/``: the file of the roles, its schema and its versions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "categories",
        "extended_schema",
        "files",
        "schema",
        "token_frequencies",
        "versions",
    ],
    submod_attrs={
        "categories": ["Good", "Version", "read_all", "read_entry", "write_entry"],
        "extended_schema": [
            "ExtendedScores",
            "ExtendedSection",
            "ExtendedTopHead",
            "OffsetProfiles",
        ],
        "files": ["replace_file", "writing"],
        "schema": [
            "Category",
            "CausalEffect",
            "CausalGroup",
            "CausalHead",
            "CausalRole",
            "Control",
            "ModelEntry",
            "Tokenization",
            "TopHead",
        ],
        "token_frequencies": ["TokenFrequencies", "read_frequencies", "write_frequencies"],
    },
)

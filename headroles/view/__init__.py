"""Records and sentences of pages. Pure: no Streamlit, no Altair, no PyVene."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "ablation_html",
        "candidate",
        "causal",
        "conclusions",
        "detection",
        "entry_diff",
        "extended_roles",
        "glossary",
        "glossary_pictures",
        "head_maps",
        "html",
        "jobs",
        "lamps",
        "lists",
        "many_texts",
        "map_conclusions",
        "markdown",
        "offer",
        "resting_layers",
        "role_cards",
        "tables",
        "two_models",
        "two_prompts",
        "waking",
        "working_backward",
    ],
    submod_attrs={
        "causal": ["LABELS", "MARKS"],
        "extended_roles": ["columns", "summary_rows"],
        "head_maps": ["ModelMap", "RoleMap", "in_a_line"],
        "html": ["count", "shorten", "token_labels", "truncation_sentence"],
        "resting_layers": ["RestingLayers"],
        "role_cards": ["RoleCard"],
        "two_prompts": ["RolePair", "export_rows", "suggestion"],
    },
)

"""Planted attention: every head does exactly one thing, so every number on the page is known.

The bundled model still tokenises and guesses; only its attention is replaced.
"""

from __future__ import annotations

from headroles.types import Head

PLANTED = {
    "previous_token": Head(0, 0),
    "induction": Head(1, 1),
    "duplicate_token": Head(2, 2),
    "positional": Head(3, 3),
    "diffuse": Head(0, 7),
}
"""The one head of each role; every other head looks at its own token."""

THRESHOLDS = {
    "previous_token": 0.4,
    "induction": 0.4,
    "duplicate_token": 0.4,
    "positional": 0.5,
    "diffuse": 0.75,
}


def planted_attention(token_ids, layers: int, heads: int):
    """[layer head query key]: each planted head looks only where its role says, else at 0."""
    import torch

    from headroles.roles import ROLES, Prompts

    length = len(token_ids)
    attention = torch.eye(length).expand(layers, heads, length, length).clone()
    rest = torch.zeros(length, length)
    rest[:, 0] = 1
    for key, head in PLANTED.items():
        role = ROLES[key]
        if role.cells is None:
            pattern = torch.ones(length, length).tril()
        else:
            cells = role.cells(Prompts.of_ids(token_ids))[0].float()
            pattern = torch.where(cells.sum(-1, keepdim=True) > 0, cells, rest)
        attention[head] = pattern / pattern.sum(-1, keepdim=True)
    return attention


def unplanted(layers: int, heads: int) -> list[Head]:
    """The heads without a role: what the analysis lists under `other`."""
    every = [Head(layer, head) for layer in range(layers) for head in range(heads)]
    return [head for head in every if head not in PLANTED.values()]


def planted_entry(layers: int, heads: int, *, model: str = "demo"):
    """The analysis that fits the planted heads; the induction head is listed twice."""
    from headroles.roles import BASIC_ROLES, DEFINITIONS_VERSION
    from headroles.store import categories as store_categories

    zeros = [[0.0] * heads for _ in range(layers)]
    scores, categories = {}, {}
    for role in BASIC_ROLES.values():
        listed = [PLANTED[role.key]] if role.key in PLANTED else unplanted(layers, heads)
        if role.is_scored:
            scores[role.key] = [list(row) for row in zeros]
            scores[role.key][listed[0].layer][listed[0].head] = 1.0
        if role.key == "duplicate_token":
            listed.append(PLANTED["induction"])
        categories[role.key] = store_categories.Category(
            display_name=role.name,
            description=role.explanation,
            icon=role.icon,
            threshold=THRESHOLDS.get(role.key),
            top_heads=[
                store_categories.TopHead(
                    layer=head.layer, head=head.head, score=0.9, standard_error=0.01
                )
                for head in listed
            ],
        )
    return store_categories.ModelEntry(
        definitions_version=DEFINITIONS_VERSION,
        model_name=model,
        source=model,
        revision="planted",
        num_layers=layers,
        num_heads=heads,
        analysis_date="2026-01-01",
        seed=0,
        sequences=1,
        cap=8,
        tokenization=store_categories.Tokenization(
            start_token="<|endoftext|>", start_token_id=0, is_stand_in=False
        ),
        library_versions={},
        categories=categories,
        all_scores=scores,
        standard_errors=dict.fromkeys(scores, zeros),
        controls={},
        null_scores={},
    )

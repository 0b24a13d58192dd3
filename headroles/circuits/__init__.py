"""A head read from its weights: QK and OV circuits, composition, singular values."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "co_activation",
        "component_pairs",
        "component_sets",
        "composition",
        "effective",
        "likeness",
        "overview",
        "qk_ov",
        "reconstruction",
        "summary",
        "svd",
        "tracing",
        "trained_components",
        "weights",
    ],
    submod_attrs={
        "component_sets": [
            "Kind",
            "SVD",
            "TRAINED",
            "check_components",
            "component_counts",
            "factors_at",
            "head_shares",
            "kinds_of",
            "places_of",
        ],
        "composition": ["Composition"],
        "qk_ov": [
            "CircuitSettings",
            "KeyRow",
            "Peaks",
            "TokenValue",
            "head_factors",
            "key_table",
            "uniform",
        ],
        "summary": ["HeadSummary", "PositionalTable", "positional_table", "summarise"],
        "svd": ["Components", "OV", "QK", "Spread", "components", "spread"],
        "tracing": ["query_key_products"],
        "weights": [
            "HeadWeights",
            "Input",
            "attention_norm",
            "input_place",
            "key_heads",
            "layer_weights",
            "layout",
            "query_place",
        ],
    },
)

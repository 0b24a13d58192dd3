"""A model in memory: the catalogue, loading with probes, the Hub, downloads, memory."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "blocks",
        "catalogue",
        "downloads",
        "facts",
        "gguf_conversion",
        "gguf_files",
        "hub",
        "loading",
        "memory",
        "packages",
        "pool",
        "precision",
        "preparing",
        "probes",
        "tl_legacy",
        "tl_to_gpt2",
    ],
    submod_attrs={
        "catalogue": ["CATALOGUE", "DEFAULT_MODEL", "catalogue_key", "resolve_source"],
        "downloads": ["Fetch", "Fetches"],
        "facts": ["ModelFacts", "inspect_model"],
        "hub": ["free_disk"],
        "loading": [
            "LoadedModel",
            "fetch_model",
            "is_here",
            "load_model",
            "load_tokenizer",
            "load_weights",
            "local_files",
            "model_revision",
            "quantization",
            "stored_numbers",
            "sweep_unfinished",
        ],
        "memory": ["available_memory", "container_rooms", "total_memory"],
        "pool": ["ModelPool"],
        "tl_to_gpt2": ["convert", "left_out"],
    },
)

"""The model with something taken out: conditions, one batched pass, what changed."""

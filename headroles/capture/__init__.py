"""The model on a prompt through PyVene: attention patterns, and passes with changed activations."""

"""The Head close-up: one head on the prompt, down to single cells."""

"""Your Prompt: a sentence, and what the heads with a role do on it."""

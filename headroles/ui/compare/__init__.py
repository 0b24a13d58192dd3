"""Two prompts side by side on Your Prompt: the same heads, paired bars and the change."""

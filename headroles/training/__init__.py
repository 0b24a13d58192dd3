"""How the bundled model is made: its text, its tokenizer, its training and its card."""

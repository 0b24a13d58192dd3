"""The page Answer: which parts of the model wrote the next token, and through which paths."""

"""What is run through a model: tokens, probe texts, sentences, ready prompts, examples."""

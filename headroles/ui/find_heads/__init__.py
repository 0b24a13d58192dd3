"""The page Find heads: heads by two numbers, by likeness, layer by layer, and across models."""

"""Attention and tokens to numbers: activations, chance, thresholds, direct effects. Pure."""

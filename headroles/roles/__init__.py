"""What a head may be said to do: roles, detection patterns, heads that papers name. No model."""

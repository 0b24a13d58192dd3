"""Any detection pattern against every head, and where such a score misleads."""

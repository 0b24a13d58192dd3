"""Files to download: tables with their provenance, code that makes the numbers again, pictures."""

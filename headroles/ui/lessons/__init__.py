"""The page Lessons, one module per part."""

"""The Head map: every head for every role."""

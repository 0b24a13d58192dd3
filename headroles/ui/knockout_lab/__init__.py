"""The Knock-out lab: one module per section."""

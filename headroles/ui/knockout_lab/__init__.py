"""The Knock-out lab: a section per module."""

"""The parts of the page Head close-up: one head, from its passport to its single cells."""

"""The parts of the page Head map: every head of a model, on one picture and in one table."""

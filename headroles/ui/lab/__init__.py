"""The parts of the page Detector lab: any pattern against every head of a model."""

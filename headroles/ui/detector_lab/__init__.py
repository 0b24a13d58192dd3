"""The Detector lab: any detection pattern against every head of the model."""

"""A head read from its weights: QK and OV circuits, composition, singular values."""

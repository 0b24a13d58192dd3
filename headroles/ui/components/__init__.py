"""The page Components: the rank-one parts of a layer's matrices."""

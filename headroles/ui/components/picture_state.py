"""The session keys of the sections with the pictures of components."""

from __future__ import annotations

from headroles.ui.app.keys import Keys

key = Keys(__name__)
STRENGTHS = {"typical": "Typical activations", "measured": "Measured on text"}
"""{what pairs are multiplied with: what the reader sees}."""
ORDERS = {"size": "Largest", "change": "Change most with distance"}
"""{which pairs are shown: what the reader sees}; as in
:data:`headroles.circuits.component_pairs.ORDERS`."""
STRENGTH = key("strength", "typical")
"""One of :data:`STRENGTHS`."""
ORDER = key("pair_order", "size")
"""One of :data:`ORDERS`."""
WITH_REST = key("with_rest", False)
"""Whether the lines of the biases, of all other pairs and of the sum are drawn, too."""
OFFSET_HEAD = key("offset_head", None)
"""The head, by its number in the layer, whose scores are shown; None for all together."""
OFFSET_BOX = key("offset_box")
"""Its box; one key for each layer."""
MEASURE = key("together_measure", "phi")
"""How closely components go together: one of
:data:`headroles.view.component_pictures.MEASURES`."""
WRONG_HEAD = key("wrong_head", None)
"""The head whose wrong cells are shown; None for the strongest induction head."""
WRONG_BOX = key("wrong_box")
"""Its box; one key for each model."""
MOST_CELLS = 8
"""Wrong cells of a head, at most; as :data:`headroles.ablation.component_errors.CELLS`."""
WRONG_CELL = key("wrong_cell", 1)
"""Which of a head's wrong cells is looked at closely, from 1 for the largest."""
WRONG_CELL_BOX = key("wrong_cell_box")
"""Its box; one key for each head of a model."""

begin = key.begin

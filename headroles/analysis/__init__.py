"""The offline half: probe texts -> TransformerLens -> scores -> categories.

``texts`` makes the probe texts, ``bridge`` runs them, ``measure`` scores every head for every
role in one pass, ``calibrate`` finds each role's threshold and its top heads, ``run`` puts an
entry of ``head_categories.json`` together, and ``agreement`` compares with TransformerLens' own
detector. Only ``bridge`` and ``agreement`` import transformer_lens; nothing here imports
Streamlit or PyVene.
"""

"""The offline half: probe texts -> TransformerLens -> scores -> categories.

``texts`` makes the probe texts, ``bridge`` runs them, ``measure`` scores every head for every
role in one pass, ``run`` puts an entry of ``head_categories.json`` together (thresholds and top
heads come from :mod:`headroles.reference.selection`), and ``agreement`` compares with
TransformerLens' own detector. Only ``bridge`` and ``agreement`` import transformer_lens; nothing
here imports Streamlit or PyVene.
"""

"""What the pages are made of: caches, session keys and shared pieces.

The only part of the package that imports Streamlit. A module here imports nothing heavy at the top
(no torch, altair, pandas or pydantic), so that a page paints its controls before any of them loads.
"""

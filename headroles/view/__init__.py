"""Records and sentences of pages. Pure: no Streamlit, no Altair, no PyVene."""

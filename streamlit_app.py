"""The app's entry: page settings, the model picker and the navigation; nothing else.

streamlit run streamlit_app.py
"""

from __future__ import annotations

import streamlit as st

from headroles.ui import picker
from headroles.ui.admin import office

st.set_page_config(page_title="headroles", page_icon=str(picker.ICON), layout="wide")
page = st.navigation(
    [
        st.Page(
            "pages/your_prompt.py", title="Your Prompt", icon=":material/edit_note:", default=True
        ),
        st.Page("pages/admin.py", title="Admin", icon=":material/admin_panel_settings:"),
    ]
)
office.announce()
picker.draw()
page.run()

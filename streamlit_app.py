"""The app's entry: page settings, the model picker and the navigation; nothing else.

streamlit run streamlit_app.py
"""

from __future__ import annotations

import streamlit as st

from headroles.ui import picker, state
from headroles.ui.admin import office
from headroles.ui.share import notes, session

st.set_page_config(page_title="headroles", page_icon=str(picker.ICON), layout="wide")
page = st.navigation(
    [
        st.Page(
            "pages/your_prompt.py", title="Your Prompt", icon=":material/edit_note:", default=True
        ),
        st.Page("pages/head_closeup.py", title="Head close-up", icon=":material/zoom_in:"),
        st.Page("pages/head_map.py", title="Head map", icon=":material/grid_view:"),
        st.Page("pages/knockout_lab.py", title="Knock-out lab", icon=":material/content_cut:"),
        st.Page("pages/admin.py", title="Admin", icon=":material/admin_panel_settings:"),
    ]
)
office.announce()
place = f"pages/{page.url_path or 'your_prompt'}.py"
session.read(place)
picker.draw()
if destination := state.destination():
    st.switch_page(destination, query_params=session.query(destination))
notes.draw()
page.run()
session.write(place)

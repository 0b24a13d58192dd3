"""The app's entry: page settings, the pages with their links, the model picker.

streamlit run streamlit_app.py
"""

from __future__ import annotations

import streamlit as st

from headroles.ui.admin import server
from headroles.ui.answer import link as answer
from headroles.ui.app import (
    address,
    browser,
    embedding,
    glossary,
    housekeeping,
    link_warnings,
    model_picker,
    page_settings,
    session,
    turns,
)
from headroles.ui.circuits import link as circuits
from headroles.ui.detector_lab import link as detector_lab
from headroles.ui.head_closeup import link as head_closeup
from headroles.ui.head_map import link as head_map
from headroles.ui.knockout_lab import link as knockout_lab
from headroles.ui.your_prompt import link as your_prompt

LINKS = {
    "pages/your_prompt.py": your_prompt.ROWS,
    "pages/head_closeup.py": head_closeup.ROWS,
    "pages/head_map.py": head_map.ROWS,
    "pages/detector_lab.py": detector_lab.ROWS,
    "pages/knockout_lab.py": knockout_lab.ROWS,
    "pages/answer.py": answer.ROWS,
    "pages/circuits.py": circuits.ROWS,
    "pages/glossary.py": glossary.ROWS,
}

page_settings.draw()
embedded = embedding.is_on()
pages = [
    st.Page("pages/your_prompt.py", title="Your Prompt", icon=":material/edit_note:", default=True),
    st.Page("pages/head_closeup.py", title="Head close-up", icon=":material/zoom_in:"),
    st.Page("pages/head_map.py", title="Head map", icon=":material/grid_view:"),
    st.Page("pages/detector_lab.py", title="Detector lab", icon=":material/biotech:"),
    st.Page("pages/knockout_lab.py", title="Knock-out lab", icon=":material/content_cut:"),
    st.Page("pages/answer.py", title="Answer", icon=":material/account_tree:"),
    st.Page("pages/circuits.py", title="Circuits", icon=":material/hub:"),
    st.Page("pages/glossary.py", title="Glossary", icon=":material/menu_book:"),
]
if not embedded:  # nobody should sign in within somebody else's page
    pages.append(st.Page("pages/admin.py", title="Admin", icon=":material/admin_panel_settings:"))
page = st.navigation(pages, position="hidden" if embedded else "sidebar")
address.register(LINKS)
turns.register(server.analysis_runs)
browser.draw()
place = f"pages/{page.url_path or 'your_prompt'}.py"
address.read(place)
if embedded:
    line = embedding.draw(place)
else:
    model_picker.draw(invites=place != session.ADMIN)
if destination := session.pop_navigation():
    address.lead(destination)
link_warnings.draw()
with turns.page(may_be_full=place != session.ADMIN):
    session.enter()
    page.run()
address.write(place)
if embedded:
    embedding.way_out(line)
# After the first paint, for which nothing of it is needed.
server.print_sign_in_token()
housekeeping.start()

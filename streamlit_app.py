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
    class_link,
    embedding,
    glossary,
    housekeeping,
    link_warnings,
    model_picker,
    page_settings,
    scope,
    session,
    turns,
)
from headroles.ui.circuits import link as circuits
from headroles.ui.components import link as components
from headroles.ui.detector_lab import link as detector_lab
from headroles.ui.find_heads import link as find_heads
from headroles.ui.head_closeup import link as head_closeup
from headroles.ui.head_map import link as head_map
from headroles.ui.knockout_lab import link as knockout_lab
from headroles.ui.lessons import link as lessons
from headroles.ui.real_text import link as real_text
from headroles.ui.your_prompt import link as your_prompt

LINKS = {
    "pages/your_prompt.py": your_prompt.ROWS,
    "pages/lessons.py": lessons.ROWS,
    "pages/head_closeup.py": head_closeup.ROWS,
    "pages/head_map.py": head_map.ROWS,
    "pages/find_heads.py": find_heads.ROWS,
    "pages/detector_lab.py": detector_lab.ROWS,
    "pages/knockout_lab.py": knockout_lab.ROWS,
    "pages/answer.py": answer.ROWS,
    "pages/circuits.py": circuits.ROWS,
    "pages/components.py": components.ROWS,
    "pages/real_text.py": real_text.ROWS,
    "pages/glossary.py": glossary.ROWS,
}

PAGES = {
    session.YOUR_PROMPT: ("Your Prompt", ":material/edit_note:"),
    session.LESSONS: ("Lessons", ":material/school:"),
    session.CLOSEUP: ("Head close-up", ":material/zoom_in:"),
    session.MAP: ("Head map", ":material/grid_view:"),
    "pages/find_heads.py": ("Find heads", ":material/scatter_plot:"),
    session.DETECTOR_LAB: ("Detector lab", ":material/biotech:"),
    "pages/knockout_lab.py": ("Knock-out lab", ":material/content_cut:"),
    session.ANSWER_PAGE: ("Answer", ":material/account_tree:"),
    "pages/circuits.py": ("Circuits", ":material/hub:"),
    "pages/components.py": ("Components", ":material/workspaces:"),
    session.REAL_TEXT: ("Real text", ":material/auto_stories:"),
    scope.GLOSSARY: ("Glossary", ":material/menu_book:"),
    session.ADMIN: ("Admin", ":material/admin_panel_settings:"),
}

page_settings.draw()
address.register(LINKS)
scope.register({path: title for path, (title, _) in PAGES.items()})
address.read_class()
embedded = scope.is_embedded()
pages = [
    st.Page(
        path,
        title=title,
        icon=icon,
        default=path == session.YOUR_PROMPT,
        visibility="visible" if scope.offers(path) else "hidden",
    )
    for path, (title, icon) in PAGES.items()
]
page = st.navigation(pages, position="hidden" if embedded else "sidebar", expanded=True)
turns.register(server.analysis_runs)
browser.draw()
place = f"pages/{page.url_path or 'your_prompt'}.py"
address.read(place)
if embedded:
    line = embedding.draw(place)
elif scope.is_class():
    model_picker.draw_fixed()
else:
    model_picker.draw(invites=place != session.ADMIN)
if destination := scope.destination():
    address.lead(destination)
link_warnings.draw()
with turns.page(may_be_full=place != session.ADMIN):
    if scope.offers(place):
        session.enter()
        page.run()
    else:
        class_link.refuse(place)
address.write(place)
if embedded:
    embedding.way_out(line)
# After the first paint, for which nothing of it is needed.
server.print_sign_in_token()
housekeeping.start()

"""The QR code of the link to what is shown, and the link for a class.

Nothing is sent anywhere: the code is made on this server and drawn in the page.
"""

from __future__ import annotations

import base64
from functools import partial
from html import escape
from urllib.parse import urlsplit

import streamlit as st

from headroles import export
from headroles.errors import LinkError
from headroles.formatting import count
from headroles.ui.app import address, class_link, copy_buttons, download_button, elements, session
from headroles.ui.app.files import PICTURES, File, file_name
from headroles.ui.app.keys import Keys
from headroles.ui.app.part import part

key = Keys(__name__)
_SHOWN_ON = key("shared_page", None)
"""The path of the page over which they are shown; None where they are not."""
LONG = 160
"""An address with more characters is shown in small type: nobody types it."""
_OWN = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
"""Names by which a computer calls itself: no phone finds the app under them."""


@part
def draw() -> None:
    """The button that shows them over the page, until they are dismissed or the page is left."""
    key.begin()
    here = st.session_state[session.PAGE]
    st.button(
        "QR code, class link", icon=":material/qr_code_2:", key="app-share", wrap=False,
        on_click=_show, args=(here,),
    )  # fmt: skip
    if st.session_state[_SHOWN_ON] == here:
        _box()
    else:
        _dismiss()


def _show(page: str) -> None:
    st.session_state[_SHOWN_ON] = page


def _dismiss() -> None:
    st.session_state[_SHOWN_ON] = None


@st.dialog("Scan to open", width="large", icon=":material/qr_code_2:", on_dismiss=_dismiss)
def _box() -> None:
    """The choices on the left; on the right the code, as large as the window allows."""
    with st.container(key="app-share_content", horizontal=True):
        left = st.container(key="app-share_left", width=300)
        right = st.container(key="app-share_right")
    with left:
        query, error = address.shared(class_link.form())
        link = f"{address.here()}?{query}"
        copy_buttons.draw(query, error, key="app-copy_shared")
    with right:
        try:
            code = export.qr_code.make(link)
        except LinkError as too_long:
            elements.show_error(too_long, kind=st.warning)
        else:
            elements.html(_picture(code, link))
            with left:
                _about(code)
        size = " hr-address-long" * (len(link) > LONG)
        elements.html(f'<p class="hr-address{size}" tabindex="0">{escape(link)}</p>')
    with left:
        if urlsplit(link).hostname in _OWN:
            st.caption(
                "This address works on this computer only. For phones, open the app under this "
                "computer’s name or address in your network first."
            )


def _about(code: export.qr_code.Code) -> None:
    """The files, and how large the code is."""
    download_button.buttons(_files(code))
    st.caption(
        f"{count(code.side, 'square')} a side: the fewer, the farther away phones can read it. A "
        "shorter prompt or fewer pages of a class make fewer."
    )


def _picture(code: export.qr_code.Code, link: str) -> str:
    source = base64.b64encode(code.svg()).decode()
    alt = escape(f"QR code of the link {link}", quote=True)
    return f'<img class="hr-qr" src="data:image/svg+xml;base64,{source}" alt="{alt}">'


def _files(code: export.qr_code.Code) -> list[File]:
    """The picture in both kinds."""
    model = st.session_state[session.MODEL]
    make = {"png": partial(code.png), "svg": partial(code.svg)}
    return [
        File(f"QR code as {kind.upper()}", file_name(model, "QR code", kind), mime, make[kind])
        for kind, mime in PICTURES.items()
    ]

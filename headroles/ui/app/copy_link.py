"""How a page hands on what it shows: its link, a frame, a QR code, a link for a class."""

from __future__ import annotations

from headroles.ui.app import address, copy_buttons, scope, share


def draw() -> None:
    """Draw them; the page calls it once it knows which head and role it shows.

    An embedded page has none: the line above it opens the app in a tab, where they are.
    """
    if scope.is_embedded():
        return
    copy_buttons.draw(*address.shared(), key="app-copy_link")
    share.draw()

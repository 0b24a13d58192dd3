"""The names in the address of the Head close-up."""

from __future__ import annotations

from headroles.ui.app import link

ROWS = (link.MODEL, link.PROMPT, link.ROLE, link.HEAD, link.HIDE_RESTING, link.CHAT)

"""Every session key of the knock-out lab.

The keys of a section begin with its name, so that two sections never share one by mistake.
"""

from __future__ import annotations

SECTION = "knockout_section"
"""The open section (a widget's key)."""

"""A section of the knock-out lab."""

from __future__ import annotations


def draw() -> None:
    """Draw the section."""

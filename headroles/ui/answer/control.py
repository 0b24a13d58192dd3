"""Whether a head writes this token on any prompt: the same heads on prompts of the control."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headroles.attribution import Chance
    from headroles.ui.answer.one_head import Subject


def known(subject: Subject) -> Chance | None:
    return None


def draw(subject: Subject) -> Chance | None:
    return None

"""A step's texts with the names of its model and its head in them, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headroles import lessons, models, view
from headroles.ui.app import elements
from headroles.ui.lessons import caches

if TYPE_CHECKING:
    from headroles.lessons import Step
    from headroles.ui.lessons.caches import Asked


class Words(NamedTuple):
    """What a step's texts name."""

    model: str
    """The name of the model that is asked."""
    head: str
    """The label of the step's head; "" where it has none."""

    def html(self, text: str) -> str:
        """A text as HTML."""
        named = view.lesson_texts.filled(text, model=self.model, head=self.head)
        return view.lesson_texts.to_html(named)

    def draw(self, text: str | None, *, kind: str = "") -> None:
        """Draw a text, if there is one.

        Args:
            text: Markdown.
            kind: a further class of the style sheet.
        """
        if text is not None:
            elements.html(f'<div class="hr-lesson {kind}">{self.html(text)}</div>')


def needs_model(step: Step) -> bool:
    """Whether anything of a step comes from a model."""
    if step.kind != "read" or step.shows:
        return True
    return any(map(view.lesson_texts.names_head, lessons.lesson.texts_of(step)))


def of(asked: Asked) -> Words:
    """What the texts of a step name.

    Raises:
        HeadrolesError: if they name a head, and the model has none such or cannot be loaded.
    """
    named = any(map(view.lesson_texts.names_head, lessons.lesson.texts_of(asked.step)))
    return Words(models.name_of(asked.model), caches.head(asked) if named else "")

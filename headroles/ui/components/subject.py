"""What the sections of the page are about: the components of one matrix, on the prompt and on
text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from headroles import view
from headroles.errors import HeadrolesError
from headroles.ui.app import elements, prompt_form, run_prompt
from headroles.ui.components import caches, choose

if TYPE_CHECKING:
    from headroles.ablation.component_profiles import Matrix, OnPrompt, OnText
    from headroles.ui.app.caches import Answer
    from headroles.ui.components.choose import Chosen
    from headroles.view.components import Listed


@dataclass(frozen=True, eq=False)
class Subject:
    """The components of one matrix, on the prompt and on text."""

    chosen: Chosen
    answer: Answer
    matrix: Matrix
    prompt: OnPrompt
    text: OnText

    @cached_property
    def found(self) -> list[Listed]:
        """All of them, the one that matters most on the prompt first."""
        return view.components.listed(self.matrix, self.prompt, self.text)

    @property
    def is_trained(self) -> bool:
        """Whether they have importances."""
        return self.prompt.importances is not None


def draw() -> Subject | None:
    """The boxes of the components and of the prompt; what they ask for, or None where it cannot be
    had, which is said."""
    chosen = choose.draw()
    if chosen is None:
        return None
    prompt_form.folded(key="components-prompt")
    answer = run_prompt.run()
    if answer is None:
        return None
    elements.cut_off(answer.run.encoding)
    model, kind, place = chosen.model, chosen.kind, chosen.place
    try:
        with st.spinner("Taking the matrix apart, on the prompt and on text."):
            return Subject(
                chosen,
                answer,
                caches.matrix(model, kind, place),
                caches.on_prompt(model, kind, place, answer.run.token_ids),
                caches.on_text(model, kind, place),
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return None

"""Which head, seen as which role: what every part of the close-up shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from headroles import verdicts, view
from headroles.roles import BASIC_ROLES, ROLES, Role, named_heads
from headroles.types import Head
from headroles.ui.app import literature, session
from headroles.ui.head_closeup import state

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.scoring import Visible
    from headroles.types import Verdict
    from headroles.ui.app.caches import Answer, Reference
    from headroles.verdicts import Passport


@dataclass(frozen=True, eq=False)
class Subject:
    """One head on one prompt, seen as one role."""

    answer: Answer
    """The prompt's tokens, attention and scores."""
    reference: Reference
    """The stored analysis, or provisional thresholds."""
    passport: Passport
    """What is known about the head apart from the prompt."""
    role: Role
    """The role under which it is viewed."""
    labels: tuple[str, ...]
    """[pos] the tokens as short text."""

    @property
    def head(self) -> Head:
        """The head."""
        return self.passport.head

    @property
    def attention(self) -> Float[Tensor, "query key"]:
        """[query key] its pattern as it is."""
        return self.answer.run.attention[self.head]

    @property
    def visible(self) -> Visible:
        """[query key] what it can see; None where that is every token so far."""
        return self.answer.scores.visible_to(self.head.layer)

    def verdict(self, role_key: str) -> Verdict:
        """Its state in a role on this prompt."""

        threshold = self.reference.thresholds.get(role_key)
        return verdicts.judge(self.head, role_key, self.answer.scores, threshold)


def choose(answer: Answer, reference: Reference) -> Subject:
    """The head and role of the session, or sensible defaults, which the session then keeps."""

    layers, heads = answer.scores.resting.shape
    head, role = st.session_state[session.HEAD], st.session_state[session.ROLE]
    role = role if role in BASIC_ROLES else None
    if head is None or not (head.layer < layers and head.head < heads):
        role = role or "induction"
        head = first_head(answer, reference, role)
    model = st.session_state[session.MODEL]
    passport = verdicts.passport(
        reference.entry, head, known=named_heads(model), thresholds=reference.thresholds
    )
    role = role or passport.main_role or verdicts.clearest_role(answer.scores, head)
    state.show(head, role)
    labels = tuple(view.token_labels(answer.run.encoding))
    return Subject(answer, reference, passport, ROLES[role], labels)


def first_head(answer: Answer, reference: Reference, role_key: str) -> Head:
    """The head that the page opens with when none was clicked.

    The listed head of the role with the highest activation on this prompt; without an analysis one
    that papers name for it; else the head of the whole model with the highest.
    """
    role_key = role_key if ROLES[role_key].is_scored else "induction"
    listed = reference.entry.listed(role_key) if reference.entry else []
    if reference.entry is None:
        listed = list(literature.heads(answer).get(role_key, ()))
    return verdicts.first_head(answer.scores, role_key, listed)

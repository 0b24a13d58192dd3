"""What people type, draw, link to or upload and cannot be used as it is."""

from __future__ import annotations

from collections.abc import Collection

from headroles.errors.base import HeadrolesError, near_match
from headroles.formatting import places


class EmptyPromptError(HeadrolesError):
    """The prompt holds no token at all, or none that says anything.

    Args:
        message: why.
        hint: the way out.
    """

    def __init__(
        self,
        message: str = "The prompt is empty.",
        *,
        hint: str = "Type a sentence, or choose an example.",
    ) -> None:
        super().__init__(message, hint=hint, value="")


class LimitError(HeadrolesError):
    """More than :mod:`headroles.limits` allows; it was not even looked at."""

    def __init__(self, sentence: str, *, size: int, most: int, hint: str) -> None:
        super().__init__(f"{sentence}; at most {most:,} are allowed.", hint=hint, value=size)


class UnknownRoleError(HeadrolesError):
    """A role key that the registry does not hold."""

    def __init__(self, key: str, *, known: Collection[str]) -> None:
        super().__init__(
            f"There is no role called '{key}'.{near_match(key, known)}",
            hint=f"The roles are {', '.join(known)}.",
            value=key,
        )


class UnknownHeadError(HeadrolesError):
    """A head that is not in the model, or not written as ``L5H1``."""

    def __init__(self, value: object, *, layers: int = 0, heads: int = 0) -> None:
        shape = (
            f"This model has {places('layer', layers)} and {places('head', heads)}."
            if layers
            else ""
        )
        super().__init__(
            f"There is no head '{value}'.",
            hint=f"{shape} Write a head as layer and head, for example L1H3.".strip(),
            value=value,
        )


class NoHeadOfRoleError(HeadrolesError):
    """A role for which the analysis of a model lists no head."""

    def __init__(self, role: str, *, model: str, listed: Collection[str]) -> None:
        super().__init__(
            f"The analysis of '{model}' lists no head for the role '{role}'.",
            hint=(f"It lists heads for {', '.join(listed)}; or name" if listed else "Name")
            + " the heads yourself, for example L1H3.",
            value=role,
        )


class ShapeError(HeadrolesError):
    """A tensor whose shape does not fit what it is said to be."""

    def __init__(self, what: str, *, expected: str, got: object) -> None:
        super().__init__(
            f"{what} should have the shape {expected}, but it has {got}.",
            hint="Pass one head's [query, key] matrix and the token ids of the same prompt.",
            value=got,
        )


class ChatTemplateError(HeadrolesError):
    """A prompt that the model's chat template cannot wrap."""


class TextFileError(HeadrolesError):
    """A file that should be text and is none, or text in an encoding that it does not tell."""


class UnknownPositionError(HeadrolesError):
    """A position that a prompt does not have."""


class PairError(HeadrolesError):
    """Two prompts, or two answers, that cannot be compared."""


class LinkError(HeadrolesError):
    """A value in a link that cannot be used, or a link that cannot be shared."""


class ExportError(HeadrolesError):
    """A picture that cannot be made."""


class PatternError(HeadrolesError):
    """A detection pattern that cannot be read, or does not fit the prompt."""


class DetectionError(HeadrolesError):
    """A detection that cannot be run: no prompt, no pattern, or too many of them."""


class DecompositionError(HeadrolesError):
    """A file of trained components, or a component, that cannot be used."""

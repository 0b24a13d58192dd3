"""What people type, draw, link to or upload and cannot be used as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from headroles.errors.base import HeadrolesError, near_match
from headroles.formatting import listing, places


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

    def __init__(
        self, value: object, *, layers: int = 0, heads: int = 0, of_layers: Sequence[int] = ()
    ) -> None:
        shape = (
            f"This model has {places('layer', layers)} and {places('head', heads)}."
            if layers
            else ""
        )
        if of_layers:
            named = listing([str(layer) for layer in of_layers], last="or")
            shape = f"These components are in layer {named}, and only its heads can lose them."
        super().__init__(
            f"There is no head '{value}'.",
            hint=f"{shape} Write a head as layer and head, for example L1H3.".strip(),
            value=value,
        )


class UnknownComponentError(HeadrolesError):
    """A component that the decomposition does not have, or that is not written as ``L0Q17``."""

    def __init__(self, value: object, *, layers: int = 0, there: int = 0) -> None:
        found = f"This model has {places('layer', layers)}." if layers else ""
        if there:
            found = f"This matrix has {places('component', there)}."
        super().__init__(
            f"There is no component '{value}'.",
            hint=f"{found} Write a component as layer, matrix (Q, K, V or O) and number, for "
            "example L0Q17.".strip(),
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


class SequenceError(HeadrolesError):
    """A sequence with a period that a model cannot be given."""


class DecompositionError(HeadrolesError):
    """A file of components that cannot be used, or a decomposition that is not there."""

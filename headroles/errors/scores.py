"""Reference scores, the analyses that make them, and their versions."""

from __future__ import annotations

import shlex

from headroles.errors.base import HeadrolesError


class CategoriesMissingError(HeadrolesError):
    """No reference scores for this model, or no file at all."""

    def __init__(self, message: str, *, model: str) -> None:
        super().__init__(
            message,
            hint=f"To analyse it: python -m scripts.analyze_heads --model {shlex.quote(model)}",
            value=model,
        )


class CategoriesBrokenError(HeadrolesError):
    """The categories file exists, but is not what the schema says."""

    def __init__(self, path: object, *, why: str) -> None:
        self.why = why
        super().__init__(
            f"The head categories in {path} cannot be read: {why}",
            hint="An instructor can restore an earlier version on the Admin page, or set the file "
            "aside there. You can also restore the file from version control.",
            value=str(path),
        )


class ClassRolesError(HeadrolesError):
    """The roles that an instructor keeps for the class are not what they should be."""

    def __init__(self, path: object, *, why: str) -> None:
        self.why = why
        super().__init__(
            f"The roles of the class in {path} cannot be used so: {why}",
            hint="An instructor can change them, or undo the last change, on the Admin page.",
            value=str(path),
        )


class ClassLessonsError(HeadrolesError):
    """The lessons that an instructor put live are not what they should be, or cannot become so.

    Args:
        path: their file.
        why: what is wrong.
        hint: what to do; with it, ``why`` is a sentence about a change that was asked for.
    """

    def __init__(self, path: object, *, why: str, hint: str = "") -> None:
        self.why = why
        undo = "An instructor can change them, or undo the last change, on the Admin page."
        super().__init__(
            why if hint else f"The lessons of the class in {path} cannot be used so: {why}",
            hint=hint or undo,
            value=str(path),
        )


class OtherWeightsError(HeadrolesError):
    """Reference scores that were measured on other weights than those of this model."""

    def __init__(self, name: str, *, model: str, measured: str, now: str) -> None:
        super().__init__(
            f"The reference scores of {name} were measured on other weights ({measured[:60]}; the "
            f"model here is {now[:60]}), so they are not shown.",
            hint=f"Analyse it again: python -m scripts.analyze_heads {model}",
            value=measured,
        )


class AnalysisError(HeadrolesError):
    """An offline analysis that cannot go on with the settings it was given."""


class KnownHeadsError(HeadrolesError):
    """A file of the heads that papers name that cannot be used."""


class StaleWriteError(HeadrolesError):
    """What is to be replaced is no longer what the writer had looked at."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Someone else has changed {what} since you looked at it.",
            hint="Look at the differences again, then publish once more.",
            value=what,
        )


class UnknownVersionError(HeadrolesError):
    """A version of the file that is not kept, or no longer."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no version called '{name}'.",
            hint="Choose one from the list. Only the latest versions are kept.",
            value=name,
        )


class UnknownJobError(HeadrolesError):
    """An analysis that does not exist, or is not in the state that was asked for."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no finished analysis '{job_id}'.",
            hint="Choose one from the list. Only the latest analyses are kept.",
            value=job_id,
        )


class JobNotEndedError(HeadrolesError):
    """An analysis that was to be cancelled and still runs."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            "The analysis still runs: the server process that runs it does not answer.",
            hint="It ends as soon as that process answers again, or is restarted.",
            value=job_id,
        )

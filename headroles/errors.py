"""One family of exceptions: each says what is wrong and what to do about it.

Every error carries the value that caused it and, where there is one, a near match, so that a page
or a command line can show the sentence as it stands.

>>> raise UnknownRoleError("inductoin", known=["induction", "diffuse"])
Traceback (most recent call last): headroles.errors.UnknownRoleError: There is no role called
'inductoin'. Did you mean 'induction'? ...
"""

from __future__ import annotations

import difflib
import errno
import math
import shlex
from collections.abc import Collection, Iterable

from headroles.formatting import size


class HeadrolesError(Exception):
    """Anything that the project can explain to a user.

    Args:
        message: what is wrong, in one plain sentence.
        hint: what to do about it, in one sentence; may be empty.
        value: The offending value, kept for callers and tests.
    """

    def __init__(self, message: str, *, hint: str = "", value: object = None) -> None:
        self.message = message
        self.hint = hint
        self.value = value
        super().__init__(f"{message} {hint}".strip())

    def __reduce__(self) -> tuple:
        """Pickle what was said, for another process: each class makes it of other arguments."""
        return _said_again, (type(self), self.args, self.__dict__)


def _said_again(kind: type[HeadrolesError], args: tuple, state: dict) -> HeadrolesError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def near_match(value: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(value, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


class EmptyPromptError(HeadrolesError):
    """The prompt holds no token at all."""

    def __init__(self) -> None:
        super().__init__(
            "The prompt is empty.", hint="Type a sentence, or choose an example.", value=""
        )


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
            f"This model has layers 0 to {layers - 1} and heads 0 to {heads - 1}." if layers else ""
        )
        super().__init__(
            f"There is no head '{value}'.",
            hint=f"{shape} Write a head as layer and head, for example L1H3.".strip(),
            value=value,
        )


class ShapeError(HeadrolesError):
    """A tensor whose shape does not fit what it is said to be."""

    def __init__(self, what: str, *, expected: str, got: object) -> None:
        super().__init__(
            f"{what} should have the shape {expected}, but it has {got}.",
            hint="Pass one head's [query, key] matrix and the token ids of the same prompt.",
            value=got,
        )


class UnknownModelError(HeadrolesError):
    """Neither a model of the catalogue, nor a folder or GGUF file, nor a reachable Hub id."""

    def __init__(self, name: str, *, known: Collection[str]) -> None:
        super().__init__(
            f"There is no model called '{name}'.{near_match(name, known)}",
            hint=f"Choose one of {', '.join(known)}, or give the path of a saved model's folder or "
            "of a GGUF file.",
            value=name,
        )


class ModelUnavailableError(HeadrolesError):
    """The model exists in principle, but its files cannot be read from here."""

    def __init__(self, name: str, *, why: str, is_folder: bool = False, hint: str = "") -> None:
        self.why = why
        if is_folder:
            hint = (
                "Check that the folder is complete. It needs config.json, model.safetensors and "
                "tokenizer.json, as save_pretrained writes them."
            )
        network = "Check the internet connection, or choose the bundled model, which needs none."
        message = f"The model '{name}' could not be loaded: {why}"
        super().__init__(message, hint=hint or network, value=name)


class ServerBusyError(HeadrolesError):
    """Every model that fits into memory is in use."""

    def __init__(self, names: Iterable[str]) -> None:
        names = list(names)
        super().__init__(
            f"There is no room for another model; in use: {', '.join(names)}.",
            hint="Try again in a moment, or choose one of those.",
            value=names,
        )


class UnsupportedModelError(HeadrolesError):
    """A model whose attention cannot be captured exactly."""

    def __init__(self, name: str, *, why: str) -> None:
        super().__init__(
            f"The model '{name}' cannot be used here: {why}",
            hint="Use a decoder-only language model such as GPT-2, Pythia, OPT or Qwen.",
            value=name,
        )


class CategoriesMissingError(HeadrolesError):
    """No reference scores for this model, or no file at all."""

    def __init__(self, message: str, *, model: str) -> None:
        super().__init__(
            message,
            hint=f"Make them with: python -m scripts.analyze_heads --model {shlex.quote(model)}",
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


class ModelListError(HeadrolesError):
    """The instructor's list of models is not what it should be."""

    def __init__(self, path: object, *, why: str) -> None:
        self.why = why
        super().__init__(
            f"The list of models in {path} cannot be used: {why}",
            hint="Correct the file, or undo its last change on the Admin page or with "
            "'python -m scripts.models_list undo'.",
            value=str(path),
        )


class ModelNotListedError(HeadrolesError):
    """A change that the list of models cannot take."""

    def __init__(self, model: str, *, why: str) -> None:
        super().__init__(
            f"The list of models cannot take this: {why}",
            hint="Nothing was changed.",
            value=model,
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


class AccessConfigError(HeadrolesError):
    """The password hash in the secrets is not a hash; the message does not show it."""

    def __init__(self) -> None:
        super().__init__(
            "The password_hash in the secrets is not an argon2 hash, so nobody can sign in.",
            hint="Run python -m scripts.hash_password, and put the two lines that it prints into "
            ".streamlit/secrets.toml.",
            value="not shown",  # it may be the password itself
        )


class WrongSecretError(HeadrolesError):
    """A password or token that does not open the instructor's page."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Wrong {what}.",
            hint="Each token works once; the newest is the last one in the server's log."
            if what == "token"
            else "Check your keyboard layout and Caps Lock, then try again.",
            value=what,
        )


class TooManyAttemptsError(HeadrolesError):
    """An attempt to sign in that came too early after wrong ones; it was not looked at."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        seconds = max(1, math.ceil(wait))
        super().__init__(
            f"There were too many wrong attempts. You can try again in {seconds} "
            f"second{'s' if seconds > 1 else ''}.",
            hint="Keep this page open, or you lose your place in the line.",
            value=wait,
        )


class NotSignedInError(HeadrolesError):
    """Something only an instructor may do, asked for without a valid sign-in."""

    def __init__(self) -> None:
        super().__init__(
            "You are not signed in, or your sign-in has ended.",
            hint="Sign in on the Admin page, then try again.",
            value="",
        )


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


class FileBusyError(HeadrolesError):
    """Another writer holds the file for too long."""

    def __init__(self, path: object, *, seconds: float) -> None:
        super().__init__(
            f"Another program has been writing {path} for over {seconds:g} seconds.",
            hint="Nothing was changed. Wait a moment and try again.",
            value=str(path),
        )


class DiskError(HeadrolesError):
    """The disk refuses what is to be written."""

    def __init__(self, path: object, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "")
        if name in ("ENOSPC", "EDQUOT"):
            why, hint = "the disk is full.", "Free some space and try again."
        elif name == "EROFS":
            why, hint = "the disk is read-only.", "Make it writable, or download the file."
        elif name in ("EACCES", "EPERM"):
            why = "the server has no permission to write there."
            hint = "Let the server's user write there, or download the file."
        else:
            why, hint = f"{error.strerror or error}.", "Check the server's disk and try again."
        super().__init__(
            f"The file {path} could not be written: {why}",
            hint=f"Nothing was changed. {hint}",
            value=error,
        )


class DiskFullError(DiskError):
    """A disk without the room, in bytes, for what is to be written; known beforehand."""

    def __init__(self, folder: object, *, needs: int, free: int) -> None:
        HeadrolesError.__init__(
            self,
            f"The disk is full: {folder} needs {size(needs)}, and {size(free)} are free.",
            hint="Nothing was changed. Free some space and try again.",
            value=needs,
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


class ModelNameError(HeadrolesError):
    """A name from a browser that is neither of the catalogue nor a Hub id."""

    def __init__(self, name: str, *, known: Iterable[str], is_folder: bool = False) -> None:
        known = list(known)
        shown = name if len(name) <= 80 else f"{name[:80]}…"
        super().__init__(
            f"There is a folder '{shown}' on the server, but this page cannot read folders."
            if is_folder
            else f"There is no model called '{shown}'.{near_match(shown, known)}",
            hint=f"Choose one of {', '.join(known)}, or type owner/name as on huggingface.co, "
            "for example EleutherAI/pythia-160m.",
            value=name,
        )


class HubAnswerError(HeadrolesError):
    """A model that the Hugging Face Hub does not know, or will not give to this server."""


class SourceError(HeadrolesError):
    """A file or package of weights that cannot be had, or not be read."""


class TooLargeError(HeadrolesError):
    """A model that needs more of something than the server has."""

    def __init__(self, name: str, *, what: str, needs: int, available: int) -> None:
        super().__init__(
            f"The analysis of '{name}' needs about {size(needs)} of {what}, and "
            f"{size(available)} are free.",
            hint="Choose a smaller model"
            + (" or fewer sequences" if what == "memory" else "")
            + f", or run python -m scripts.analyze_heads --model {name} on a larger machine.",
            value=needs,
        )


class NoRoomError(HeadrolesError):
    """A model whose weights do not fit into the memory that is free."""

    def __init__(self, name: str, *, needs: int, available: int, shortened: bool) -> None:
        even = ", even in 16-bit numbers" if shortened else ""
        super().__init__(
            f"The model '{name}' needs about {size(needs)} of memory{even}, and "
            f"{size(available)} are free.",
            hint="Choose a smaller model, try again when fewer people are using other models, or "
            "run the app on a larger machine.",
            value=needs,
        )


class SettingError(HeadrolesError):
    """An environment variable with an unknown value."""

    def __init__(self, variable: str, value: str, *, known: Collection[str]) -> None:
        super().__init__(
            f"{variable} cannot be '{value}'.{near_match(value, known)}",
            hint=f"Set it to one of {', '.join(known)}, then restart the app.",
            value=value,
        )


class ChatTemplateError(HeadrolesError):
    """A prompt that the model's chat template cannot wrap."""


class UnknownPositionError(HeadrolesError):
    """A position that a prompt does not have."""


class LinkError(HeadrolesError):
    """A value in a link that cannot be used, or a link that cannot be shared."""


class KnownHeadsError(HeadrolesError):
    """A file of the heads that papers name that cannot be used."""


class ExportError(HeadrolesError):
    """A picture that cannot be made."""


class PatternError(HeadrolesError):
    """A detection pattern that cannot be read, or does not fit the prompt."""


class DetectionError(HeadrolesError):
    """A detection that cannot be run: no prompt, no pattern, or too many of them."""


class DecompositionError(HeadrolesError):
    """A file of trained components, or a component, that cannot be used."""

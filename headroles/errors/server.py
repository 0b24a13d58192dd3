"""Sign-in, settings, files and disks of the server."""

from __future__ import annotations

import errno
import math
from collections.abc import Collection

from headroles.errors.base import HeadrolesError, near_match
from headroles.formatting import count, size


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
            f"There were too many wrong attempts. You can try again in {count(seconds, 'second')}.",
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


class SettingError(HeadrolesError):
    """An environment variable with an unknown value."""

    def __init__(self, variable: str, value: str, *, known: Collection[str]) -> None:
        super().__init__(
            f"{variable} cannot be '{value}'.{near_match(value, known)}",
            hint=f"Set it to one of {', '.join(known)}, then restart the app.",
            value=value,
        )

"""Make the two lines for ``.streamlit/secrets.toml`` that set the instructor's password.

    python -m scripts.hash_password
    python -m scripts.hash_password < file-with-the-password

It asks twice, without showing what is typed; from a pipe it reads one line. Only a hash is printed.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence

from headroles.admin import LONGEST_SECRET, hash_password
from headroles.errors import HeadrolesError
from scripts import command_line

SHORTEST = 12
"""Characters that a password must have."""


class BadPasswordError(HeadrolesError):
    """A password that is refused."""


def ask() -> str:
    """The password: typed twice at a terminal, one line from a pipe.

    Raises:
        BadPasswordError: if the two are not the same, or it is too short or too long.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password for the instructor's page: ")
        if getpass.getpass("Once more: ") != password:
            raise BadPasswordError("The two passwords differ.", hint="Start again.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < SHORTEST:
        raise BadPasswordError(
            f"The password has {len(password)} characters; it needs at least {SHORTEST}.",
            hint="Four random words make a good password.",
        )
    if len(password) > LONGEST_SECRET:
        raise BadPasswordError(
            f"The password has {len(password):,} characters; at most {LONGEST_SECRET:,} are read.",
            hint="Choose a shorter one.",
        )
    return password


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Print the lines."""
    command_line.parser("hash_password", __doc__).parse_args(argv)
    print(f'[admin]\npassword_hash = "{hash_password(ask())}"')
    return command_line.DONE


if __name__ == "__main__":
    sys.exit(main())

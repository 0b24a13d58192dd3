"""The command that makes a password hash, run as a person or a script would run it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib

import pytest

from headroles.admin import Gate
from headroles.errors import WrongSecretError
from headroles.paths import ROOT

COMMAND = [sys.executable, "-m", "scripts.hash_password"]
PASSWORD = "élan vital, twice over"


def piped(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        COMMAND, cwd=ROOT, input=text, capture_output=True, text=True, encoding="utf-8"
    )


def test_its_two_lines_are_the_secrets_that_the_gate_takes() -> None:
    result = piped(f"{PASSWORD}\nthis line is not read\n")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0] == "[admin]"
    gate = Gate(tomllib.loads(result.stdout)["admin"]["password_hash"])
    with pytest.raises(WrongSecretError):
        gate.enter(f"{PASSWORD}\n", session="a")
    gate.check(gate.enter(PASSWORD, session="a"))


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "The password has 0 characters; it needs at least 12."),
        ("elevenchars", "The password has 11 characters; it needs at least 12."),
        ("x" * 1_001, "The password has 1,001 characters; at most 1,000 are read."),
    ],
)
def test_a_short_or_endless_password_is_refused(password: str, sentence: str) -> None:
    result = piped(f"{password}\n")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(sentence)


@pytest.mark.parametrize(
    ("second", "returncode", "sentence"),
    [(PASSWORD, 0, "[admin]"), ("something else entirely", 2, "differ")],
)
def test_at_a_terminal_it_asks_twice_and_shows_nothing(
    second: str, returncode: int, sentence: str
) -> None:
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,  # no terminal of its own: getpass takes the standard input
    )
    os.close(terminal)
    shown = ""
    for prompt, answer in (("Password", PASSWORD), ("Once more", second)):
        while f"{prompt}" not in shown or not shown.rstrip("\r\n").endswith(": "):
            shown += os.read(keyboard, 1_000).decode()
        os.write(keyboard, f"{answer}\n".encode())
        shown += os.read(keyboard, 1_000).decode()
    while True:
        try:
            part = os.read(keyboard, 1_000).decode()
        except OSError:  # the terminal was closed at the other end
            break
        if not part:
            break
        shown += part
    os.close(keyboard)
    assert process.wait(30) == returncode
    assert sentence in shown
    assert PASSWORD not in shown

"""A worksheet: what a student predicted, was told and wrote, as one file.

It is JSON, handed in through any course system and read by whoever teaches. A checksum over the
rest shows that a file was changed by accident or by hand. It is no seal: who reads this code can
make another one. That a number is true, only the model can say (its revision stands beside it).

>>> read(to_json(Worksheet(name="student-01"))).name
'student-01'
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from headroles import __version__
from headroles.errors import HeadrolesError
from headroles.lessons.answers import Answer
from headroles.lessons.lesson import Key
from headroles.roles import DEFINITIONS_VERSION
from headroles.store.records import Record

FORMAT = 1
"""What a file says of its own form."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a file."""
MOST_ENTRIES = 1_000
"""Answers in one worksheet."""


def now() -> datetime:
    """UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


class Prediction(Record):
    """What a student said before the answer; one field is filled, by the kind of question."""

    cells: Annotated[tuple[tuple[int, int], ...], Field(max_length=64)] = ()
    """(query, key) positions."""
    chosen: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    """Labels of options."""
    number: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The slider."""
    prompt: Annotated[str, Field(max_length=4_000)] = ""
    """What was written."""


class Try(Record):
    """One prompt that was tried on the way."""

    prompt: Annotated[str, Field(max_length=4_000)]
    """What was written."""
    state: str
    """The verdict."""
    value: float
    """0..1, the activation."""
    at: AwareDatetime
    """UTC."""


class Entry(Record):
    """One question that a student answered."""

    lesson: Key
    """The lesson's key: the name of its file."""
    lesson_digest: str
    """SHA-256 of that file, 12 digits."""
    step: Key
    """The question's key."""
    kind: str
    """Its kind."""
    prediction: Prediction
    """What was predicted."""
    sure: Annotated[int, Field(ge=1, le=4)] | None = None
    """1..4, how sure (:data:`headroles.lessons.lesson.CERTAINTIES`); None for ``wake``."""
    answer: Answer
    """What the model said."""
    score: Annotated[float, Field(ge=0, le=1)]
    """0..1 (:func:`headroles.lessons.marking.mark`)."""
    hints: Annotated[int, Field(ge=0, le=9)] = 0
    """How many hints were asked for before; the solution counts as one."""
    tries: Annotated[tuple[Try, ...], Field(max_length=100)] = ()
    """For ``wake``: what was tried before."""
    asked: AwareDatetime
    """UTC, when the question was first on the screen."""
    answered: AwareDatetime
    """UTC, when the prediction was made."""
    definitions_version: int = DEFINITIONS_VERSION
    """The version of the definitions of all numbers."""


class Worksheet(Record):
    """One student's answers, the latest to each question last."""

    format: Literal["headroles worksheet"] = "headroles worksheet"
    version: Literal[1] = FORMAT
    name: Annotated[str, Field(max_length=200)] = ""
    """What the student is called here; whatever the class has agreed on."""
    headroles_version: str = __version__
    """The version of the app."""
    saved: AwareDatetime = Field(default_factory=now)
    """UTC, when the file was written."""
    entries: Annotated[tuple[Entry, ...], Field(max_length=MOST_ENTRIES)] = ()
    """In the order in which they were answered. A question that was answered again has several:
    the first is what was believed before the answer was known."""

    def first_of(self, lesson: str, step: str) -> Entry | None:
        """The first answer to a question: the only one that was a prediction."""
        return next((e for e in self.entries if (e.lesson, e.step) == (lesson, step)), None)


def merged(here: Worksheet, other: Worksheet) -> Worksheet:
    """Two worksheets as one: every answer of both once, in the order in which they were given.

    So the first answer to a question stays the first, whichever sheet it stands in. The name is
    that of ``here``, or of the other one where it has none.

    Raises:
        HeadrolesError: if they have more than :data:`MOST_ENTRIES` answers together.
    """
    both = sorted((*here.entries, *other.entries), key=lambda entry: entry.answered)
    spelled = {entry.model_dump_json(): entry for entry in both}
    if len(spelled) > MOST_ENTRIES:
        raise HeadrolesError(
            f"Together they have {len(spelled):,} answers; a worksheet has at most "
            f"{MOST_ENTRIES:,}.",
            hint="Start over first, or keep them as two files.",
            value=len(spelled),
        )
    return Worksheet(name=here.name or other.name, entries=tuple(spelled.values()))


def checksum(plain: dict[str, object]) -> str:
    """SHA-256 over everything but the checksum itself, in one spelling."""
    rest = {name: value for name, value in plain.items() if name != "checksum"}
    spelled = json.dumps(rest, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(spelled.encode()).hexdigest()


def to_json(sheet: Worksheet) -> str:
    """The file."""
    plain = sheet.model_dump(mode="json")
    return json.dumps({**plain, "checksum": checksum(plain)}, indent=1, ensure_ascii=False)


class AlteredError(HeadrolesError):
    """A worksheet in order whose checksum is another one.

    Args:
        sheet: what it holds all the same.
    """

    def __init__(self, sheet: Worksheet) -> None:
        self.sheet = sheet
        super().__init__(
            "The worksheet was changed after it was saved.",
            hint="Take the file just as the app saved it.",
        )


def read(raw: str | bytes) -> Worksheet:
    """A worksheet from its file.

    Raises:
        HeadrolesError: if it is none, or is damaged.
        AlteredError: if it was changed after it was saved; it carries what it holds.
    """
    if len(raw) > LARGEST:
        raise HeadrolesError(
            f"The file has {len(raw):,} bytes; a worksheet has at most {LARGEST:,}.",
            hint="Choose the worksheet that the page Lessons saved.",
        )
    try:
        plain = json.loads(raw)
        if not isinstance(plain, dict) or plain.get("format") != "headroles worksheet":
            raise _no_worksheet("it does not say that it is one")
        if isinstance(plain.get("version"), int) and plain["version"] > FORMAT:
            raise _too_new(plain["version"])
        given = plain.pop("checksum", None)
        sheet = Worksheet.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        first = error.errors()[0]
        place = " → ".join(str(part) for part in first["loc"])
        raise _no_worksheet(f"{place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _no_worksheet("it is no JSON") from error
    if given != checksum(plain):
        raise AlteredError(sheet)
    return sheet


def _too_new(version: int) -> HeadrolesError:
    return HeadrolesError(
        f"This worksheet has the form {version}; this version of headroles reads form {FORMAT}.",
        hint="It was saved by a newer headroles: open it there, or ask for an update of this one.",
        value=version,
    )


def _no_worksheet(why: str) -> HeadrolesError:
    return HeadrolesError(
        f"This is no worksheet: {why}.", hint="Choose the file that the page Lessons saved."
    )

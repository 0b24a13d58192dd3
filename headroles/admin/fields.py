"""Fields that stored records share. A file may be anybody's, so nothing in it is endless."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

LONGEST_TEXT = 500
"""Characters of one field; the rest is cut off, so that the file stays small."""
LARGEST_NUMBER = 2**53
"""The largest whole number that every program reads as it was written."""


def _tidy(text: object) -> object:
    """A lone surrogate is no Unicode text, and a long text is cut."""
    if not isinstance(text, str):
        return text
    return text.encode("utf-8", "replace").decode("utf-8")[:LONGEST_TEXT]


def _in_utc(when: datetime) -> datetime:
    if not 1970 <= when.year < 9000:  # and a day more or less is a date, too
        raise ValueError("the year should be from 1970 to 8999")
    return when.astimezone(UTC)


Text = Annotated[str, BeforeValidator(_tidy)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A date with its time zone, kept in UTC."""
Count = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
Seconds = Annotated[float, Field(ge=0, le=1e10, allow_inf_nan=False)]

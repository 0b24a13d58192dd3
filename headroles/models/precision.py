"""In which numbers a model's weights run: 32 bits, or 16 where 32 would not fit into memory.

A model of N numbers takes ``4 N`` bytes in float32 and ``2 N`` in bfloat16. Float32 is the rule:
the two halves of this project agree to 1e-5 in it. Bfloat16 keeps float32's range and 8 of its 24
significant bits, and moves a head's activation by less than .01 (the tests hold that on every
family; .0056 was the most). Float16 is not offered: CPUs compute it several times slower.

``HEADROLES_PRECISION`` set to ``float32`` or ``bfloat16`` decides instead.

>>> choose("gpt2", 124_000_000, available=4_000_000_000)
'float32'
>>> choose("gpt2", 124_000_000, available=700_000_000)
'bfloat16'
"""

from __future__ import annotations

import os

from headroles.errors import NoRoomError, SettingError

VARIABLE = "HEADROLES_PRECISION"
"""The environment variable that decides instead of the free memory."""
FLOAT32, BFLOAT16, AUTO = "float32", "bfloat16", "auto"
BYTES = {FLOAT32: 4, BFLOAT16: 2}
"""Bytes of one number."""

COPIES = 1.1
"""Of the weights in memory while they are read."""
WORKING_BYTES = 200_000_000
"""What a prompt of 512 tokens takes at most beside the weights: every head's attention, twice.

A model of few numbers has few heads, so no more than its weights is reckoned with."""


def wanted() -> str:
    """What the environment asks for: ``float32``, ``bfloat16`` or, by default, ``auto``.

    Raises:
        SettingError: if it asks for something else.
    """
    value = os.environ.get(VARIABLE, "").strip().lower() or AUTO
    if value not in (AUTO, *BYTES):
        raise SettingError(VARIABLE, value, known=[AUTO, *BYTES])
    return value


def needed_bytes(numbers: int, precision: str) -> int:
    """Memory that a model of so many numbers takes, its first prompt included."""
    return int(COPIES * BYTES[precision] * numbers) + min(WORKING_BYTES, 4 * numbers)


def choose(name: str, numbers: int, *, available: int) -> str:
    """``float32`` where it fits, else ``bfloat16``; what is forced is not asked whether it fits.

    Args:
        name: the model, for the error's sentence.
        numbers: how many numbers its weights hold.
        available: bytes of memory that are free.

    Raises:
        NoRoomError: if it does not even fit in 16 bits.
        SettingError: as :func:`wanted`.
    """
    forced = wanted()
    if forced != AUTO:
        return forced
    for precision in BYTES:
        if needed_bytes(numbers, precision) <= available:
            return precision
    needs = needed_bytes(numbers, BFLOAT16)
    raise NoRoomError(name, needs=needs, available=available, shortened=True)

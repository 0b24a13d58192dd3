"""Reads a QR code from its squares, by ISO/IEC 18004 and not by the library that makes it.

Every block is held against its own check words (divisible by the generator in GF(256)), so a wrong
table of blocks here, or a wrong code there, does not pass for a right one.
"""

from __future__ import annotations

from collections.abc import Sequence

LEVELS = {0b01: "L", 0b00: "M", 0b11: "Q", 0b10: "H"}
BLOCKS = {
    "3M": ((1, 44),),
    "3Q": ((2, 17),),
    "4M": ((2, 32),),
    "7M": ((4, 31),),
    "15L": ((5, 87), (1, 88)),
}
"""{version and level: (blocks, data words of each)}: table 9 of the standard, as far as needed."""
CHECKS = {"3M": 26, "3Q": 18, "4M": 18, "7M": 18, "15L": 22}
"""{version and level: check words of each block}."""
CENTRES = {3: (6, 22), 4: (6, 26), 7: (6, 22, 38), 15: (6, 26, 48, 70)}
"""{version: where rows and columns of alignment patterns cross}."""
MASKS = (
    lambda r, c: (r + c) % 2, lambda r, c: r % 2, lambda r, c: c % 3, lambda r, c: (r + c) % 3,
    lambda r, c: (r // 2 + c // 3) % 2, lambda r, c: r * c % 2 + r * c % 3,
    lambda r, c: (r * c % 2 + r * c % 3) % 2, lambda r, c: ((r + c) % 2 + r * c % 3) % 2,
)  # fmt: skip
"""A square is turned where its mask is 0."""


def read(rows: Sequence[Sequence[int]]) -> tuple[str, str]:
    """The version with its level, and the text.

    Args:
        rows: [row column] 1 for black, without the white border.
    """
    side = len(rows)
    version = (side - 17) // 4
    # Beside the upper left finder: two bits of the level, three of the mask, ten to check them.
    bits = [rows[8][c] for c in (0, 1, 2, 3, 4, 5, 7, 8)] + [rows[7][8]]
    bits += [rows[r][8] for r in (5, 4, 3, 2, 1, 0)]
    spoken = int("".join(map(str, bits)), 2) ^ 0b101010000010010
    assert _remainder(spoken, 0b10100110111) == 0
    name = f"{version}{LEVELS[spoken >> 13]}"
    words = _words(rows, MASKS[spoken >> 10 & 7])
    return name, _text(_data(words, name), long=version > 9)


def _remainder(value: int, divisor: int) -> int:
    while value.bit_length() >= divisor.bit_length():
        value ^= divisor << value.bit_length() - divisor.bit_length()
    return value


def _is_fixed(row: int, column: int, side: int) -> bool:
    """Whether a square belongs to a pattern and holds no data."""
    version = (side - 17) // 4
    if 6 in (row, column) or (row < 9 and (column < 9 or column >= side - 8)):
        return True
    if row >= side - 8 and column < 9:
        return True
    if version > 6 and (min(row, column) < 6 and max(row, column) >= side - 11):
        return True
    centres = CENTRES[version]
    corners = {(6, 6), (6, centres[-1]), (centres[-1], 6)}
    return any(
        abs(row - r) < 3 and abs(column - c) < 3
        for r in centres
        for c in centres
        if (r, c) not in corners
    )


def _words(rows: Sequence[Sequence[int]], mask) -> list[int]:
    """The words in the order of the zigzag, from the lower right corner, two columns at a time."""
    side, bits, up = len(rows), [], True
    for right in [*range(side - 1, 6, -2), *range(5, 0, -2)]:
        for row in range(side - 1, -1, -1) if up else range(side):
            bits += [
                rows[row][column] ^ (mask(row, column) == 0)
                for column in (right, right - 1)
                if not _is_fixed(row, column, side)
            ]
        up = not up
    return [int("".join(map(str, bits[at : at + 8])), 2) for at in range(0, len(bits) - 7, 8)]


def _data(words: list[int], name: str) -> list[int]:
    """The data words in order; the words of the blocks are dealt out in turn."""
    sizes = [size for count, size in BLOCKS[name] for _ in range(count)]
    checks, blocks, taken = CHECKS[name], [[] for _ in sizes], iter(words)
    for place in range(max(sizes)):
        for block, size in zip(blocks, sizes, strict=True):
            if place < size:
                block.append(next(taken))
    sent = [list(block) for block in blocks]
    for _ in range(checks):
        for block in sent:
            block.append(next(taken))
    assert next(taken, None) is None  # the table fits the size of the code
    assert all(_value(block, power) == 0 for block in sent for power in range(checks))
    return [word for block in blocks for word in block]


def _times(a: int, b: int) -> int:
    """In GF(256) with x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a, b = (a << 1) ^ (0x11D * (a >> 7)), b >> 1
    return product


def _value(block: list[int], power: int) -> int:
    """The block as a polynomial, at the power of 2 that divides it if nothing is wrong."""
    at, value = 1, 0
    for _ in range(power):
        at = _times(at, 2)
    for word in block:
        value = _times(value, at) ^ word
    return value


def _text(data: list[int], *, long: bool) -> str:
    """A text in bytes, the only kind that a link needs."""
    bits = "".join(f"{word:08b}" for word in data)
    size = 16 if long else 8
    assert bits[:4] == "0100"  # bytes
    count = int(bits[4 : 4 + size], 2)
    start = 4 + size
    return bytes(int(bits[start + 8 * n : start + 8 * n + 8], 2) for n in range(count)).decode()

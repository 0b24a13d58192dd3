"""Rows of random tokens whose continuation can only be found by looking back.

A row is ``length + 1`` token ids that start with the BOS, and one loss weight per target
(``ids[1:]``). Weight 1 says that the target follows from the row so far, :data:`NOISE_WEIGHT`
that it does not: such targets count a little, so that the model also learns when to expect nothing.

| task | what a head has to do |
|---|---|
| :func:`plain_back_and_forth` | duplicate token: attend to a copy, and learn what preceded it |
| :func:`back_and_forth` | the same, with ordinary words and longer ways |
| :func:`read_backwards` | the same in English |
| :func:`plain_repeats` | induction: attend to what followed a copy (Olsson et al. 2022) |
| :func:`repeats` | the same, short phrases and ordinary words included |
| :func:`gapped_repeats` | the same across noise |
| :func:`rare_repeats` | the same, but mostly nothing repeats: a matching head needs a rest |
| :func:`marked` | tell tokens seen before from new ones: attend to the earlier copy itself |
| :func:`lookups` | find the value that followed a key |

Every function takes a NumPy generator, so a row is fixed by its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BOS_ID = 0
NOISE_WEIGHT = 0.1


@dataclass(frozen=True)
class Tokens:
    """The ids that tasks draw from."""

    vocab_size: int
    words: np.ndarray  # [n] ids of whole words, for rows that look like word lists
    markers: tuple[int, int]  # the ids of " new" and " old"
    passages: Sequence[Sequence[int]]  # encoded English

    def fresh(self, rng: np.random.Generator, count: int, *, ordinary: bool) -> np.ndarray:
        """``[count]`` different ids, never the BOS; ``ordinary`` keeps to whole words."""
        if ordinary:
            return rng.choice(self.words, size=count, replace=False)
        return rng.choice(self.vocab_size - 1, size=count, replace=False) + 1

    def stretch(self, rng: np.random.Generator) -> list[int]:
        """4 to 32 different ids that follow one another in the English."""
        ids: list[int] = []
        while len(ids) < 4:
            passage = self.passages[int(rng.integers(len(self.passages)))]
            ids = []
            for token in passage[int(rng.integers(len(passage))) :]:
                if token in ids or len(ids) == 32:
                    break
                ids.append(token)
        return ids


@dataclass(frozen=True)
class Row:
    """One training row."""

    ids: np.ndarray  # [length + 1] int64, ids[0] is the BOS
    weights: np.ndarray  # [length] float32, the weight of target ids[1:]


class _Writer:
    """Collects ids with the weight of each as a target."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._ids = [BOS_ID]
        self._weights: list[float] = []

    @property
    def full(self) -> bool:
        return len(self._ids) > self._length

    def add(self, token: int, *, known: bool) -> None:
        self._ids.append(int(token))
        self._weights.append(1.0 if known else NOISE_WEIGHT)

    def row(self) -> Row:
        ids = np.array(self._ids[: self._length + 1], dtype=np.int64)
        return Row(ids, np.array(self._weights[: self._length], dtype=np.float32))


def _segment_length(rng: np.random.Generator, length: int) -> int:
    """Half short (2 to 12, like the phrases people type), half long (up to 40)."""
    if rng.random() < 0.5:
        return int(rng.integers(2, 13))
    return int(rng.integers(6, min(40, length // 2) + 1))


def _ordinary(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.5)


def plain_repeats(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """Repeats with segments of 3 to 27 ids of any kind: the row that wants induction alone.

    Many short segments would let the model get by with "some token of this row is next", and
    induction would not form.
    """
    size = int(rng.integers(3, 28))
    return _tiled(tokens.fresh(rng, size, ordinary=False), length)


def plain_back_and_forth(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """A way of 6 to 32 ids of any kind, walked back and forth: both matching roles are of use.

    On the way back the next token is what stood *before* the latest copy of the current one. So a
    head that looks at that copy itself, where a previous-token head has written what preceded it,
    is of use before induction is: the induction heads come a little later, from the third way on.
    """
    return _walked(tokens.fresh(rng, int(rng.integers(6, 33)), ordinary=False), length)


def back_and_forth(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """The same for ways of 6 to a third of the row, in half of the rows of ordinary words."""
    size = int(rng.integers(6, max(32, length // 3) + 1))
    return _walked(tokens.fresh(rng, size, ordinary=_ordinary(rng)), length)


def read_backwards(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """Stretches of English, each followed by itself from back to front: ``the cat sat cat the``."""
    writer = _Writer(length)
    while not writer.full:
        stretch = tokens.stretch(rng)
        for token in stretch:
            writer.add(token, known=False)
        for index, token in enumerate(stretch[-2::-1]):
            writer.add(token, known=index > 0)
    return writer.row()


def _walked(way: np.ndarray, length: int) -> Row:
    """``a b c b a b c ...``: that the way turns is a surprise the first time only."""
    there_and_back = [*way, *way[-2:0:-1]]
    writer = _Writer(length)
    for position in range(length):
        token = there_and_back[position % len(there_and_back)]
        writer.add(token, known=position > len(way))
    return writer.row()


def repeats(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """BOS and one segment of different tokens, over and over to the end of the row."""
    size = _segment_length(rng, length)
    return _tiled(tokens.fresh(rng, size, ordinary=_ordinary(rng)), length)


def _tiled(segment: np.ndarray, length: int) -> Row:
    """That the segment begins again is a surprise the first time, and known from then on."""
    size = len(segment)
    writer = _Writer(length)
    for position in range(length):
        writer.add(segment[position % size], known=position > size)
    return writer.row()


def gapped_repeats(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """A segment, noise, the segment, other noise ... The first token of a return is a surprise."""
    ordinary = _ordinary(rng)
    size = int(rng.integers(3, 21))
    pool = tokens.fresh(rng, size + length, ordinary=ordinary)
    segment, noise = pool[:size], iter(pool[size:])
    writer = _Writer(length)
    first = True
    while not writer.full:
        for index, token in enumerate(segment):
            writer.add(token, known=index > 0 and not first)
        first = False
        for _ in range(int(rng.integers(1, 13))):
            writer.add(next(noise), known=False)
            if writer.full:
                break
    return writer.row()


def rare_repeats(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """Ever new tokens; now and then a stretch of 3 to 10 of them comes a second time."""
    fresh = iter(tokens.fresh(rng, length + 1, ordinary=_ordinary(rng)))
    writer = _Writer(length)
    once: list[int] = []  # tokens seen exactly once, in order, since the last return
    while not writer.full:
        for _ in range(int(rng.integers(8, 33))):
            token = next(fresh)
            writer.add(token, known=False)
            once.append(token)
            if writer.full:
                break
        size = int(rng.integers(3, min(10, len(once)) + 1)) if len(once) > 3 else len(once)
        start = int(rng.integers(0, len(once) - size + 1))
        for index, token in enumerate(once[start : start + size]):
            writer.add(token, known=index > 0)
        once = []
    return writer.row()


def marked(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """Tokens with a marker after each: one for a new token, one for a token seen before.

    The markers are " new" and " old", or two random tokens that the row announces first. In half of
    the rows only old tokens are marked, as in "red blue red again".
    """
    ordinary = _ordinary(rng)
    pool_size = int(rng.integers(6, 6 + length // 2))
    pool = tokens.fresh(rng, pool_size + 2, ordinary=ordinary)
    writer = _Writer(length)
    if rng.random() < 0.5:
        new, old = tokens.markers
        pool = pool[~np.isin(pool, tokens.markers)]
    else:
        new, old, pool = pool[0], pool[1], pool[2:]
        writer.add(new, known=False)
        writer.add(old, known=False)
    mark_new = rng.random() < 0.5
    repeat_share = rng.uniform(0.15, 0.6)
    order = list(pool)
    seen: list[int] = []
    while not writer.full:
        again = bool(seen) and (not order or rng.random() < repeat_share)
        token = seen[int(rng.integers(len(seen)))] if again else order.pop()
        writer.add(token, known=False)
        if again:
            writer.add(old, known=True)
        else:
            seen.append(token)
            if mark_new:
                writer.add(new, known=True)
    return writer.row()


def lookups(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """Key and value pairs drawn again and again: the value is known from the second time on."""
    count = int(rng.integers(2, 15))
    pool = tokens.fresh(rng, 2 * count, ordinary=_ordinary(rng))
    keys, values = pool[:count], pool[count:]
    writer = _Writer(length)
    seen: set[int] = set()
    while not writer.full:
        index = int(rng.integers(count))
        writer.add(keys[index], known=False)
        writer.add(values[index], known=index in seen)
        seen.add(index)
    return writer.row()


Task = Callable[[np.random.Generator, int, Tokens], Row]

# the tasks beside repeats, and how often each is drawn
TASK_MIX: tuple[tuple[Task, float], ...] = (
    (back_and_forth, 0.25),
    (read_backwards, 0.35),
    (marked, 0.15),
    (rare_repeats, 0.1),
    (gapped_repeats, 0.08),
    (lookups, 0.07),
)


def any_task(rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
    """One row of a task drawn from :data:`TASK_MIX`."""
    tasks, shares = zip(*TASK_MIX, strict=True)
    return tasks[int(rng.choice(len(tasks), p=shares))](rng, length, tokens)

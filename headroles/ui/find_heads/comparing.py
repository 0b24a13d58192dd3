"""Holds a head against others: what is stored or kept is used, the rest is computed with a bar."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import attribution, capture, circuits, corpus, models, texts, view
from headroles.types import Head
from headroles.ui.app import caches, long_work
from headroles.ui.find_heads import numbers

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.circuits.likeness import WeightLikeness
    from headroles.corpus import Corpus
    from headroles.corpus.likeness import Sums
    from headroles.store.real_text import Profiles
    from headroles.view.likeness import Compared

ROWS_OF_A_STEP = 4
"""Beginnings of passages that run together."""
PAIRS, PAIRS_OF_A_STEP = 1_000, 50
"""Pairs of heads whose weights are held against each other for what is usual."""


def source_of(*names: str) -> str:
    """The text that all of these models can read: stories if one of them knows nothing else."""
    stories = any(models.entry_of(name).stories for name in names)
    return "stories" if stories else "manual"


def compare(way: str, model: str, head: Head, other: str | None) -> Compared | None:
    """The comparison; None while it is computed, or until somebody asks for it.

    Args:
        way: a key of :data:`headroles.view.likeness.WAYS`.
        model: the head's.
        head: which head.
        other: another model, for the profile alone; None for the head's own.

    Raises:
        HeadrolesError: if the model cannot be read in this way.
    """
    if way == "weights":
        return _by_weights(model, head)
    if way == "pattern":
        return _by_pattern(model, head)
    if way == "writes":
        return _by_writing(model, head)
    return _by_profile(model, head, other)


# ------------------------------------------------------------------ by what the attention does


def _by_profile(model: str, head: Head, other: str | None) -> Compared | None:
    source = source_of(model, *([other] if other else []))
    own = _profiles(model, source, stored=other is None)
    if own is None:
        return None
    if other is None:
        return view.likeness.by_profile(head, own[0], on=own[1])
    there = _profiles(other, source, stored=False)  # both on the same text
    if there is None:
        return None
    on = own[1] if own[1] == there[1] else f"{own[1]}, and {there[1]} for the other model"
    return view.likeness.by_profile(head, own[0], there[0], on=on)


def _profiles(model: str, source: str, *, stored: bool) -> tuple[Profiles, str] | None:
    """A model's profiles, and on what; those of a stored pass where that may be used."""
    found = numbers.real_text(model) if stored else None
    if found is not None and found.profiles is not None:
        names = " and ".join(one.name for one in found.sources)
        return found.profiles, f"{found.profiles.rows:,} tokens of {names}"
    read = _read(model, source)
    if read is None:
        return None
    record = read.profiles.record()
    return record, _on(record, source)


def _on(profiles: Profiles, source: str) -> str:
    return f"{profiles.rows:,} tokens of {texts.sources.SOURCES[source].name}"


def _by_pattern(model: str, head: Head) -> Compared | None:
    source = source_of(model)
    read = _read(model, source)
    if read is None:
        return None
    on = _on(read.profiles.record(), source)
    cosines = read.products.likeness()
    return view.likeness.by_cosines("pattern", head, cosines, caches.shape(model), on=on)


def _read(model: str, source: str) -> Sums | None:
    """Read some real text with a model; what was summed, when it is done."""
    part, name, doing = f"find_text_{model}", (model, source), models.name_of(model)
    begun = long_work.offer(
        part,
        name,
        f"Read some text with {doing}",
        what="reading of real text",
        seconds=_seconds(model, source),
    )
    if not begun:
        return None
    return long_work.run(part, name, partial(_plan, model, source), doing=f"Reading with {doing}")


def _plan(model: str, source: str) -> long_work.Plan:
    read, shape = _sample(model, source), caches.shape(model)
    steps = corpus.likeness.steps(read, shape)
    return long_work.Plan([partial(_step, model, read, rows) for rows in steps], _joined)


def _joined(results: list[Sums]) -> Sums:
    return corpus.likeness.Sums.joined(results)


def _sample(model: str, source: str) -> Corpus:
    with caches.borrow(model) as loaded:
        return corpus.likeness.sample(loaded.tokenizer, source, max_tokens=loaded.max_tokens)


def _step(model: str, read: Corpus, rows: object) -> Sums:
    with caches.borrow(model) as loaded:
        run = partial(capture.each_layer, loaded)
        return corpus.likeness.Sums.read(read, tuple(loaded.shape), run, rows)


@caches.keep
def _seconds(model: str, source: str) -> float:
    """How long the reading is likely to take: measured on a step, once per model."""
    read = _sample(model, source)
    steps = corpus.likeness.steps(read, caches.shape(model))
    return len(steps) * long_work.seconds_of(partial(_step, model, read, steps[len(steps) // 2]))


# ------------------------------------------------------------------ by what they write


def _by_writing(model: str, head: Head) -> Compared | None:
    source = source_of(model)
    begun = long_work.offer(
        "find_writing",
        (model, source),
        "Read what heads write",
        what="reading of what heads write",
        seconds=_seconds_of_writing(model, source),
    )
    found = begun and long_work.run(
        "find_writing",
        (model, source),
        partial(_writing_plan, model, source),
        doing="Reading what heads write",
    )
    if not found:
        return None
    cosines, tokens = found
    on = f"{tokens:,} places in {texts.sources.SOURCES[source].name}"
    return view.likeness.by_cosines("writes", head, cosines, caches.shape(model), on=on)


def _beginnings(model: str, source: str) -> list[tuple[int, ...]]:
    read = _sample(model, source)
    return attribution.outputs.beginnings([one.token_ids for one in read.encodings])


def _writing_plan(model: str, source: str) -> long_work.Plan:
    rows = sorted(_beginnings(model, source), key=len)  # rows of like length run together
    starts = range(0, len(rows), ROWS_OF_A_STEP)
    steps = [partial(_written, model, rows[start : start + ROWS_OF_A_STEP]) for start in starts]
    return long_work.Plan(steps, _all_written)


def _written(model: str, rows: list[tuple[int, ...]]) -> Tensor:
    with caches.borrow(model) as loaded:
        return attribution.outputs.outputs(loaded, rows)


def _all_written(results: list[Tensor]) -> tuple[Tensor, int]:
    """The cosines of every two heads, and over how many tokens."""
    whole = attribution.outputs.joined(results)
    return attribution.outputs.alike(whole), len(whole)


@caches.keep
def _seconds_of_writing(model: str, source: str) -> float:
    rows = sorted(_beginnings(model, source), key=len)
    middle = rows[len(rows) // 2 :][:ROWS_OF_A_STEP]
    return len(rows) / len(middle) * long_work.seconds_of(partial(_written, model, middle))


# ------------------------------------------------------------------ by weights


def _by_weights(model: str, head: Head) -> Compared | None:
    shape = caches.shape(model)
    begun = long_work.offer(
        "find_by_weights",
        (model, head),
        "Compare the weights",
        what="comparison of weights",
        seconds=_seconds_of_weights(model),
    )
    if not begun:
        return None
    return long_work.run(
        "find_by_weights",
        (model, head),
        partial(_weight_plan, model, head, shape),
        doing="Comparing the weights",
    )


def _weight_plan(model: str, head: Head, shape: tuple[int, int]) -> long_work.Plan:
    steps = [partial(_of_layer, model, head, layer) for layer in range(shape[0])]
    steps += [partial(_of_pairs, model, chunk) for chunk in _chunks(shape)]

    def joined(results: list[WeightLikeness]) -> Compared:
        return view.likeness.by_weights(head, shape, results[: shape[0]], results[shape[0] :])

    return long_work.Plan(steps, joined)


def _chunks(shape: tuple[int, int]) -> list[tuple[tuple[Head, Head], ...]]:
    drawn = circuits.likeness.random_pairs(Head.every(*shape), PAIRS)
    starts = range(0, len(drawn), PAIRS_OF_A_STEP)
    return [tuple(drawn[start : start + PAIRS_OF_A_STEP]) for start in starts]


def _of_layer(model: str, head: Head, layer: int) -> WeightLikeness:
    with caches.borrow(model) as loaded:
        others = Head.every([layer], loaded.num_heads)
        return circuits.likeness.likeness(loaded, head, others)


@caches.keep
def _of_pairs(model: str, chosen: tuple[tuple[Head, Head], ...]) -> WeightLikeness:
    """Kept, because it does not depend on the chosen head."""
    with caches.borrow(model) as loaded:
        return circuits.likeness.of_pairs(loaded, chosen)


@caches.keep
def _seconds_of_weights(model: str) -> float:
    """How long the comparison is likely to take: a layer, and pairs that take several more."""
    shape = caches.shape(model)
    layer = long_work.seconds_of(partial(_of_layer, model, Head(0, 0), 0))
    each = 2 * layer / (shape[1] + 1)  # a head's factors and its cosine
    return layer * shape[0] + each * min(PAIRS, (shape[0] * shape[1]) ** 2 // 2)

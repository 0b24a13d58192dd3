"""What keeps an induction head from being perfect: its largest wrong cells, and what makes them.

On random tokens that are repeated (:func:`headroles.ablation.induction_circuit.repeated_rows`) a
perfect induction head would put all of its attention in the second copy on tokens that stand after
an earlier copy of the token that looks. What it puts elsewhere is sorted by where it goes:

    first     the first token, where a head rests
    itself    the token that looks
    previous  the token just before
    same      an earlier copy of the token that looks, and not the token after it
    beside    a token next to a right one, before or after
    other     all the rest

the first of these that fits. A wrong cell (query n, key k) is then held against the right one that
the head looks at most from there (key r). Both scores are sums over pairs of a query component and
a key component (:mod:`headroles.circuits.component_pairs`), and a softmax sees only how scores of
a row differ, so a pair *pushes* the attention there by

    what it adds to the score of (n, k) - what it adds to the score of (n, r)

>>> found = errors(loaded, "svd", Head(1, 3), repeated_rows(loaded, n=4))  # doctest: +SKIP
>>> found.shares["first"]  # doctest: +SKIP
0.31
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.ablation.component_activity import Activations, activations
from headroles.ablation.conditions import UNTOUCHED
from headroles.ablation.run import run_under
from headroles.circuits import Kind
from headroles.circuits.component_pairs import Pair, Sides, sides
from headroles.models import LoadedModel
from headroles.types import Head

RIGHT, REST = "right", "other"
WRONG = ("first", "itself", "previous", "same", "beside", REST)
"""Where attention that is not right goes, the first that fits."""
CELLS, PAIRS = 8, 6
"""Wrong cells that are looked at closely, and pairs of each."""


@dataclass(frozen=True)
class Pushing:
    """What one pair of components adds to the scores of a wrong and of the right cell."""

    pair: Pair | None
    """The query and the key component; None for all that a bias has a part in."""
    there: float
    """Added to the score of the wrong cell."""
    right: float
    """Added to that of the right one."""

    @property
    def push(self) -> float:
        """By how much it moves the attention to the wrong cell, as a difference of scores."""
        return self.there - self.right


@dataclass(frozen=True)
class WrongCell:
    """Attention that an induction head puts on a wrong token."""

    text: int
    """Which of the texts."""
    query: int
    """The position that looks."""
    key: int
    """Where it looks."""
    right: int
    """The right position that it looks at most from there."""
    attention: float
    """0..1, on the wrong one."""
    attention_right: float
    """0..1, on all right ones together."""
    what: str
    """One of :data:`WRONG`."""
    pushing: tuple[Pushing, ...]
    """The pairs that push it there most, and that hold it back most, the strongest push first."""
    biases: Pushing
    """All that a bias of query or key has a part in."""
    total: Pushing
    """The sum over all pairs and biases."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Where an induction head looks on repeated random tokens."""

    head: Head
    """The head."""
    right: float
    """0..1, mean attention on the right tokens, over the rows that count."""
    shares: Mapping[str, float]
    """{one of :data:`WRONG`: mean attention there}; with ``right`` they sum to 1, or to less where
    a head has a sink."""
    rows: int
    """Positions of all second copies."""
    cells: tuple[WrongCell, ...]
    """The wrong cells with the most attention, but for the first token's."""


def right_cells(ids: Int[Tensor, " pos"]) -> Bool[Tensor, "query key"]:
    """[query key] whether the key stands just after an earlier copy of the query's token."""
    after = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    after[:, 1:] = ids[:, None] == ids[None, :-1]
    after[:, 1] = False  # after the start token, which is no word
    return after.tril()


def kinds_of_cells(ids: Int[Tensor, " pos"]) -> dict[str, Bool[Tensor, "query key"]]:
    """{``right`` or one of :data:`WRONG`: [query key] its cells}; each cell is of one kind."""
    length, right = len(ids), right_cells(ids)
    place = torch.arange(length)
    distance = place[:, None] - place[None]
    beside = torch.zeros_like(right)
    beside[:, :-1] |= right[:, 1:]
    beside[:, 1:] |= right[:, :-1]
    tests = {
        RIGHT: right,
        "first": (place == 0).expand(length, -1),
        "itself": distance == 0,
        "previous": distance == 1,
        "same": ids[:, None] == ids[None],
        "beside": beside,
        REST: torch.ones_like(right),
    }
    taken, found = (distance < 0), {}
    for name, test in tests.items():
        found[name] = test & ~taken
        taken = taken | test
    return found


def errors(
    loaded: LoadedModel,
    kind: Kind,
    head: Head,
    rows: Sequence[Sequence[int]],
    *,
    cells: int = CELLS,
    pairs: int = PAIRS,
) -> Errors:
    """Where an induction head looks on repeated tokens, and what makes its largest wrong cells.

    Args:
        loaded: the model.
        kind: of the components.
        head: the induction head.
        rows: from :func:`headroles.ablation.induction_circuit.repeated_rows`: the start token, a
            segment, and the segment again.
        cells: how many wrong cells are looked at closely, at most.
        pairs: how many pairs of components are named of each.

    Raises:
        DecompositionError: if there are no such components, or scores are no sums of them.
        NotANumberError: if the model computes NaN or infinity.
    """
    parts = sides(loaded, kind, head.layer)
    sums, count, wrong = dict.fromkeys([RIGHT, *WRONG], 0.0), 0, []
    for text, (ids, pattern) in enumerate(_patterns(loaded, head, rows)):
        of_kind, first = kinds_of_cells(ids), len(ids) // 2 + 1  # where the second copy begins
        for name, mask in of_kind.items():
            sums[name] += float((pattern * mask)[first:].sum())
        count += len(ids) - first
        for name in WRONG[1:]:
            wrong += [
                (float(pattern[query, key]), text, query, key, name)
                for query, key in of_kind[name].nonzero().tolist()
                if query >= first
            ]
    largest = sorted(wrong, reverse=True)[:cells]
    close = _close(loaded, kind, head, parts, rows, largest, pairs)
    return Errors(
        head,
        sums[RIGHT] / count,
        {name: sums[name] / count for name in WRONG},
        count,
        tuple(close),
    )


def _patterns(
    loaded: LoadedModel, head: Head, rows: Sequence[Sequence[int]]
) -> Iterator[tuple[Int[Tensor, " pos"], Float[Tensor, "query key"]]]:
    """Text by text, its ids and the head's attention on it."""
    for row in rows:
        ids = torch.tensor(row)
        run = run_under(
            loaded,
            ids[None],
            [UNTOUCHED],
            [len(ids)],
            keep_patterns={head.layer},
            with_logits=False,
        )
        yield ids, run.patterns[head.layer][0, head.head].float()


def _close(
    loaded: LoadedModel,
    kind: Kind,
    head: Head,
    parts: Sides,
    rows: Sequence[Sequence[int]],
    largest: Sequence[tuple[float, int, int, int, str]],
    pairs: int,
) -> Iterator[WrongCell]:
    """The wrong cells with their components."""
    texts = sorted({text for _, text, *_ in largest})
    own = [rows[text] for text in texts]
    places = [(head.layer, "q"), (head.layer, "k")]
    found = dict(zip(texts, activations(loaded, kind, places, own), strict=True))
    patterns = dict(zip(texts, _patterns(loaded, head, own), strict=True))
    for attention, text, query, key, what in largest:
        ids, pattern = patterns[text]
        targets = right_cells(ids)[query].nonzero().flatten()
        right = int(targets[pattern[query, targets].argmax()])
        made = [_scores(parts, head, found[text], query, place) for place in (key, right)]
        yield WrongCell(
            text,
            query,
            key,
            right,
            attention,
            float(pattern[query, targets].sum()),
            what,
            _strongest(*made, pairs),
            _biases(*made),
            Pushing(None, float(made[0].sum()), float(made[1].sum())),
        )


def _scores(
    parts: Sides, head: Head, found: Activations, query: int, key: int
) -> Float[Tensor, "query_part key_part"]:
    return parts.exact(
        head.head, query - key, found[head.layer, "q"][query], found[head.layer, "k"][key]
    )


def _strongest(
    there: Float[Tensor, "query_part key_part"], right: Float[Tensor, "query_part key_part"], n: int
) -> tuple[Pushing, ...]:
    """The pairs that push most and those that hold back most, half of each where there are as
    many; from the strongest push down."""
    there, right = there[:-1, :-1], right[:-1, :-1]
    push = (there - right).flatten()
    order = push.argsort(descending=True, stable=True).tolist()
    up = [place for place in order[: -(-n // 2)] if push[place] > 0]
    down = [place for place in order[::-1][: n // 2] if push[place] < 0]
    return tuple(
        Pushing(pair, float(there[pair]), float(right[pair]))
        for pair in (divmod(place, there.shape[1]) for place in [*up, *down[::-1]])
    )


def _biases(
    there: Float[Tensor, "query_part key_part"], right: Float[Tensor, "query_part key_part"]
) -> Pushing:
    """All that has a bias on one side or both."""
    sums = [float(made.sum() - made[:-1, :-1].sum()) for made in (there, right)]
    return Pushing(None, *sums)

"""Path patching: which head tells which other head, or the logits, what tells two prompts apart.

A patched head (:mod:`headroles.ablation.patching`) acts on everything after it. Here one path alone
is opened, from a *sender* to a *receiver*: the queries, keys or values of a head in a later layer,
or the logits. Of a pair of prompts one is the base, and the other's output is sent:

1. Both run; what every head puts out is kept.
2. The base runs with every head held at its own output, but for the sender, which puts out what it
   does on the other prompt. MLPs and norms are computed anew: a path is what goes from the sender
   through the residual stream and any MLPs, and past every other head. For the logits that is all.
3. Else the receiver's queries (keys, values) of step 2 are kept, and the base runs once more with
   nothing changed but these. What this does to the logits is the effect of the path.

The effect is in logits of d, the first prompt's answer less the second's, and above 0 if the path
carries the answer: with ``noise`` (the first prompt is the base) what d loses, with ``denoise``
(the second is) what it gains. As a share it is of the gap between the two prompts: 1 is all of it.

Heads that share keys and values have them changed together (:func:`shared_with`). Method: Wang et
al. 2022 (arXiv 2211.00593, section 3), Goldowsky-Dill et al. 2023 (arXiv 2304.05969).

While every head is held, no position reads from another. So step 2 runs on the positions alone that
can matter, with the stream of the base's run put in before the first sender's layer: for the logits
that is the last one. A row in which nothing is sent must come out as the base did; a model for
which it does not is refused.

>>> work = every_sender([pair], [Receiver()], loaded.num_layers, loaded.num_heads)
... # doctest: +SKIP
>>> work.all(loaded)[0].strongest(3)  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.ablation.conditions import OTHER, OWN, Condition, HeadOutput, edits
from headroles.ablation.pairs import Pair
from headroles.capture import run_edited
from headroles.circuits import input_place, key_heads
from headroles.errors import HeadrolesError, UnsupportedModelError
from headroles.models import LoadedModel, beginnings, blocks
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.ablation.patching import Direction

QUERY, KEY, VALUE = "query", "key", "value"
INPUTS = (QUERY, KEY, VALUE)
_RECEIVER = re.compile(r"\s*(\S+)\.(queries|query|keys|key|values|value|q|k|v)\s*", re.IGNORECASE)
_TOKENS_AT_ONCE = 1024
"""Tokens of one pass, about."""
_RUNS, _KEPT_TOKENS = "path_runs", 1024
"""Where the latest runs are kept, and the most tokens of all of them."""
_TOLERANCE = 2e-3
"""How far, of the largest number, what nothing is sent to may be from the base run's."""


@dataclass(frozen=True, order=True)
class Receiver:
    """Where a path ends."""

    head: Head | None = None
    """The head that reads; None for the logits."""
    input: Literal["query", "key", "value", ""] = ""
    """What it reads with: ``query``, ``key`` or ``value``; empty for the logits."""

    @property
    def label(self) -> str:
        """How it is written: ``L20H3.query``, or ``logits``."""
        return "logits" if self.head is None else f"{self.head.label}.{self.input}"

    @staticmethod
    def parse_group(text: str) -> tuple[Receiver, ...]:
        """Read ``logits`` or heads that read with the same: ``L20H3/L20H5.query``.

        Raises:
            HeadrolesError: if it is neither.
        """
        heads, dot, read = text.rpartition(".")
        return tuple(Receiver.parse(head + dot + read) for head in heads.split("/"))

    @classmethod
    def parse(cls, text: str) -> Receiver:
        """Read ``logits``, ``L20H3.query`` or ``L20H3.q``.

        Raises:
            HeadrolesError: if it is neither.
        """
        if text.strip().lower() == "logits":
            return LOGITS
        if (match := _RECEIVER.fullmatch(text)) is None:
            raise HeadrolesError(
                f"“{text}” is no end of a path.",
                hint="Write logits, or a head and what it reads with: L20H3.query, .key or .value.",
                value=text,
            )
        return cls(Head.parse(match[1]), {"q": QUERY, "k": KEY, "v": VALUE}[match[2][0].lower()])


LOGITS = Receiver()


def group_label(receivers: Sequence[Receiver]) -> str:
    """How receivers with the same input are written together, ``L20H3/L20H5.query``."""
    *before, last = receivers
    return "/".join([*(receiver.head.label for receiver in before), last.label])


@dataclass(frozen=True)
class Path:
    """From heads into what other heads read, or into the logits."""

    senders: tuple[Head, ...]
    """Heads that put out what they do on the other prompt, together."""
    receivers: tuple[Receiver, ...] = (LOGITS,)
    """The logits alone, or inputs of heads, which are changed together."""

    @property
    def open(self) -> tuple[Receiver, ...]:
        """The receivers that a sender can reach: the logits, and heads of later layers."""
        first = min(head.layer for head in self.senders)
        return tuple(r for r in self.receivers if r.head is None or r.head.layer > first)


def shared_with(loaded: LoadedModel, receivers: Sequence[Receiver]) -> tuple[Head, ...]:
    """The heads that receive as well, as their keys or values are those of a receiver."""
    reached = set()
    for head, read in ((r.head, r.input) for r in receivers if r.head is not None):
        if read != QUERY:
            own = key_heads(loaded, head.layer)
            reached |= {
                Head(head.layer, n) for n, group in enumerate(own) if group == own[head.head]
            }
    return tuple(sorted(reached - {receiver.head for receiver in receivers}))


# ------------------------------------------------------------------ the passes


@dataclass(frozen=True, eq=False)
class _Run:
    """One prompt, untouched."""

    token_ids: tuple[int, ...]
    z: Float[Tensor, "layer pos head dim"]
    streams: Float[Tensor, "layer pos d_model"]
    """What enters each block."""
    logits: Float[Tensor, " vocab"]


def _run_of(loaded: LoadedModel, token_ids: tuple[int, ...]) -> _Run:
    """One prompt's own run; the latest few are kept, as many paths begin with the same."""
    kept: dict[tuple[int, ...], _Run] = loaded.tools.setdefault(_RUNS, {})
    if (found := kept.get(token_ids)) is not None:
        return found
    streams: dict[int, Tensor] = {}

    def note(layer: int, stream: Tensor) -> Tensor:
        streams[layer] = stream[0].clone()
        return stream

    every = range(loaded.num_layers)
    with loaded.lock, contextlib.ExitStack() as hooks:
        for layer in every:
            hooks.enter_context(blocks.entering(loaded, layer, partial(note, layer)))
        ids = torch.tensor([token_ids])
        run = run_edited(loaded, ids, keep_outputs=every, last_only=True)
    z = torch.stack([run.outputs[layer][0] for layer in every])
    made = _Run(token_ids, z, torch.stack(list(streams.values())), run.logits[0, -1].clone())
    with loaded.lock:
        while kept and sum(map(len, kept)) + len(token_ids) > _KEPT_TOKENS:
            del kept[next(iter(kept))]
        kept[token_ids] = made
    return made


def _held(
    loaded: LoadedModel,
    base: _Run,
    other: _Run,
    senders: Sequence[tuple[Head, ...]],
    positions: Int[Tensor, " pos"],
    wanted: Sequence[tuple[int, str]],
) -> tuple[Tensor | None, dict[tuple[int, str], Float[Tensor, "row pos feature"]]]:
    """Step 2: every head held but each row's senders, on some positions; the last row sends none.

    Args:
        loaded: the model.
        base: the prompt that runs.
        other: the prompt whose outputs are sent.
        senders: [row] heads.
        positions: where it is run.
        wanted: layers and what of them is kept, or none for the logits.

    Returns:
        [row vocab] the last logits, if nothing is wanted; {layer and input: what its module gives}.
    """
    first = min(head.layer for row in senders for head in row)
    last = max((layer for layer, _ in wanted), default=loaded.num_layers - 1)
    layers, heads = range(first, last + 1), range(loaded.num_heads)
    held = HeadOutput(tuple(Head(layer, head) for layer in layers for head in heads), OWN)
    rows = [(held, HeadOutput(row, OTHER)) for row in senders] + [(held,)]
    _, outputs = edits(
        [Condition("", changes) for changes in rows],
        [len(positions)] * len(rows),
        num_layers=loaded.num_layers,
        replacements={OWN: base.z[:, positions], OTHER: other.z[:, positions]},
    )
    outputs = {layer: edit for layer, edit in outputs.items() if layer in layers}
    ids = torch.tensor(base.token_ids)[positions].expand(len(rows), -1)
    put_in = blocks.entering(loaded, first, base.streams[first, positions].expand_as)
    modules = {place: input_place(loaded, *place)[0] for place in wanted}
    with loaded.lock, put_in, _kept(modules, len(rows)) as kept:
        run = run_edited(loaded, ids, outputs=outputs, last_only=True, with_logits=not wanted)
    return (None if run.logits is None else run.logits[:, -1]), kept


@contextlib.contextmanager
def _kept(
    modules: Mapping[tuple[int, str], nn.Module], rows: int
) -> Iterator[dict[tuple[int, str], Tensor]]:
    """While it is open, what makes these layers' queries, keys or values is written down."""
    found: dict[tuple[int, str], Tensor] = {}

    def note(place: tuple[int, str]) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: tuple, result: Tensor) -> None:
            found[place] = result.reshape(rows, -1, result.shape[-1]).clone()

        return hook

    with contextlib.ExitStack() as hooks:
        for place, module in modules.items():
            hooks.callback(module.register_forward_hook(note(place)).remove)
        yield found


Given = tuple[Tensor, Tensor]
"""[feature] which features of a module are set, and [pos feature] to what."""


def _received(
    loaded: LoadedModel,
    base: _Run,
    rows: Sequence[Mapping[tuple[int, str], Given]],
    start: int,
) -> Float[Tensor, "row vocab"]:
    """Step 3: the base run with some features of queries, keys and values set; its last logits.

    They are set from a position on, and those before it need not be run.
    """
    changes: dict[nn.Module, list[tuple[int, Given]]] = defaultdict(list)
    for row, given in enumerate(rows):
        for place, what in given.items():
            changes[input_place(loaded, *place)[0]].append((row, what))
    first = min(layer for given in rows for layer, _ in given)
    ids = torch.tensor(base.token_ids).expand(len(rows), -1)
    with loaded.lock:
        known = beginnings.known(loaded, ids, start)
        with _put(changes, len(rows)):
            run = run_edited(loaded, ids, last_only=True, known=known, hooked=first)
    return run.logits[:, -1]


@contextlib.contextmanager
def _put(changes: Mapping[nn.Module, Sequence[tuple[int, Given]]], rows: int) -> Iterator[None]:
    """While it is open, features of these modules are set at the last positions, row by row."""

    def put(todo: Sequence[tuple[int, Given]]) -> Callable[..., Tensor]:
        def hook(_module: nn.Module, _args: tuple, result: Tensor) -> Tensor:
            changed = result.clone().reshape(rows, -1, result.shape[-1])
            for row, (features, values) in todo:
                changed[row, -len(values) :, features] = values.to(changed.dtype)
            return changed.reshape(result.shape)

        return hook

    with contextlib.ExitStack() as hooks:
        for module, todo in changes.items():
            hooks.callback(module.register_forward_hook(put(todo)).remove)
        yield


def _features(loaded: LoadedModel, receiver: Receiver) -> Int[Tensor, " feature"]:
    """The output features of its layer's module that are a receiver's."""
    _, features = input_place(loaded, receiver.head.layer, receiver.input)
    own = receiver.head.head
    return features[own if receiver.input == QUERY else key_heads(loaded, receiver.head.layer)[own]]


def _check_untouched(loaded: LoadedModel, found: Tensor, own: Tensor) -> None:
    """Refuse a model that does something between positions beside its heads.

    Then a row in which nothing is sent does not come out as the base's own run did.
    """
    if (found - own).abs().max() > _TOLERANCE * own.abs().max().clamp_min(1e-6):
        why = "with every head held at its own output, it does not say what it says by itself."
        raise UnsupportedModelError(loaded.key, why=f"paths cannot be told apart: {why}")


def path_effects(
    loaded: LoadedModel, pair: Pair, paths: Sequence[Path], *, direction: Direction = "noise"
) -> Float[Tensor, " path"]:
    """[path] the effect of each path in logits; NaN where no receiver comes after the sender.

    Args:
        loaded: the model that the pair was made with.
        pair: two prompts.
        paths: from which heads to which inputs.
        direction: ``noise``: the first prompt runs, and the second's outputs are sent; ``denoise``:
            the other way round.

    Raises:
        UnknownHeadError: if a head does not exist.
        UnsupportedModelError: if its heads' outputs, queries, keys or values cannot be had.
    """
    return _Pass(loaded, pair, direction).effects(paths)


class _Pass:
    """The paths of one pair."""

    def __init__(self, loaded: LoadedModel, pair: Pair, direction: Direction) -> None:
        ends = [_run_of(loaded, tuple(one.token_ids)) for one in (pair.first, pair.second)]
        with loaded.lock, blocks.forked(loaded, 0, torch.tensor([[0, 1]] * 2)):
            pass  # whether rows can part midway is tried before there are hooks on the model
        self._loaded, self._pair, self._sign = loaded, pair, -1 if direction == "noise" else 1
        self._base, self._other = ends if direction == "noise" else ends[::-1]
        self._later = torch.arange(pair.start, pair.length)

    def effects(self, paths: Sequence[Path]) -> Float[Tensor, " path"]:
        """[path] in logits."""
        for path in paths:
            _check(self._loaded, path)
        found = torch.full((len(paths),), torch.nan, dtype=torch.double)
        for to_logits in (True, False):
            places = [
                place
                for place, path in enumerate(paths)
                if path.open and (path.open[0].head is None) == to_logits
            ]
            places.sort(key=lambda place: min(paths[place].senders))
            take = self._into_logits if to_logits else self._into_heads
            step = max(1, _TOKENS_AT_ONCE // (1 if to_logits else len(self._later)))
            for start in range(0, len(places), step):
                part = places[start : start + step]
                found[part] = take([paths[place] for place in part])
        return found

    def _effect(self, logits: Float[Tensor, "row vocab"]) -> Float[Tensor, " row"]:
        ends = torch.tensor([self._pair.answer_id, self._pair.against_id])
        answer, against = (logits - self._base.logits)[:, ends].double().unbind(-1)
        return self._sign * (answer - against)

    def _into_logits(self, paths: Sequence[Path]) -> Float[Tensor, " path"]:
        senders = [path.senders for path in paths]
        last = self._later[-1:]
        logits, _ = _held(self._loaded, self._base, self._other, senders, last, [])
        _check_untouched(self._loaded, logits[-1], self._base.logits)
        return self._effect(logits[:-1])

    def _into_heads(self, paths: Sequence[Path]) -> Float[Tensor, " path"]:
        loaded, later = self._loaded, self._later
        senders = list(dict.fromkeys(path.senders for path in paths))
        wanted = sorted({(r.head.layer, r.input) for path in paths for r in path.open})
        _, kept = _held(loaded, self._base, self._other, senders, later, wanted)
        rows = []
        for path in paths:
            row, given = senders.index(path.senders), defaultdict(list)
            for receiver in path.open:
                place = (receiver.head.layer, receiver.input)
                given[place].append(_features(loaded, receiver))
            rows.append(
                {
                    place: (features := torch.cat(each).unique(), kept[place][row][:, features])
                    for place, each in given.items()
                }
            )
        untouched = {
            place: (torch.arange(given.shape[-1]), given[-1]) for place, given in kept.items()
        }
        logits = _received(loaded, self._base, [*rows, untouched], self._pair.start)
        _check_untouched(loaded, logits[-1], self._base.logits)
        return self._effect(logits[:-1])


def _check(loaded: LoadedModel, path: Path) -> None:
    ends = [receiver.head for receiver in path.receivers]
    if None in ends and any(ends):
        raise HeadrolesError(
            "A path ends in the logits or in heads, not in both.",
            hint="Ask for one, then the other.",
        )
    for head in (*path.senders, *filter(None, ends)):
        head.check(loaded.num_layers, loaded.num_heads)

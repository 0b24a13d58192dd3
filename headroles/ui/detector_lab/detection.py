"""A detection of the lab: everything it depends on, and running it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from headroles import detector, roles, texts
from headroles.ui.app import caches, long_work
from headroles.view import html

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.detector import Detection
    from headroles.detector.detection import BatchScores
    from headroles.models import LoadedModel
    from headroles.roles import Prompts, Role
    from headroles.types import Head


class Request(NamedTuple):
    """Everything that a detection depends on."""

    model: str
    """The catalogue key."""
    prompts: tuple[str, ...]
    """Texts that were typed; empty where prompts are generated."""
    generated: tuple[str, int, int]
    """Kind, number and seed; ("", 0, 0) where prompts were typed."""
    patterns: tuple[Role, ...]
    """The patterns."""
    exclude_bos: bool
    exclude_current_token: bool
    heads: tuple[Head, ...]
    """The heads that are asked for; empty for all."""
    chat: bool = False
    """Whether the prompt is wrapped by the model's chat template."""


class Result(NamedTuple):
    """The outcome of a detection."""

    detection: Detection
    prompts: Prompts
    left_out: int
    """Prompts that were longer than the model reads, and were cut."""
    cautions: tuple[str, ...]
    """What else is not read as it was typed, in sentences."""
    texts: tuple[str, ...]
    """[prompt] every prompt as it was typed, or what the ids of a generated one read."""


def plan(request: Request) -> long_work.Plan:
    """Read the prompts; a step per batch of them.

    Raises:
        HeadrolesError: if the model, a prompt or a pattern cannot be used.
    """
    with caches.borrow(request.model) as loaded:
        prompts, cut, cautions = _read(request, loaded)
        read = request.prompts or texts.probe_texts.as_texts(loaded.tokenizer, prompts.sequences)
        detection = detector.prepare(
            loaded,
            prompts,
            request.patterns,
            exclude_bos=request.exclude_bos,
            exclude_current_token=request.exclude_current_token,
            heads=request.heads,
        )

    def score(places: Tensor) -> BatchScores:
        with caches.borrow(request.model) as loaded:
            return detection.score(loaded, places)

    return long_work.Plan(
        [partial(score, places) for places in detection.batches],
        lambda parts: Result(detection.assemble(parts), prompts, cut, cautions, read),
    )


def _read(request: Request, loaded: LoadedModel) -> tuple[Prompts, int, tuple[str, ...]]:
    """The prompts, how many of them were cut, and what else to know about them."""
    kind, n, seed = request.generated
    if kind:
        ids, cut = texts.probe_texts.generated(
            kind, n, tokenizer=loaded.tokenizer, seed=seed, max_tokens=loaded.max_tokens
        )
        return roles.prompts_of_ids(loaded.tokenizer, ids), cut, ()
    prompts, encodings = roles.read_prompts(
        loaded.tokenizer, request.prompts, max_tokens=loaded.max_tokens, chat=request.chat
    )
    cut = sum(encoding.truncated for encoding in encodings)
    return prompts, cut, tuple(html.cautions_of(encodings))

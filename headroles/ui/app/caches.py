"""Models, downloads, answers and reference scores: the server's, for all sessions."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from headroles import capture, charts, limits, models, store, texts, verdicts, view
from headroles.errors import HeadrolesError, UnknownModelError
from headroles.types import PromptRun
from headroles.ui.app import keeper, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from datetime import datetime

    from torch import Tensor

    from headroles.models import LoadedModel
    from headroles.store import ModelEntry
    from headroles.types import Encoding, NextToken, PromptRun
    from headroles.verdicts import PromptScores


class Answer(NamedTuple):
    """One prompt run through the model, with every head's numbers on it."""

    run: PromptRun
    scores: PromptScores
    num_kv_heads: int
    """Key/value heads per layer of the model."""
    precision: str = "float32"
    """The precision that the model ran in: ``float32`` or ``bfloat16``."""


class Reference(NamedTuple):
    """What is known about a model's heads beforehand."""

    entry: ModelEntry | None
    """The stored analysis, or None where there is none to use."""
    thresholds: dict[str, float]
    """The threshold of every scored role: calibrated, or provisional without an entry."""
    backup_since: datetime | None = None
    """UTC: when the version that replaces a damaged file went live; None if the file is fine."""


REPEATS = "random tokens in two copies, seed {}"
"""What stands for the prompt where random tokens were run."""
MOST_MODELS = 2
"""Most models in memory together: each may take half a gigabyte or more."""


@keeper.once
def models_in_memory() -> models.ModelPool:
    """The models of the whole server."""

    return models.ModelPool(MOST_MODELS)


def check_offered(model: str) -> None:
    """Refuse what is no model of this server.

    A browser may send any text as the choice of a picker, and a run of a part of a page does not
    draw the picker, which would refuse it. A folder or Hub id from there must load nothing.

    Raises:
        UnknownModelError: if this server has no such model.
    """
    offered = view.offer.offered(hidden=True)
    if model not in offered:
        raise UnknownModelError(model, known=offered)


@contextlib.contextmanager
def borrow(model: str) -> Iterator[LoadedModel]:
    """A model for as long as it is used; while it is being loaded, other sessions go on.

    The libraries are imported first (:func:`import_libraries`).

    Raises:
        HeadrolesError: if it cannot be loaded, or is not one of this server.
    """
    check_offered(model)
    import_libraries()
    pool = models_in_memory()
    with contextlib.ExitStack() as until_the_end:
        with contextlib.nullcontext() if model in pool.names() else turns.aside():
            loaded = until_the_end.enter_context(pool.borrow(model))
        loaded.use_cores(turns.share_of_cores())
        yield loaded


def weights_now(model: str) -> Hashable:
    """What tells the weights that lie in a listed folder or file from those that were there before.

    It looks at each file and reads none; it is the same for every other model, and for what is no
    model of this server.
    """
    entry = models.known_models().get(model)
    return models.revisions.state_of(entry.source) if entry and entry.is_local else ()


def keep(function: Callable) -> Callable:
    """Keep what a function returns, by its arguments and the weights of the model that is the first
    of them (:func:`headroles.ui.app.keeper.keep`)."""
    return keeper.keep(function, besides=weights_now)


@keeper.once
def fetches() -> models.Fetches:
    """The downloads of the whole server."""

    return models.Fetches(bring=_download)


def clear() -> None:
    """Drop the results of the whole server; models and downloads stay."""
    keeper.results().clear()


def _download(model: str, *, progress: Callable[[int, int], None]) -> None:
    """Fetch a model; a conversion imports transformers, which only one thread at a time may do."""

    if models.entry_of(model).tokenizer is not None:
        import_libraries()
    models.fetch_model(model, progress=progress)


class _Kept(NamedTuple):
    """An answer as it is kept: its attention takes half the space."""

    encoding: Encoding
    next_tokens: tuple[NextToken, ...]
    cells: Tensor
    """[layer head cells] the attention, packed."""
    scores: PromptScores
    num_kv_heads: int
    precision: str
    source: str
    revision: str


def answer(model: str, prompt: str, *, chat: bool = False) -> Answer:
    """One forward pass with every head's attention, or what is kept of an earlier one.

    Args:
        model: the catalogue key.
        prompt: any text.
        chat: whether it is wrapped by the model's chat template.

    Raises:
        HeadrolesError: if the model cannot be loaded or the prompt cannot be run.
    """
    limits.PROMPT.check(len(prompt))
    return _unpacked(model, prompt, _cached_run(model, prompt, chat))


def on_repeats(model: str, seed: int) -> Answer:
    """The same of one random segment of tokens in two copies
    (:func:`headroles.texts.probe_texts.repeated_once`).

    Raises:
        HeadrolesError: if the model cannot be loaded or run.
    """
    return _unpacked(model, REPEATS.format(seed), _cached_repeats(model, seed))


def _unpacked(model: str, prompt: str, kept: _Kept) -> Answer:
    models.memory.trim()  # what the pass, and the page before, used and let go
    attention = capture.packing.unpack(kept.cells, len(kept.encoding.token_ids))
    run = PromptRun(
        model,
        prompt,
        kept.encoding,
        attention,
        kept.next_tokens,
        kept.scores.output_change,
        source=kept.source,
        sight=kept.scores.sight,
        revision=kept.revision,
    )
    return Answer(run, kept.scores, kept.num_kv_heads, kept.precision)


@keep
def _cached_run(model: str, prompt: str, chat: bool) -> _Kept:
    """Run the model once; kept."""
    with borrow(model) as loaded:
        run = capture.capture(loaded, prompt, chat=chat)
        facts = loaded.num_kv_heads, loaded.precision
    return _packed(run, *facts)


@keep
def _cached_repeats(model: str, seed: int) -> _Kept:
    with borrow(model) as loaded:
        ids = texts.probe_texts.repeated_once(
            loaded.tokenizer, seed=seed, max_tokens=loaded.max_tokens
        )
        encoding = texts.probe_texts.encoding_of(loaded.tokenizer, ids)
        run = capture.attention.capture_encoded(loaded, encoding, prompt=REPEATS.format(seed))
        facts = loaded.num_kv_heads, loaded.precision
    return _packed(run, *facts)


def _packed(run: PromptRun, num_kv_heads: int, precision: str) -> _Kept:
    scores = verdicts.score_run(run)
    cells = capture.packing.pack(run.attention)
    return _Kept(
        run.encoding,
        run.next_tokens,
        cells,
        scores,
        num_kv_heads,
        precision,
        run.source,
        run.revision,
    )


_importing = threading.Lock()
_imported: list[object] = []


def import_libraries() -> None:
    """Import what answers are made with and drawn by, one session at a time.

    A library that is being imported by one thread is half there for the others: transformers
    replaces itself meanwhile, and Altair asks whatever there is of pandas for its types. So nothing
    of them is used before all of them are imported.
    """
    if _imported:
        return
    _yield_before_import()
    with turns.aside(), _importing:
        if not _imported:  # another session may have been first
            models.memory.return_large_pieces()
            # The lazy packages import their modules now.
            _imported.extend(
                (models.loading, capture.attention, view.tables, charts.base, store.categories)
            )


def _yield_before_import() -> None:
    """Give the server a moment to send what is drawn so far: importing torch keeps the interpreter
    busy for seconds, and the title would wait with it.
    """
    if "torch" not in sys.modules:
        time.sleep(0.15)


@keep
def shape(model: str) -> tuple[int, int]:
    """Layers and heads of a model whose files are here, read without its weights.

    Raises:
        HeadrolesError: if its files cannot be read.
    """
    check_offered(model)
    import_libraries()

    facts = models.inspect_model(model)
    return facts.num_layers, facts.num_heads


def reference(answer: Answer) -> Reference:
    """The stored analysis of the model that answered; the store itself keeps the file in memory by
    its content.

    While the file is damaged, this is the last good version of it.

    Args:
        answer: of that model; an analysis of another shape or of other weights is refused.

    Raises:
        CategoriesMissingError, CategoriesBrokenError: if there is no analysis that can be used.
        OtherWeightsError: if it is one of other weights than those that ran.
    """

    model, shape = answer.run.model_name, tuple(answer.scores.resting.shape)
    analysis = stored(model, run=answer.run)
    store.contents.check_shape(analysis.entry, shape)
    return analysis


def stored(model: str, *, run: PromptRun | None = None) -> Reference:
    """The stored analysis whatever the model's shape, for pages that do not run the model.

    Args:
        model: the catalogue key.
        run: what it is used beside; None where that is no run.

    Raises:
        CategoriesMissingError, CategoriesBrokenError: if there is no analysis.
        OtherWeightsError: if it is one of other weights than those that ran, or that are here now.
    """

    check_offered(model)
    import_libraries()
    entry, good = store.categories.good_entry(model)
    source = models.resolve_source(model)
    revision = models.model_revision(source) if run is None else run.revision
    store.contents.check_weights(entry, source, revision)
    return Reference(
        entry, verdicts.prompt.thresholds_in(entry), good.since if good.fault else None
    )


def analysed() -> dict[str, ModelEntry]:
    """{model: analysis} of the models that are offered and have one of their own weights."""
    entries = {}
    for key in view.offer.offered():
        if view.offer.choice(key).scores != view.offer.READY:
            continue
        with contextlib.suppress(HeadrolesError):  # told of where that model is used
            entries[key] = stored(key).entry
    return entries


def provisional() -> Reference:
    """What is used without an analysis: no listed heads, and thresholds that were not measured."""

    return Reference(None, dict(verdicts.DEFAULT_THRESHOLDS))

"""The Hugging Face Hub: asked once, with a time limit, its errors turned into sentences.

``huggingface_hub`` asks again and again when nobody answers, for most of a minute. So every
question goes through :func:`asked`, and :func:`fetch` downloads a model's files only after the Hub
has answered. What it returns is a folder on this disk, from which transformers loads without any
network.

>>> fetch("owner/tiny", progress=print)  # doctest: +SKIP
1234 5678
PosixPath('.../snapshots/0123...')
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from filelock import FileLock, Timeout
from httpx2 import HTTPError, TimeoutException
from huggingface_hub import (
    HfApi,
    constants,
    errors,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status
from tqdm import tqdm

from headroles.errors import (
    DiskError,
    DiskFullError,
    HubAnswerError,
    ModelUnavailableError,
    UnsupportedModelError,
    near_match,
)
from headroles.models.weight_files import (
    INDEX,
    LARGEST_INDEX,
    has_weights,
    weights_among,
)

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

Progress = Callable[[int, int], None]
"""Told the bytes that are here and those that there will be."""

TIMEOUT = 8.0
"""Seconds after which the Hub counts as unreachable."""

SMALL_FILES = {".json", ".txt", ".model", ".jinja"}
"""Endings of configuration and tokenizer files."""

_TOKENIZERS = ("tokenizer.json", "vocab.json", "tokenizer.model", "tokenizer_config.json")
_Result = TypeVar("_Result")


# ------------------------------------------------------------------ questions


def asked(
    source: str,
    question: Callable[[], _Result],
    *,
    timeout: float = TIMEOUT,
    known: Iterable[str] = (),
) -> _Result:
    """The answer to a question to the Hub.

    Args:
        source: the model's id.
        question: what asks.
        timeout: seconds to wait.
        known: ids that a mistyped one is compared with.

    Raises:
        HubAnswerError: if the Hub knows no such model, or does not give it to everybody.
        ModelUnavailableError: if there is no network, or no answer within the time.
    """
    refuse_offline(source)
    with explained(source, timeout=timeout, known=known):
        return within(timeout, question)


def refuse_offline(source: str) -> None:
    """Honour ``HF_HUB_OFFLINE`` with a sentence of its own."""
    if constants.is_offline_mode():
        why = (
            "it is not on this disk, and HF_HUB_OFFLINE forbids the network. Fetch it once with "
            f"'hf download {source}' while there is one."
        )
        raise ModelUnavailableError(source, why=why)


@contextlib.contextmanager
def explained(
    source: str, *, timeout: float = TIMEOUT, known: Iterable[str] = ()
) -> Iterator[None]:
    """Whatever goes wrong with the Hub, as the error that a reader can do something with."""
    try:
        yield
    except (TimeoutError, TimeoutException) as error:
        why = f"the Hugging Face Hub did not answer within {timeout:g} seconds."
        raise ModelUnavailableError(source, why=why) from error
    except errors.GatedRepoError as error:
        raise _gated(source) from error
    except errors.RepositoryNotFoundError as error:
        raise _unknown(source, known) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise _gated(source) from error
        why = f"the Hugging Face Hub answered with an error ({status})."
        raise ModelUnavailableError(source, why=why) from error
    except (OSError, HTTPError) as error:
        why = "the Hugging Face Hub cannot be reached."
        raise ModelUnavailableError(source, why=why) from error


def _unknown(source: str, known: Iterable[str]) -> HubAnswerError:
    return HubAnswerError(
        f"There is no public model '{source}' on the Hugging Face Hub.{near_match(source, known)}",
        hint="Check the spelling on huggingface.co, capital letters included. A private model "
        "needs an HF_TOKEN on the server.",
        value=source,
    )


def _gated(source: str) -> HubAnswerError:
    return HubAnswerError(
        f"The model '{source}' is not open to everybody: its owner asks for consent first.",
        hint=f"Accept its terms on huggingface.co/{source} and set HF_TOKEN on the server, or "
        "choose an open model.",
        value=source,
    )


def within(seconds: float, action: Callable[[], _Result]) -> _Result:
    """The result of an action, or TimeoutError: a server may also answer, but drop by drop."""
    results: queue.SimpleQueue = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((action(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=run, daemon=True, name="ask the Hub").start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


# ------------------------------------------------------------------ files


def weights_on_hub(
    source: str, commit: str | None, sizes: Mapping[str, int], timeout: float
) -> list[str]:
    """The weight files that transformers would read, by the index of a model that has one.

    Args:
        source: the model's id.
        commit: its commit; None for what the Hub calls ``main``.
        sizes: {file: bytes} of all its files.
        timeout: seconds to wait for the index.

    Returns:
        Their names; empty where there are no safetensors.

    Raises:
        ModelUnavailableError: if the index makes no sense, or names anything but safetensors.
    """

    def index() -> object:
        if sizes[INDEX] > LARGEST_INDEX:
            raise ModelUnavailableError(source, why=f"its {INDEX} is far too large.")
        return content(source, INDEX, commit, timeout)

    return weights_among(sizes, index, source)


def content(source: str, name: str, commit: str | None, timeout: float) -> object:
    """What a small JSON file of a model says. For :func:`asked`.

    Raises:
        ModelUnavailableError: if it is no JSON.
    """
    # Not hf_hub_download: it asks again and again, for up to a minute, when nobody answers.
    answer = get_session().get(
        hf_hub_url(source, name, revision=commit), headers=build_hf_headers(), timeout=timeout
    )
    hf_raise_for_status(answer)
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:
        why = "the Hugging Face Hub's answer cannot be understood."
        raise ModelUnavailableError(source, why=why) from error


def no_safetensors(key: str) -> UnsupportedModelError:
    """The refusal of a model whose weights are pickled."""
    return UnsupportedModelError(
        key,
        why="its weights are not stored as safetensors (model.safetensors), and reading other "
        "formats can run code.",
    )


def cached(source: str, revision: str | None = None) -> Path | None:
    """The folder of the Hub's cache that holds a model's configuration, if there is one."""
    return snapshot(source, "config.json", revision)


def snapshot(source: str, name: str, revision: str | None = None) -> Path | None:
    """The folder of the Hub's cache that holds a file of that name, if there is one."""
    file = try_to_load_from_cache(source, name, revision=revision)
    return Path(file).parent if isinstance(file, str) else None


def whole(source: str, revision: str | None = None) -> Path | None:
    """The folder of the Hub's cache that holds a model with all its weights and its tokenizer."""
    here = cached(source, revision)
    has_tokenizer = here and any((here / name).is_file() for name in _TOKENIZERS)
    return here if has_tokenizer and has_weights(here) else None


def fetch(
    source: str,
    revision: str | None = None,
    *,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    known: Iterable[str] = (),
) -> Path | None:
    """A model's folder on this disk, downloaded if it is not here as a whole.

    Weights come last, so a folder that has them has everything else; a download that is cut leaves
    nothing that could be taken for a file.

    Returns:
        The folder; None where the model has no safetensors on its own branch.

    Raises:
        HubAnswerError, ModelUnavailableError: as :func:`asked`, also for a cut in the middle.
        DiskError: if the disk does not take the files.
    """
    if here := whole(source, revision):
        return here
    info, sizes = asked(
        source, lambda: describe(source, revision, timeout), timeout=timeout, known=known
    )
    weights = asked(
        source, lambda: weights_on_hub(source, info.sha, sizes, timeout), timeout=timeout
    )
    if not weights:
        return None
    wanted = {name: sizes[name] for name in [*small_files(sizes), *weights]}
    download([Part(source, revision, wanted)], progress=progress)
    return cached(source, revision)


class Part(NamedTuple):
    """Files of one repository."""

    source: str
    revision: str | None
    """Its commit; None for what the Hub calls ``main``."""
    sizes: Mapping[str, int]
    """{file: bytes}, in the order in which they are fetched."""


def download(parts: Sequence[Part], *, progress: Progress | None = None) -> None:
    """Download what is not here yet, one file after the other, under one count of bytes.

    Raises:
        HubAnswerError, ModelUnavailableError: as :func:`asked`, also for a cut in the middle.
        DiskError: if the disk does not take the files.
    """
    count = _count(parts, progress)
    for part in parts:
        try:
            with explained(part.source):
                _download(part, count)
        except ModelUnavailableError as error:
            sweep(part.source)
            why = "the download was cut off. What is missing is fetched with the next attempt."
            raise ModelUnavailableError(part.source, why=why) from error


def describe(source: str, revision: str | None, timeout: float) -> tuple[ModelInfo, dict[str, int]]:
    """What the Hub says of a model, and the bytes of each of its files."""
    info = HfApi().model_info(source, revision=revision, files_metadata=True, timeout=timeout)
    return info, {file.rfilename: file.size or 0 for file in info.siblings or []}


def small_files(names: Iterable[str]) -> list[str]:
    """The configuration and tokenizer files among a model's files."""
    return [name for name in names if "/" not in name and Path(name).suffix in SMALL_FILES]


def missing(source: str, revision: str | None, names: Iterable[str]) -> list[str]:
    """The files that are not in the cache yet."""
    return [
        name
        for name in names
        if not isinstance(try_to_load_from_cache(source, name, revision=revision), str)
    ]


def _count(parts: Sequence[Part], progress: Progress | None) -> Callable[[int], None]:
    """What is told the bytes of all parts as they arrive."""
    total = sum(
        part.sizes[name]
        for part in parts
        for name in missing(part.source, part.revision, part.sizes)
    )
    if total > (free := free_disk()):
        raise DiskFullError(constants.HF_HUB_CACHE, needs=total, free=free)
    done = 0

    def add(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(min(done, total), total)

    add(0)
    return add


def _download(part: Part, count: Callable[[int], None]) -> None:
    """Download the files of a part that are not here, in the order given."""

    class Bytes(tqdm):
        """Counts instead of drawing."""

        def update(self, n: float | None = 1) -> None:
            count(int(n or 0))

        def refresh(self, *_args: object, **_settings: object) -> None:
            """Draw nothing."""

        display = close = refresh

    for name in missing(part.source, part.revision, part.sizes):
        try:
            hf_hub_download(part.source, name, revision=part.revision, tqdm_class=Bytes)
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            if error.errno is None:  # huggingface_hub's own errors are of this class too
                raise
            raise DiskError(constants.HF_HUB_CACHE, error) from error


def free_disk() -> int:
    """Bytes that a download can have: free ones where the Hub's cache is or will be."""
    place = Path(HF_HUB_CACHE).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def sweep(source: str) -> int:
    """Remove the parts of a model's files that no process is downloading any more.

    A file of the etag E is downloaded into ``blobs/E.<random>.incomplete`` under the lock
    ``.locks/<model>/E.lock``. A killed process poisons nothing, but nobody takes its part up again.

    Returns:
        How many files were removed.
    """
    cache = Path(constants.HF_HUB_CACHE)
    repo = repo_folder_name(repo_id=source, repo_type="model")
    removed = 0
    for part in sorted((cache / repo / "blobs").glob("*.incomplete")):
        lock = cache / ".locks" / repo / f"{part.name.partition('.')[0]}.lock"
        with contextlib.suppress(Timeout, OSError):  # whoever holds the lock is still downloading
            lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=0):
                part.unlink()
                removed += 1
    return removed

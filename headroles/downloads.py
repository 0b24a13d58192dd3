"""What an interrupted download leaves in the Hugging Face cache, and how it is taken away.

``huggingface_hub`` downloads a file of the etag E into ``blobs/E.<random>.incomplete``, renames it
to ``blobs/E`` when it is whole, and holds the lock ``.locks/<model>/E.lock`` meanwhile. A process
that is killed in between poisons nothing, but its part stays for good: nobody takes it up again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from filelock import FileLock, Timeout

from headroles.errors import UnknownModelError
from headroles.models import resolve_source


def sweep_unfinished(name: str) -> int:
    """Remove the parts of a model's files that no process is downloading any more.

    Args:
        name: a catalogue key or Hub id; for a folder there is nothing to do.

    Returns:
        How many files were removed.
    """
    try:
        source = resolve_source(name)
    except UnknownModelError:
        return 0
    if Path(source).is_dir():
        return 0
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

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
